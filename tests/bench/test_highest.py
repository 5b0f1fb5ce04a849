"""How the highest rate is found, and what a flat lag is. Nothing flows here."""

import pytest

from flow import Flow
from highest import CLOSE_ENOUGH, search

SECOND = 100_000
"""Records of a second at the rate of these flows."""


def flow(lags: list[float], sent: float = 1.0) -> Flow:
    """At 100,000 events/s; lags in seconds' worth of events."""
    return Flow(SECOND, sent * SECOND, [int(lag * SECOND) for lag in lags], {"producer": 0.5})


@pytest.mark.parametrize("lags", [[0.2] * 30, [0, 0.4] * 15, [3, 2, 1] + [0.1] * 27, [0.1] * 14 + [5] + [0.1] * 15], ids=[
    "steady", "up and down", "caught up at the beginning", "one bad moment"])
def test_a_lag_is_flat_that_does_not_grow(lags: list[float]):
    assert flow(lags).is_kept
    assert ": kept" in flow(lags).verdict()


def test_a_pipeline_that_is_a_twentieth_too_slow_is_found_out_in_a_probe():
    assert not flow([0.05 * second for second in range(18)]).is_kept
    assert "so the pipeline gave in" in flow([second / 10 for second in range(18)]).verdict()


def test_a_rate_that_was_not_sent_is_not_kept_however_flat_the_lag():
    assert flow([0.1] * 30, sent=0.99).is_kept
    assert not flow([0.1] * 30, sent=0.98).is_kept
    assert "so the producer or the brokers gave in" in flow([0.1] * 30, sent=0.5).verdict()


@pytest.mark.parametrize("limit", [7, 900, 30_000, 50_000, 51_000, 340_000, 4_000_000])
def test_the_search_comes_close_from_below_in_few_probes(limit: int):
    asked: list[int] = []

    def keeps(rate: int) -> bool:
        asked.append(rate)
        return rate <= limit

    found = search(keeps)
    assert found <= limit < found * CLOSE_ENOUGH ** 2 or limit < 10
    assert len(asked) == len(set(asked)) <= 20, "no rate is tried twice"


def test_a_machine_without_a_limit_ends_the_search():
    assert search(lambda rate: True) > 1_000_000
