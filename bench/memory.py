"""Memory versus speed: the same log, read by the pipeline with queues of several sizes.

Started by `./scripts/bench.sh memory`. Most of the pipeline's memory holds records that librdkafka has fetched and the workers have not
read yet, in a queue per partition. Its three sizes are scaled together, and compared with librdkafka's defaults.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filled_log import FilledLog, LogShape, fill
from ground import Ground, on_new_ground
from measure import Usage
from readers import BareConsumer, PipelineReader
from report import Rounds, arguments_of, say, write
from turns import read_in_turn

SPAN_SECONDS = 600


@dataclass(frozen=True)
class Queues:
    """Queue sizes per partition."""

    name: str
    messages: int
    """queued.min.messages: fetched ahead while there are fewer."""
    kbytes: int
    """queued.max.messages.kbytes: no more is fetched ahead than this, KiB."""
    fetch_bytes: int
    """max.partition.fetch.bytes: the most that one answer of a broker has."""

    @property
    def properties(self) -> str:
        """In the format of KAFKA_PROPERTIES."""
        return (f"queued.min.messages={self.messages},queued.max.messages.kbytes={self.kbytes},"
                f"max.partition.fetch.bytes={self.fetch_bytes}")

    def times(self, factor: float, name: str) -> "Queues":
        return Queues(name, int(self.messages * factor), int(self.kbytes * factor), int(self.fetch_bytes * factor))

    def row(self) -> str:
        return f"| {self.name} | {self.messages:,} | {self.kbytes:,} | {self.fetch_bytes:,} |"


SHIPPED = Queues("shipped", 7_500, 2_048, 65_536)
"""As crates/ctr-pipeline/src/source/consumer.rs sets them."""

ALL = (
    SHIPPED.times(0.25, "a quarter"), SHIPPED.times(0.5, "half"), SHIPPED, SHIPPED.times(2, "double"), SHIPPED.times(4, "four times"),
    Queues("librdkafka's defaults", 100_000, 65_536, 1_048_576),
)


class QueuesReader:
    """Runs the pipeline with these queues."""

    def __init__(self, ground: Ground, queues: Queues):
        self._name = queues.name
        self._pipeline = PipelineReader(ground, {"kafka.properties": queues.properties})

    def read(self, log: FilledLog) -> list[Usage]:
        return [dataclasses.replace(usage, reader=self._name) for usage in self._pipeline.read(log)]


@dataclass(frozen=True)
class Memory:
    """Results of each size."""

    rounds: Rounds

    def markdown(self) -> str:
        sizes = ["| queues | queued.min.messages | queued.max.messages.kbytes | max.partition.fetch.bytes |", "|---|---|---|---|",
                 *(queues.row() for queues in ALL)]
        return "\n".join([self.rounds.markdown(), "", *sizes])

    def as_json(self) -> dict[str, Any]:
        return {**self.rounds.as_json(), "queues": [dataclasses.asdict(queues) for queues in ALL]}


def measure(ground: Ground, chosen: argparse.Namespace) -> Memory:
    log = fill(ground, LogShape(chosen.events, chosen.products, SPAN_SECONDS))
    BareConsumer(ground, {}).read(log)
    say("warm-up reading done (not counted): the log is in the page cache")
    rounds = read_in_turn([QueuesReader(ground, queues) for queues in ALL], log, chosen.rounds)
    return Memory(Rounds(f"{log.records:,} events, {log.shape.products:,} products", SHIPPED.name, rounds))


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("memory", __doc__)
    parser.add_argument("--events", type=int, default=2_000_000, help="records of the log (2000000; published figures: 6000000)")
    parser.add_argument("--products", type=int, default=100, help="products in it (100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with every size of queues (3)")
    chosen = parser.parse_args(arguments)
    if min(chosen.events, chosen.products, chosen.rounds) < 1:
        parser.error("numbers must be above 0")
    return chosen


def main() -> int:
    # Imported here: the tests of this file do not need the plotting library.
    from plot import draw_memory

    chosen = options(sys.argv[1:])

    def measure_all(ground: Ground) -> str:
        memory = measure(ground, chosen)
        return write(chosen.results, "memory", [memory], draw=lambda file: draw_memory(memory.rounds, file))

    return on_new_ground(measure_all)


if __name__ == "__main__":
    sys.exit(main())
