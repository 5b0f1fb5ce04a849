package ctr.peers.flink;

import ctr.peers.common.Event;
import ctr.peers.common.Log;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The job as the original has it: records are parsed and validated, dead letters go to their topic, results through JDBC to ClickHouse.
 * Sources, windows and the sink have slots of their own. Whatever is not known of the original is as Flink has it by default.
 */
public final class OriginalJob {
    /** One for each group of slots, when a task manager has as many slots as a group needs. */
    private static final int TASK_MANAGERS = 3;

    private OriginalJob() {}

    public static void main(String[] arguments) throws Exception {
        FlinkPeer.run(TASK_MANAGERS, OriginalJob::graph);
    }

    private static JobGraph graph(Log log, int reading) {
        StreamExecutionEnvironment environment = CtrJob.environment(log);
        SingleOutputStreamOperator<Event> impressions = events(environment, log, "Impression", log.impressions());
        SingleOutputStreamOperator<Event> clicks = events(environment, log, "Click", log.clicks());
        impressions.getSideOutput(Split.DEAD_LETTERS).union(clicks.getSideOutput(Split.DEAD_LETTERS)).sinkTo(OriginalSinks.deadLetters(log));
        CtrJob.rows(impressions.union(clicks)).slotSharingGroup("windows")
                .addSink(OriginalSinks.clickHouse(reading)).slotSharingGroup("sink");
        return environment.getStreamGraph().getJobGraph();
    }

    private static SingleOutputStreamOperator<Event> events(StreamExecutionEnvironment environment, Log log, String source, String topic) {
        return CtrJob.source(environment, log, topic, new ParsingSchema(source, topic), Parsed::eventTime)
                .slotSharingGroup("sources")
                .process(new Split());
    }
}
