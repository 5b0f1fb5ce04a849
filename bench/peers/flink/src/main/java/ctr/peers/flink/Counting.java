package ctr.peers.flink;

import ctr.peers.common.Counts;
import ctr.peers.common.Event;
import org.apache.flink.api.common.functions.AggregateFunction;

/** Counts event by event: a window holds two numbers for a product, not its events. */
final class Counting implements AggregateFunction<Event, Counts, Counts> {
    private static final long serialVersionUID = 1;

    @Override
    public Counts createAccumulator() {
        return new Counts();
    }

    @Override
    public Counts add(Event event, Counts counts) {
        return counts.add(event);
    }

    @Override
    public Counts getResult(Counts counts) {
        return counts;
    }

    @Override
    public Counts merge(Counts left, Counts right) {
        return new Counts(left.impressions + right.impressions, left.clicks + right.clicks);
    }
}
