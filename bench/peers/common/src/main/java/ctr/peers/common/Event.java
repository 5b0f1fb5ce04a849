package ctr.peers.common;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;

/** An impression or a click. A plain object with public fields: Flink serializes such ones fastest. */
@JsonIgnoreProperties(ignoreUnknown = true)
public final class Event {
    private static final ObjectReader READER = new ObjectMapper().readerFor(Event.class);

    @JsonProperty("event_type")
    public String type;
    @JsonProperty("product_id")
    public String product;
    /** Event time, epoch milliseconds. */
    public long timestamp;
    // Not counted, but read: the pipeline looks at them too, and refuses what is no text.
    @JsonProperty("event_id")
    public String id;
    @JsonProperty("user_id")
    public String user;
    @JsonProperty("session_id")
    public String session;

    /** @throws IOException if the bytes are no event; the log of a measurement has none such. */
    public static Event parse(byte[] json) throws IOException {
        return READER.readValue(json);
    }

    /** Whether it is an impression or a click: only such events may be counted. */
    public boolean hasKnownType() {
        return type != null && switch (type) {
            case "click", "impression", "view" -> true;
            default -> false;
        };
    }

    /** 1 for an impression, otherwise 0. */
    public int impressions() {
        return 1 - clicks();
    }

    /** 1 for a click, otherwise 0. */
    public int clicks() {
        return switch (type) {
            case "click" -> 1;
            case "impression", "view" -> 0;
            default -> throw new IllegalArgumentException("event_type " + type);
        };
    }
}
