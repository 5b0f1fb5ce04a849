package ctr.peers.streams;

import ctr.peers.common.Counts;
import ctr.peers.common.Event;
import ctr.peers.common.Log;
import ctr.peers.common.ResultTable;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/**
 * Both topics as one stream, by its key, which is the product: no second topic for records to be shared out anew, as there would be if
 * the product were read from the value. Windows are in memory, with a changelog and a cache, which are the defaults; rows come
 * out of the cache when the application commits.
 */
final class CtrTopology {
    private static final Duration WINDOW = Duration.ofSeconds(Log.WINDOW_SECONDS);
    private static final Duration GRACE = Duration.ofSeconds(Log.DISORDER_SECONDS + Log.ALLOWED_LATENESS_SECONDS);

    private final Log log;
    private final CompletableFuture<Void> done;
    private final AtomicLong processed = new AtomicLong();

    CtrTopology(Log log, CompletableFuture<Void> done) {
        this.log = log;
        this.done = done;
    }

    Topology build() {
        WindowBytesStoreSupplier windows = Stores.inMemoryWindowStore("counts", WINDOW.plus(GRACE), WINDOW, false);
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(List.of(log.impressions(), log.clicks()),
                        Consumed.with(Serdes.String(), CtrSerdes.event()).withTimestampExtractor(new EventTime()))
                .peek((product, event) -> notice())
                .groupByKey()
                .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
                .aggregate(Counts::new, (product, event, counts) -> counts.add(event),
                        Materialized.<String, Counts>as(windows).withKeySerde(Serdes.String()).withValueSerde(CtrSerdes.counts()).withCachingEnabled())
                .toStream()
                .foreach((window, counts) -> ResultTable.put(window.key(), window.window().start(), counts.impressions, counts.clicks));
        return builder.build();
    }

    private void notice() {
        if (processed.incrementAndGet() == log.records()) {
            done.complete(null);
        }
    }
}
