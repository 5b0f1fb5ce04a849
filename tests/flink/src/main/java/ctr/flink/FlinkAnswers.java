package ctr.flink;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** Asks Flink's window operator what it makes of every recording of a folder, and writes down the answers. */
public final class FlinkAnswers {
    static final Duration MAX_OUT_OF_ORDERNESS = Duration.ofSeconds(2);

    private static final String RECORDING = ".events.jsonl";
    private static final String ANSWERS = ".answers.jsonl";

    private FlinkAnswers() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) {
            System.err.println("usage: FlinkAnswers RECORDINGS ANSWERS\n"
                    + "  reads RECORDINGS/NAME" + RECORDING + " and writes ANSWERS/NAME" + ANSWERS);
            System.exit(2);
        }
        Path into = Files.createDirectories(Path.of(arguments[1]));
        for (Path recording : recordings(Path.of(arguments[0]))) {
            String file = recording.getFileName().toString();
            String name = file.substring(0, file.length() - RECORDING.length());
            Files.write(into.resolve(name + ANSWERS), answer(file, Recording.read(recording)));
        }
    }

    private static List<Path> recordings(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> found = files.filter(file -> file.toString().endsWith(RECORDING)).sorted().toList();
            if (found.isEmpty()) {
                throw new IOException("no recording (*" + RECORDING + ") in " + folder + "; run make_recordings.py");
            }
            return found;
        }
    }

    private static List<String> answer(String file, Recording recording) throws Exception {
        Answers answers = new Answers(file);
        long events = 0;
        try (CtrOperator operator = new CtrOperator()) {
            SourceWatermarks sources =
                    new SourceWatermarks(recording.partitions().size(), MAX_OUT_OF_ORDERNESS, operator);
            for (Recording.Step step : recording.steps()) {
                if (step.event() == null) {
                    sources.markIdle(step.partition());
                } else {
                    operator.emitRecord(new StreamRecord<>(step.event(), step.event().timestamp));
                    // What the record itself shows is an update of a window that has fired already.
                    write(answers, step.line(), "late", operator);
                    for (Event dropped : operator.takeDropped()) {
                        answers.dropped(dropped, recording.partitions());
                    }
                    sources.onEvent(step.event());
                    events++;
                    if (events % recording.emitEvery() == 0) {
                        sources.emit();
                    }
                }
                write(answers, step.line(), "on time", operator);
            }
            sources.end();
            write(answers, null, "on time", operator);
        }
        return answers.finish(events);
    }

    private static void write(Answers answers, Integer line, String how, CtrOperator operator) throws IOException {
        for (Firing firing : operator.takeFirings()) {
            answers.fired(line, how, firing);
        }
    }
}
