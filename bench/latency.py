"""How soon a result can be seen: from the end of a window to its row, at rates that the producer keeps.

Started by `./scripts/bench.sh latency`. At each rate events flow in real time, with the pipeline as it ships. Two things are
measured, both on one clock: when each row was written (ClickHouse's own time, less the window's end and the 2 s that the
watermark stays behind), and when a reader that asks ctr_latest_view again and again first saw it.
"""

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ground import Ground, on_new_ground
from readers import ShippedPipeline
from report import arguments_of, numbers, say, write
from stack import Database, Producer, wait_until

WATERMARK_DELAY_MS = 2_000
WINDOW_MS = 10_000
PARTITIONS = 6
PRODUCTS = 100
CLICKS_OF_ALL = 0.315
PROBE_SECONDS = 0.02


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p99: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))], ordered[-1], len(ordered))

    def text(self) -> str:
        return f"{self.p50:.0f} / {self.p99:.0f} / {self.most:.0f} ms"


@dataclass(frozen=True)
class Latency:
    """What one rate came to."""

    wanted_rate: int
    sent_rate: float
    durable: Percentiles
    """Window end + 2 s to the row's insert."""
    visible: Percentiles
    """Window end + 2 s to the first answer of ctr_latest_view with it."""
    event_to_visible: Percentiles
    """Event time to that answer, for events spread evenly over their window: 2 s and up to 10 s of it are the rule's."""
    most_lag: int
    """The most records that the pipeline was behind in the second half of the run: a rate that it can keep has a flat lag."""

    def row(self) -> str:
        return (f"| {self.wanted_rate:,}; {self.sent_rate:,.0f} | {self.durable.text()} | {self.visible.text()} | "
                f"{self.event_to_visible.text()} | {self.most_lag:,} |")


@dataclass
class Probe:
    """Asks for the newest window of every product until it is stopped, and notes when each was first seen."""

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


def measure(ground: Ground, rate: int, seconds: int) -> Latency:
    """One rate, on topics and a database of its own."""
    topics, database = ground.kafka.fresh_topics(PARTITIONS), ground.engine.fresh_database()
    pipeline = ShippedPipeline(ground.kafka, topics, database, ground.folder)
    lags: list[int] = []
    try:
        pipeline.start_ready()
        with Probe(database) as probe:
            events = Producer(ground.kafka, topics, ground.folder).start("both", rate=rate * (1 - CLICKS_OF_ALL), click_rate=rate * CLICKS_OF_ALL,
                                                           products=PRODUCTS, duration=f"{seconds}s", seed=1)
            while events.runs():
                lags.append(sum(partition["lagRecords"] or 0 for partition in pipeline.get_json("/api/v1/partitions")["partitions"]))
                time.sleep(0.5)
            assert events.wait(60) == 0, events.tail()
            wait_until(lambda: written(database), 30, "rows are written")
        sent = sent_per_second(events.tail())
        return summed_up(rate, sent, written(database), probe.seen, lags)
    finally:
        pipeline.kill()
        database.execute(f"DROP DATABASE {database.name}")


def sent_per_second(statistics_of_producer: str) -> float:
    *_, line = (line for line in statistics_of_producer.splitlines() if line.startswith("events/s"))
    return float(line.split()[1])


def written(database: Database) -> list[tuple[str, int, float]]:
    """Product, window end and when its first row was written, all in ms."""
    rows = database.query("SELECT product_id, toUnixTimestamp64Milli(window_end) AS end, toUnixTimestamp64Milli(min(first_written_at)) AS at "
                          "FROM ctr_window_history GROUP BY ALL")
    return [(row["product_id"], row["end"], row["at"]) for row in rows]


def summed_up(rate: int, sent: float, rows: list[tuple[str, int, float]], seen: dict[tuple[str, int], float], lags: list[int]) -> Latency:
    ends = sorted({end for _, end, _ in rows})
    # The first window began before the events did, and the last ones end with them: those wait for the idle timeout.
    judged = set(ends[1:-2])
    assert len(judged) >= 2, f"{len(ends)} windows are too few to say anything: let the run take longer"
    durable = [at - end - WATERMARK_DELAY_MS for _, end, at in rows if end in judged]
    visible = [at - end - WATERMARK_DELAY_MS for (_, end), at in seen.items() if end in judged]
    spread = [wait + WATERMARK_DELAY_MS + WINDOW_MS * (step + 0.5) / 20 for wait in visible for step in range(20)]
    return Latency(rate, sent, Percentiles.of(durable), Percentiles.of(visible), Percentiles.of(spread),
                   max(lags[len(lags) // 2:], default=0))


@dataclass(frozen=True)
class Latencies:
    """One rate after the other."""

    runs: list[Latency]

    def markdown(self) -> str:
        head = ["| events/s, wanted and sent | window end + 2 s to durable row: p50 / p99 / most | to visible in ctr_latest_view | "
                "event time to visible | most lag, records |", "|---|---|---|---|---|"]
        return "\n".join(head + [run.row() for run in self.runs])

    def as_json(self) -> dict[str, Any]:
        return {"rates": [asdict(run) for run in self.runs]}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("latency", __doc__)
    parser.add_argument("--rates", type=numbers, default=[1_000, 100_000], help="events per second, one after the other (1000,100000)")
    parser.add_argument("--seconds", type=int, default=70, help="how long each rate is kept (70)")
    return parser.parse_args(arguments)


def main() -> int:
    chosen = options(sys.argv[1:])

    def measure_all(ground: Ground) -> str:
        runs = []
        for rate in chosen.rates:
            runs.append(measure(ground, rate, chosen.seconds))
            say(runs[-1].row())
        return write(chosen.results, "latency", [Latencies(runs)])

    return on_new_ground(measure_all)


if __name__ == "__main__":
    sys.exit(main())
