"""Streams that are silent, far behind each other, or from a clock that is wrong."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer as TransactionalProducer

from pipeline.events import T, click, impression
from stack import Database, Kafka, Pipeline, Producer, Topics, Truth, wait_until

MINUTE = 60_000
ONE_WORKER = {"ctr.job.parallelism": "1"}


@pytest.fixture
def one_partition(kafka: Kafka) -> Topics:
    return kafka.fresh_topics(partitions=1)


def start_on(topics: Topics, make: Callable[..., Pipeline], **settings: str) -> Pipeline:
    """An instance on other topics than the test's own."""
    names = {"kafka.topics.impression": topics.impressions, "kafka.topics.click": topics.clicks, "kafka.dlq-topic": topics.dead_letters,
             "kafka.group-id": topics.group}
    return make(settings={**ONE_WORKER, **names, **settings}).start_ready()


def test_a_window_let_go_beside_a_silent_topic_and_what_comes_for_it(make_pipeline: Callable[..., Pipeline], database: Database,
                                                                     kafka: Kafka, one_partition: Topics):
    start_on(one_partition, make_pipeline, **{"ctr.job.idle-hold-ms": "30000"})
    # The impressions pass the first window by more than the hold, while the clicks are silent and proved to be at their end.
    kafka.produce(one_partition.impressions, [impression("p", T), impression("p", T + MINUTE), impression("p", T + 3 * MINUTE)])
    wait_until(lambda: database.windows().get(("p", T + MINUTE)) == (1, 0), 60, "windows fire although the clicks are silent")

    def let_go() -> bool:
        metadata = kafka.committed(one_partition).get((one_partition.impressions, 0), (0, ""))
        return metadata[0] == 2

    wait_until(let_go, 60, "only the newest window is held")
    kafka.produce(one_partition.clicks, [click("p", T + 1), click("p", T + 3 * MINUTE)])
    wait_until(lambda: database.windows().get(("p", T + 3 * MINUTE)) == (1, 1), 60, "what comes for a window that is held counts")
    wait_until(lambda: len(kafka.dead_letters(one_partition)) == 1, 60, "what comes for a window let go is a dead letter, not lost")
    letter = kafka.dead_letters(one_partition)[0]
    assert (letter["code"], letter["source"], letter["offset"], letter["closedEarly"]) == ("TOO_LATE", "Click", 0, True)
    assert database.windows()[("p", T)] == (1, 0)


def test_an_open_transaction_is_said_and_closes_nothing_early(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                                             one_partition: Topics):
    """F4: what may not be read is not the end of the log."""
    pipeline = start_on(one_partition, make_pipeline, **{"ctr.job.idle-hold-ms": "20000"})
    stranger = TransactionalProducer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": f"{one_partition.group}-stranger",
                                      "transaction.timeout.ms": 120_000})
    stranger.init_transactions(60)
    stranger.begin_transaction()
    key, value = click("stranger", T)
    stranger.produce(one_partition.clicks, key=key, value=value)
    assert stranger.flush(60) == 0
    # Two minutes of event time, so six times the hold, behind the stranger's record.
    times = range(T, T + 2 * MINUTE, 2_000)
    kafka.produce(one_partition.clicks, [click("p", ms) for ms in times])
    kafka.produce(one_partition.impressions, [impression("p", ms) for ms in times])

    def clicks() -> dict:
        return next(p for p in pipeline.get_json("/api/v1/status")["partitions"] if p["topic"] == one_partition.clicks)

    wait_until(lambda: clicks()["heldBackRecords"] == len(times) + 1, 60, "what is held back is counted")
    assert clicks()["lagRecords"] == len(times) + 1
    wait_until(lambda: not clicks()["idle"], 10, "a partition that is held back is not idle: a worker has heard of the new end")
    # Longer than the end of a log is asked for, and than silence needs: time is all there is to wait for.
    wait_until(lambda: time.time() * 1_000 - clicks()["heldBackSince"] > 5_000, 60, "it is held back for a while")
    reasons = pipeline.get_json("/api/v1/status")["reasons"]
    assert any(f"{one_partition.clicks}-0: an open transaction holds back {len(times) + 1} records since 20" in reason for reason in reasons), reasons
    metric = f'ctr_partition_held_back_records{{topic="{one_partition.clicks}",partition="0"}} {len(times) + 1}'
    assert metric in pipeline.get("/metrics"), "and the metric says it"
    assert clicks()["position"] == 0
    stranger.abort_transaction(60)
    wait_until(lambda: database.windows() == {("p", start): (5, 5) for start in range(T, T + 2 * MINUTE, 10_000)}, 60, "every window is whole")
    assert kafka.dead_letters(one_partition) == [], "nothing was closed early"
    wait_until(lambda: clicks()["heldBackRecords"] == 0 and clicks()["heldBackSince"] is None, 30, "nothing is held back any more")


