package ctr.peers.flink;

import ctr.peers.common.Event;

/** What became of a record: one of the two, the other is null. */
public final class Parsed {
    public Event event;
    public DeadLetter deadLetter;

    /** The event's time; of a record that is none, the time of day, as the original has it: it moves the watermark. */
    static long eventTime(Parsed parsed, long recordTimestamp) {
        return parsed.event == null ? System.currentTimeMillis() : parsed.event.timestamp;
    }
}
