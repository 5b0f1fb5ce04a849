"""Rows that are sent again, late, smaller, out of order, or by several partitions: tables and views end the same."""

import random

import pytest

T = 1_795_300_800  # 2026-11-22 00:00:00 UTC, the start of a minute

RAW = "SELECT product_id, toUnixTimestamp(window_end), source_partition, impressions, clicks, ctr FROM ctr_results_raw FINAL ORDER BY ALL"
WINDOWS = "SELECT product_id, toUnixTimestamp(window_start), toUnixTimestamp(window_end), impressions, clicks, ctr FROM ctr_windows ORDER BY ALL"
LATEST = "SELECT product_id, latest_ctr, latest_impressions, latest_clicks, toUnixTimestamp(window_end) FROM ctr_latest_view ORDER BY ALL"
MINUTES = """SELECT product_id, toUnixTimestamp(window_minute), avgMerge(avg_ctr), sumMerge(total_impressions), sumMerge(total_clicks),
    toUnixTimestamp(maxMerge(latest_window)) FROM ctr_ml_view GROUP BY product_id, window_minute ORDER BY product_id, window_minute"""
STATES = "SELECT product_id, toUnixTimestamp(window_end), source_partition, impressions, clicks FROM ctr_window_history FINAL ORDER BY ALL"


def everything(database):
    return {name: database.rows(sql) for name, sql in
            {"raw": RAW, "windows": WINDOWS, "latest": LATEST, "minutes": MINUTES, "states": STATES}.items()}


def test_known_numbers(database):
    """By hand: two partitions, three windows, two minutes, one window without impressions."""
    database.insert(
        ("shoe", T, 10, 2, 0), ("shoe", T, 30, 2, 1),        # window 1: 4 / 40 = 0.1
        ("shoe", T + 50, 4, 2, 0),                           # window 2: 2 / 4 = 0.5, ends with the minute
        ("shoe", T + 60, 8, 2, 1),                           # next minute: 0.25
        ("hat", T, 0, 3, 0))                                 # clicks without impressions: 0
    assert database.rows(WINDOWS) == [
        ["hat", f"{T}", f"{T + 10}", "0", "3", "0"],
        ["shoe", f"{T}", f"{T + 10}", "40", "4", "0.1"],
        ["shoe", f"{T + 50}", f"{T + 60}", "4", "2", "0.5"],
        ["shoe", f"{T + 60}", f"{T + 70}", "8", "2", "0.25"]]
    assert database.rows(MINUTES) == [
        ["hat", f"{T}", "0", "0", "3", f"{T + 10}"],
        ["shoe", f"{T}", "0.3", "44", "6", f"{T + 60}"],     # (0.1 + 0.5) / 2, not the mean of 0.2, 0.0667 and 0.5
        ["shoe", f"{T + 60}", "0.25", "8", "2", f"{T + 70}"]]
    assert database.rows(LATEST) == [["hat", "0", "0", "3", f"{T + 10}"], ["shoe", "0.25", "8", "2", f"{T + 70}"]]


def test_the_latest_window_adds_up_only_the_partitions_that_are_in_it(database):
    database.insert(("p", T, 100, 50, 0), ("p", T + 10, 6, 3, 1), ("p", T + 10, 4, 2, 2))
    assert database.rows(LATEST) == [["p", "0.5", "10", "5", f"{T + 20}"]]
    database.insert(("p", T + 10, 10, 1, 0))
    assert database.rows(LATEST) == [["p", "0.3", "20", "6", f"{T + 20}"]]


@pytest.mark.parametrize("merged", [False, True], ids=["unmerged", "merged"])
def test_rows_sent_again_late_smaller_or_out_of_order(database, merged):
    final = [("p", T, 12, 5, 0), ("p", T, 3, 3, 1), ("p", T + 10, 7, 0, 0), ("q", T, 0, 1, 0), ("q", T + 60, 5, 5, 1)]
    for row in final:
        database.insert(row)
    expected = everything(database)
    smaller = [("p", T, 10, 5, 0), ("p", T, 3, 0, 1), ("p", T + 10, 1, 0, 0)]
    for batch in (final, smaller, [final[3]], final[::-1], smaller[::-1], smaller + final):
        database.insert(*batch)
    if merged:
        for table in ("ctr_results_raw", "ctr_ml", "ctr_latest", "ctr_window_history"):
            database.query(f"OPTIMIZE TABLE {table} FINAL")
    after = everything(database)
    states = after.pop("states")
    assert after == {name: rows for name, rows in expected.items() if name != "states"}
    assert len(states) == len(final) + len(smaller), "each distinct state once"


