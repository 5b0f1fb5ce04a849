"""Instances of one group, a worker each, and how far they have read: each is asked several times a second."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException

from ground import Ground
from pauses import Advances, Look
from readers import ShippedPipeline
from stack import Database, Pipeline, Topics, wait_until

LOOK_EVERY_SECONDS = 0.1
"""A worker publishes its positions four times a second."""

SETTLE_SECONDS = 180


def pairs_read(status: Mapping) -> dict[int, int]:
    """The records read of each pair of partitions, by a response of /api/v1/status."""
    read: dict[int, int] = {}
    for partition in status["partitions"]:
        read[partition["partition"]] = read.get(partition["partition"], 0) + partition["position"]
    return read


class Instances:
    """As many instances as the topics have pairs. Those that run are watched."""

    def __init__(self, ground: Ground, topics: Topics, database: Database, session_timeout_ms: int):
        settings = {"ctr.job.parallelism": 1, "kafka.session-timeout-ms": session_timeout_ms}
        self._pipelines = [ShippedPipeline(ground.kafka, topics, database, ground.folder, settings) for _ in range(topics.partitions)]
        self.advances = Advances(topics.partitions)
        self._over = threading.Event()
        self._watchers = [threading.Thread(target=self._watch, args=[pipeline], daemon=True) for pipeline in self._pipelines]

    def __enter__(self) -> "Instances":
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for watcher in self._watchers:
            watcher.join()
        for pipeline in self._pipelines:
            pipeline.kill()

    @property
    def all(self) -> Sequence[Pipeline]:
        return self._pipelines

    def end(self, pipeline: Pipeline, how: str) -> None:
        """`leave`: SIGQUIT, leaves the group; `stop`: SIGTERM, remains a member; `kill`: kill -9."""
        code = getattr(pipeline, how)()
        assert how == "kill" or code == 0, f"the pipeline ended with {code}:\n{pipeline.process.tail()}"
        self.advances.forget(name_of(pipeline))

    def settle(self, since: float, missing: Sequence[Pipeline] = ()) -> None:
        """Waits until all instances but the missing ones share the pairs, and each pair has been read further after that."""
        running = [pipeline for pipeline in self._pipelines if pipeline not in missing]

        def shared_out() -> bool:
            for pipeline in running:
                assert pipeline.process.runs(), f"the pipeline ended:\n{pipeline.process.tail()}"
            return self.advances.is_shared_out(map(name_of, running), since)

        wait_until(shared_out, SETTLE_SECONDS, f"{len(running)} instances share the partitions")
        settled = time.time()
        wait_until(lambda: self.advances.have_all_advanced(settled), SETTLE_SECONDS, "every partition is read")

    def _watch(self, pipeline: Pipeline) -> None:
        connection = HTTPConnection("127.0.0.1", pipeline.port, timeout=5)
        while not self._over.wait(LOOK_EVERY_SECONDS):
            if not pipeline.process.runs():
                self.advances.forget(name_of(pipeline))
                connection.close()
                continue
            try:
                connection.request("GET", "/api/v1/status")
                status = json.loads(connection.getresponse().read())
            except (OSError, HTTPException):
                # It is starting, or ends.
                connection.close()
                continue
            self.advances.add(Look(name_of(pipeline), time.time(), pairs_read(status)))


def name_of(pipeline: Pipeline) -> str:
    return pipeline.settings["ctr.job.instance-id"]
