"""How fast the pipeline reads a log that is there, beside a consumer that does nothing with what it reads.

Started by scripts/bench.sh. A run has a log for speed, read by every reader in turn for several rounds, and two logs for
memory, read by the pipeline. Wrong counts fail the run.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filled_log import FilledLog, LogShape, fill
from measure import Usage
from readers import BareConsumer, PipelineReader
from report import Rounds, surroundings, write
from stack import Engine, Kafka
from stack.process import CHECKOUT

SPAN_SECONDS = 600
"""Event time of the logs."""

MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS = 100_000, 60
"""With 2 M events each product has three in every window: all are held."""

MOST_MEMORY_EVENTS = 2_000_000
"""Memory has its peak long before the end of a longer log."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./scripts/bench.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="records of the log (2000000; published figures: 6000000)")
    parser.add_argument("--products", type=int, default=100, help="products in it (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with every reader (3)")
    parser.add_argument("--parallelism", type=int, default=2, help="threads of the pipeline and of the bare consumer (2)")
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE",
                        help="a property of librdkafka for all readers; may be given often")
    parser.add_argument("--no-memory", action="store_true", help="leave out the runs with 5 and with 100,000 products")
    parser.add_argument("--results", type=Path, default=CHECKOUT / "bench" / "results", help="folder for JSON and Markdown (bench/results)")
    chosen = parser.parse_args(arguments)
    if min(chosen.events, chosen.products, chosen.rounds, chosen.parallelism) < 1:
        parser.error("numbers must be above 0")
    return chosen


def say(line: str) -> None:
    print(line, flush=True)


class Benchmark:
    """Brokers, an engine and the readers on them."""

    def __init__(self, chosen: argparse.Namespace, folder: Path):
        self._chosen, self._folder = chosen, folder
        self._kafka, self._engine = Kafka(folder), Engine(folder / "clickhouse")
        settings: dict[str, object] = {"ctr.job.parallelism": chosen.parallelism}
        if chosen.property:
            settings["kafka.properties"] = ",".join(chosen.property)
        self._bare = BareConsumer(self._kafka, folder, settings)
        self._pipeline = PipelineReader(self._kafka, self._engine, folder, settings)

    def run(self) -> list[Rounds]:
        """Starts everything, measures, stops everything."""
        try:
            self._kafka.start()
            self._engine.start()
            measured = [self._speed()]
            if not self._chosen.no_memory:
                measured += [self._memory(5, SPAN_SECONDS), self._memory(MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS)]
            return measured
        finally:
            self._engine.kill()
            self._kafka.stop()

    def _speed(self) -> Rounds:
        log = self._fill(LogShape(self._chosen.events, self._chosen.products, SPAN_SECONDS))
        self._bare.read(log)
        say("one reading not counted: the log is in the page cache now")
        rounds = []
        for number in range(1, self._chosen.rounds + 1):
            # Who goes first alternates, so that what the machine does meanwhile favours nobody.
            readers = [self._bare, self._pipeline] if number % 2 else [self._pipeline, self._bare]
            usages = {reader.name: shown(reader.read(log), number) for reader in readers}
            rounds.append([usages[self._bare.name], usages[self._pipeline.name]])
        return Rounds(f"{log.records:,} events, {log.shape.products} products, parallelism {self._chosen.parallelism}", rounds)

    def _memory(self, products: int, span_seconds: int) -> Rounds:
        log = self._fill(LogShape(min(self._chosen.events, MOST_MEMORY_EVENTS), products, span_seconds))
        usage = shown(self._pipeline.read(log), 1)
        return Rounds(f"Memory: {products:,} products, {log.records:,} events in {span_seconds} s of event time", [[usage]])

    def _fill(self, shape: LogShape) -> FilledLog:
        log = fill(self._kafka, shape, self._folder)
        say(f"filled: {shape.events:,} events, {shape.products:,} products, {shape.span_seconds} s of event time in {log.filled_in_seconds:.0f} s")
        return log


def shown(usage: Usage, number: int) -> Usage:
    say(f"round {number}: {usage.reader:13} {usage.events_per_cpu_second / 1e6:5.2f} M events/CPU-s, {usage.events_per_second / 1e6:5.2f} M/s, "
        f"{usage.cpu_seconds:.2f} s CPU, {usage.wall_seconds:.2f} s, peak {usage.peak_rss_bytes >> 20} MiB")
    return usage


def main() -> int:
    chosen = options(sys.argv[1:])
    folder = Path(tempfile.mkdtemp(prefix="ctr-bench-"))
    try:
        measured = Benchmark(chosen, folder).run()
    except AssertionError as failure:
        print(f"error: {failure}\nThe logs are in {folder}.", file=sys.stderr)
        return 1
    say("\n" + write(chosen.results, surroundings(["./scripts/bench.sh", *sys.argv[1:]]), measured))
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
