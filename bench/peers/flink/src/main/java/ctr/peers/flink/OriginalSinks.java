package ctr.peers.flink;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import ctr.peers.common.Log;
import java.io.UncheckedIOException;
import java.sql.Timestamp;
import java.util.Map;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.jdbc.JdbcConnectionOptions;
import org.apache.flink.connector.jdbc.JdbcExecutionOptions;
import org.apache.flink.connector.jdbc.JdbcSink;
import org.apache.flink.connector.jdbc.JdbcStatementBuilder;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.streaming.api.functions.sink.SinkFunction;

/** Where the original's results and dead letters go. */
final class OriginalSinks {
    private static final String INSERT =
            "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES (?, ?, ?, ?, ?, ?)";
    private static final JdbcStatementBuilder<Row> PARAMETERS = (statement, row) -> {
        statement.setString(1, row.product);
        statement.setDouble(2, row.ctr());
        statement.setLong(3, row.impressions);
        statement.setLong(4, row.clicks);
        statement.setTimestamp(5, new Timestamp(row.windowStart));
        statement.setTimestamp(6, new Timestamp(row.windowEnd));
    };
    private static final ObjectWriter JSON = new ObjectMapper().writerFor(DeadLetter.class);

    private OriginalSinks() {}

    /** ClickHouse with the original's batches. Every reading has a database of its own: JDBC_URLS names them, with blanks between them. */
    static SinkFunction<Row> clickHouse(int reading) {
        Map<String, String> env = System.getenv();
        JdbcExecutionOptions batches = JdbcExecutionOptions.builder().withBatchSize(1000).withBatchIntervalMs(200).withMaxRetries(3).build();
        JdbcConnectionOptions connection = new JdbcConnectionOptions.JdbcConnectionOptionsBuilder()
                .withUrl(env.get("JDBC_URLS").split(" ")[reading - 1])
                .withDriverName("com.clickhouse.jdbc.ClickHouseDriver")
                .withUsername(env.get("CLICKHOUSE_USER"))
                .withPassword(env.get("CLICKHOUSE_PASSWORD"))
                .build();
        return JdbcSink.sink(INSERT, PARAMETERS, batches, connection);
    }

    static KafkaSink<DeadLetter> deadLetters(Log log) {
        return KafkaSink.<DeadLetter>builder()
                .setBootstrapServers(log.bootstrapServers())
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
                .setRecordSerializer(KafkaRecordSerializationSchema.<DeadLetter>builder()
                        .setTopic(log.deadLetters())
                        .setValueSerializationSchema(OriginalSinks::json)
                        .build())
                .build();
    }

    private static byte[] json(DeadLetter letter) {
        try {
            return JSON.writeValueAsBytes(letter);
        } catch (JsonProcessingException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
