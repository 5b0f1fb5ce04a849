package ctr.peers.flink;

import ctr.peers.common.Event;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** Events go on, dead letters go out at the side. */
final class Split extends ProcessFunction<Parsed, Event> {
    static final OutputTag<DeadLetter> DEAD_LETTERS = new OutputTag<>("dead letters", TypeInformation.of(DeadLetter.class));

    private static final long serialVersionUID = 1;

    @Override
    public void processElement(Parsed parsed, Context context, Collector<Event> events) {
        if (parsed.event != null) {
            events.collect(parsed.event);
        } else {
            context.output(DEAD_LETTERS, parsed.deadLetter);
        }
    }
}
