"""Dead letters put back: mended ones and late ones end in counts that include them exactly once, whatever is killed."""

import base64
import json
import random
import re
from collections import Counter
from collections.abc import Callable

from confluent_kafka import Message

from pipeline.comparison import letters_by_identity
from repair.retention import cut
from stack import Database, Kafka, Pipeline, Topics, wait_until
from verify.verify import reconcile

START = 1_767_225_600_000  # 2026-01-01 00:00:00 UTC
PARTITION = 2
BROKEN, GOOD = 90, 3
# Slow enough for a kill between the batches: one is full at 4 MiB.
MEND = "sleep 0.02; sed s/tap/click/"


def event(kind: str, at: int = START, padding: int = 0) -> bytes:
    return json.dumps({"event_type": kind, "product_id": "p", "timestamp": at, "padding": "x" * padding}).encode()


def fill(kafka: Kafka, topics: Topics) -> None:
    """A window with good events; then, when it is over, one that is too late, records to mend, and one beyond help."""
    def put(topic: str, *payloads: bytes) -> None:
        kafka.produce(topic, [(b"key", payload) for payload in payloads], partition=PARTITION)

    put(topics.clicks, event("click", START + 60_000))
    put(topics.impressions, *[event("impression")] * GOOD, event("impression", START + 60_000), event("impression"))
    put(topics.impressions, *[event("tap", padding=65_000)] * BROKEN, event("tap", padding=950_000), b"{")


def copies(kafka: Kafka, topics: Topics) -> list[Message]:
    return [record for record in kafka.records(topics.impressions) if "ctr-redriven" in dict(record.headers() or [])]


def test_redriven_letters_count_exactly_once(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka, topics: Topics):
    pipeline = make_pipeline().start_ready()
    fill(kafka, topics)
    wait_until(lambda: len(kafka.dead_letters(topics)) == BROKEN + 3, 60, "all dead letters")
    wait_until(lambda: database.windows().get(("p", START)) == (GOOD, 0), 60, "the window without them")
    letters = letters_by_identity(kafka, topics)
    look_at(pipeline, topics, letters)

    code, said = pipeline.ask("dlq", "redrive", "--mend", "sed s/tap/click/")
    assert code == 3 and f"{BROKEN + 1} would be redriven" in said and "1 still in the log" in said and "1 skipped" in said, said
    assert "INVALID_JSON" in said and copies(kafka, topics) == []

    redrive = pipeline.command("dlq", "redrive", "--execute", "--mend", MEND)
    redrive.start()
    wait_until(lambda: copies(kafka, topics), 60, "the first batch")
    redrive.kill()
    assert len(copies(kafka, topics)) < BROKEN + 1, "it was killed too late to show anything"
    code, said = pipeline.ask("dlq", "redrive", "--execute", "--mend", MEND, seconds=120)
    done = re.search(r"(\d+) redriven, (\d+) redriven before", said)
    assert code == 3 and done and int(done[1]) + int(done[2]) == BROKEN + 1 and int(done[2]) > 0, said

    found = copies(kafka, topics)
    origins = Counter(dict(record.headers())["ctr-redriven"].decode() for record in found)
    broken = {"/".join(map(str, identity)) for identity in letters if identity[3] == "INVALID_EVENT_TYPE"}
    assert origins == Counter(broken) and {(record.partition(), record.key()) for record in found} == {(PARTITION, b"key")}
    expected = {("p", START): (GOOD + 1, BROKEN + 1), ("p", START + 60_000): (1, 1)}
    # Of the second window nothing was redriven: it fires when the job finds its partitions idle.
    wait_until(lambda: database.windows() == expected, 60, "the counts of both windows")

    # The job has read the copies. They are too late, so each has a letter, which names its origin; the tools show one of the two.
    assert_all_read(pipeline, kafka, topics)
    wait_until(lambda: len(letters_by_identity(kafka, topics)) == BROKEN + 3 + BROKEN + 1, 60, "the letters about the copies")
    about_copies = [letter for letter in kafka.dead_letters(topics) if "redrivenFrom" in letter]
    assert Counter(letter["redrivenFrom"] for letter in about_copies) == Counter(broken)
    assert {letter["code"] for letter in about_copies} == {"TOO_LATE"}
    look_at(pipeline, topics, letters)
    assert pipeline.stop() == 0
    anew = make_pipeline(settings={"kafka.group-id": f"{topics.group}-anew"}).start_ready()
    assert_all_read(anew, kafka, topics)
    wait_until(lambda: len(kafka.dead_letters(topics)) >= 2 * (BROKEN + 3 + BROKEN + 1), 60, "the letters a second time")
    assert len(letters_by_identity(kafka, topics)) == BROKEN + 3 + BROKEN + 1
    look_at(anew, topics, letters)
    assert anew.stop() == 0
    assert database.windows() == expected

    # Where the records have left their topic, nobody could tell whether they were put back.
    cut(kafka, topics.impressions, PARTITION, before=GOOD + 3)
    code, said = pipeline.ask("dlq", "redrive", "--mend", "sed s/tap/click/", "--code", "TOO_LATE", "--code", "INVALID_EVENT_TYPE")
    assert code == 3 and said.count(f"its record is no longer in {topics.impressions}-{PARTITION}") == 2, said
    assert f"0 would be redriven (with --execute), {BROKEN} redriven before, 0 still in the log" in said, said


