package ctr.peers.flink;

import ctr.peers.common.Log;
import ctr.peers.common.Peer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/** Runs a job on task managers, which live in this process beside a job manager and stay for all readings. */
final class FlinkPeer {
    /** Makes the job of a reading. */
    interface Job {
        JobGraph graph(Log log, int reading);
    }

    private FlinkPeer() {}

    /** Every task manager has as many slots as operators run side by side. */
    static void run(int taskManagers, Job job) throws Exception {
        int slots = Integer.parseInt(System.getenv("PARALLELISM"));
        try (MiniCluster cluster = new MiniCluster(cluster(taskManagers, slots))) {
            cluster.start();
            Peer.main((log, reading) -> cluster.executeJobBlocking(job.graph(log, reading)));
        }
        // Threads of Flink outlive the cluster.
        System.exit(0);
    }

    private static MiniClusterConfiguration cluster(int taskManagers, int slots) {
        Configuration settings = new Configuration();
        settings.set(RestOptions.ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_PORT, "0");
        return new MiniClusterConfiguration.Builder()
                .setConfiguration(settings)
                .setNumTaskManagers(taskManagers)
                .setNumSlotsPerTaskManager(slots)
                .build();
    }
}
