package ctr.peers.common;

import java.nio.file.Path;

/** A program that is measured beside the pipeline: it reads the whole log, as often as the environment says, in one process. */
public interface Peer {
    /** Reads the log from its first record to its end, and returns when all results are in {@link ResultTable}. */
    void read(Log log, int reading) throws Exception;

    /**
     * Reads READINGS times. After each one the table is in a file of the folder and a line of JSON is on standard output: at that line
     * whoever measures looks at the process from outside.
     */
    static void main(Peer peer) throws Exception {
        Log log = Log.fromEnvironment();
        int readings = Integer.parseInt(System.getenv("READINGS"));
        for (int reading = 1; reading <= readings; reading++) {
            ResultTable.clear();
            peer.read(log, reading);
            Path file = log.folder().resolve("rows-" + reading + ".tsv");
            ResultTable.write(file);
            System.out.printf("{\"rows\": \"%s\", \"firstRowAt\": %d}%n", file, ResultTable.firstRowAt());
        }
    }
}
