"""The release build of the producer, and its truth file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.kafka import Kafka, Topics
from stack.process import BINARIES, Process, clean_environment


@dataclass
class Truth:
    """The expected counts and dead letters."""

    windows: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """(product, window start in ms) -> (impressions, clicks)"""
    dead_letters: set[tuple[str, int, int, str]] = field(default_factory=set)
    """(topic, partition, offset, code)"""
    total: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Truth":
        truth = cls()
        # There may be millions of windows with few distinct products, starts and counts: each of these is held once.
        held: dict[object, Any] = {}
        for row in rows_of(path):
            match row["type"]:
                case "window":
                    product, start, counts = row["product_id"], row["window_start"], (row["impressions"], row["clicks"])
                    truth.windows[held.setdefault(product, product), held.setdefault(start, start)] = held.setdefault(counts, counts)
                case "dead_letter":
                    truth.dead_letters.add((row["topic"], row["partition"], row["offset"], row["code"]))
                case "total":
                    truth.total = row
                case other:
                    raise AssertionError(f"{path}: unknown line {other}")
        assert truth.total, f"{path} has no total: the producer did not end cleanly"
        return truth


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as lines:
        yield from map(json.loads, lines)


class Producer:
    """Runs of ctr-producer on the topics of one test."""

    def __init__(self, kafka: Kafka, topics: Topics, folder: Path):
        self._kafka, self._topics, self._folder = kafka, topics, folder
        self._runs = 0
        self._truths: dict[Process, Path] = {}

    def start(self, command: str = "both", *flags: str, **options: object) -> Process:
        """Starts `ctr-producer COMMAND` in the background. `too_late=0.01` means `--too-late 0.01`."""
        self._runs += 1
        truth = self._folder / f"truth-{self._runs}.jsonl"
        arguments = [str(BINARIES / "ctr-producer"), command, "--truth", str(truth), *flags]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        environment = clean_environment({
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "IMPRESSION_TOPIC": self._topics.impressions, "CLICK_TOPIC": self._topics.clicks,
            # The default is a second, for a laptop's sake. A test would only wait.
            "PRODUCER_LINGER": "50ms",
        })
        process = Process("ctr-producer", arguments, environment, self._folder / f"ctr-producer-{self._runs}.log")
        process.start()
        self._truths[process] = truth
        return process

    def truth_of(self, process: Process) -> Truth:
        """The truth of a finished run."""
        return Truth.read(self._truths[process])

    def run(self, command: str = "both", *flags: str, seconds: float = 120, **options: object) -> Truth:
        """Runs it to its end and returns the truth. Requires `count` or `duration`; otherwise it never ends."""
        process = self.start(command, *flags, **options)
        code = process.wait(seconds)
        assert code == 0, f"ctr-producer ended with {code}:\n{process.tail()}"
        return self.truth_of(process)
