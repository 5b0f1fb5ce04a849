"""The views for the business, with numbers known from elsewhere."""

import math

import pytest

from .test_schema import fill, granules

HOUR = 1_795_298_400  # 2026-11-21 22:00:00 UTC
DAY = 1_795_219_200  # 2026-11-21 00:00:00 UTC
PERIODS = {"ctr_by_minute": "minute", "ctr_by_hour": "hour", "ctr_by_day": "day"}


def wilson(clicks: int, impressions: int) -> tuple[float, float]:
    """The two solutions of |p - rate| = z * sqrt(p (1 - p) / n), by halving: another way than the views'."""
    rate = clicks / impressions

    def within(p: float) -> bool:
        return abs(p - rate) <= 1.96 * math.sqrt(p * (1 - p) / impressions)

    def edge(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if within(middle) else (inside, middle)
        return inside

    return edge(rate, 0.0), edge(rate, 1.0)


def test_periods_are_sums_of_windows_and_ratios_of_sums(database):
    database.insert(("p", HOUR, 10, 1, 0), ("p", HOUR + 10, 20, 2, 1), ("p", HOUR + 10, 30, 3, 0),   # a minute: 6 of 60
                    ("p", HOUR + 60, 40, 4, 0),                                                       # the next: 4 of 40
                    ("p", HOUR - 10, 100, 60, 0),                                                     # the hour before
                    ("p", DAY - 10, 5, 5, 0),                                                         # the day before
                    ("q", HOUR, 0, 2, 0), ("r", HOUR, 2, 3, 0))
    database.insert(("p", HOUR, 9, 1, 0))  # an older state

    def read(view: str, product: str) -> list[list[str]]:
        period = PERIODS[view]
        return database.rows(f"SELECT toUnixTimestamp({period}::DateTime64), impressions, clicks, ctr, ctr_low, ctr_high FROM {view}"
                             f" WHERE product_id = '{product}' ORDER BY 1 DESC")

    def expected(*periods: tuple[int, int, int]) -> list[list[float]]:
        return [pytest.approx([start, impressions, clicks, clicks / impressions, *wilson(clicks, impressions)])
                for start, impressions, clicks in periods]

    def numbers(rows: list[list[str]]) -> list[list[float]]:
        return [[float(value) for value in row] for row in rows]

    assert numbers(read("ctr_by_minute", "p")) == expected((HOUR + 60, 40, 4), (HOUR, 60, 6), (HOUR - 60, 100, 60), (DAY - 60, 5, 5))
    assert numbers(read("ctr_by_hour", "p")) == expected((HOUR, 100, 10), (HOUR - 3600, 100, 60), (DAY - 3600, 5, 5))
    assert numbers(read("ctr_by_day", "p")) == expected((DAY, 200, 70), (DAY - 86400, 5, 5))
    # 10 of 100 in the books: 5.5 % to 17.4 %.
    assert numbers(read("ctr_by_hour", "p"))[0][4:] == pytest.approx([0.0552, 0.1744], abs=5e-5)
    for view in PERIODS:
        assert [row[1:] for row in read(view, "q")] == [["0", "2", r"\N", r"\N", r"\N"]]
        ctr, low, high = numbers(read(view, "r"))[0][3:]
        assert (ctr, [low, high]) == (1.5, pytest.approx(wilson(2, 2))), "the interval is of a rate, which is 1 at most"


def test_top_movers(database):
    """56 of 70 against 48 of 80 is Newcombe's own example (1998, method 10): 0.2, from 0.0524 to 0.3339."""
    database.insert(("p", HOUR, 80, 48, 0), ("p", HOUR + 3600, 30, 20, 0), ("p", HOUR + 3610, 40, 36, 1),
                    ("noise", HOUR, 10, 4, 0), ("noise", HOUR + 3600, 10, 5, 0),
                    ("down", HOUR, 70, 56, 0), ("down", HOUR + 3600, 80, 48, 0),
                    ("new", HOUR + 3600, 10, 5, 0), ("hidden", HOUR, 10, 5, 0), ("hidden", HOUR + 3600, 0, 5, 0))
    rows = database.rows("SELECT product_id, toUnixTimestamp(hour), impressions, impressions_before, round(ctr, 4), round(ctr_before, 4), round(change, 4),"
                         " round(change_low, 4), round(change_high, 4), is_news FROM ctr_top_movers ORDER BY product_id")
    at = f"{HOUR + 3600}"
    assert rows[0] == ["down", at, "80", "70", "0.6", "0.8", "-0.2", "-0.3339", "-0.0524", "1"]
    assert rows[1][:4] + rows[1][9:] == ["noise", at, "10", "10", "0"]
    assert rows[2] == ["p", at, "70", "80", "0.8", "0.6", "0.2", "0.0524", "0.3339", "1"]
    assert len(rows) == 3


def test_orphan_clicks(database):
    database.insert(("p", HOUR, 1, 2, 0), ("p", HOUR, 3, 1, 1), ("p", HOUR + 10, 2, 5, 0), ("q", HOUR, 0, 1, 0))
    rows = database.rows("SELECT product_id, toUnixTimestamp(window_start), impressions, clicks, orphan_clicks FROM ctr_orphan_clicks ORDER BY 1")
    assert rows == [["p", f"{HOUR + 10}", "2", "5", "3"], ["q", f"{HOUR}", "0", "1", "1"]]


def test_revisions(database):
    for row in (("p", HOUR, 10, 1, 0), ("p", HOUR, 5, 0, 1), ("p", HOUR, 10, 1, 0), ("p", HOUR, 11, 1, 0), ("p", HOUR, 12, 3, 0), ("q", HOUR, 1, 0, 0)):
        database.insert(row)
    written = dict(database.rows("SELECT (impressions, source_partition), first_written_at FROM ctr_window_history FINAL WHERE product_id = 'p'"))
    rows = database.rows("SELECT product_id, revisions, first_written_at, revised_at, first_impressions, first_clicks, impressions, clicks"
                         " FROM ctr_window_revisions ORDER BY 1")
    assert rows == [
        ["p", "2", written["(10,0)"], f"['{written['(11,0)']}','{written['(12,0)']}']", "15", "1", "17", "3"],
        ["q", "0", rows[1][2], "[]", "1", "0", "1", "0"]]


@pytest.mark.parametrize("sql", [
    "ctr_by_minute WHERE minute = toDateTime64('2026-11-21 22:45:00', 0, 'UTC')",
    "ctr_by_hour WHERE hour >= '2026-11-21 22:00:00' AND hour < '2026-11-21 23:00:00'",
    "ctr_by_day WHERE day = '2026-11-21'",
    "ctr_top_movers WHERE hour = '2026-11-21 23:00:00'",
    "ctr_orphan_clicks WHERE window_end = toDateTime64('2026-11-21 22:45:00', 3, 'UTC') AND product_id = 'p7'",
    "ctr_window_revisions WHERE window_end = toDateTime64('2026-11-21 22:45:00', 3, 'UTC') AND product_id = 'p7'",
])
def test_filters_reach_the_table(database, sql):
    """Two months of three are never read; the month's own 12 granules are when the filter is an hour wide."""
    fill(database)
    read, total = granules(database, f"SELECT * FROM {sql}")
    assert total >= 36
    assert read <= 12, f"{read} of {total} granules are read"
