"""How soon results are visible: from the end of a window to its row, at sustained rates.

Started by `./scripts/bench.sh latency`. At each rate events flow in real time through the pipeline with shipped settings. Two times are
measured, both on one clock: when each row was written (ClickHouse's own time, minus the window's end and the 2 s that the
watermark stays behind), and when a reader polling ctr_latest_view first saw it. With --highest, the benchmark also searches for the highest
rate at which all events are sent and the pipeline's lag stays flat, and measures it like the others.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flow import Flow, Observed, observe
from ground import Ground, on_new_ground
from highest import LEAST_SECONDS, observe_highest
from report import arguments_of, numbers, say, write

WATERMARK_DELAY_MS = 2_000
WINDOW_MS = 10_000


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p99: float
    most: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Percentiles":
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))], ordered[-1], len(ordered))

    def text(self) -> str:
        return f"{self.p50:.0f} / {self.p99:.0f} / {self.most:.0f} ms"


@dataclass(frozen=True)
class Latency:
    """Results of one rate."""

    flow: Flow
    durable: Percentiles
    """Window end + 2 s to the row's insert."""
    visible: Percentiles
    """Window end + 2 s to the first answer of ctr_latest_view with it."""
    event_to_visible: Percentiles
    """Event time to that answer, for events spread evenly over their window: 2 s and up to 10 s of it are the rule's."""

    @classmethod
    def of(cls, observed: Observed) -> "Latency":
        ends = sorted({end for _, end, _ in observed.rows})
        # The first window began before the events, and the last ones end with them and wait for the idle timeout.
        judged = set(ends[1:-2])
        assert len(judged) >= 2, f"{len(ends)} windows are too few to say anything: let the run take longer"
        durable = [at - end - WATERMARK_DELAY_MS for _, end, at in observed.rows if end in judged]
        visible = [at - end - WATERMARK_DELAY_MS for (_, end), at in observed.seen.items() if end in judged]
        spread = [wait + WATERMARK_DELAY_MS + WINDOW_MS * (step + 0.5) / 20 for wait in visible for step in range(20)]
        return cls(observed.flow, Percentiles.of(durable), Percentiles.of(visible), Percentiles.of(spread))

    @property
    def most_lag(self) -> int:
        """Maximum lag of the pipeline, in records, in the second half of the run."""
        return max(self.flow.lags[len(self.flow.lags) // 2:], default=0)

    def row(self) -> str:
        return (f"| {self.flow.wanted_rate:,}; {self.flow.sent_rate:,.0f} | {self.durable.text()} | {self.visible.text()} | "
                f"{self.event_to_visible.text()} | {self.most_lag:,} | {self.flow.lag_growth_seconds:+.2f} s |")


@dataclass(frozen=True)
class Latencies:
    """Measures one rate after the other."""

    runs: list[Latency]

    def markdown(self) -> str:
        head = ["| events/s, wanted and sent | window end + 2 s to durable row: p50 / p99 / most | to visible in ctr_latest_view | "
                "event time to visible | most lag, records | lag grew by |", "|---|---|---|---|---|---|"]
        rows = [run.row() for run in self.runs]
        return "\n".join([*head, *rows, "", *(f"- {run.flow.verdict()}" for run in self.runs)])

    def as_json(self) -> dict[str, Any]:
        return {"rates": [{**asdict(run), "kept": run.flow.is_kept} for run in self.runs]}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("latency", __doc__)
    parser.add_argument("--rates", type=numbers, default=[1_000, 100_000], help="events per second, one after the other (1000,100000)")
    parser.add_argument("--highest", action="store_true",
                        help=f"also find the highest rate at which lag stays flat for {LEAST_SECONDS} s: takes several minutes")
    parser.add_argument("--seconds", type=int, default=70, help="duration of each rate (70)")
    return parser.parse_args(arguments)


def main() -> int:
    chosen = options(sys.argv[1:])

    def measure(ground: Ground) -> str:
        runs = []
        for rate in [*chosen.rates, *(["highest"] if chosen.highest else [])]:
            observed = observe_highest(ground, chosen.seconds) if rate == "highest" else observe(ground, rate, chosen.seconds)
            runs.append(Latency.of(observed))
            say(runs[-1].row())
        return write(chosen.results, "latency", [Latencies(runs)])

    return on_new_ground(measure)


if __name__ == "__main__":
    sys.exit(main())
