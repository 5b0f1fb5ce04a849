package ctr.peers.flink;

import ctr.peers.common.Event;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;

/** A record's bytes as an event that keeps the rules, or as a dead letter. */
final class ParsingSchema extends AbstractDeserializationSchema<Parsed> {
    private static final long serialVersionUID = 1;

    private final String source;
    private final String topic;

    ParsingSchema(String source, String topic) {
        this.source = source;
        this.topic = topic;
    }

    @Override
    public Parsed deserialize(byte[] json) {
        Parsed parsed = new Parsed();
        try {
            Event event = Event.parse(json);
            String brokenRule = brokenRule(event);
            if (brokenRule == null) {
                parsed.event = event;
            } else {
                parsed.deadLetter = deadLetter(json, "VALIDATION_ERROR", brokenRule);
            }
        } catch (IOException failure) {
            parsed.deadLetter = deadLetter(json, "DESERIALIZATION_ERROR", failure.getMessage());
        }
        return parsed;
    }

    /** Null for a valid event. */
    private static String brokenRule(Event event) {
        if (event == null) {
            return "no object";
        }
        if (event.product == null || event.product.isBlank()) {
            return "product_id is missing";
        }
        if (event.timestamp <= 0) {
            return "timestamp is missing";
        }
        return event.hasKnownType() ? null : "event_type is none of impression, view, click";
    }

    private DeadLetter deadLetter(byte[] json, String code, String message) {
        DeadLetter letter = new DeadLetter();
        letter.source = source;
        letter.rawTopic = topic;
        letter.errorCode = code;
        letter.errorMessage = message;
        letter.rawData = new String(json, StandardCharsets.UTF_8);
        letter.createdAtUtc = Instant.now().toString();
        return letter;
    }
}
