package ctr.peers.streams;

import ctr.peers.common.Counts;
import ctr.peers.common.Event;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Bytes of events and of counts. */
final class CtrSerdes {
    private CtrSerdes() {}

    /** Read only: nothing writes events. */
    static Serde<Event> event() {
        return Serdes.serdeFrom((topic, event) -> {
            throw new UnsupportedOperationException("events are only read");
        }, (topic, json) -> {
            try {
                return Event.parse(json);
            } catch (IOException failure) {
                throw new SerializationException(failure);
            }
        });
    }

    /** Two numbers of 8 bytes. */
    static Serde<Counts> counts() {
        return Serdes.serdeFrom(
                (topic, counts) -> counts == null ? null
                        : ByteBuffer.allocate(2 * Long.BYTES).putLong(counts.impressions).putLong(counts.clicks).array(),
                (topic, bytes) -> {
                    if (bytes == null) {
                        return null;
                    }
                    ByteBuffer numbers = ByteBuffer.wrap(bytes);
                    return new Counts(numbers.getLong(), numbers.getLong());
                });
    }
}
