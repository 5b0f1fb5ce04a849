package ctr.peers.common;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The peers' sink: a table in memory, in which the last row of a product and window stays, as in a table that is written by key.
 * It stands for a database that costs nothing, which favours them.
 */
public final class ResultTable {
    private record Key(String product, long windowStart) {}

    private static final Map<Key, Counts> ROWS = new ConcurrentHashMap<>();
    private static final AtomicLong FIRST_ROW_AT = new AtomicLong();

    private ResultTable() {}

    /** Writes a row over an older one; any thread. */
    public static void put(String product, long windowStart, long impressions, long clicks) {
        if (FIRST_ROW_AT.get() == 0) {
            FIRST_ROW_AT.compareAndSet(0, System.currentTimeMillis());
        }
        ROWS.put(new Key(product, windowStart), new Counts(impressions, clicks));
    }

    static void clear() {
        ROWS.clear();
        FIRST_ROW_AT.set(0);
    }

    /** When the first row came, epoch milliseconds; 0: none has come. */
    static long firstRowAt() {
        return FIRST_ROW_AT.get();
    }

    /** A line for each row: product, window start in epoch milliseconds, impressions, clicks, with tabs between them. */
    static void write(Path file) throws IOException {
        try (PrintWriter lines = new PrintWriter(Files.newBufferedWriter(file))) {
            ROWS.forEach((key, counts) -> lines.printf("%s\t%d\t%d\t%d\n", key.product, key.windowStart, counts.impressions, counts.clicks));
        }
    }
}
