package ctr.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.time.Time;
import org.apache.flink.streaming.api.windowing.triggers.EventTimeTrigger;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.streaming.runtime.io.PushingAsyncDataInput.DataOutput;
import org.apache.flink.streaming.runtime.operators.windowing.WindowOperatorBuilder;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.util.OutputTag;

/**
 * Flink's {@code WindowOperator} as {@code keyBy(product).window(Tumbling 10 s).allowedLateness(5 s).sideOutputLateData(...)
 * .aggregate(...)} makes it, in the harness of Flink's own tests.
 */
final class CtrOperator implements DataOutput<Event>, AutoCloseable {
    static final Time WINDOW_SIZE = Time.seconds(10);
    static final Time ALLOWED_LATENESS = Time.seconds(5);

    private static final OutputTag<Event> LATE = new OutputTag<>("late", TypeInformation.of(Event.class));

    private final KeyedOneInputStreamOperatorTestHarness<String, Event, Firing> harness;

    CtrOperator() throws Exception {
        WindowOperatorBuilder<Event, String, TimeWindow> builder =
                new WindowOperatorBuilder<>(
                        TumblingEventTimeWindows.of(WINDOW_SIZE),
                        EventTimeTrigger.create(),
                        new ExecutionConfig(),
                        TypeInformation.of(Event.class),
                        event -> event.product,
                        Types.STRING);
        builder.allowedLateness(ALLOWED_LATENESS);
        builder.sideOutputLateData(LATE);
        harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        builder.aggregate(new Counts.Adding(), new Firing.Showing(), TypeInformation.of(Counts.class)),
                        event -> event.product,
                        Types.STRING);
        harness.open();
    }

    /** The rows that were shown since the last call, in order. */
    List<Firing> takeFirings() {
        List<Firing> firings = new ArrayList<>(harness.extractOutputValues());
        harness.getOutput().clear();
        return firings;
    }

    /** The records that were dropped as too late since the last call, in order. */
    List<Event> takeDropped() {
        List<Event> dropped = new ArrayList<>();
        var late = harness.getSideOutput(LATE);
        if (late != null) {
            late.forEach(record -> dropped.add(record.getValue()));
            late.clear();
        }
        return dropped;
    }

    @Override
    public void emitRecord(StreamRecord<Event> event) throws Exception {
        harness.processElement(event);
    }

    @Override
    public void emitWatermark(Watermark watermark) throws Exception {
        harness.processWatermark(watermark);
    }

    @Override
    public void emitWatermarkStatus(WatermarkStatus status) throws Exception {
        harness.processWatermarkStatus(status);
    }

    @Override
    public void emitLatencyMarker(LatencyMarker marker) throws Exception {
        harness.getOneInputOperator().processLatencyMarker(marker);
    }

    @Override
    public void close() throws Exception {
        harness.close();
    }
}