def test_one_topic_an_hour_behind_the_other(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                            topics: Topics):
    hour = {"rate": 0, "products": 5, "start_time": "2026-01-01T00:00:00Z", "span": "1h"}
    small = ("--property", "batch.size=8192", "--property", "compression.type=none")
    truths = [producer.run("impressions", *small, count=6_000, seed=1, **hour),
              producer.run("clicks", *small, count=30_000, seed=2, **hour)]
    # Both topics are fetched in small bites, so that the one with few records would be an hour ahead within a second.
    bites = "queued.min.messages=1,queued.max.messages.kbytes=8,max.partition.fetch.bytes=8192,fetch.queue.backoff.ms=10"
    pipeline = make_pipeline(settings={"kafka.properties": bites}).start()
    seen: list[int] = []

    def all_counted() -> bool:
        if pipeline.status_code("/healthz") == 200:
            seen.extend(distances(pipeline))
        return database.windows() == sum_of(truths)

    wait_until(all_counted, 120, "every event of both is counted")
    assert kafka.dead_letters(topics) == []
    # A minute is allowed, and a bite of some eighty records, five minutes, comes on top of it.
    assert seen and max(seen) < 15 * MINUTE, max(seen)


def distances(pipeline: Pipeline) -> list[int]:
    """How far, in ms of event time, each pair's partitions are apart."""
    watermarks: dict[int, list[int]] = {}
    for partition in pipeline.get_json("/api/v1/status")["partitions"]:
        if partition["watermark"] is not None:
            watermarks.setdefault(partition["partition"], []).append(partition["watermark"])
    return [abs(pair[0] - pair[1]) for pair in watermarks.values() if len(pair) == 2]


def sum_of(truths: list[Truth]) -> dict[tuple[str, int], tuple[int, int]]:
    keys = {key for truth in truths for key in truth.windows}
    rows = {key: [truth.windows.get(key, (0, 0)) for truth in truths] for key in keys}
    return {key: (sum(row[0] for row in parts), sum(row[1] for row in parts)) for key, parts in rows.items()}


def test_a_clock_ahead_costs_nobody_else_an_event(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                                  one_partition: Topics):
    pipeline = start_on(one_partition, make_pipeline)
    sent = 0
    for _ in range(3):
        now = int(time.time() * 1000)
        # One producer in a hundred is a minute ahead, another four minutes; the others are right, or a second behind.
        records = [impression("fast", now + MINUTE), impression("faster", now + 4 * MINUTE)]
        records += [impression("right", now - n * 10) for n in range(98)]
        kafka.produce(one_partition.impressions, records)
        sent += len(records)
    kafka.produce(one_partition.impressions, [impression("wrong", int(time.time() * 1000) + 6 * MINUTE)])

    def ledger() -> dict:
        return pipeline.get_json("/api/v1/status")["ledger"]

    wait_until(lambda: ledger()["consumed"] == sent + 1, 60, "all is read")
    assert (ledger()["counted"], ledger()["tooLate"], ledger()["rejected"]) == (sent, 0, {"FUTURE_TIMESTAMP": 1})
    wait_until(lambda: sum(row[0] for (product, _), row in database.windows().items() if product == "right") == 3 * 98, 60,
               "every event of the clocks that are right is in the table")
