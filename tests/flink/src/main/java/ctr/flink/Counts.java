package ctr.flink;

import org.apache.flink.api.common.functions.AggregateFunction;

/** What is counted of one product in one window. */
public class Counts {
    public long impressions;
    public long clicks;

    /** Counting, as the window operator wants it. */
    static final class Adding implements AggregateFunction<Event, Counts, Counts> {
        private static final long serialVersionUID = 1;

        @Override
        public Counts createAccumulator() {
            return new Counts();
        }

        @Override
        public Counts add(Event event, Counts counts) {
            if (event.click) {
                counts.clicks++;
            } else {
                counts.impressions++;
            }
            return counts;
        }

        @Override
        public Counts getResult(Counts counts) {
            return counts;
        }

        @Override
        public Counts merge(Counts one, Counts other) {
            one.impressions += other.impressions;
            one.clicks += other.clicks;
            return one;
        }
    }
}
