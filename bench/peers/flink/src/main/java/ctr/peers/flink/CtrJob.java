package ctr.peers.flink;

import ctr.peers.common.Event;
import ctr.peers.common.Log;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.restartstrategy.RestartStrategies;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.CheckpointingMode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.CheckpointConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.time.Time;

/** What both jobs are made of: two Kafka sources with watermarks, one stream by product, event-time windows. */
final class CtrJob {
    private CtrJob() {}

    /** Checkpoints as the original takes them. A failure ends the job: a reading that began anew is no measurement. */
    static StreamExecutionEnvironment environment(Log log) {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.setParallelism(log.parallelism());
        environment.getConfig().disableGenericTypes();
        environment.setRestartStrategy(RestartStrategies.noRestart());
        environment.enableCheckpointing(60_000, CheckpointingMode.EXACTLY_ONCE);
        CheckpointConfig checkpoints = environment.getCheckpointConfig();
        checkpoints.setCheckpointTimeout(600_000);
        checkpoints.setMinPauseBetweenCheckpoints(5_000);
        checkpoints.setMaxConcurrentCheckpoints(1);
        checkpoints.setCheckpointStorage(log.folder().resolve("checkpoints").toUri());
        return environment;
    }

    /** A topic as it is now: the stream ends at its end. Watermarks are those of its partitions. */
    static <T> SingleOutputStreamOperator<T> source(StreamExecutionEnvironment environment, Log log, String topic,
            DeserializationSchema<T> schema, SerializableTimestampAssigner<T> eventTime) {
        KafkaSource<T> source = KafkaSource.<T>builder()
                .setBootstrapServers(log.bootstrapServers())
                .setGroupId("flink-" + topic)
                .setTopics(topic)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setValueOnlyDeserializer(schema)
                .build();
        WatermarkStrategy<T> watermarks = WatermarkStrategy
                .<T>forBoundedOutOfOrderness(Duration.ofSeconds(Log.DISORDER_SECONDS))
                .withTimestampAssigner(eventTime);
        return environment.fromSource(source, watermarks, topic);
    }

    /** The rows of all windows; a window gives one more for each late event that it takes. */
    static SingleOutputStreamOperator<Row> rows(DataStream<Event> events) {
        return events
                .keyBy(event -> event.product)
                .window(TumblingEventTimeWindows.of(Time.seconds(Log.WINDOW_SECONDS)))
                .allowedLateness(Time.seconds(Log.ALLOWED_LATENESS_SECONDS))
                .aggregate(new Counting(), new ToRow());
    }
}
