"""A ZooKeeper for tests, from the jars that Kafka brings along."""

import socket
from pathlib import Path

from stack.process import CHECKOUT, LOCAL_DIR, Process, clean_environment, free_ports, wait_until


class ZooKeeper:
    """One server on a free port of the loopback, its data in a folder."""

    def __init__(self, folder: Path):
        self.port = free_ports(1)[0]
        configuration = folder / "zoo.cfg"
        configuration.write_text(f"tickTime=500\ndataDir={folder}/data\nclientPort={self.port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n")
        command = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", f"{LOCAL_DIR}/kafka/lib/*",
                   f"-Dlog4j.configuration=file:{CHECKOUT}/local/kafka/log4j-tools.properties", "-Dzookeeper.admin.enableServer=false",
                   "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(configuration)]
        self.process = Process("zookeeper", command, clean_environment(), folder / "zookeeper.log")

    def start(self) -> None:
        self.process.start()

        def listens() -> bool:
            assert self.process.runs(), f"ZooKeeper ended:\n{self.process.tail()}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(listens, 30, "ZooKeeper listens")

    def kill(self) -> None:
        self.process.kill()
