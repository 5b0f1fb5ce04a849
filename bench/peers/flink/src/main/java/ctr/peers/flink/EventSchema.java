package ctr.peers.flink;

import ctr.peers.common.Event;
import java.io.IOException;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;

/** A record's bytes as an event. */
final class EventSchema extends AbstractDeserializationSchema<Event> {
    private static final long serialVersionUID = 1;

    @Override
    public Event deserialize(byte[] json) throws IOException {
        return Event.parse(json);
    }
}