def test_any_history_of_growing_rows_ends_the_same(database):
    """Random growth of random windows, in random order with repeats, in batches: equal to the largest row of each."""
    source = random.Random(7)
    rows, truth = [], {}
    for _ in range(60):
        key = (source.choice("ab"), T + 10 * source.randrange(12), source.randrange(3))
        impressions, clicks = truth.get(key, (0, 0))
        truth[key] = (impressions + source.randrange(4), clicks + source.randrange(1, 3))
        rows.append((key[0], key[1], *truth[key], key[2]))
    rows += source.choices(rows, k=60)
    source.shuffle(rows)
    while rows:
        size = source.randrange(1, 30)
        database.insert(*rows[:size])
        rows = rows[size:]
    windows = {}
    for (product, start, _), (impressions, clicks) in truth.items():
        before = windows.get((product, start), (0, 0))
        windows[product, start] = (before[0] + impressions, before[1] + clicks)
    assert [(row[0], int(row[1]), int(row[3]), int(row[4])) for row in database.rows(WINDOWS)] == sorted(
        (product, start, *counts) for (product, start), counts in windows.items())
    for product, _, impressions, clicks, end in database.rows(LATEST):
        newest = max(start for name, start in windows if name == product)
        assert (int(end) - 10, (int(impressions), int(clicks))) == (newest, windows[product, newest])
    for product, minute, average, impressions, clicks, _ in database.rows(MINUTES):
        inside = [counts for (name, start), counts in windows.items() if name == product and start // 60 * 60 == int(minute)]
        assert (int(impressions), int(clicks)) == (sum(i for i, _ in inside), sum(c for _, c in inside))
        assert float(average) == pytest.approx(sum(c / i if i else 0 for i, c in inside) / len(inside))


def test_a_window_belongs_to_the_minute_of_its_start(database):
    database.insert(("p", T + 50, 1, 1, 0), ("p", T + 55, 1, 0, 0), ("p", T + 60, 1, 0, 0))
    assert [row[1] for row in database.rows(MINUTES)] == [f"{T}", f"{T + 60}"]


def test_a_plain_select_is_exact_for_a_reader_with_final(database):
    database.query("SYSTEM STOP MERGES ctr_results_raw")
    database.insert(("p", T, 10, 1, 0))
    database.insert(("p", T, 12, 2, 0))
    assert database.query("SELECT count(), sum(impressions) FROM ctr_results_raw") == "1\t12"
    assert database.query("SELECT count(), sum(impressions) FROM ctr_results_raw", final="0") == "2\t22"
    without = everything_with(database, final="0")
    assert without == everything_with(database, final="1"), "views must not need the reader's setting"


def everything_with(database, final):
    return [database.rows(sql, final=final) for sql in (WINDOWS, LATEST, MINUTES)]


def test_history_keeps_when_a_state_was_first_written(database):
    database.insert(("p", T, 10, 1, 0))
    first = database.query("SELECT first_written_at FROM ctr_window_history FINAL")
    database.insert(("p", T, 10, 1, 0), ("p", T, 12, 1, 0))
    rows = database.rows("SELECT impressions, first_written_at FROM ctr_window_history FINAL ORDER BY impressions")
    assert [row[0] for row in rows] == ["10", "12"]
    assert rows[0][1] == first < rows[1][1]


def test_more_than_a_hundred_months_in_one_batch(database):
    month = 31 * 86400
    database.insert(*((f"p{number % 3}", T + number * month, 2, 1, 0) for number in range(150)))
    assert database.query("SELECT count(), sum(impressions) FROM ctr_windows") == "150\t300"
    assert database.query("SELECT count() FROM (SELECT 1 FROM ctr_ml_view GROUP BY product_id, window_minute)") == "150"
    assert database.query("SELECT count() FROM ctr_window_history FINAL") == "150"


def test_the_range_of_event_times(database):
    """From 1970-01-01 to 2200-01-01, beyond what a DateTime holds; nothing wraps around, nothing expires."""
    early, late = 10, 7_258_118_390
    database.insert(("p", early, 1, 1, 0), ("p", late, 4, 1, 0), ("q", early, 1, 0, 0))
    starts = "SELECT groupArray(toUnixTimestamp64Milli(window_start)) FROM (SELECT * FROM ctr_windows ORDER BY product_id, window_start)"
    assert database.query(starts) == f"[{early}000,{late}000,{early}000]"
    latest = "SELECT toUnixTimestamp64Milli(window_end), latest_impressions FROM ctr_latest_view WHERE product_id = 'p'"
    assert database.query(latest) == f"{late + 10}000\t4"
    minutes = "SELECT window_minute, sumMerge(total_impressions) FROM ctr_ml_view WHERE product_id = 'p' GROUP BY ALL ORDER BY ALL"
    assert database.rows(minutes) == [
        ["1970-01-01 00:00:00", "1"], ["2199-12-31 23:59:00", "4"]]
