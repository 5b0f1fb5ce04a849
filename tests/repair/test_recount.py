"""Windows counted again from the log: beside the running job, over a damaged table, and not where the log has lost them."""

import json
from collections import Counter

from pipeline.comparison import assert_exact
from repair.retention import cut
from stack import Database, Kafka, Pipeline, Producer, Topics, Truth, wait_until

# Events that are too late may belong to windows before the first of the history.
RANGE = ("--from", "2025-12-31T23:00:00Z", "--to", "2026-01-01T01:00:00Z")
HISTORY = {"seed": 11, "start_time": "2026-01-01T00:00:00Z", "span": "10m"}
WINDOW_MS = 10_000


def with_what_was_too_late(truth: Truth, kafka: Kafka, topics: Topics) -> dict[tuple[str, int], tuple[int, int]]:
    """What a recount must come to: what the job counts, and the dead letters that are valid events."""
    late = {(topic, partition, offset) for topic, partition, offset, code in truth.dead_letters if code == "TOO_LATE"}
    assert late
    more: Counter[tuple[str, int, bool]] = Counter()
    for topic in (topics.impressions, topics.clicks):
        for record in kafka.records(topic):
            if (topic, record.partition(), record.offset()) in late:
                event = json.loads(record.value())
                start = int(event["timestamp"]) // WINDOW_MS * WINDOW_MS
                more[event["product_id"], start, event["event_type"] == "click"] += 1
    keys = truth.windows.keys() | {(product, start) for product, start, _ in more}
    return {key: tuple(truth.windows.get(key, (0, 0))[click] + more[*key, bool(click)] for click in (0, 1)) for key in keys}


def test_a_recount_beside_the_job_and_over_a_damaged_table(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka,
                                                           topics: Topics):
    pipeline.start_ready()
    flow = producer.start("both", rate=20_000, count=60_000, products=20, late=0.05, too_late=0.02, bad=0.01, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    code, said = pipeline.ask("recount", *RANGE)
    assert code == 0, said
    assert flow.wait(60) == 0
    wait_until(lambda: pipeline.get_json("/api/v1/status")["ledger"]["consumed"] >= 60_000, 60, "the job has read everything")

    expected = with_what_was_too_late(producer.truth_of(flow), kafka, topics)
    code, said = pipeline.ask("recount", "--dry-run", *RANGE)
    assert code == 0 and "would be written" in said and database.windows() != expected, said
    code, said = pipeline.ask("recount", *RANGE)
    assert code == 0, said
    assert database.windows() == expected
    ends = [kafka.end_offsets(topic) for topic in (topics.impressions, topics.clicks)]
    noted = database.query("SELECT source_partition AS p, count() AS windows, any(impressions_end) AS i, any(clicks_end) AS c"
                           " FROM ctr_recounts FINAL GROUP BY p ORDER BY p")
    assert noted == [{"p": p, "windows": 720, "i": ends[0][p], "c": ends[1][p]} for p in range(topics.partitions)]

    database.execute("ALTER TABLE ctr_results_raw DELETE WHERE product_id = 'product3' OR window_start < '2026-01-01 00:02:00' SETTINGS mutations_sync = 1")
    assert database.windows() != expected
    code, said = pipeline.ask("recount", *RANGE)
    assert code == 0 and "0 grew" in said and " 0 were missing" not in said, said
    assert database.windows() == expected
    code, said = pipeline.ask("recount", *RANGE)
    assert "0 were missing, 0 grew" in said, said
    # The job sends what it holds again, and adds what comes: it replaces nothing of a recount.
    pipeline.kill()
    pipeline.start_ready()
    assert pipeline.stop() == 0
    assert database.windows() == expected


def test_a_window_that_is_not_wholly_in_the_log_is_refused(producer: Producer, pipeline: Pipeline, database: Database, kafka: Kafka,
                                                           topics: Topics):
    pipeline.start_ready()
    truth = producer.run("both", count=6_000, products=20, rate=0, **HISTORY)
    assert_exact(truth, database, kafka, topics)
    cut(kafka, topics.clicks, 4, before=1)
    database.execute("ALTER TABLE ctr_results_raw DELETE WHERE 1 SETTINGS mutations_sync = 1")
    code, said = pipeline.ask("recount", *RANGE)
    assert code == 3 and f"{topics.clicks}-4 begins at offset 1" in said and "(720 windows)" in said, said
    assert database.windows() == {} and database.query("SELECT 1 FROM ctr_recounts") == []

    code, said = pipeline.ask("recount", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z")
    assert code == 2 and "--to" in said
    code, said = pipeline.ask("recount", "--from", "yesterday", "--to", "2026-01-01T00:00:00Z")
    assert code == 2 and "RFC 3339" in said
