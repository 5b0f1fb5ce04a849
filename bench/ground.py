"""The test environment: three dedicated brokers, an engine, and a folder for their data and logs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from report import in_a_folder
from stack import Engine, Kafka, started


GONE_SOON = {"log.segment.delete.delay.ms": "1000"}
"""The files of deleted topics go at once: the next log needs their room."""


@dataclass(frozen=True)
class Ground:
    """Everything is running."""

    folder: Path
    kafka: Kafka
    engine: Engine


def on_new_ground(measure: Callable[[Ground], str]) -> int:
    """Starts everything, measures, prints what `measure` returns, and stops everything; returns the exit code."""
    def measure_in(folder: Path) -> str:
        with started(Kafka(folder, further_properties=GONE_SOON)) as kafka, started(Engine(folder / "clickhouse")) as engine:
            return measure(Ground(folder, kafka, engine))

    return in_a_folder(measure_in)
