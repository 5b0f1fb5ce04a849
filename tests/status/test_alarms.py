"""What goes wrong is seen: on the page at once, and by the right alert, by rules over what a real pipeline says."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from stack import Engine, Kafka, Pipeline, Producer, Topics, wait_until
from status.exposition import assert_firing, value

BAD = b"not an event"


def event(kind: str, at: int) -> bytes:
    return json.dumps({"event_type": kind, "product_id": "product1", "timestamp": at}).encode()


def seen(page: Page, text: str, seconds: float = 30) -> float:
    """Waits until the page says it; how long that took."""
    begun = time.monotonic()
    page.get_by_text(text).first.wait_for(timeout=seconds * 1000)
    return time.monotonic() - begun


def test_a_sink_that_hangs(pipeline: Pipeline, producer: Producer, engine: Engine, page: Page, tmp_path: Path) -> None:
    pipeline.start_ready()
    flow = producer.start("both", rate=500, count=60_000)
    page.goto(pipeline.url)
    page.wait_for_selector('#state[data-state="running"]')
    begin = pipeline.get("/metrics")
    wait_until(lambda: value(pipeline.get("/metrics"), "ctr_records_total") > value(begin, "ctr_records_total"), 30, "events are read")
    before = pipeline.get("/metrics")
    assert_firing(set(), begin, before, tmp_path)
    engine.suspend()
    try:
        seen(page, "ClickHouse has not answered for")
        # By the pipeline's own clock: since it asked.
        assert pipeline.get_json("/api/v1/status")["sink"]["unansweredSeconds"] < 4
        assert page.locator("#state").get_attribute("data-state") == "waiting"
        wait_until(lambda: pipeline.get_json("/api/v1/status")["sink"]["unansweredSeconds"] > 10, 30, "an answer is owed for 10 s")
        assert_firing({"CtrSinkFailing"}, before, pipeline.get("/metrics"), tmp_path, minutes=3)
    finally:
        engine.resume()
    page.wait_for_selector('#state[data-state="running"]', timeout=60_000)
    flow.kill()


def test_a_burst_of_dead_letters(pipeline: Pipeline, kafka: Kafka, topics: Topics, page: Page, tmp_path: Path) -> None:
    pipeline.start_ready()
    now = int(time.time() * 1000)
    kafka.produce(topics.clicks, [(b"product1", event("click", now))] * 500)
    page.goto(pipeline.url)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["ledger"]["counted"] == 500, 30, "the events are counted")
    before = pipeline.get("/metrics")
    places = kafka.produce(topics.clicks, [(b"product1", BAD)] * 200)
    assert seen(page, "INVALID_JSON") < 10
    partition, last = places[-1]
    seen(page, f"{topics.clicks}-{partition} at {last}")
    wait_until(lambda: sum(pipeline.get_json("/api/v1/status")["deadLetters"]["byCode"].values()) == 200, 30, "all are seen")
    assert_firing({"CtrDeadLettersRising"}, before, pipeline.get("/metrics"), tmp_path, minutes=4)


def test_a_partition_that_is_far_ahead_waits_for_one_that_lags(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics, page: Page,
                                                               tmp_path: Path) -> None:
    # Fetches of one small batch each, a fifth of a second apart: the clicks take long to read, the impressions do not.
    slow = "fetch.wait.max.ms=200,fetch.min.bytes=65536,max.partition.fetch.bytes=1024,queued.min.messages=1"
    begin = int(time.time() * 1000) - 7_200_000
    for batch in range(60):
        kafka.produce(topics.clicks, [(b"product1", event("click", begin + batch))] * 12, partition=0)
    for batch in range(20):
        kafka.produce(topics.impressions, [(b"product1", event("impression", begin + 3_600_000 + batch))] * 12, partition=0)
    pipeline = make_pipeline(settings={"kafka.properties": slow, "ctr.job.parallelism": "1"}).start()
    wait_until(lambda: pipeline.status_code("/") == 200, 30, "the page is there")
    page.goto(pipeline.url)
    seen(page, f"{topics.impressions}-0 waits: it is far ahead of the other topic")
    now = pipeline.get("/metrics")
    status = pipeline.get_json("/api/v1/status")
    lagging = next(p for p in status["partitions"] if p["topic"] == topics.clicks and p["partition"] == 0)
    assert lagging["lagRecords"] > 0 and 7_000 < lagging["lagSeconds"] < 8_000 and lagging["waitsFor"] is None
    # Between a scrape and itself nothing was read, so there is no progress either.
    assert_firing({"CtrPartitionWaiting", "CtrEventTimeLag", "CtrNoProgress"}, now, now, tmp_path)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["lag"]["records"] == 0, 120, "all is read in the end")
