package ctr.peers.common;

/** What was counted of a product in a window. */
public final class Counts {
    public long impressions;
    public long clicks;

    public Counts() {}

    public Counts(long impressions, long clicks) {
        this.impressions = impressions;
        this.clicks = clicks;
    }

    /** Counts one more event into this object. */
    public Counts add(Event event) {
        impressions += event.impressions();
        clicks += event.clicks();
        return this;
    }
}
