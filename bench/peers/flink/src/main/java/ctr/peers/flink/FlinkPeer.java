package ctr.peers.flink;

import ctr.peers.common.Log;
import ctr.peers.common.Peer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/** Runs the job on one task manager, which lives in this process beside a job manager and stays for all readings. */
public final class FlinkPeer {
    private FlinkPeer() {}

    public static void main(String[] arguments) throws Exception {
        int slots = Integer.parseInt(System.getenv("PARALLELISM"));
        try (MiniCluster cluster = new MiniCluster(cluster(slots))) {
            cluster.start();
            Peer.main((Log log, int reading) -> cluster.executeJobBlocking(CtrJob.graph(log)));
        }
        // Threads of Flink outlive the cluster.
        System.exit(0);
    }

    private static MiniClusterConfiguration cluster(int slots) {
        Configuration settings = new Configuration();
        settings.set(RestOptions.ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
        settings.set(RestOptions.BIND_PORT, "0");
        return new MiniClusterConfiguration.Builder()
                .setConfiguration(settings)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(slots)
                .build();
    }
}
