package ctr.peers.flink;

import ctr.peers.common.ResultTable;
import org.apache.flink.streaming.api.functions.sink.SinkFunction;

/** Rows into the table of this process: a window that fires again for a late event writes its row again. */
final class TableSink implements SinkFunction<Row> {
    private static final long serialVersionUID = 1;

    @Override
    public void invoke(Row row, Context context) {
        ResultTable.put(row.product, row.windowStart, row.impressions, row.clicks);
    }
}
