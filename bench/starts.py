"""How soon the pipeline counts after its process starts: as a new group, and as a returning member.

Started by `./scripts/bench.sh starts`. Events flow throughout. A start begins with the process, and ends at the timestamp of
the log line that reports the first counted record; the replay of a returning member is part of it.
"""

import argparse
import dataclasses
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ground import Ground, on_new_ground
from readers import ShippedPipeline
from report import Spread, arguments_of, say, write
from stack import Pipeline, Producer, wait_until

PARTITIONS = 6
PRODUCTS = 100
TAKEN_OVER, COUNTED = "partitions taken over", "first record counted"
START_SECONDS = 60
LOOK_EVERY_SECONDS = 0.02


@dataclass
class Starts:
    """Several starts of one kind, in seconds from the start of the process."""

    kind: str
    taken_over: list[float] = field(default_factory=list)
    """To the first partitions that the group gave."""
    counted: list[float] = field(default_factory=list)
    """To the first record counted."""

    def row(self) -> str:
        cells = [Spread.of(values).text(lambda value: f"{value * 1000:.0f} ms") for values in (self.taken_over, self.counted)]
        return f"| {self.kind} | {len(self.counted)} | " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class AllStarts:
    """Measures one kind after the other."""

    kinds: list[Starts]

    def markdown(self) -> str:
        head = ["| start | times | to the first partitions | to the first record counted |", "|---|---|---|---|"]
        return "\n".join([*head, *(starts.row() for starts in self.kinds)])

    def as_json(self) -> dict[str, Any]:
        return {"starts": [asdict(starts) for starts in self.kinds]}


def said_at(log: Path, offset: int, words: str) -> float | None:
    """The time, in epoch seconds, of the first line from `offset` on that contains the words; None if there is none yet."""
    with log.open("rb") as lines:
        lines.seek(offset)
        line = next((line for line in lines if words.encode() in line), None)
    return datetime.fromisoformat(line.split()[0].decode().replace("Z", "+00:00")).timestamp() if line else None


def start(pipeline: Pipeline, starts: Starts) -> None:
    """Starts it and waits for its first count."""
    log = pipeline.process.log
    offset = log.stat().st_size if log.exists() else 0
    begun = time.time()
    pipeline.start()

    def moment(words: str) -> float:
        def said() -> float | None:
            assert pipeline.process.runs(), f"the pipeline ended:\n{pipeline.process.tail()}"
            return said_at(log, offset, words)

        return wait_until(said, START_SECONDS, words, LOOK_EVERY_SECONDS) - begun

    starts.taken_over.append(moment(TAKEN_OVER))
    starts.counted.append(moment(COUNTED))
    say(f"{starts.kind}: {starts.counted[-1] * 1000:.0f} ms")


def measure(ground: Ground, times: int, rate: int) -> AllStarts:
    topics, database = ground.kafka.fresh_topics(PARTITIONS), ground.engine.fresh_database()

    def new_group() -> ShippedPipeline:
        return ShippedPipeline(ground.kafka, dataclasses.replace(topics, group=f"bench-{uuid.uuid4().hex[:8]}"), database, ground.folder)

    events = Producer(ground.kafka, topics, ground.folder).start("both", rate=rate, products=PRODUCTS, seed=1)
    try:
        # The very first group makes the brokers create the topic for group commits.
        fresh(new_group, Starts("not counted"), 1)
        kinds = [Starts("new group"), Starts("member that comes back, stopped by SIGTERM"), Starts("member that comes back, after kill -9")]
        fresh(new_group, kinds[0], times)
        returning(new_group(), kinds[1], times, lambda pipeline: check_clean(pipeline.stop()))
        returning(new_group(), kinds[2], times, lambda pipeline: pipeline.kill())
        assert events.runs(), f"the producer ended:\n{events.tail()}"
    finally:
        events.kill()
    return AllStarts(kinds)


def fresh(new_group: Callable[[], Pipeline], starts: Starts, times: int) -> None:
    """A group that is new to the brokers, each time."""
    for _ in range(times):
        pipeline = new_group()
        try:
            start(pipeline, starts)
        finally:
            pipeline.kill()


def returning(pipeline: Pipeline, starts: Starts, times: int, end: Callable[[Pipeline], None]) -> None:
    """The same instance of the same group each time; before it is stopped it has read everything and committed a checkpoint."""
    try:
        pipeline.start_ready()
        for _ in range(times):
            wait_until(lambda: has_settled(pipeline), START_SECONDS, "all is read, and a checkpoint made")
            end(pipeline)
            start(pipeline, starts)
    finally:
        pipeline.kill()


def has_settled(pipeline: Pipeline) -> bool:
    if pipeline.status_code("/readyz") != 200:
        return False
    status = pipeline.get_json("/api/v1/status")
    return status["checkpoints"]["completed"] > 0 and status["lag"]["seconds"] < 1


def check_clean(code: int) -> None:
    assert code == 0, f"the pipeline ended with {code}"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("starts", __doc__)
    parser.add_argument("--starts", type=int, default=5, help="starts of each kind (5)")
    parser.add_argument("--rate", type=int, default=5_000, help="impressions per second during the starts (5000)")
    chosen = parser.parse_args(arguments)
    if min(chosen.starts, chosen.rate) < 1:
        parser.error("numbers must be above 0")
    return chosen


def main() -> int:
    chosen = options(sys.argv[1:])
    return on_new_ground(lambda ground: write(chosen.results, "starts", [measure(ground, chosen.starts, chosen.rate)]))


if __name__ == "__main__":
    sys.exit(main())
