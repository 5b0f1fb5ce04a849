package ctr.peers.common;

import java.nio.file.Path;
import java.util.Map;

/**
 * The log to read, and how.
 *
 * @param deadLetters the topic for records that are no events
 * @param records what both topics hold together
 * @param folder for whatever a reading writes
 */
public record Log(String bootstrapServers, String impressions, String clicks, String deadLetters, long records, int parallelism, Path folder) {
    /** Windows are this long. */
    public static final long WINDOW_SECONDS = 10;

    /** The watermark stays this far behind the largest event time. */
    public static final long DISORDER_SECONDS = 2;

    /** A window takes events for so long after the watermark has passed it. */
    public static final long ALLOWED_LATENESS_SECONDS = 5;

    static Log fromEnvironment() {
        Map<String, String> env = System.getenv();
        return new Log(env.get("KAFKA_BOOTSTRAP_SERVERS"), env.get("IMPRESSION_TOPIC"), env.get("CLICK_TOPIC"),
                env.get("DLQ_TOPIC"), Long.parseLong(env.get("RECORDS")), Integer.parseInt(env.get("PARALLELISM")), Path.of(env.get("FOLDER")));
    }
}
