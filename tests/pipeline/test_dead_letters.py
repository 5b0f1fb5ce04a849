"""Records that cannot be counted: every kind ends in the dead letter topic, whole, with its code and place."""

import base64
import json
import random
from collections.abc import Iterator

import pytest

from stack import Database, Kafka, Pipeline, Topics, wait_until

GOOD = {"event_type": "impression", "product_id": "p", "timestamp": 1_767_225_600_000}


def event(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not ...}).encode()


BAD: dict[str, list[bytes | None]] = {
    "TOMBSTONE": [None],
    "EMPTY_PAYLOAD": [b""],
    "NOT_UTF8": [b'{"event_type":"impression","product_id":"\xff\xfe"}'],
    "INVALID_JSON": [b"{", b"no json", event() + b"x", b'{"a":' * 500],
    "NOT_AN_OBJECT": [b"[]", b"1", b'"text"'],
    "MISSING_EVENT_TYPE": [event(event_type=...), event(event_type=None)],
    "INVALID_EVENT_TYPE": [event(event_type="purchase"), event(event_type=1)],
    "MISSING_PRODUCT_ID": [event(product_id=...)],
    "INVALID_PRODUCT_ID": [event(product_id="  "), event(product_id=7), event(product_id="p" * 1_025)],
    "MISSING_TIMESTAMP": [event(timestamp=...)],
    "INVALID_TIMESTAMP": [event(timestamp="yesterday"), event(timestamp=1.5), event(timestamp=-1), event(timestamp=10**18), event(timestamp=1_764_230_000)],
    "INVALID_FIELD": [event(user_id=1), event(event_id=[]), event(event_id="e" * 1_025)],
    "FUTURE_TIMESTAMP": [event(timestamp=7_000_000_000_000)],
}


def test_every_kind_of_bad_record(pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    sent = [(code, payload) for code, payloads in BAD.items() for payload in payloads]
    places = kafka.produce(topics.clicks, [(b"key-\xff" if n % 2 else b"p", payload) for n, (_, payload) in enumerate(sent)], partition=4)
    kafka.produce(topics.clicks, [(b"p", event(event_type="click"))], partition=4)

    wait_until(lambda: len(kafka.dead_letters(topics)) >= len(sent), 60, "all dead letters are written")
    letters = {letter["offset"]: letter for letter in kafka.dead_letters(topics)}
    assert len(letters) == len(sent)
    for n, ((code, payload), (partition, offset)) in enumerate(zip(sent, places, strict=True)):
        letter = letters[offset]
        assert letter["code"] == code, letter
        assert (letter["rawTopic"], letter["partition"], letter["source"]) == (topics.clicks, partition, "Click")
        assert original_bytes(letter) == payload
        assert letter["key"] == (base64.b64encode(b"key-\xff").decode() if n % 2 else "p")
        assert letter["errorCode"] in {"INVALID_EVENT", "DESERIALIZATION_ERROR", "VALIDATION_ERROR", "UNKNOWN_ERROR"}
        assert letter["errorMessage"] and isinstance(letter["createdAtUtc"], int) and letter["stackTrace"] is None
        assert letter["createdAtRfc3339"].endswith("Z")
    wait_until(lambda: database.windows() == {("p", GOOD["timestamp"]): (0, 1)}, 60, "the one good event is counted, none of the others")


def original_bytes(letter: dict) -> bytes | None:
    data = letter["rawData"]
    if data is None:
        return None
    return base64.b64decode(data) if letter["rawEncoding"] == "base64" else data.encode()


def test_letters_are_keyed_like_their_events(pipeline: Pipeline, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    kafka.produce(topics.impressions, [(b"product1", b"{"), (None, b"{"), (b"product1", b"[")])
    wait_until(lambda: len(kafka.records(topics.dead_letters)) == 3, 60, "three letters")
    records = kafka.records(topics.dead_letters)
    assert sorted(str(record.key()) for record in records) == ["None", "b'product1'", "b'product1'"]
    assert len({record.partition() for record in records if record.key()}) == 1


def test_a_record_too_large_to_wrap_is_cut_and_says_so(pipeline: Pipeline, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    payload = b"\x01" * 900_000
    kafka.produce(topics.impressions, [(b"p", payload)])
    wait_until(lambda: len(kafka.dead_letters(topics)) == 1, 60, "the letter")
    letter = kafka.dead_letters(topics)[0]
    assert letter["truncated"] is True and letter["rawLength"] == len(payload)
    assert payload.startswith(letter["rawData"].encode()) and len(letter["rawData"]) > 100_000


def fuzzed(rng: random.Random) -> bytes | None:
    """Something that a broken, hostile or merely other producer may send."""
    match rng.randrange(12):
        case 0:
            return None
        case 1:
            return rng.randbytes(rng.randrange(200))
        case 2:
            return b"[" * rng.randrange(1, 2_000)
        case 3:
            return b'{"timestamp":' + b"9" * rng.randrange(1, 400) + b"}"
        case 4:
            return event(timestamp=rng.choice([1e308, -1, 10**30, True, [], {}, "2026-02-30 00:00:00", "\x00"]))
        case 5:
            return event(product_id="p" * rng.randrange(1, 3_000) + rng.choice(["\x00", "\x1b[2J", "\u202e", "\ud7ff", "\U0001f4a9"]))
        case 6:
            return b'{"product_id":"a","product_id":"b","event_type":"click","event_type":"view","timestamp":1767225600000}'
        case 7:
            return event(event_type=rng.choice(["click", "CLICK", " click", "\x07", None, 1]))
        case 8:
            whole = bytearray(event())
            whole[rng.randrange(len(whole))] = rng.randrange(256)
            return bytes(whole)
        case 9:
            return event()[: rng.randrange(len(event()))]
        case 10:
            return b"\xef\xbb\xbf" + event()
        case _:
            return event(extra={"a": [{"b": None}] * rng.randrange(50)})


@pytest.mark.parametrize("count", [30_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_whatever_is_sent_is_counted_or_a_letter(count: int, pipeline: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pipeline.start_ready()

    def records() -> Iterator[tuple[bytes | None, bytes | None]]:
        rng = random.Random(seed)
        for _ in range(count):
            yield rng.choice([None, b"", b"p", rng.randbytes(8)]), fuzzed(rng)

    places = set(kafka.produce(topics.clicks, records()))

    def ledger() -> dict:
        return pipeline.get_json("/api/v1/status")["ledger"]

    wait_until(lambda: ledger()["consumed"] >= count, 60 + count / 5_000, "all is read")
    account = ledger()
    rejected = sum(account["rejected"].values())
    assert account["difference"] == 0 and account["counted"] + account["tooLate"] + rejected == count - account["replayed"]
    wait_until(lambda: sum(kafka.end_offsets(topics.dead_letters).values()) >= rejected + account["tooLate"], 60 + count / 5_000, "all letters")
    letters = {(letter["partition"], letter["offset"]) for letter in kafka.dead_letters(topics)}
    assert letters <= places and len(letters) == rejected + account["tooLate"]
    counted = "SELECT sum(impressions + clicks) AS events FROM ctr_results_raw FINAL"
    wait_until(lambda: database.query(counted)[0]["events"] == len(places) - len(letters), 60, "what is no letter is in the table")
    assert "panic" not in pipeline.process.log.read_text()
