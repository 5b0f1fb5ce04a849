"""What the benchmark makes of readings. Nothing is measured here."""

from pathlib import Path

import pytest

from filled_log import START_MS, FilledLog, LogShape
from measure import Usage
from peers import assert_right, readings, rows
from report import Rounds, Spread, count, ratio
from stack import Process, Topics, Truth

PIPELINE, BARE, FLINK = "ctr-pipeline", "bare consumer", "Flink, warm"


def usage(reader: str, cpu_seconds: float, first_row_seconds: float | None = None) -> Usage:
    return Usage(reader, 6_000_000, 10.0, cpu_seconds, 64 << 20, first_row_seconds)


def two_rounds() -> Rounds:
    return Rounds("a title", PIPELINE, [
        [usage(BARE, 1.5), usage(PIPELINE, 2.0, 0.5), usage(FLINK, 40.0, 5.0)],
        [usage(BARE, 1.5), usage(PIPELINE, 3.0, 0.7), usage(FLINK, 30.0, 6.0)],
    ])


def test_the_pipeline_is_compared_with_each_reader_of_the_same_round():
    assert two_rounds().ratios() == {
        f"{PIPELINE} / {BARE}": Spread(0.625, 0.5, 0.75), f"{PIPELINE} / {FLINK}": Spread(15.0, 10.0, 20.0),
    }


def test_a_table_has_a_line_for_each_reader_with_what_it_has():
    lines = two_rounds().table()
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {BARE}", f"| {PIPELINE}", f"| {FLINK}"]
    assert "| 2.50 M (2.00 M-3.00 M) | 600 k (600 k-600 k) | 64 MiB (64 MiB-64 MiB) | 0.60 s (0.50 s-0.70 s) |" in lines[3]
    assert lines[2].endswith("| - | - | - |")


@pytest.mark.parametrize(("form", "value", "text"), [(count, 2_345_678, "2.35 M"), (count, 93_210, "93 k"), (ratio, 0.571, "0.57"), (ratio, 22.34, "22.3")])
def test_figures_have_three_digits_or_so(form, value, text):
    assert form(value) == text


@pytest.fixture
def log() -> FilledLog:
    """One window of the span, and one of the closing events."""
    shape = LogShape(events=3, products=1, span_seconds=10)
    truth = Truth({("product1", START_MS): (2, 1), ("product1", shape.end_ms + 10_000): (1, 0)})
    return FilledLog(shape, Topics("i", "c", "d", "g", 1), truth, 0.0)


def counted(tmp_path: Path, *lines: str) -> dict[tuple[str, int], tuple[int, int]]:
    file = tmp_path / "rows-1.tsv"
    file.write_text("".join(f"{line}\n" for line in lines))
    return rows(file)


def test_a_peer_need_not_show_the_windows_of_the_closing_events(log: FilledLog, tmp_path: Path):
    assert log.counted_by_the_end == 3
    assert_right("Flink", log, counted(tmp_path, f"product1\t{START_MS}\t2\t1"))


@pytest.mark.parametrize("lines", [
    (), (f"product1\t{START_MS}\t1\t2",), (f"product1\t{START_MS}\t2\t1", f"product2\t{START_MS}\t1\t0"),
], ids=["nothing", "other counts", "one too many"])
def test_a_peer_that_counts_wrong_fails_the_run(log: FilledLog, tmp_path: Path, lines: tuple[str, ...]):
    with pytest.raises(AssertionError, match="Flink: 1 of 1 windows differ"):
        assert_right("Flink", log, counted(tmp_path, *lines))


def test_a_reading_is_done_when_its_whole_line_is_there(tmp_path: Path):
    console = tmp_path / "console.log"
    process = Process("Flink", ["true"], {}, console)
    console.write_text('a warning\n{"rows": "a", "firstRowAt": 1}\n{"rows": "b", "fir')
    assert readings(process) == [{"rows": "a", "firstRowAt": 1}]
