"""Is the simulated world true? The scenarios that it recorded (ctr-simulation, scenario.rs), played with real brokers and the real engine.

After every step the rows, dead letters, commits with their metadata, and reasons for waiting must be those that the simulation wrote down.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as KafkaProducer

from stack import Database, Kafka, Pipeline, Topics, wait_until

STEPS = [json.loads(line) for line in (Path(__file__).parent / "scenarios.jsonl").read_text().splitlines()]
PARTITIONS = 1 + max(partition for step in STEPS for act in step["acts"] for _, partition, *_ in act.get("written", []))

HOUR = 3_600_000
SETTINGS = {
    # One worker, as in the simulation; and no partition is ever idle, because time differs between the two worlds.
    "ctr.job.parallelism": 1, "ctr.job.idle-timeout-ms": HOUR, "ctr.job.idle-hold-ms": HOUR, "ctr.job.deduplication": "event-id",
    # The recorded timestamps are the producers'.
    "kafka.trust-producer-timestamps": "true",
    # Kafka's minimum, so that a partition of a killed member does not stay with it.
    "kafka.session-timeout-ms": 6000,
}

SIDES = ("impressions", "clicks")

State = dict[str, Any]


class Log:
    """Writes what the recorded producers wrote, entry by entry: the offsets must be the recorded ones."""

    def __init__(self, kafka: Kafka, topics: Topics):
        self._kafka, self.names = kafka, {"impressions": topics.impressions, "clicks": topics.clicks}
        self._ends: dict[tuple[str, int], int] = {}
        self._plain = KafkaProducer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", "linger.ms": 1, "log_level": 0})
        self._producers = {name: self._transactional(f"{topics.group}-{name}") for name in ("committed", "aborted", "open")}
        # With open transactions, only such a reader is told the end of the log.
        self._reader = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "unused", "isolation.level": "read_uncommitted", "log_level": 0})

    def close(self) -> None:
        self._reader.close()

    def write(self, written: list[list[Any]]) -> None:
        """One entry per partition at a time: first those without a transaction."""
        queues: dict[tuple[str, int], list[list[Any]]] = {}
        for topic, partition, *entry in written:
            queues.setdefault((topic, partition), []).append(entry)
        while queues := {place: entries for place, entries in queues.items() if entries}:
            turn = {place: entries.pop(0) for place, entries in queues.items()}
            for transaction in ("none", "committed", "aborted"):
                self._send(transaction, {place: entry for place, entry in turn.items() if entry[2] == transaction})

    def open_transactions(self) -> None:
        producer = self._producers["open"]
        producer.begin_transaction()
        for partition in range(PARTITIONS):
            producer.produce(self.names["impressions"], partition=partition, value=b"in a transaction that stays open")
        assert producer.flush(60) == 0
        self._wait({("impressions", partition): 1 for partition in range(PARTITIONS)})

    def abort_transactions(self) -> None:
        self._producers["open"].abort_transaction(60)
        self._wait({("impressions", partition): 1 for partition in range(PARTITIONS)})

    def _transactional(self, name: str) -> KafkaProducer:
        producer = KafkaProducer({"bootstrap.servers": self._kafka.bootstrap_servers, "transactional.id": name, "linger.ms": 1,
                                  "transaction.timeout.ms": 600_000, "log_level": 0})
        producer.init_transactions(60)
        return producer

    def _send(self, transaction: str, entries: dict[tuple[str, int], list[Any]]) -> None:
        if not entries:
            return
        producer = self._plain if transaction == "none" else self._producers[transaction]
        if transaction != "none":
            producer.begin_transaction()
        for (topic, partition), (timestamp, value, _) in entries.items():
            producer.produce(self.names[topic], partition=partition, timestamp=timestamp, value=None if value is None else value.encode())
        assert producer.flush(60) == 0
        if transaction == "committed":
            producer.commit_transaction(60)
        elif transaction == "aborted":
            producer.abort_transaction(60)
        self._wait(dict.fromkeys(entries, 1 if transaction == "none" else 2))

    def _wait(self, growth: dict[tuple[str, int], int]) -> None:
        """The markers of a transaction are written after its end was acknowledged."""
        for place, entries in growth.items():
            self._ends[place] = self._ends.get(place, 0) + entries
        for topic, partition in growth:
            self._wait_for_end(TopicPartition(self.names[topic], partition), self._ends[topic, partition])

    def _wait_for_end(self, place: TopicPartition, end: int) -> None:
        def is_reached() -> bool:
            found = self._reader.get_watermark_offsets(place, timeout=10)[1]
            assert found <= end, f"{place} ends at {found}, not at {end}"
            return found == end

        wait_until(is_reached, 30, f"{place} ends at {end}", every=0.005)


class RealWorld:
    """The pipeline with real brokers and the real engine."""

    def __init__(self, kafka: Kafka, topics: Topics, database: Database, start: Callable[[], Pipeline], log: Log):
        self._kafka, self._topics, self._database, self._start, self._log = kafka, topics, database, start, log
        self._sides = {name: side for side, name in log.names.items()}
        self._pipeline = start().start_ready()
        self._clickhouse = True

    def act(self, act: dict[str, Any]) -> None:
        match act["act"]:
            case "write":
                self._log.write(act["written"])
            case "clickhouse away":
                self._database.engine.kill()
                self._clickhouse = False
                # Only what is written from now on is not read.
                wait_until(lambda: len(self._waits()) == 2 * PARTITIONS, 60, "every partition waits for ClickHouse")
            case "clickhouse back":
                self._database.engine.start()
                self._clickhouse = True
                self._pipeline.wait_ready()
            case "open transactions":
                self._log.open_transactions()
            case "abort transactions":
                self._log.abort_transactions()
            case "kill":
                self._pipeline.kill()
                self._pipeline.start()
                if self._clickhouse:
                    self._pipeline.wait_ready()
            case "rebalance":
                second = self._start().start_ready()
                wait_until(lambda: 0 < len(self._partitions()) < 2 * PARTITIONS, 60, "the second process has some of the partitions")
                assert second.leave() == 0
                wait_until(lambda: len(self._partitions()) == 2 * PARTITIONS, 60, "the first process has all of them again")
                self._pipeline.wait_ready()
            case "cut":
                for topic in SIDES:
                    self._kafka.delete_records(self._log.names[topic], {partition: start for name, partition, start in act["written"] if name == topic})
            case "start":
                self._pipeline.start_ready()
            case "stop":
                assert self._pipeline.stop() == 0

    def state(self, with_waits: bool) -> tuple[State, dict[str, str] | None]:
        return {**(self._rows() if self._clickhouse else {}), **self._letters(), **self._commits()}, self._waits() if with_waits else None

    def _rows(self) -> State:
        sql = ("SELECT source_partition AS p, product_id AS product, toUnixTimestamp64Milli(window_end) AS end, impressions, clicks "
               "FROM ctr_results_raw FINAL")
        return {f"row {row['p']} {row['product']} {row['end']}": [row["impressions"], row["clicks"]] for row in self._database.query(sql)}

    def _letters(self) -> State:
        return {f"letter {self._sides[letter['rawTopic']]} {letter['partition']} {letter['offset']}": letter["code"]
                for letter in self._kafka.dead_letters(self._topics)}

    def _commits(self) -> State:
        return {f"commit {self._sides[topic]} {partition}": list(commit) for (topic, partition), commit in self._kafka.committed(self._topics).items()}

    def _partitions(self) -> list[dict[str, Any]]:
        return self._pipeline.get_json("/api/v1/status")["partitions"]

    def _waits(self) -> dict[str, str]:
        return {f"{self._sides[p['topic']]} {p['partition']}": p["wait"] for p in self._partitions() if p["wait"]}


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    # The timestamps are those of the producers.
    return kafka.fresh_topics(PARTITIONS, {"message.timestamp.type": "CreateTime", "retention.ms": "-1"})


@contextmanager
def writing(kafka: Kafka, topics: Topics) -> Iterator[Log]:
    log = Log(kafka, topics)
    try:
        yield log
    finally:
        log.close()


def partition_of(key: str) -> str:
    """Of `row PARTITION ..`, `letter TOPIC PARTITION ..`, `commit TOPIC PARTITION` or `TOPIC PARTITION`."""
    words = key.split()
    return words[1] if words[0] in ("row", *SIDES) else words[2]


def comparable(key: str, waits: dict[str, str]) -> bool:
    """Not in this step: rows while ClickHouse is away; and a pair of which one partition is ahead of the other, because it is read in
    batches, and how far the last one reached is a matter of chance. Afterwards they must be alike again."""
    if key.startswith("row ") and "sink_unavailable" in waits.values():
        return False
    return partition_of(key) not in {partition_of(place) for place, reason in waits.items() if reason == "drift"}


def differences(expected: State, found: State, waits: dict[str, str]) -> list[str]:
    keys = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key) and comparable(key, waits))
    return [f"{key}: simulated {expected.get(key)}, real {found.get(key)}" for key in keys]


def assert_alike(world: RealWorld, step: dict[str, Any], expected: State) -> None:
    """Waits until the real world is as the simulated one was after this step."""
    is_stopped = step["acts"][-1]["act"] == "stop"
    found: list[str] = []

    def alike() -> bool:
        state, waits = world.state(with_waits=not is_stopped)
        found[:] = differences(expected, state, step["waits"])
        if not is_stopped and waits != step["waits"]:
            found.append(f"waits: simulated {step['waits']}, real {waits}")
        return not found

    try:
        wait_until(alike, 30, step["step"], every=0.3)
    except AssertionError:
        shown = "\n  ".join(found[:20])
        raise AssertionError(f"after '{step['step']}' {len(found)} things differ:\n  {shown}") from None


def test_the_simulated_world_and_the_real_one_come_to_the_same(kafka: Kafka, topics: Topics, database: Database,
                                                             make_pipeline: Callable[..., Pipeline]):
    expected: State = {}
    try:
        with writing(kafka, topics) as log:
            world = RealWorld(kafka, topics, database, lambda: make_pipeline(settings=SETTINGS), log)
            for step in STEPS:
                begun = time.monotonic()
                for act in step["acts"]:
                    world.act(act)
                expected |= step["changes"]
                assert_alike(world, step, expected)
                print(f"{step['step']}: {len(expected)} rows, dead letters and commits are alike after {time.monotonic() - begun:.1f} s")
    finally:
        if not database.engine.process.runs():
            database.engine.start()
