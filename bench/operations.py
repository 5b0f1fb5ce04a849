"""The cost of monitoring the pipeline while it reads at full speed, of verifying its results and of recounting them.

Started by `./scripts/bench.sh operations`. A log with few products and one with 100,000 are each read by a pipeline that is monitored
like by an open page and Prometheus; then `ctr-verify reconcile` and `ctr-pipeline recount` process the same log and its rows.
"""

import argparse
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from filled_log import START_MS, FilledLog, LogShape, fill
from ground import Ground, on_new_ground
from measure import Usage, cpu_seconds, run_measured
from readers import PipelineReader, ShippedPipeline
from report import Rounds, Spread, arguments_of, milliseconds, say, write
from stack import Database, Pipeline, Process, wait_until
from stack.pipeline import variable
from stack.process import BINARIES, CHECKOUT, clean_environment

SPAN_SECONDS = 600
MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS, MANY_PRODUCTS_EVENTS = 100_000, 60, 2_000_000

PAGE_EVERY_SECONDS, SCRAPE_EVERY_SECONDS = 0.5, 1
"""As the page asks, and much oftener than Prometheus does (monitoring/prometheus.yml), so that there are some scrapes to look at."""

SCRAPES = 100
"""Scrapes after the log is read, one after another."""


@dataclass
class Watching:
    """The cost of monitoring, and the duration of scrapes."""

    title: str
    reading_seconds: float = 0.0
    process_cpu_seconds: float = 0.0
    status_cpu_seconds: float = 0.0
    looks: int = 0
    scrapes_while_reading: list[float] = field(default_factory=list)
    scrapes_after: list[float] = field(default_factory=list)
    scrape_bytes: int = 0

    @property
    def share(self) -> float:
        """As a share of the CPU time of the whole process, including its startup."""
        return self.status_cpu_seconds / self.process_cpu_seconds

    @property
    def milliseconds_a_second(self) -> float:
        """CPU time per second of monitoring. Unlike the share, it does not grow when other processes use the pipeline's cores."""
        return self.status_cpu_seconds * 1000 / self.reading_seconds

    def scrape(self, pipeline: Pipeline) -> float:
        begun = time.perf_counter()
        self.scrape_bytes = len(pipeline.get("/metrics"))
        return time.perf_counter() - begun

    def markdown(self) -> str:
        return "\n".join([
            f"### Watched: {self.title}", "",
            f"- status threads: {self.status_cpu_seconds * 1000:.0f} ms of {self.process_cpu_seconds:.2f} s CPU, **{self.share:.2%}**, "
            f"in {self.reading_seconds:.1f} s with {self.looks} looks of a page: {self.milliseconds_a_second:.2f} ms a second",
            f"- a scrape ({self.scrape_bytes:,} bytes): {Spread.of(self.scrapes_while_reading).text(milliseconds)} while reading, "
            f"{Spread.of(self.scrapes_after).text(milliseconds)} after it ({len(self.scrapes_after)} scrapes)",
        ])

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "statusShareOfCpu": self.share, "statusCpuMillisecondsASecond": self.milliseconds_a_second}


class Watcher:
    """An open page, and a scraper."""

    def __init__(self, pipeline: Pipeline, watching: Watching):
        self._pipeline, self._watching = pipeline, watching
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        next_scrape = time.monotonic()
        while not self._over.wait(PAGE_EVERY_SECONDS):
            if self._pipeline.status_code("/healthz") != 200:
                continue  # still starting
            self._pipeline.get("/api/v1/status")
            self._watching.looks += 1
            if time.monotonic() >= next_scrape:
                next_scrape += SCRAPE_EVERY_SECONDS
                self._watching.scrapes_while_reading.append(self._watching.scrape(self._pipeline))


class Operations:
    """Everything that is measured."""

    def __init__(self, chosen: argparse.Namespace, ground: Ground):
        self._chosen, self._ground = chosen, ground

    def run(self) -> list[Watching | Rounds]:
        """Measures few products first, then many."""
        many = LogShape(min(self._chosen.events, MANY_PRODUCTS_EVENTS), MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS)
        return self._measure(LogShape(self._chosen.events, self._chosen.products, SPAN_SECONDS)) + self._measure(many)

    def _measure(self, shape: LogShape) -> list[Watching | Rounds]:
        log = fill(self._ground, shape)
        title = f"{log.records:,} events, {shape.products:,} products"
        say(f"filled: {title} in {log.filled_in_seconds:.0f} s")
        database = self._ground.engine.fresh_database()
        pipeline = ShippedPipeline(self._ground.kafka, log.topics, database, self._ground.folder, {})
        try:
            watching = self._watched_reading(pipeline, database, log, Watching(title))
        finally:
            pipeline.kill()
        reconcile = Process("ctr-verify reconcile", [str(BINARIES / "ctr-verify"), "reconcile", "--config", str(CHECKOUT / "config/application.yml")],
                            clean_environment({variable(key): value for key, value in pipeline.settings.items()}), self._ground.folder / "reconcile.log")
        recount = pipeline.command("recount", "--from", str(START_MS), "--to", str(shape.end_ms))
        commands = [Rounds(f"{process.name}: {title}, {len(log.truth.windows):,} rows of ctr_windows", process.name, self._rounds(process, log))
                    for process in (reconcile, recount)]
        database.execute(f"DROP DATABASE {database.name}")
        return [watching, *commands]

    @staticmethod
    def _watched_reading(pipeline: Pipeline, database: Database, log: FilledLog, watching: Watching) -> Watching:
        begun = time.monotonic()
        pipeline.start()
        with Watcher(pipeline, watching):
            PipelineReader.wait_for_all_windows([pipeline], database, log)
        watching.reading_seconds = time.monotonic() - begun
        watching.process_cpu_seconds, watching.status_cpu_seconds = cpu_seconds(pipeline.process.pid), pipeline.status_cpu_seconds()
        # The closing events fire after the idle timeout.
        wait_until(lambda: database.query("SELECT sum(impressions + clicks) AS n FROM ctr_windows")[0]["n"] == log.records, 120, "every row is there", 0.5)
        watching.scrapes_after = [watching.scrape(pipeline) for _ in range(SCRAPES)]
        assert pipeline.stop() == 0, f"the pipeline did not stop cleanly:\n{pipeline.process.tail()}"
        say(watching.markdown())
        return watching

    def _rounds(self, process: Process, log: FilledLog) -> list[list[Usage]]:
        usages = [run_measured(process, log.records) for _ in range(self._chosen.rounds)]
        for usage in usages:
            say(f"{usage.reader}: {usage.wall_seconds:.1f} s, {usage.events_per_second:,.0f} events/s, {usage.cpu_seconds:.1f} s CPU, "
                f"peak {usage.peak_rss_bytes >> 20} MiB")
        return [[usage] for usage in usages]


def main() -> int:
    parser = arguments_of("operations", __doc__)
    parser.add_argument("--events", type=int, default=2_000_000, help="records of the log with few products (2000000; published figures: 10000000)")
    parser.add_argument("--products", type=int, default=100, help="products in it (100)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command (3)")
    chosen = parser.parse_args()
    if min(chosen.events, chosen.products, chosen.rounds) < 1:
        parser.error("numbers must be above 0")
    return on_new_ground(lambda ground: write(chosen.results, "operations", Operations(chosen, ground).run()))


if __name__ == "__main__":
    sys.exit(main())
