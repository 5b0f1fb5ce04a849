"""Records that cannot be counted: every kind ends in the dead letter topic, whole, with its code and place."""

import base64
import json

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
    "INVALID_PRODUCT_ID": [event(product_id="  "), event(product_id=7)],
    "MISSING_TIMESTAMP": [event(timestamp=...)],
    "INVALID_TIMESTAMP": [event(timestamp="yesterday"), event(timestamp=1.5), event(timestamp=-1), event(timestamp=10**18)],
    "INVALID_FIELD": [event(user_id=1), event(event_id=[])],
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
        assert letter["errorMessage"] and letter["createdAtUtc"].endswith("Z") and letter["stackTrace"] is None
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
