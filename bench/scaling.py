"""What an event costs as something grows: events, products, partitions, threads, instances, late events.

Started by `./scripts/bench.sh scaling`. Each point is one reading of a log by the pipeline, as in the throughput benchmark: to the
last row in the table, with counts that are compared with the truth; and one by the bare consumer, which says how much of a change
is the client's.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filled_log import FilledLog, LogShape, fill
from ground import Ground, on_new_ground
from measure import Usage
from plot import draw_curves
from readers import BareConsumer, PipelineReader
from report import arguments_of, count, mebibytes, say, write

USUAL = LogShape(events=2_000_000, products=100, span_seconds=600)
FEW_WINDOWS_SECONDS = 60
"""Event time of logs with many products: each has some events in every window, and all windows are held at once."""

CURVES: dict[str, tuple[float, ...]] = {
    "events": (1_000_000, 2_000_000, 6_000_000),
    "products": (5, 1_000, 100_000),
    "partitions": (1, 6, 24, 48),
    "threads": (1, 2, 4),
    "instances": (1, 2, 4),
    "late share": (0, 0.2, 0.5),
}


def shape_of(curve: str, value: float) -> LogShape:
    """The log of one point."""
    match curve:
        case "events":
            return dataclasses.replace(USUAL, events=int(value))
        case "products" if value > 10_000:
            return dataclasses.replace(USUAL, products=int(value), span_seconds=FEW_WINDOWS_SECONDS)
        case "products":
            return dataclasses.replace(USUAL, products=int(value))
        case "partitions":
            return dataclasses.replace(USUAL, partitions=int(value))
        case "late share":
            return dataclasses.replace(USUAL, late=value)
        case _:
            return USUAL


@dataclass(frozen=True)
class Point:
    """One value of what grows, and what a reading cost."""

    value: float
    pipeline: Usage
    bare: Usage

    def row(self) -> str:
        ours, limit = self.pipeline.events_per_cpu_second, self.bare.events_per_cpu_second
        return (f"| {self.value:,g} | {count(ours)} | {count(limit)} | {ours / limit:.2f} | {count(self.pipeline.events_per_second)} | "
                f"{mebibytes(self.pipeline.peak_rss_bytes)} | {self.pipeline.read_again_share or 0:.1%} |")


@dataclass(frozen=True)
class Curve:
    """All points of what grows."""

    name: str
    points: list[Point]

    def markdown(self) -> str:
        head = f"| {self.name} | events per CPU-second | bare consumer | ratio | events/s, wall | peak RSS | read again |"
        return "\n".join([head, "|---|---|---|---|---|---|---|", *(point.row() for point in self.points)])

    def as_json(self) -> dict[str, Any]:
        return {"curve": self.name, "points": [dataclasses.asdict(point) for point in self.points]}


class Scaling:
    """One curve after the other."""

    def __init__(self, ground: Ground):
        self._ground = ground
        self._logs: dict[LogShape, FilledLog] = {}

    def measure(self, curves: Sequence[str]) -> Iterator[Curve]:
        for name in curves:
            yield Curve(name, [self._point(name, value) for value in CURVES[name]])

    def _point(self, curve: str, value: float) -> Point:
        log = self._log(shape_of(curve, value))
        settings: Mapping[str, object] = {"ctr.job.parallelism": int(value) if curve == "threads" else 2}
        instances = int(value) if curve == "instances" else 1
        # Instances are beside one bare consumer of two threads: that is what they could save.
        [bare] = BareConsumer(self._ground, settings).read(log)
        [pipeline] = PipelineReader(self._ground, settings, instances).read(log)
        point = Point(value, pipeline, bare)
        say(f"{curve} {point.row()}")
        return point

    def _log(self, shape: LogShape) -> FilledLog:
        if shape not in self._logs:
            self._logs[shape] = fill(self._ground, shape)
        return self._logs[shape]


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("scaling", __doc__)
    parser.add_argument("--curves", type=lambda text: text.split(","), default=list(CURVES),
                        help=f"which, with commas between them (all: {','.join(CURVES)})")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.curves) - CURVES.keys():
        parser.error(f"--curves: there is no {', '.join(unknown)}; there are: {', '.join(CURVES)}")
    return chosen


def main() -> int:
    chosen = options(sys.argv[1:])

    def measure(ground: Ground) -> str:
        curves = list(Scaling(ground).measure(chosen.curves))
        return write(chosen.results, "scaling", curves, draw=lambda file: draw_curves(curves, file))

    return on_new_ground(measure)


if __name__ == "__main__":
    sys.exit(main())
