package ctr.peers.streams;

import ctr.peers.common.Log;
import ctr.peers.common.Peer;
import java.time.Duration;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs the application in this process: for each reading a new one, with a group and a state of its own. */
public final class StreamsPeer {
    private StreamsPeer() {}

    public static void main(String[] arguments) throws Exception {
        Peer.main(StreamsPeer::read);
    }

    /** Until every record was processed, and the clean end has written out what was still in caches. */
    private static void read(Log log, int reading) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        CtrTopology topology = new CtrTopology(log, done);
        try (KafkaStreams streams = new KafkaStreams(topology.build(), settings(log, reading))) {
            streams.setUncaughtExceptionHandler(failure -> {
                done.completeExceptionally(failure);
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            done.get();
            if (!streams.close(Duration.ofSeconds(60))) {
                throw new IllegalStateException("the application did not close within a minute");
            }
        }
    }

    /** Defaults but for the threads, the place to begin and the name. Changelogs have as many copies as the brokers' topics. */
    private static Properties settings(Log log, int reading) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "streams-" + reading + "-" + UUID.randomUUID());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, log.bootstrapServers());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, log.parallelism());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, log.folder().resolve("state").toString());
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        return settings;
    }
}
