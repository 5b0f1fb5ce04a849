"""How pauses are computed from positions that were seen. Nothing is started here."""

import pytest

from instances import pairs_read
from pauses import Advances, Look, Pause, Pauses, longest_pause
from rebalance import Rebalances, options


def test_a_pause_ends_with_the_first_advance_after_the_change():
    assert longest_pause([1.0, 1.25, 4.0, 4.25], since=1.5) == pytest.approx(2.75), "from the last one before the change on"
    assert longest_pause([1.0, 1.25, 1.75, 4.0], since=1.5) == pytest.approx(2.25), "reading went on for a while"
    assert longest_pause([0.0, 9.0, 9.5, 10.0], since=9.2) == pytest.approx(0.5), "an earlier pause is not this change's"


def test_before_the_first_record_of_all_the_pause_begins_with_the_change():
    assert longest_pause([7.5, 7.6], since=5.0) == pytest.approx(2.5)
    assert longest_pause([], since=5.0) == 0.0


def test_a_replay_is_no_advance():
    advances = Advances(pairs=1)
    for at, read in [(1.0, 100), (2.0, 60), (3.0, 100), (4.0, 101)]:
        advances.add(Look("a", at, {0: read}))
    assert advances.times() == {0: [1.0, 4.0]}


def test_whoever_reads_a_pair_it_is_the_same_pair():
    advances = Advances(pairs=2)
    advances.add(Look("a", 1.0, {0: 10, 1: 20}))
    advances.add(Look("b", 2.0, {1: 21}))
    advances.add(Look("a", 2.1, {0: 11}))
    assert advances.times() == {0: [1.0, 2.1], 1: [1.0, 2.0]}
    assert advances.have_all_advanced(since=1.5) and not advances.have_all_advanced(since=2.05)


def test_pairs_are_shared_out_when_each_has_one_reader_and_each_reader_has_some():
    advances = Advances(pairs=3)
    advances.add(Look("a", 1.0, {0: 1, 1: 1}))
    assert not advances.is_shared_out(["a"], since=0.5), "nobody reads pair 2"
    advances.add(Look("b", 1.1, {1: 1, 2: 1}))
    assert not advances.is_shared_out(["a", "b"], since=0.5), "both read pair 1"
    advances.add(Look("a", 1.2, {0: 1}))
    assert advances.is_shared_out(["a", "b"], since=0.5)
    assert not advances.is_shared_out(["a", "b"], since=1.15), "b said so before the change"
    assert not advances.is_shared_out(["a", "b", "c"], since=0.5), "c has not answered"
    assert not advances.is_shared_out(["a"], since=0.5), "b still answers"
    advances.add(Look("c", 1.3, {}))
    assert not advances.is_shared_out(["a", "b", "c"], since=0.5), "c has nothing to read yet"


def test_what_a_process_said_before_its_end_does_not_count():
    advances = Advances(pairs=1)
    advances.add(Look("a", 1.0, {0: 5}))
    advances.forget("a")
    assert not advances.is_shared_out(["a"], since=0.5)
    assert advances.times() == {0: [1.0]}, "what it had read stays read"


def test_both_topics_of_a_pair_count_together():
    partitions = [{"topic": "impressions", "partition": 0, "position": 70}, {"topic": "clicks", "partition": 0, "position": 30},
                  {"topic": "impressions", "partition": 4, "position": 1}]
    assert pairs_read({"partitions": partitions}) == {0: 100, 4: 1}


def test_a_row_has_the_pause_of_all_of_the_median_pair_and_of_the_slowest():
    times = {0: [1.0, 2.0], 1: [1.1, 3.0], 2: [1.2, 5.0]}
    pause = Pause.of(times, since=1.5)
    assert (pause.of_all, pause.of_pairs) == (pytest.approx(2.0), pytest.approx([1.0, 1.9, 3.8]))
    text = Rebalances(3, 15_000, [Pauses("one joins", [pause, Pause(1.0, [1.0, 1.5, 2.0])])], "equal").markdown()
    assert text.startswith("3 instances, session timeout 15 s\n") and text.endswith("\nequal")
    assert "| one joins | 2 | 1.50 s (1.00 s-2.00 s) | 1.70 s (1.50 s-1.90 s) | 2.90 s (2.00 s-3.80 s) |" in text.splitlines()


@pytest.mark.parametrize("arguments", [["--instances", "1"], ["--rounds", "0"], ["--session-timeout-ms", "5999"]])
def test_numbers_that_measure_nothing_are_refused(arguments):
    with pytest.raises(SystemExit):
        options(arguments)
    assert options([]).instances == 12
