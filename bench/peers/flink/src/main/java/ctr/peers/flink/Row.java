package ctr.peers.flink;

/** A row of results. */
public final class Row {
    public String product;
    /** Epoch milliseconds. */
    public long windowStart;
    public long impressions;
    public long clicks;
}
