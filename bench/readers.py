"""The pipeline and the bare consumer: each reads the whole log once, in a new process, and is measured."""

import dataclasses
import json
import time
import uuid
from collections.abc import Mapping, Sequence

from exactness import assert_counts
from filled_log import FilledLog
from ground import Ground
from measure import Usage, cpu_seconds, patience_seconds, peak_rss_bytes, run_measured
from pipeline.comparison import assert_letters
from stack import Database, Pipeline, Process, wait_until
from stack.pipeline import QUICK, variable
from stack.process import BINARIES, CHECKOUT, clean_environment

COMPARISON_SECONDS = 120
"""How long the last rows and dead letters may take after the result."""

IDLE_SECONDS = 2
"""How long a reader is watched with nothing to do."""


class ShippedPipeline(Pipeline):
    """The pipeline with its shipped settings, without those with which tests shorten waits."""

    def _environment(self) -> dict[str, str]:
        return clean_environment({variable(key): value for key, value in self.settings.items() if key not in QUICK})


class PipelineReader:
    """ctr-pipeline with its sink: a new group and a new database each time. Instances share the group; their figures are summed."""

    name = "ctr-pipeline"

    def __init__(self, ground: Ground, settings: Mapping[str, object], instances: int = 1):
        self._ground, self._settings, self._instances = ground, settings, instances

    def read(self, log: FilledLog) -> list[Usage]:
        """Measures until every event of the log is in the table; then compares everything with the truth."""
        database = self._ground.engine.fresh_database()
        topics = dataclasses.replace(log.topics, group=f"bench-{uuid.uuid4().hex[:8]}")
        pipelines = [ShippedPipeline(self._ground.kafka, topics, database, self._ground.folder, self._settings) for _ in range(self._instances)]
        begun = time.time()
        try:
            for pipeline in pipelines:
                pipeline.start()
            self.wait_for_all_windows(pipelines, database, log)
            wall, pids = time.time() - begun, [pipeline.process.pid for pipeline in pipelines]
            usage = Usage(self.name, log.records, wall, sum(map(cpu_seconds, pids)), sum(map(peak_rss_bytes, pids)), first_insert(database) - begun)
            idle = sum(map(idle_cpu_share, pids))
            # Queried only now, because it costs the pipeline CPU time too.
            statuses = [pipeline.get_json("/api/v1/status") for pipeline in pipelines]
            # The closing events fire after the idle timeout.
            assert_counts(log.truth, database, COMPARISON_SECONDS)
            assert_letters(log.truth, self._ground.kafka, topics, COMPARISON_SECONDS)
            for pipeline in pipelines:
                assert pipeline.stop() == 0, f"the pipeline did not stop cleanly:\n{pipeline.process.tail()}"
        finally:
            for pipeline in pipelines:
                pipeline.kill()
            database.execute(f"DROP DATABASE {database.name}")
        consumed = sum(status["ledger"]["consumed"] for status in statuses)
        return [dataclasses.replace(usage, idle_cpu_share=idle, read_again_share=consumed / log.records - 1,
                                    firing_pause_seconds=max(status["firing"]["p99Seconds"] or 0 for status in statuses))]

    @staticmethod
    def wait_for_all_windows(pipelines: Sequence[Pipeline], database: Database, log: FilledLog) -> None:
        """Waits until every event that the closing ones make fire is in the table."""
        end_seconds, expected = log.shape.end_ms // 1000, log.counted_by_the_end
        sql = f"SELECT sum(impressions + clicks) AS events FROM ctr_results_raw FINAL WHERE window_end <= toDateTime64({end_seconds}, 3)"

        def complete() -> bool:
            for pipeline in pipelines:
                assert pipeline.process.runs(), f"the pipeline ended:\n{pipeline.process.tail()}"
            events = database.query(sql)[0]["events"]
            assert events <= expected, f"{events} events counted of {expected}"
            return events == expected

        # Queries take CPU time from the readers: many rows are queried less often.
        every = 0.05 if len(log.truth.windows) < 50_000 else 0.5
        wait_until(complete, patience_seconds(log.records), f"all {expected} events are in the table", every)


class BareConsumer:
    """examples/bare_consumer.rs: the same batches with the same settings, discarded."""

    name = "bare consumer"

    def __init__(self, ground: Ground, settings: Mapping[str, object]):
        self._ground, self._settings = ground, settings

    def read(self, log: FilledLog) -> list[Usage]:
        """Measures from its start to its exit."""
        settings = {
            "kafka.bootstrap-servers": self._ground.kafka.bootstrap_servers, "kafka.topics.impression": log.topics.impressions,
            "kafka.topics.click": log.topics.clicks, **self._settings,
        }
        output = self._ground.folder / f"bare-consumer-{uuid.uuid4().hex[:8]}.log"
        process = Process(self.name, [str(BINARIES / "examples" / "bare_consumer"), "--config", str(CHECKOUT / "config/application.yml")],
                          clean_environment({variable(key): str(value) for key, value in settings.items()}), output)
        usage = run_measured(process, log.records)
        records = json.loads(process.tail(1))["records"]
        assert records == log.records, f"{self.name} read {records} records of {log.records}"
        return [usage]


def first_insert(database: Database) -> float:
    """When the first rows were inserted, in epoch seconds. (Rewritten raw rows lose their first time.)"""
    return database.query("SELECT toUnixTimestamp64Milli(min(first_written_at)) AS ms FROM ctr_window_history")[0]["ms"] / 1000


def idle_cpu_share(pid: int) -> float:
    """CPU seconds per second from now on."""
    begun, before = time.monotonic(), cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / (time.monotonic() - begun)
