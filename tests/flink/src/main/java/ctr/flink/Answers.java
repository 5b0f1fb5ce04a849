package ctr.flink;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.runtime.util.EnvironmentInformation;

/** The lines of an answer file. README.md says what they mean. */
final class Answers {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final List<String> lines = new ArrayList<>();
    private final Map<List<Object>, Firing> last = new HashMap<>();
    private long dropped;

    Answers(String recording) throws JsonProcessingException {
        ObjectNode header = JSON.createObjectNode();
        header.put("recording", recording);
        header.put("flink", EnvironmentInformation.getVersion());
        header.put("window_ms", CtrOperator.WINDOW_SIZE.toMilliseconds());
        header.put("max_out_of_orderness_ms", FlinkAnswers.MAX_OUT_OF_ORDERNESS.toMillis());
        header.put("allowed_lateness_ms", CtrOperator.ALLOWED_LATENESS.toMilliseconds());
        add(header);
    }

    /** A window fired, on time or to show a late update, after a line of the recording; null is the end of the input. */
    void fired(Integer line, String how, Firing firing) throws JsonProcessingException {
        ObjectNode node = JSON.createObjectNode();
        node.put("line", line);
        node.put("fired", how);
        put(node, firing);
        add(node);
        last.put(List.of(firing.window, firing.product), firing);
    }

    void dropped(Event event, List<String> partitions) throws JsonProcessingException {
        ObjectNode node = JSON.createObjectNode();
        node.put("line", event.line);
        node.put("dropped", partitions.get(event.partition));
        node.put("offset", event.offset);
        add(node);
        dropped++;
    }

    /** What the windows showed last, and the lines of all answers. Every event must be in a window or dropped. */
    List<String> finish(long events) throws JsonProcessingException {
        long counted = last.values().stream().mapToLong(firing -> firing.impressions + firing.clicks).sum();
        if (counted + dropped != events) {
            throw new IllegalStateException(events + " events, but " + counted + " counted and " + dropped + " dropped");
        }
        Comparator<Firing> byWindow = Comparator.comparingLong(firing -> firing.window);
        for (Firing firing : last.values().stream().sorted(byWindow.thenComparing(firing -> firing.product)).toList()) {
            ObjectNode node = JSON.createObjectNode();
            put(node.put("final", true), firing);
            add(node);
        }
        return lines;
    }

    private static void put(ObjectNode node, Firing firing) {
        node.put("product", firing.product);
        node.put("window", firing.window);
        node.put("impressions", firing.impressions);
        node.put("clicks", firing.clicks);
    }

    private void add(ObjectNode node) throws JsonProcessingException {
        lines.add(JSON.writeValueAsString(node));
    }
}
