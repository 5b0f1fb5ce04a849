"""Figures for people and programs: medians with their spread, ratios within a round, and their origin."""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from measure import Usage
from stack.process import BINARIES, CHECKOUT, LOCAL_DIR

MIB = 1024 * 1024


@dataclass(frozen=True)
class Spread:
    """Several values of one figure."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form: Callable[[float], str]) -> str:
        return f"{form(self.median)} ({form(self.least)}-{form(self.most)})"


def count(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"


def mebibytes(value: float) -> str:
    return f"{value / MIB:.0f} MiB"


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def milliseconds(value: float) -> str:
    return f"{value * 1000:.1f} ms"


def percent(value: float) -> str:
    return f"{value:.1%}"


def ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


FIGURES: list[tuple[str, Callable[[Usage], float | None], Callable[[float], str]]] = [
    ("events per CPU-second", lambda usage: usage.events_per_cpu_second, count),
    ("events/s, wall", lambda usage: usage.events_per_second, count),
    ("peak RSS", lambda usage: usage.peak_rss_bytes, mebibytes),
    ("start to first result", lambda usage: usage.first_row_seconds, seconds),
    ("read again", lambda usage: usage.read_again_share, percent),
    ("pause to fire, p99", lambda usage: usage.firing_pause_seconds, milliseconds),
    ("CPU when idle", lambda usage: usage.idle_cpu_share, percent),
]


@dataclass
class Rounds:
    """All readings of one log: a round has one of every reader, always in the same order."""

    title: str
    subject: str
    """The reader that the others are compared with."""
    rounds: list[list[Usage]]

    @property
    def readers(self) -> list[str]:
        return [usage.reader for usage in self.rounds[0]]

    def spread(self, reader: str, title: str) -> Spread | None:
        """One of the FIGURES of one reader; None if the reader does not have it."""
        figure = next(figure for name, figure, _ in FIGURES if name == title)
        values = [value for usages in self.rounds for usage in usages if usage.reader == reader and (value := figure(usage)) is not None]
        return Spread.of(values) if values else None

    def table(self) -> list[str]:
        """Markdown: a line for each reader, median (min-max)."""
        lines = ["| reader | " + " | ".join(title for title, _, _ in FIGURES) + " |", "|---|" + "---|" * len(FIGURES)]
        for reader in self.readers:
            spreads = [(self.spread(reader, title), form) for title, _, form in FIGURES]
            lines.append(f"| {reader} | " + " | ".join(spread.text(form) if spread else "-" for spread, form in spreads) + " |")
        return lines

    def ratios(self) -> dict[str, Spread]:
        """The subject's events per CPU-second, compared with each other reader's of the same round."""
        rates = [{usage.reader: usage.events_per_cpu_second for usage in usages} for usages in self.rounds]
        return {f"{self.subject} / {reader}": Spread.of([rate[self.subject] / rate[reader] for rate in rates])
                for reader in self.readers if reader != self.subject}

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", *self.table()]
        if ratios := self.ratios():
            lines += ["", "Events per CPU-second within a round:", ""]
            lines += [f"- {name}: **{spread.text(ratio)}**" for name, spread in ratios.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title, "rounds": [[asdict(usage) for usage in usages] for usages in self.rounds],
            "ratiosOfEventsPerCpuSecond": {name: asdict(spread) for name, spread in self.ratios().items()},
        }


def surroundings(command: Sequence[str]) -> dict[str, str]:
    """The machine, the versions and the time, without which figures are meaningless."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    kafka = next((LOCAL_DIR / "kafka" / "lib").glob("kafka_2.13-*.jar")).stem.removeprefix("kafka_2.13-")
    librdkafka = re.search(r'name = "rdkafka-sys"\nversion = "[^+]*\+([^"]*)"', (CHECKOUT / "Cargo.lock").read_text())
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "command": " ".join(command),
        "machine": f"{os.cpu_count()} x {cpu[1] if cpu else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()) + " (1, 5, 15 minutes, our own included)",
        "commit": output_of("git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"),
        "pipeline": output_of(str(BINARIES / "ctr-pipeline"), "--version"), "librdkafka": librdkafka[1] if librdkafka else "unknown",
        "kafka": kafka, "chdb-core": version("chdb-core"),
    }


def output_of(*command: str) -> str:
    """The first line of a command's output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip() or "unknown"


class Measured(Protocol):
    """The parts of a report."""

    def markdown(self) -> str: ...

    def as_json(self) -> dict[str, Any]: ...


def write(results: Path, name: str, measured: Sequence[Measured], more_facts: Mapping[str, str] = MappingProxyType({}),
          draw: Callable[[Path], None] | None = None) -> str:
    """Writes JSON, Markdown and, with `draw`, an SVG into the folder; returns the Markdown."""
    results.mkdir(parents=True, exist_ok=True)
    stem = results / f"{name}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
    facts = {**surroundings(["./scripts/bench.sh", name, *sys.argv[1:]]), **more_facts}
    markdown = "\n".join(f"- {fact}: {value}" for fact, value in facts.items()) + "\n\n"
    markdown += "\n\n".join(part.markdown() for part in measured) + "\n"
    stem.with_suffix(".md").write_text(markdown)
    stem.with_suffix(".json").write_text(json.dumps({**facts, "measured": [part.as_json() for part in measured]}, indent=2) + "\n")
    if draw:
        draw(stem.with_suffix(".svg"))
    return f"{markdown}\nwritten: {stem}.md, .json{' and .svg' if draw else ''}"


def in_a_folder(measure: Callable[[Path], str]) -> int:
    """Calls `measure` with a new data folder, and prints what it returns; returns the exit code. After a failure the folder is kept."""
    folder = Path(tempfile.mkdtemp(prefix="ctr-bench-"))
    try:
        report = measure(folder)
    except AssertionError as failure:
        print(f"error: {failure}\nThe logs are in {folder}.", file=sys.stderr)
        return 1
    say("\n" + report)
    shutil.rmtree(folder)
    return 0


def say(line: str) -> None:
    """Prints the progress."""
    print(line, flush=True)


def arguments_of(benchmark: str, description: str | None) -> argparse.ArgumentParser:
    """Options common to all benchmarks."""
    parser = argparse.ArgumentParser(prog=f"./scripts/bench.sh {benchmark}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=CHECKOUT / "bench" / "results", help="folder for JSON, Markdown and pictures (bench/results)")
    return parser


def numbers(text: str) -> list[int]:
    """Parses a comma-separated list of numbers."""
    return [int(number) for number in text.split(",")]
