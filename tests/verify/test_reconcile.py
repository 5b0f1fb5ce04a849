"""`ctr-verify reconcile` on real brokers and a real engine: silent where all is right, and not where it is not."""

import json
from collections.abc import Iterator

import pytest

from stack import Database, Kafka, Pipeline, Producer, Topics, wait_until
from verify.verify import reconcile, verify

HISTORY = {"count": 20_000, "products": 5, "rate": 0, "late": 0.02, "too_late": 0.01, "bad": 0.01, "start_time": "2026-01-01T00:00:00Z", "span": "10m"}


@pytest.fixture
def counted(pipeline: Pipeline, producer: Producer) -> Iterator[Pipeline]:
    """A pipeline that has counted a history of every kind of event."""
    pipeline.start_ready()
    producer.run("both", seed=7, **HISTORY)
    answer = reconcile(pipeline, "--wait", "60")
    assert answer.code == 0, answer.text + answer.errors
    yield pipeline


def test_it_is_silent_on_a_right_table_and_finds_every_kind_of_mistake(counted: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    right = reconcile(counted).report
    assert right["equal"] and right["records"] == 20_000 and right["letters"] > 200 and right["rows"] > 50
    assert right["rowsMoving"] == right["rowsNotWhollyInLog"] == right["lettersNotCompared"] == 0
    text = verify(counted, "reconcile")
    assert text.code == 0 and "equal: every row and every dead letter is what the log says" in text.text

    # One more in a row, and a row of a product that nobody has seen.
    row = database.raw_rows()[0]
    changed = f"'{row['product_id']}', 0, {row['impressions'] + 1}, {row['clicks']}, '{row['window_start']}', '{row['window_end']}', {row['source_partition']}"
    columns = "product_id, ctr, impressions, clicks, window_start, window_end, source_partition"
    database.execute(f"INSERT INTO ctr_results_raw ({columns}) VALUES ({changed}), ('nobody', 1, 1, 1, '{row['window_start']}', '{row['window_end']}', 0)")
    answer = reconcile(counted)
    places = [difference["place"].split()[0] for difference in answer.report["differences"]]
    assert answer.code == 1 and sorted(places) == sorted([row["product_id"], "nobody"]), answer.text
    grown = next(d for d in answer.report["differences"] if d["place"].startswith(row["product_id"]))
    assert grown["expected"].startswith(f"{row['impressions']} impressions") and grown["found"].startswith(f"{row['impressions'] + 1} impressions")

    # A window that is not asked for is not compared.
    later = str(row["window_end"]).split(".")[0]
    assert reconcile(counted, "--from", later).code == 0
    outside = reconcile(counted, "--to", str(row["window_start"]).split(".")[0])
    assert outside.code == 0 and outside.report["records"] == 20_000

    # Rows that are gone.
    database.execute(f"DELETE FROM ctr_results_raw WHERE window_start = '{row['window_start']}'")
    answer = reconcile(counted, "--show", "1000")
    assert answer.code == 1 and all(d["found"] == "no row" for d in answer.report["differences"] if d["kind"] == "row"), answer.text
    assert row["product_id"] in {d["place"].split()[0] for d in answer.report["differences"]}


def test_it_finds_letters_that_are_missing_or_of_nobody(counted: Pipeline, kafka: Kafka, topics: Topics):
    letters = kafka.dead_letters(topics)
    lost, kept = letters[0], letters[1:]
    # Another topic with the same letters, but for one that is lost, one that is there twice, and one of a good record.
    another = f"{topics.dead_letters}-b"
    kafka.create_topic(another, 2)
    numbers = {letter["offset"] for letter in letters if (letter["rawTopic"], letter["partition"]) == (topics.clicks, 0)}
    good = next(n for n in range(1_000) if n not in numbers)
    false = {**lost, "rawTopic": topics.clicks, "partition": 0, "offset": good, "code": "TOMBSTONE"}
    kafka.produce(another, [(None, json.dumps(letter).encode()) for letter in [*kept, kept[0], false]] + [(None, b"no letter")])

    settings = {"kafka.dlq-topic": another}
    answer = reconcile(counted, **settings)
    report = answer.report
    assert answer.code == 1 and report["differenceCount"] == 2, answer.text
    found = {(d["place"], d["expected"].split()[0], d["found"]) for d in report["differences"]}
    assert found == {
        (f"{lost['rawTopic']} partition {lost['partition']} offset {lost['offset']}", lost["code"], "no dead letter"),
        (f"{topics.clicks} partition 0 offset {good}", "no", "TOMBSTONE"),
    }
    assert (report["lettersRepeated"], report["lettersOfOthers"]) == (1, 1)


def test_a_log_that_was_cut_is_named_and_the_rest_is_compared(counted: Pipeline, kafka: Kafka, topics: Topics):
    kafka.delete_records(topics.clicks, {0: 10})
    report = reconcile(counted).report
    assert [(cut["topic"], cut["partition"], cut["firstOffset"]) for cut in report["notWhollyInLog"]] == [(topics.clicks, 0, 10)]
    # Made-up events are older than their records: what was cut may have been of any of these windows.
    assert report["equal"] and report["rowsNotWhollyInLog"] > 0 and report["rows"] > report["rowsNotWhollyInLog"]


def test_a_window_that_was_recounted_is_compared_with_the_recount(counted: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    too_late = next(letter for letter in kafka.dead_letters(topics) if letter["code"] == "TOO_LATE")
    start = too_late["eventTimeMillisUtc"] // 10_000 * 10_000
    partition, ends = too_late["partition"], [kafka.end_offsets(topic)[too_late["partition"]] for topic in (topics.impressions, topics.clicks)]
    if not database.query("SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = 'ctr_recounts'"):
        database.execute("CREATE TABLE ctr_recounts (window_start DateTime64(3, 'UTC'), window_end DateTime64(3, 'UTC'), source_partition UInt32, "
                         "impressions_end UInt64, clicks_end UInt64, recounted_at DateTime64(3, 'UTC') DEFAULT now64(3)) "
                         "ENGINE = ReplacingMergeTree ORDER BY (window_end, source_partition)")
    window = f"fromUnixTimestamp64Milli({start}, 'UTC'), fromUnixTimestamp64Milli({start + 10_000}, 'UTC')"
    database.execute("INSERT INTO ctr_recounts (window_start, window_end, source_partition, impressions_end, clicks_end) "
                     f"VALUES ({window}, {partition}, {ends[0]}, {ends[1]})")
    answer = reconcile(counted)
    assert answer.code == 1 and {d["note"] for d in answer.report["differences"]} == {"recounted"}, answer.text

    # What the recount must have written: here by hand, from what reconcile says.
    for difference in answer.report["differences"]:
        product, must = difference["place"].split()[0], difference["expected"].split()
        database.execute("INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end, source_partition) "
                         f"VALUES ('{product}', 0, {must[0]}, {must[2]}, {window}, {partition})")
    answer = reconcile(counted)
    assert answer.code == 0 and answer.report["recountedRows"] > 0, answer.text


def test_rows_beyond_the_retention_of_the_table_are_counted_and_left_out(counted: Pipeline, database: Database):
    everything = reconcile(counted).report
    database.execute("ALTER TABLE ctr_results_raw MODIFY TTL toDateTime(least(window_end, toDateTime64('2070-01-01 00:00:00', 3, 'UTC')), 'UTC') + toIntervalDay(30)")
    database.execute("OPTIMIZE TABLE ctr_results_raw FINAL")
    wait_until(lambda: not database.raw_rows(), 60, "ClickHouse drops what is older than 30 days")
    answer = reconcile(counted)
    assert answer.code == 0 and answer.report["rows"] == 0, answer.text
    assert answer.report["beyondRetention"] == everything["rows"], answer.text


def test_it_agrees_with_a_stream_that_goes_on(pipeline: Pipeline, producer: Producer):
    pipeline.start_ready()
    flow = producer.start("both", rate=2_000, late=0.02, too_late=0.01, bad=0.01)
    wait_until(lambda: "sent" in flow.tail(), 60, "events flow")
    for _ in range(3):
        answer = reconcile(pipeline, "--wait", "30")
        assert answer.code == 0, answer.text + answer.errors
    flow.stop()
    answer = reconcile(pipeline, "--wait", "60")
    assert answer.code == 0 and answer.report["rowsMoving"] == 0, answer.text


def test_a_log_that_stands_still_for_a_moment_in_a_stream_that_goes_on_is_given_time(pipeline: Pipeline, producer: Producer, kafka: Kafka, topics: Topics):
    pipeline.start_ready()
    # A product has one partition: the others' logs stand still, but for one bad record.
    flow = producer.start("both", rate=500, products=1)
    wait_until(lambda: "sent" in flow.tail(), 60, "events flow")
    busy = max(range(topics.partitions), key=kafka.end_offsets(topics.clicks).__getitem__)
    answer = reconcile(pipeline, "--wait", "30")
    assert answer.code == 0, answer.text
    pipeline.process.suspend()
    try:
        [(partition, offset)] = kafka.produce(topics.clicks, [(None, b"no JSON")], partition=(busy + 1) % topics.partitions)
        place = f"{topics.clicks} partition {partition} offset {offset}"
        answer = reconcile(pipeline, "--wait", "6")
        assert answer.code == 0 and answer.report["lettersUnderWay"] == 1, answer.text
        # Once the record is older than that, its dead letter is missing.
        def missing() -> bool:
            answer = reconcile(pipeline, "--wait", "3")
            return answer.code == 1 and any(place == difference["place"] for difference in answer.report["differences"])

        wait_until(missing, 40, f"{place} is said to have no dead letter")
    finally:
        pipeline.process.resume()
        flow.stop()


def test_what_cannot_be_read_is_said(pipeline: Pipeline):
    assert reconcile(pipeline, **{"kafka.dlq-topic": "nobody-made-this"}).code == 2
    answer = reconcile(pipeline, **{"clickhouse.url": "http://127.0.0.1:1"})
    assert answer.code == 2 and "ClickHouse at http://127.0.0.1:1" in answer.errors
    assert verify(pipeline, "reconcile", "--from", "yesterday").code == 2
