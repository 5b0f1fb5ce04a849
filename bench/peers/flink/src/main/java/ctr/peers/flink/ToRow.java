package ctr.peers.flink;

import ctr.peers.common.Counts;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Gives the counts of a window that fires their product and time. */
final class ToRow extends ProcessWindowFunction<Counts, Row, String, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void process(String product, Context context, Iterable<Counts> counted, Collector<Row> out) {
        Counts counts = counted.iterator().next();
        Row row = new Row();
        row.product = product;
        row.windowStart = context.window().getStart();
        row.windowEnd = context.window().getEnd();
        row.impressions = counts.impressions;
        row.clicks = counts.clicks;
        out.collect(row);
    }
}
