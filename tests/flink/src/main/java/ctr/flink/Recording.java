package ctr.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A recorded log, in the order in which it is read.
 *
 * @param partitions the names of the Kafka partitions it comes from
 * @param emitEvery after how many events of the recording the sources emit their watermarks: 1 is after every event
 * @param steps what happened, in order
 */
record Recording(List<String> partitions, int emitEvery, List<Step> steps) {

    /** Either an event, or the moment in which a source found that its partition is idle ({@code event} is null). */
    record Step(int line, int partition, Event event) {}

    static Recording read(Path file) throws IOException {
        ObjectMapper json = new ObjectMapper();
        List<String> lines = Files.readAllLines(file);
        JsonNode header = json.readTree(lines.get(0));
        List<String> partitions = new ArrayList<>();
        header.required("partitions").forEach(name -> partitions.add(name.asText()));
        List<Step> steps = new ArrayList<>();
        for (int line = 2; line <= lines.size(); line++) {
            steps.add(step(line, json.readTree(lines.get(line - 1)), partitions));
        }
        return new Recording(partitions, header.path("emit_every").asInt(1), steps);
    }

    private static Step step(int line, JsonNode node, List<String> partitions) {
        boolean idle = node.has("idle");
        int partition = partitions.indexOf(node.required(idle ? "idle" : "partition").asText());
        if (partition < 0) {
            throw new IllegalArgumentException("line " + line + ": no such partition in the first line: " + node);
        }
        return new Step(line, partition, idle ? null : event(line, partition, node));
    }

    private static Event event(int line, int partition, JsonNode node) {
        Event event = new Event();
        event.line = line;
        event.partition = partition;
        event.offset = node.required("offset").asLong();
        event.timestamp = node.required("timestamp").asLong();
        event.product = node.required("product").asText();
        event.click = switch (node.required("kind").asText()) {
            case "impression" -> false;
            case "click" -> true;
            default -> throw new IllegalArgumentException("line " + line + ": an impression or a click, not " + node);
        };
        return event;
    }
}
