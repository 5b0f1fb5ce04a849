package ctr.flink;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.BoundedOutOfOrdernessWatermarks;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.streaming.api.operators.source.WatermarkToDataOutput;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.io.PushingAsyncDataInput.DataOutput;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.StatusWatermarkValve;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * The watermarks of one source a partition, joined at the operator's input as Flink joins those of several channels: the
 * minimum over the channels that are not idle.
 */
final class SourceWatermarks {
    private final List<WatermarkGenerator<Event>> generators = new ArrayList<>();
    private final List<WatermarkToDataOutput> channels = new ArrayList<>();

    SourceWatermarks(int partitions, Duration maxOutOfOrderness, DataOutput<Event> operator) {
        StatusWatermarkValve valve = new StatusWatermarkValve(partitions);
        for (int channel = 0; channel < partitions; channel++) {
            generators.add(new BoundedOutOfOrdernessWatermarks<>(maxOutOfOrderness));
            channels.add(new WatermarkToDataOutput(new Channel(valve, channel, operator)));
        }
    }

    /** Sources show a record first and then tell the generator of it. */
    void onEvent(Event event) {
        generators.get(event.partition).onEvent(event, event.timestamp, channels.get(event.partition));
    }

    void emit() {
        for (int channel = 0; channel < channels.size(); channel++) {
            generators.get(channel).onPeriodicEmit(channels.get(channel));
        }
    }

    void markIdle(int partition) {
        channels.get(partition).markIdle();
    }

    /** The end of a bounded input: all of event time is behind. */
    void end() {
        for (WatermarkToDataOutput channel : channels) {
            channel.emitWatermark(org.apache.flink.api.common.eventtime.Watermark.MAX_WATERMARK);
        }
    }

    /** What one source emits goes to its channel of the valve. Records take the short way, see {@link CtrOperator}. */
    private record Channel(StatusWatermarkValve valve, int index, DataOutput<Event> operator) implements DataOutput<Event> {
        @Override
        public void emitWatermark(Watermark watermark) throws Exception {
            valve.inputWatermark(watermark, index, operator);
        }

        @Override
        public void emitWatermarkStatus(WatermarkStatus status) throws Exception {
            valve.inputWatermarkStatus(status, index, operator);
        }

        @Override
        public void emitRecord(StreamRecord<Event> event) {
            throw new UnsupportedOperationException("watermarks only");
        }

        @Override
        public void emitLatencyMarker(LatencyMarker marker) {
            throw new UnsupportedOperationException("watermarks only");
        }
    }
}
