package ctr.peers.flink;

/** A row of results. */
public final class Row {
    public String product;
    /** Epoch milliseconds. */
    public long windowStart;
    /** Epoch milliseconds, of the first one after the window. */
    public long windowEnd;
    public long impressions;
    public long clicks;

    /** Clicks per impression; 0 without impressions. */
    double ctr() {
        return impressions == 0 ? 0 : (double) clicks / impressions;
    }
}
