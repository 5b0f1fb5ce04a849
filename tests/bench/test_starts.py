"""How the moment of the first count is read off a log. Nothing is started here."""

from pathlib import Path

import pytest

from starts import AllStarts, Starts, said_at

LOG = """2026-11-23T06:00:00.000Z  INFO ctr_pipeline: starting version="0.1.0"
2026-11-23T06:00:01.250Z  INFO ctr_pipeline::worker::status: first record counted worker=1 duration_seconds=0.4
2026-11-23T06:00:01.500Z  INFO ctr_pipeline::worker::status: first record counted worker=0 duration_seconds=0.7
"""
BEGUN = 1_795_413_600.0


def test_the_first_line_with_the_words_tells(tmp_path: Path):
    log = tmp_path / "pipeline.log"
    log.write_text(LOG)
    assert said_at(log, 0, "first record counted") == pytest.approx(BEGUN + 1.25)
    assert said_at(log, 0, "partitions taken over") is None


def test_what_an_earlier_life_said_does_not(tmp_path: Path):
    log = tmp_path / "pipeline.log"
    log.write_text(LOG)
    before = log.stat().st_size
    assert said_at(log, before, "first record counted") is None
    with log.open("a") as lines:
        lines.write("2026-11-23T06:00:09.000Z  INFO ctr_pipeline::worker::status: first record counted worker=1 duration_seconds=0.1\n")
    assert said_at(log, before, "first record counted") == pytest.approx(BEGUN + 9)


def test_a_table_has_the_median_with_the_least_and_the_most():
    text = AllStarts([Starts("new group", [0.5, 0.4, 0.6], [0.55, 0.45, 0.75])]).markdown()
    assert text.splitlines()[-1] == "| new group | 3 | 500 ms (400 ms-600 ms) | 550 ms (450 ms-750 ms) |"
