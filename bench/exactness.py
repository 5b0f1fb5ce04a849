"""Compares the counts with the truth without holding them a second time: there may be millions of windows."""

from contextlib import suppress

from stack import Database, Truth, wait_until

SHOWN = 20


def assert_counts(truth: Truth, database: Database, seconds: float) -> None:
    """Waits until every product and window matches the truth, or the time is over."""
    impressions, clicks = (sum(counts[kind] for counts in truth.windows.values()) for kind in (0, 1))
    totals = {"windows": len(truth.windows), "impressions": impressions, "clicks": clicks}
    sql = "SELECT count() AS windows, sum(impressions) AS impressions, sum(clicks) AS clicks FROM ctr_windows"
    # If they do not arrive, the comparison below says more than a timeout.
    with suppress(AssertionError):
        wait_until(lambda: database.query(sql)[0] == totals, seconds, "the tables have the truth's totals", every=0.2)
    assert_windows(truth, database)


def assert_windows(truth: Truth, database: Database) -> None:
    """Checks that every product and window matches the truth now."""
    missing, wrong = set(truth.windows), {}
    for window, counts in database.each_window():
        if window in missing and truth.windows[window] == counts:
            missing.remove(window)
        else:
            wrong[window] = counts
    differing = sorted(missing | wrong.keys())
    shown = "\n".join(f"  {window}: must be {truth.windows.get(window)}, is {wrong.get(window)}" for window in differing[:SHOWN])
    assert not differing, f"{len(differing)} of {len(truth.windows)} windows differ:\n{shown}"
