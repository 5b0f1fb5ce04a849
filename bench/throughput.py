"""How fast the pipeline reads an existing log, compared with a consumer that discards what it reads, and with its peers.

Started by `./scripts/bench.sh`. A run has a log for speed, read by every reader in turn for several rounds, and two logs for
memory, read by the pipeline. Wrong counts fail the run.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from filled_log import FilledLog, LogShape, fill
from ground import Ground, on_new_ground
from peers import all_peers, version_of
from plot import draw
from readers import BareConsumer, PipelineReader
from report import Rounds, arguments_of, output_of, say, write
from turns import read_in_turn, shown

SPAN_SECONDS = 600
"""Event time of the logs."""

MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS = 100_000, 60
"""With 2 M events each product has three in every window: all are held."""

MOST_MEMORY_EVENTS = 2_000_000
"""Memory has its peak long before the end of a longer log."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("throughput", __doc__)
    parser.add_argument("--events", type=int, default=2_000_000, help="records of the log (2000000; published figures: 6000000)")
    parser.add_argument("--products", type=int, default=100, help="products in it (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with every reader (3)")
    parser.add_argument("--parallelism", type=int, default=2, help="threads of every reader (2)")
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE",
                        help="a librdkafka property for the pipeline and the bare consumer; can be repeated")
    parser.add_argument("--peers", action="store_true", help="also two Flink jobs, Kafka Streams and ClickHouse's Kafka engine, fresh and warm")
    parser.add_argument("--no-memory", action="store_true", help="leave out the runs with 5 and with 100,000 products")
    chosen = parser.parse_args(arguments)
    if min(chosen.events, chosen.products, chosen.rounds, chosen.parallelism) < 1:
        parser.error("numbers must be above 0")
    return chosen


class Benchmark:
    """The readers, and the logs that they read."""

    def __init__(self, chosen: argparse.Namespace, ground: Ground):
        self._chosen, self._ground = chosen, ground
        settings: dict[str, object] = {"ctr.job.parallelism": chosen.parallelism}
        if chosen.property:
            settings["kafka.properties"] = ",".join(chosen.property)
        self._bare = BareConsumer(ground, settings)
        self._pipeline = PipelineReader(ground, settings)
        self._peers = all_peers(ground, chosen.parallelism) if chosen.peers else []

    def run(self) -> list[Rounds]:
        """Measures speed first, then memory."""
        measured = [self._speed()]
        if not self._chosen.no_memory:
            measured += [self._memory(5, SPAN_SECONDS), self._memory(MANY_PRODUCTS, MANY_PRODUCTS_SPAN_SECONDS)]
        return measured

    def _speed(self) -> Rounds:
        log = self._fill(LogShape(self._chosen.events, self._chosen.products, SPAN_SECONDS))
        self._bare.read(log)
        say("warm-up reading done (not counted): the log is in the page cache")
        rounds = read_in_turn([self._bare, self._pipeline, *self._peers], log, self._chosen.rounds)
        title = f"{log.records:,} events, {log.shape.products} products, parallelism {self._chosen.parallelism}"
        return Rounds(title, self._pipeline.name, rounds)

    def _memory(self, products: int, span_seconds: int) -> Rounds:
        log = self._fill(LogShape(min(self._chosen.events, MOST_MEMORY_EVENTS), products, span_seconds))
        usages = shown(self._pipeline.read(log), 1)
        title = f"Memory: {products:,} products, {log.records:,} events in {span_seconds} s of event time"
        return Rounds(title, self._pipeline.name, [usages])

    def _fill(self, shape: LogShape) -> FilledLog:
        log = fill(self._ground, shape)
        say(f"filled: {shape.events:,} events, {shape.products:,} products, {shape.span_seconds} s of event time in {log.filled_in_seconds:.0f} s")
        return log


def versions_of_peers() -> dict[str, str]:
    return {
        "flink": version_of("flink", "flink-streaming-java"), "flink's Kafka connector": version_of("flink", "flink-connector-kafka"),
        "flink's JDBC connector": version_of("flink", "flink-connector-jdbc"), "ClickHouse's JDBC driver": version_of("flink", "clickhouse-jdbc"),
        "kafka-streams": version_of("kafka-streams", "kafka-streams"), "java": output_of("java", "--version"), "ClickHouse's engine (chdb-core)": version("chdb-core"),
    }


def main() -> int:
    chosen = options(sys.argv[1:])

    def measure(ground: Ground) -> str:
        measured = Benchmark(chosen, ground).run()
        return write(chosen.results, "throughput", measured, versions_of_peers() if chosen.peers else {}, lambda file: draw(measured[0], file))

    return on_new_ground(measure)


if __name__ == "__main__":
    sys.exit(main())
