package ctr.peers.streams;

import ctr.peers.common.Event;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.TimestampExtractor;

/** Time is the event's, not the record's. */
public final class EventTime implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
        return ((Event) record.value()).timestamp;
    }
}
