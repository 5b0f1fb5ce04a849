"""The same log gives the same numbers: whatever the events, whoever stops the pipeline, and whenever."""

import json
import random
import time
from collections.abc import Callable

import pytest

from pipeline.comparison import assert_exact
from pipeline.events import T, impression
from stack import Database, Kafka, Pipeline, Producer, Topics, Truth, wait_until

FAULTS = {"late": 0.05, "too_late": 0.01, "bad": 0.01, "future": 0.01, "duplicates": 0.01}
HISTORY = {"seed": 7, "start_time": "2026-01-01T00:00:00Z", "span": "10m"}


def test_every_product_window_and_dead_letter(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    truth = producer.run("both", count=100_000, products=50, rate=0, **FAULTS, **HISTORY)
    assert truth.total["too_late"] > 0 and len(truth.total["rejected"]) > 5
    assert_exact(truth, database, kafka, topics)
    assert_ledger_adds_up(pipeline, truth)
    assert pipeline.stop() == 0


def assert_ledger_adds_up(pipeline: Pipeline, truth: Truth) -> None:
    """In a first life without a rebalance in the middle, the account is that of the truth, entry by entry."""
    def account() -> dict:
        return pipeline.get_json("/api/v1/status")["ledger"]

    wait_until(lambda: account()["consumed"] >= truth.total["sent"], 30, "the account is of all records")
    ledger = account()
    assert ledger["difference"] == 0
    assert ledger["consumed"] == truth.total["sent"] + ledger["replayed"]
    found = {"counted": ledger["counted"], "too_late": ledger["tooLate"], "rejected": ledger["rejected"], "duplicates": ledger["duplicates"]}
    if ledger["replayed"] == 0:
        assert found == {name: truth.total[name] for name in found}


def test_events_without_keys_are_spread_over_partitions(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    truth = producer.run("both", "--unkeyed", count=30_000, products=5, rate=0, **FAULTS, **HISTORY)
    pipeline.start_ready()
    assert_exact(truth, database, kafka, topics)
    partitions = database.query("SELECT uniqExact(source_partition) AS partitions FROM ctr_results_raw")
    assert partitions == [{"partitions": topics.partitions}]


def test_many_long_names_in_one_firing(pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    """More megabytes at once than are compressed as one block."""
    pipeline.start_ready()
    kafka.produce(topics.impressions, [impression(f"{number}-{'x' * 1_000}", T) for number in range(6_000)], partition=0)
    sql = "SELECT count() AS products, sum(impressions) AS events FROM ctr_windows"
    wait_until(lambda: database.query(sql) == [{"products": 6_000, "events": 6_000}], 60, "every product has its row")


def test_an_event_id_counts_once_where_that_is_asked_for(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database,
                                                         kafka: Kafka, topics: Topics):
    make_pipeline(settings={"ctr.job.deduplication": "event-id"}).start_ready()
    truth = producer.run("both", "--event-ids", count=30_000, products=5, rate=0, deduplication="event-id",
                         **{**FAULTS, "duplicates": 0.1}, **HISTORY)
    assert truth.total["duplicates"] > 100
    assert_exact(truth, database, kafka, topics)


def test_a_stop_in_the_middle_changes_nothing(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    stop_and_go(producer, pipeline, database, lambda: pipeline.stop(), kafka, topics)


def test_leaving_the_group_in_the_middle_changes_nothing(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka,
                                                         topics: Topics):
    stop_and_go(producer, pipeline, database, lambda: pipeline.leave(), kafka, topics)


def stop_and_go(producer: Producer, pipeline: Pipeline, database: Database, stop: Callable[[], int], kafka: Kafka, topics: Topics):
    """A stop while events flow, and a second start, with part of the events sent in between."""
    pipeline.start_ready()
    flow = producer.start("both", rate=20_000, count=100_000, products=20, **FAULTS, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    assert stop() == 0
    assert "before everything was acknowledged" not in pipeline.process.tail()
    commits = kafka.committed(topics)
    assert len(commits) == 2 * topics.partitions and all(json.loads(metadata)["v"] == 1 for _, metadata in commits.values())
    assert flow.wait(120) == 0
    pipeline.start_ready()
    assert_exact(producer.truth_of(flow), database, kafka, topics)
    ledger = pipeline.get_json("/api/v1/status")["ledger"]
    assert ledger["difference"] == 0
    # What is read again is the open windows, not the log.
    assert 0 < ledger["replayed"] < ledger["consumed"] / 2
    assert pipeline.stop() == 0


def alive_until(pipeline: Pipeline, seconds: float) -> None:
    """Lets it live that long: the moment of a kill is what is tested, so time is all there is to wait for."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 1, "the moment of the kill", every=0.01)
    assert pipeline.process.runs(), pipeline.process.tail()


def test_kill_9_at_any_moment_changes_nothing(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    pipeline.start()
    flow = producer.start("both", rate=20_000, count=150_000, products=20, **FAULTS, **HISTORY)
    kills = 0
    while flow.runs() or kills < 5:
        life = rng.uniform(0.05, 3)
        alive_until(pipeline, life)
        pipeline.kill()
        kills += 1
        pipeline.start()
    assert flow.wait(60) == 0
    pipeline.wait_ready()
    print(f"killed {kills} times, seed {seed}")
    assert_exact(producer.truth_of(flow), database, kafka, topics)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_million_events_and_ten_kills(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                        topics: Topics):
    pipeline = make_pipeline(settings={"ctr.job.parallelism": "2"}).start()
    flow = producer.start("both", rate=40_000, count=1_000_000, products=100, late=0.05, too_late=0.01, bad=0.01, future=0.01, **HISTORY)
    rng = random.Random(7)
    for _ in range(10):
        alive_until(pipeline, rng.uniform(0.2, 2.5))
        pipeline.kill()
        pipeline.start()
    assert flow.wait(300) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=180)