def test_of_two_redrives_at_once_one_goes_on_and_nothing_is_put_back_twice(pipeline: Pipeline, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    fill(kafka, topics)
    wait_until(lambda: len(kafka.dead_letters(topics)) == BROKEN + 3, 60, "all dead letters")

    # The first is in the middle of its batches, and goes on when the second has done everything.
    first, second = (pipeline.command("dlq", "redrive", "--execute", "--mend", mend) for mend in ("sleep 0.05; sed s/tap/click/", "sed s/tap/click/"))
    first.start()
    wait_until(lambda: copies(kafka, topics), 60, "the first batch")
    first.suspend()
    second.start()
    assert second.wait(120) == 3, second.tail()
    first.resume()
    assert first.wait(120) == 1 and "another `dlq redrive` has started on the same topics, so this one ends" in first.tail(), first.tail()
    put_back = re.search(r"(\d+) redriven, (\d+) redriven before", second.tail())
    assert put_back and int(put_back[1]) + int(put_back[2]) == BROKEN + 1 and int(put_back[1]) > 0 and int(put_back[2]) > 0, second.tail()
    assert_put_back_once(kafka, topics, BROKEN + 1)

    # Begun at the same moment, whatever they do to each other: one of them does it.
    mended = ("--code", "INVALID_JSON", "--mend", f"echo '{event('click').decode()}'")
    both = [pipeline.command("dlq", "redrive", "--execute", *mended) for _ in range(2)]
    for process in both:
        process.start()
    assert 0 in {process.wait(120) for process in both}, [process.tail() for process in both]
    assert_put_back_once(kafka, topics, BROKEN + 2)

    # The logs have holes now, at their ends too: marks of transactions, and what the first had to take back.
    answer = reconcile(pipeline, "--wait", "60")
    assert answer.code == 0 and answer.report["recountedRows"] > 0, answer.text + answer.errors


def assert_put_back_once(kafka: Kafka, topics: Topics, letters: int) -> None:
    origins = Counter(dict(record.headers())["ctr-redriven"].decode() for record in copies(kafka, topics))
    assert len(origins) == letters and set(origins.values()) == {1}, origins


def assert_all_read(pipeline: Pipeline, kafka: Kafka, topics: Topics) -> None:
    records = sum(len(kafka.records(topic)) for topic in (topics.impressions, topics.clicks))
    wait_until(lambda: pipeline.records_accounted() >= records, 60, f"{records} records in the ledger")


def lines(said: str) -> list[str]:
    """What was asked for, without the remarks on letters that are not shown."""
    return [line for line in said.splitlines() if "are not shown again" not in line and "are about redriven copies" not in line]


def look_at(pipeline: Pipeline, topics: Topics, letters: dict) -> None:
    code, said = pipeline.ask("dlq", "list", "--code", "TOO_LATE")
    assert (code, len(lines(said))) == (0, 1) and f"{topics.impressions}/{PARTITION}/{GOOD + 1}/TOO_LATE" in said
    code, said = pipeline.ask("dlq", "list", "--json", "--topic", topics.impressions)
    listed = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert code == 0 and len(listed) == len(letters) and all(letter["rawTopic"] == topics.impressions for letter in listed)
    assert lines(pipeline.ask("dlq", "list", "--topic", topics.clicks)[1]) == []
    assert lines(pipeline.ask("dlq", "list", "--to", "2026-01-01 00:00:00")[1]) == []
    code, said = pipeline.ask("dlq", "stats", "--json")
    assert {row["code"]: row["letters"] for row in map(json.loads, lines(said))} == {
        "TOO_LATE": 1, "INVALID_EVENT_TYPE": BROKEN + 1, "INVALID_JSON": 1}
    beyond_help = next("/".join(map(str, identity)) for identity in letters if identity[3] == "INVALID_JSON")
    assert pipeline.ask("dlq", "show", "--raw", beyond_help) == (0, "{")
    code, said = pipeline.ask("dlq", "show", beyond_help)
    assert code == 0 and '"errorMessage"' in said and said.endswith("}\n{\n"), said
    code, said = pipeline.ask("dlq", "show", "clicks/0/1/TOO_LATE")
    assert code == 3 and "dlq list" in said


def test_a_copy_that_no_topic_takes_and_letters_that_name_nothing_are_left_and_the_others_are_put_back(
        pipeline: Pipeline, kafka: Kafka, topics: Topics, database: Database):
    pipeline.start_ready()
    headers = [("traceparent", b"00-abc-def-01"), ("content-type", b"application/json"), ("bytes", b"\xff\x00"), ("none", None)]
    # Bytes that no codec makes smaller: the topic's limit is about what is sent.
    rng = random.Random(1)
    huge = event("tap").replace(b'"padding": ""', b'"padding": "' + base64.urlsafe_b64encode(rng.randbytes(785_001)) + b'"')
    kafka.produce(topics.impressions, [(b"key", event("tap"), headers), (b"key", huge), *[(b"key", event("tap"))] * 20], partition=PARTITION)
    wait_until(lambda: len(kafka.dead_letters(topics)) == 22, 60, "all dead letters")
    # Letters that somebody else wrote, or that are damaged: of a partition and of an offset that are not there.
    letter = kafka.dead_letters(topics)[0]
    false = [{"partition": 99}, {"partition": -1}, {"offset": 2**63 - 1}, {"offset": -5}, {"rawEncoding": "base64", "rawData": "?", "offset": 3, "code": "INVALID_JSON"}]
    kafka.produce(topics.dead_letters, [(None, json.dumps({**letter, **changes}).encode()) for changes in false])

    # Mended, that one is larger than before and than its topic takes.
    mend = "sed 's/\"tap\"/\"click\", \"more\": \"" + base64.urlsafe_b64encode(rng.randbytes(2_001)).decode() + "\"/'"
    code, said = pipeline.ask("dlq", "redrive", "--execute", "--mend", mend, seconds=120)
    assert code == 3 and f"21 redriven, 0 redriven before, 0 still in the log (no copy needed), {1 + len(false)} skipped" in said, said
    left = next(line for line in said.splitlines() if "max.message.bytes" in line)
    assert f"{topics.impressions}/{PARTITION}/1/INVALID_EVENT_TYPE" in left and "1048588" in left and "bytes including key and headers" in left, left
    assert "has no partition 99" in said and "has no record at this offset" in said and "invalid base64" in said, said
    first = next(record for record in copies(kafka, topics) if dict(record.headers())["ctr-redriven"].decode().endswith("/0/INVALID_EVENT_TYPE"))
    assert first.headers()[:4] == headers and first.key() == b"key"
    wait_until(lambda: database.windows().get(("p", START)) == (0, 21), 60, "the copies are counted")
