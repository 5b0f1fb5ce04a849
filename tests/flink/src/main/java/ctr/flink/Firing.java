package ctr.flink;

import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** What the operator shows of one product when a window fires. */
public class Firing {
    public String product;
    /** Start of the window, epoch milliseconds. */
    public long window;
    public long impressions;
    public long clicks;

    static final class Showing extends ProcessWindowFunction<Counts, Firing, String, TimeWindow> {
        private static final long serialVersionUID = 1;

        @Override
        public void process(String product, Context context, Iterable<Counts> elements, Collector<Firing> out) {
            for (Counts counts : elements) {
                Firing firing = new Firing();
                firing.product = product;
                firing.window = context.window().getStart();
                firing.impressions = counts.impressions;
                firing.clicks = counts.clicks;
                out.collect(firing);
            }
        }
    }
}
