"""Whatever a stranger writes to a topic is a count or a letter: no record makes a partition wait, and none is lost."""

import json
import os
import random
from collections.abc import Callable, Iterator

import pytest

from pipeline.comparison import letters_by_identity
from pipeline.events import T, click, impression
from stack import Database, Kafka, Pipeline, Topics, wait_until
from verify.verify import reconcile

MIB = 1 << 20

# HOSTILE_RECORDS=1000000 takes about an hour.
HOSTILE_RECORDS = int(os.environ.get("HOSTILE_RECORDS", "4000"))


def test_the_letter_about_a_record_with_a_huge_key_fits(pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    key = b"k" * 990_000
    kafka.produce(topics.impressions, [(key, b"not json"), impression("after", T)], partition=0)
    wait_until(lambda: kafka.dead_letters(topics), 60, "the letter")
    letter, = kafka.dead_letters(topics)
    assert (letter["code"], letter["rawData"], letter["truncated"], letter["keyLength"]) == ("INVALID_JSON", "not json", True, len(key))
    assert key.startswith(letter["key"].encode()) and (letter["partition"], letter["offset"]) == (0, 0)
    wait_until(lambda: database.windows() == {("after", T): (1, 0)}, 60, "the next record counts")
    wait_until(lambda: kafka.committed(topics).get((topics.impressions, 0), (0, ""))[1].find('"pos":2') >= 0, 60, "both are committed")


def test_a_dead_letter_topic_that_takes_little_gets_what_it_takes(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka, topics: Topics):
    little = f"{topics.dead_letters}-little"
    kafka.create_topic(little, 3, {"max.message.bytes": "20000"})
    pipeline = make_pipeline(settings={"kafka.dlq-topic": little}).start_ready()
    # Bytes that no codec makes smaller. The small ones together are above the limit too, and none of them alone.
    rng = random.Random(1)
    small = [(b"p", b"{" + rng.randbytes(450).hex().encode()) for _ in range(100)]
    kafka.produce(topics.impressions, [*small, (b"p", rng.randbytes(250_000).hex().encode()), (b"p", b"\xff" + rng.randbytes(299_999)), (b"q" * 900_000, b"{"),
                                        impression("after", T)], partition=1)

    def letters() -> list[dict]:
        return [json.loads(record.value()) for record in kafka.records(little)]

    wait_until(lambda: len({letter["offset"] for letter in letters()}) == 103, 90, "a letter for each")
    large = {letter["offset"]: letter for letter in letters() if letter["offset"] >= 100}
    assert [large[offset]["truncated"] for offset in (100, 101, 102)] == [True] * 3
    assert (large[100]["rawLength"], large[101]["rawLength"], large[102]["keyLength"]) == (500_000, 300_000, 900_000)
    wait_until(lambda: database.windows() == {("after", T): (1, 0)}, 60, "the next record counts")
    wait_until(lambda: pipeline.status_code("/readyz") == 200, 60, "nothing waits any more")
    assert "dead letters cannot be written" not in pipeline.process.log.read_text()


def test_ids_without_end_are_letters_and_cost_no_memory(pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    kafka.produce(topics.impressions, ((None, impression(f"{n:04}" + "p" * 900_000, T)[1]) for n in range(300)))
    kafka.produce(topics.impressions, [impression("q" * 1_024, T)])
    largest = 0

    def all_read() -> bool:
        nonlocal largest
        largest = max(largest, pipeline.process.resident_bytes())
        return len(kafka.end_offsets(topics.dead_letters)) and sum(kafka.end_offsets(topics.dead_letters).values()) >= 300

    wait_until(all_read, 120, "a letter for each")
    assert {letter["code"] for letter in kafka.dead_letters(topics)} == {"INVALID_PRODUCT_ID"}
    wait_until(lambda: database.windows() == {("q" * 1_024, T): (1, 0)}, 60, "an id of 1,024 bytes counts")
    assert largest < 256 * MIB, f"{largest / MIB:.0f} MiB"


def test_a_header_keeps_no_record_out_of_the_letters_nor_of_the_counts(pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    pipeline.start_ready()

    def claims(offset: int, code: str) -> list[tuple[str, bytes | None]]:
        return [("ctr-redriven", f"{topics.impressions}/1/{offset}/{code}".encode())]

    kafka.produce(topics.impressions, [
        (b"a", b"{"),
        (b"b", b"not json", claims(0, "INVALID_JSON")),          # a copy, as it says; nobody redrove it
        (b"c", b"[]", claims(9_999, "INVALID_JSON")),             # of a record that is not there
        (*impression("a", T), claims(0, "INVALID_JSON")),         # valid: counts
        (*impression("a", T), claims(3, "TOO_LATE")),             # also where its header names a valid record
    ], partition=1)
    wait_until(lambda: database.windows() == {("a", T): (2, 0)}, 60, "both valid ones count")
    wait_until(lambda: len(letters_by_identity(kafka, topics)) == 3, 60, "each of the others has a letter")
    origins = {letter["offset"]: letter.get("redrivenFrom") for letter in kafka.dead_letters(topics)}
    assert origins == {0: None, 1: f"{topics.impressions}/1/0/INVALID_JSON", 2: None}
    code, said = pipeline.ask("dlq", "list")
    shown = [line for line in said.splitlines() if f"{topics.impressions}/1/" in line]
    assert code == 0 and len(shown) == 2 and "1 dead letters are about redriven copies" in said, said
    answer = reconcile(pipeline, "--wait", "60")
    assert answer.code == 0 and answer.report["letters"] == 3, answer.text
    # A recount takes the log at its word as the job does.
    code, said = pipeline.ask("recount", "--from", "2026-01-01 00:00:00", "--to", "2026-01-01 00:00:10")
    assert code == 0, said
    assert reconcile(pipeline, "--wait", "30").code == 0 and database.windows() == {("a", T): (2, 0)}


def test_a_time_in_seconds_is_a_letter_that_says_so(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka, topics: Topics):
    pipeline = make_pipeline().start_ready()
    kafka.produce(topics.clicks, [click("p", T // 1_000), click("p", T), click("p", T * 1_000), click("p", T * 1_000_000)], partition=0)
    wait_until(lambda: len(kafka.dead_letters(topics)) == 3, 60, "three letters")
    messages = {letter["offset"]: letter["errorMessage"] for letter in kafka.dead_letters(topics)}
    assert {letter["code"] for letter in kafka.dead_letters(topics)} == {"INVALID_TIMESTAMP"}
    for offset, unit in ((0, "seconds"), (2, "microseconds"), (3, "nanoseconds")):
        assert f"{unit} instead of milliseconds? 2026-01-01T00:00:00.000Z" in messages[offset], messages[offset]
    assert "1970-01-21" in messages[0]
    wait_until(lambda: database.windows() == {("p", T): (0, 1)}, 60, "the one in milliseconds counts")
    assert reconcile(pipeline, "--wait", "60").code == 0
    assert pipeline.stop() == 0
    # The first time is a setting; a group that begins again reads by the new one.
    settings = {"ctr.job.min-event-time": "1970-01-01T00:01:00Z", "kafka.group-id": f"{topics.group}-old"}
    old = make_pipeline(settings=settings).start_ready()
    window = T // 1_000 // 10_000 * 10_000
    wait_until(lambda: database.windows().get(("p", window)) == (0, 1), 60, "1970 counts where it is asked for")
    # Its dead letters are those of the group before: the log alone would say two.
    assert reconcile(old).report["letters"] == 3


def hostile(rng: random.Random, topic: str) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """What a stranger may send: sizes to the broker's limit, any keys, headers, bytes and times."""
    # In some records one of the parts is as large as the broker takes.
    sizes = [rng.choice([0, 1, 10, 200, 1_023, 1_025, 5_000]) for _ in range(3)]
    if rng.random() < 0.02:
        sizes[rng.randrange(3)] = rng.randrange(100_000, 1_040_000)
    return _bytes_or_none(rng, sizes[0]), _value(rng, sizes[1]), _headers(rng, sizes[2], topic)


def _bytes_or_none(rng: random.Random, size: int) -> bytes | None:
    return None if rng.random() < 0.2 else rng.choice([b"k", b"\x00", b"\xff", b"\x01", b'"', b"\\"]) * size


def _value(rng: random.Random, size: int) -> bytes | None:
    text = rng.choice(["x", "\u0001", "é", "\U0001f4a9", " ", '"', "\\"]) * (size // 4)
    time = rng.choice([T, T + rng.randrange(-20_000, 20_000), T // 1_000, T * 1_000, T * 1_000_000, -1, 0, 2**63, 10**40, 1.5, "2026-01-01T00:00:00Z", text, None, True, []])
    event = {"event_type": rng.choice(["click", "view", "impression", "tap", 1]), "product_id": rng.choice(["p", "q", text, 7, None]), "timestamp": time,
             rng.choice(["event_id", "user_id", "session_id", "other"]): rng.choice(["e", text, 7, None])}
    whole = json.dumps(event, ensure_ascii=rng.random() < 0.5).encode()
    match rng.randrange(10):
        case 0:
            return _bytes_or_none(rng, size)
        case 1:
            return rng.randbytes(min(size, 10_000))
        case 2:
            return b"[" * size
        case 3:
            return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00\x00\x00\x00\x01", b"\x00"]) + whole
        case 4:
            return whole[: rng.randrange(len(whole))]
        case _:
            return whole


def _headers(rng: random.Random, size: int, topic: str) -> list[tuple[str, bytes | None]]:
    made_up = f"{topic}/{rng.randrange(6)}/{rng.randrange(100)}/{rng.choice(['INVALID_JSON', 'TOO_LATE', 'TOMBSTONE', 'x'])}".encode()
    headers: list[tuple[str, bytes | None]] = [("traceparent", b"00-1-2-01")] * rng.choice([0, 0, 1, 50])
    headers.append((rng.choice(["ctr-redriven", "", "h" * 100, "한"]), rng.choice([made_up, None, b"\xff" * size, b"x" * size])))
    return headers if rng.random() < 0.5 else []


@pytest.mark.timeout(600 + HOSTILE_RECORDS // 100)
def test_no_strangers_record_makes_a_partition_wait(pipeline: Pipeline, kafka: Kafka, topics: Topics):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pipeline.start_ready()
    rng = random.Random(seed)
    seconds, largest = 120 + HOSTILE_RECORDS / 500, 0

    def records(count: int, topic: str) -> Iterator[tuple]:
        for _ in range(count):
            key, value, headers = hostile(rng, topic)
            weight = len(key or b"") + len(value or b"") + sum(len(name.encode()) + len(text or b"") for name, text in headers)
            yield (key, value, headers) if weight < 1_045_000 else (key, None, [])

    for topic in (topics.impressions, topics.clicks):
        # Compressed, because a million would take 33 GB of disk.
        kafka.produce(topic, records(HOSTILE_RECORDS // 2, topic), codec="lz4")
    total = HOSTILE_RECORDS // 2 * 2

    def all_read() -> bool:
        nonlocal largest
        largest = max(largest, pipeline.process.resident_bytes())
        assert pipeline.status_code("/readyz") == 200, "it waits"
        return pipeline.records_accounted() >= total

    wait_until(all_read, seconds, f"{total} records in the ledger", every=0.2)
    answer = reconcile(pipeline, "--wait", "120", seconds=seconds + 180)
    assert answer.code == 0 and answer.report["records"] == total, answer.text
    assert largest < 256 * MIB, f"{largest / MIB:.0f} MiB"
    said = pipeline.process.log.read_text()
    assert "panic" not in said and "cannot be written" not in said and "worker failed" not in said
    print(f"{total} records, {answer.report['letters']} letters, {largest / MIB:.0f} MiB at most")
