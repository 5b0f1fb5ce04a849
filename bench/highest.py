"""The highest rate that the machine sustains: found with short probes, then measured as long as any other rate."""

from collections.abc import Callable

from flow import Observed, observe
from ground import Ground
from report import say

FIRST_RATE = 50_000
MOST_RATE = 10_000_000
CLOSE_ENOUGH = 1.1
"""The rate found and the least one that failed are no further apart than this: runs of one rate differ by as much."""

PROBE_SECONDS = 18
LEAST_SECONDS = 60
"""The rate that is told keeps lag flat for this long."""


def search(keeps: Callable[[int], bool]) -> int:
    """The highest sustained rate, within CLOSE_ENOUGH: doubles until one is not sustained, then bisects by ratio."""
    kept, failed = 0, FIRST_RATE
    while failed <= MOST_RATE and keeps(failed):
        kept, failed = failed, failed * 2
    while not kept:
        half = failed // 2
        assert half, "not one event a second is kept"
        kept, failed = (half, failed) if keeps(half) else (0, half)
    while failed / kept > CLOSE_ENOUGH:
        between = rounded((kept * failed) ** 0.5)
        if not kept < between < failed:
            break
        kept, failed = (between, failed) if keeps(between) else (kept, between)
    return kept


def rounded(rate: float) -> int:
    """To two digits: more would be false precision."""
    step = 10 ** max(0, len(str(int(rate))) - 2)
    return round(rate / step) * step


def observe_highest(ground: Ground, seconds: int) -> Observed:
    """The highest rate sustained for that long, at least a minute. A rate found by a short probe may be slightly too high."""
    def keeps(rate: int) -> bool:
        flow = observe(ground, rate, PROBE_SECONDS).flow
        say(f"probe: {flow.verdict()}")
        return flow.is_kept

    rate = search(keeps)
    while True:
        observed = observe(ground, rate, max(seconds, LEAST_SECONDS))
        say(observed.flow.verdict())
        if observed.flow.is_kept:
            return observed
        rate = rounded(rate / CLOSE_ENOUGH)
        assert rate, "not one event a second is kept"
