"""Results of the scaling benchmark: a curve for each varied quantity, a point for each of its values."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from measure import Usage
from report import count, mebibytes, milliseconds


@dataclass(frozen=True)
class Point:
    """One value of the varied quantity, and the cost of a reading."""

    value: float
    pipeline: Usage
    bare: Usage

    def row(self) -> str:
        ours, limit = self.pipeline.events_per_cpu_second, self.bare.events_per_cpu_second
        return (f"| {self.value:,.12g} | {count(ours)} | {count(limit)} | {ours / limit:.2f} | {count(self.pipeline.events_per_second)} | "
                f"{mebibytes(self.pipeline.peak_rss_bytes)} | {self.pipeline.read_again_share or 0:.1%} | "
                f"{milliseconds(self.pipeline.firing_pause_seconds or 0)} |")


@dataclass(frozen=True)
class Curve:
    """All points of one curve."""

    name: str
    points: list[Point]

    def markdown(self) -> str:
        head = f"| {self.name} | events per CPU-second | bare consumer | ratio | events/s, wall | peak RSS | read again | pause to fire, p99 |"
        return "\n".join([head, "|---|---|---|---|---|---|---|---|", *(point.row() for point in self.points)])

    def as_json(self) -> dict[str, Any]:
        return {"curve": self.name, "points": [dataclasses.asdict(point) for point in self.points]}
