package ctr.peers.flink;

import ctr.peers.common.Event;
import ctr.peers.common.Log;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.time.Time;

/** The job of the original's shape: two Kafka sources, one stream by product, event-time windows, a sink. */
final class CtrJob {
    private CtrJob() {}

    /** The job over the log as it is now: it ends at the log's end. */
    static JobGraph graph(Log log) {
        StreamExecutionEnvironment environment = environment(log);
        DataStream<Event> impressions = events(environment, log, log.impressions());
        DataStream<Event> clicks = events(environment, log, log.clicks());
        impressions.union(clicks)
                .keyBy(event -> event.product)
                .window(TumblingEventTimeWindows.of(Time.seconds(Log.WINDOW_SECONDS)))
                .allowedLateness(Time.seconds(Log.ALLOWED_LATENESS_SECONDS))
                .aggregate(new Counting(), new ToRow())
                .addSink(new TableSink());
        return environment.getStreamGraph().getJobGraph();
    }

    /** Checkpoints as the original takes them; objects are reused, as Flink recommends where functions do not keep them. */
    private static StreamExecutionEnvironment environment(Log log) {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.setParallelism(log.parallelism());
        environment.getConfig().enableObjectReuse();
        environment.getConfig().disableGenericTypes();
        environment.enableCheckpointing(60_000, CheckpointingMode.EXACTLY_ONCE);
        CheckpointConfig checkpoints = environment.getCheckpointConfig();
        checkpoints.setCheckpointTimeout(600_000);
        checkpoints.setMinPauseBetweenCheckpoints(5_000);
        checkpoints.setMaxConcurrentCheckpoints(1);
        checkpoints.setCheckpointStorage(log.folder().resolve("checkpoints").toUri());
        return environment;
    }

    private static DataStream<Event> events(StreamExecutionEnvironment environment, Log log, String topic) {
        KafkaSource<Event> source = KafkaSource.<Event>builder()
                .setBootstrapServers(log.bootstrapServers())
                .setGroupId("flink-" + topic)
                .setTopics(topic)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setValueOnlyDeserializer(new EventSchema())
                .build();
        WatermarkStrategy<Event> watermarks = WatermarkStrategy
                .<Event>forBoundedOutOfOrderness(Duration.ofSeconds(Log.DISORDER_SECONDS))
                .withTimestampAssigner((event, recordTimestamp) -> event.timestamp);
        return environment.fromSource(source, watermarks, topic);
    }
}
