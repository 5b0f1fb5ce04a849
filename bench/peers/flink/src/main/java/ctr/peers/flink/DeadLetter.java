package ctr.peers.flink;

/** A record that is no event, with the names of the original's JSON. */
public final class DeadLetter {
    /** "Impression" or "Click". */
    public String source;
    public String rawTopic;
    public String errorCode;
    public String errorMessage;
    public String rawData;
    /** Epoch milliseconds; null where the record has no time. */
    public Long eventTimeMillisUtc;
    public String stackTrace;
    /** ISO 8601. */
    public String createdAtUtc;
}
