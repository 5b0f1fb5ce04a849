"""What a run of the scaling benchmark came to: a curve for each thing that grows, a point for each of its values."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from measure import Usage
from report import count, mebibytes, milliseconds


@dataclass(frozen=True)
class Point:
    """One value of what grows, and what a reading cost."""

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
    """All points of what grows."""

    name: str
    points: list[Point]

    def markdown(self) -> str:
        head = f"| {self.name} | events per CPU-second | bare consumer | ratio | events/s, wall | peak RSS | read again | pause to fire, p99 |"
        return "\n".join([head, "|---|---|---|---|---|---|---|---|", *(point.row() for point in self.points)])

    def as_json(self) -> dict[str, Any]:
        return {"curve": self.name, "points": [dataclasses.asdict(point) for point in self.points]}
