"""Real-time events at one rate, the pipeline that processes them, and a reader that polls for results."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ground import Ground
from measure import cpu_seconds
from readers import ShippedPipeline
from stack import Database, Pipeline, Process, Producer, wait_until

PARTITIONS = 6
PRODUCTS = 100
CLICKS_OF_ALL = 0.315
PROBE_SECONDS = 0.02
LINGER = "10ms"
"""The original's, and that of all published latencies: what producers wait to fill a batch is not the pipeline's doing."""
LAG_EVERY_SECONDS = 0.5

FLAT_WITHIN_SECONDS = 0.5
"""What a flat lag may grow by, in seconds' worth of events. The pipeline asks for the ends of the logs twice a second, so no
lag is known better than that."""

SENT_AT_LEAST = 0.99
"""The share of the events asked for that must have been sent, or the rate was not the one asked for."""


@dataclass(frozen=True)
class Flow:
    """Results of one rate."""

    wanted_rate: int
    sent_rate: float
    lags: list[int]
    """Records that the pipeline was behind, twice a second while events came."""
    cores: dict[str, float]
    """CPU seconds a second of each who takes part."""

    @property
    def is_sent(self) -> bool:
        return self.sent_rate >= SENT_AT_LEAST * self.wanted_rate

    @property
    def lag_growth_seconds(self) -> float:
        """Growth of the median lag from the first third of the time to the last, in seconds' worth of events."""
        third = max(1, len(self.lags) // 3)
        return (statistics.median(self.lags[-third:]) - statistics.median(self.lags[:third])) / self.wanted_rate

    @property
    def is_kept(self) -> bool:
        """Whether all events were sent and the lag stayed flat. A pipeline that is 5 % too slow is a second behind after twenty."""
        return self.is_sent and self.lag_growth_seconds <= FLAT_WITHIN_SECONDS

    def verdict(self) -> str:
        """The bottleneck, if any, and the CPU usage of each process."""
        used = ", ".join(f"{name} {share:.2f}" for name, share in self.cores.items())
        if not self.is_sent:
            outcome = f"not sent: {self.sent_rate / self.wanted_rate:.0%} of it, so the producer or the brokers gave in"
        elif not self.is_kept:
            outcome = f"not kept: the lag grew by {self.lag_growth_seconds:.1f} s, so the pipeline gave in"
        else:
            outcome = f"kept: the lag grew by {self.lag_growth_seconds:.2f} s"
        return f"{self.wanted_rate:,} events/s: {outcome} (cores: {used})"


@dataclass
class Probe:
    """Polls for the newest window of every product until it is stopped, and records when each was first seen."""

    database: Database
    seen: dict[tuple[str, int], float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Probe":
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        sql = "SELECT product_id, toUnixTimestamp64Milli(window_end) AS end FROM ctr_latest_view"
        while not self._ended.wait(PROBE_SECONDS):
            rows = self.database.query(sql)
            now = time.time() * 1000
            for row in rows:
                self.seen.setdefault((row["product_id"], row["end"]), now)


@dataclass(frozen=True)
class Observed:
    """A flow and its results."""

    flow: Flow
    rows: list[tuple[str, int, float]]
    """Product, window end and when its first row was written, all in ms."""
    seen: dict[tuple[str, int], float]
    """Product and window end: when an answer first had it, ms."""


def observe(ground: Ground, rate: int, seconds: int) -> Observed:
    """Runs one rate for that long, with its own topics and database and the pipeline's shipped settings."""
    topics, database = ground.kafka.fresh_topics(PARTITIONS), ground.engine.fresh_database()
    pipeline = ShippedPipeline(ground.kafka, topics, database, ground.folder)
    try:
        pipeline.start_ready()
        with Probe(database) as probe:
            flow = flow_at(rate, seconds, Producer(ground.kafka, topics, ground.folder), pipeline, ground)
            rows = wait_until(lambda: written(database), 60, "rows are written")
        return Observed(flow, rows, probe.seen)
    finally:
        pipeline.kill()
        database.execute(f"DROP DATABASE {database.name}")
        ground.kafka.delete_topics(topics)


def flow_at(rate: int, seconds: int, producer: Producer, pipeline: Pipeline, ground: Ground) -> Flow:
    """Sends that many events per second for that long, and samples the lag meanwhile."""
    events = producer.start("both", rate=rate * (1 - CLICKS_OF_ALL), click_rate=rate * CLICKS_OF_ALL, products=PRODUCTS,
                            duration=f"{seconds}s", seed=1, linger=LINGER)
    everyone = {"producer": [events], "brokers": ground.kafka.processes(), "pipeline": [pipeline.process], "ClickHouse": [ground.engine.process]}
    before = {name: used(processes) for name, processes in everyone.items()}
    begun, lags, after = time.monotonic(), [], before
    while events.runs():
        lags.append(sum(partition["lagRecords"] or 0 for partition in pipeline.get_json("/api/v1/partitions")["partitions"]))
        # After a process has been waited for, nothing can be read: the last sample counts.
        took, after = time.monotonic() - begun, {name: used(processes) for name, processes in everyone.items()}
        time.sleep(LAG_EVERY_SECONDS)
    assert events.wait(60) == 0, events.tail()
    return Flow(rate, sent_per_second(events.tail()), lags, {name: (after[name] - before[name]) / took for name in everyone})


def used(processes: Sequence[Process]) -> float:
    """CPU seconds of all processes so far."""
    return sum(cpu_seconds(process.pid) for process in processes)


def sent_per_second(statistics_of_producer: str) -> float:
    *_, line = (line for line in statistics_of_producer.splitlines() if line.startswith("events/s"))
    return float(line.split()[1])


def written(database: Database) -> list[tuple[str, int, float]]:
    """Product, window end and when its first row was written, all in ms."""
    rows = database.query("SELECT product_id, toUnixTimestamp64Milli(window_end) AS end, toUnixTimestamp64Milli(min(first_written_at)) AS at "
                          "FROM ctr_window_history GROUP BY ALL")
    return [(row["product_id"], row["end"], row["at"]) for row in rows]
