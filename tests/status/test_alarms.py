"""What goes wrong is seen: on the page within two seconds, and by the right alert, by rules over what a real pipeline says."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Page

from stack import Engine, Kafka, Pipeline, Producer, Topics, wait_until
from stack.sockets import lies_unread
from status.exposition import assert_firing, value

VISIBLE_SECONDS = 2
"""From when it is so, by the broker's or the kernel's word, until the page shows it."""
ATTEMPTS = 4

BAD = b"not an event"
BURST = 200
BATCHES = 60


def event(kind: str, at: int) -> bytes:
    return json.dumps({"event_type": kind, "product_id": "product1", "timestamp": at}).encode()


class Sight:
    """What the page shows, and when it first did: noted by the page itself, so that a test that is busy elsewhere misses nothing."""

    def __init__(self, page: Page):
        self._page = page

    def look_for(self, text: str) -> None:
        self.look_until(f"document.body.textContent.includes({json.dumps(text)})")

    def look_until(self, condition: str) -> None:
        """Begins to wait for a JavaScript expression to be true; it is looked at whenever the page changes."""
        self._page.evaluate(f"""() => {{
            window.seenAt = null;
            const look = () => {{ if (window.seenAt === null && ({condition})) window.seenAt = Date.now(); }};
            window.sight?.disconnect();
            window.sight = new MutationObserver(look);
            window.sight.observe(document.body, {{ subtree: true, childList: true, characterData: true }});
            look();
        }}""")

    @property
    def seen_at(self) -> int | None:
        """Epoch ms."""
        return self._page.evaluate("window.seenAt")

    def wait(self, seconds: float = 60) -> int:
        return wait_until(lambda: self.seen_at, seconds, "the page shows it")


def assert_visible_in_time(attempts: Iterable[float]) -> None:
    """That one of the attempts, each made when it is asked for, took no more than two seconds: on a machine with other work any
    single one may be held up, and no number of them is quick if the page is not."""
    took = []
    for attempt in attempts:
        took.append(round(attempt, 2))
        if attempt <= VISIBLE_SECONDS:
            break
    print(f"visible after {took} s")
    assert took[-1] <= VISIBLE_SECONDS, took


def appended_at(kafka: Kafka, topic: str, partition: int) -> int:
    """The broker's time of a partition's last record, epoch ms."""
    return max(record.timestamp()[1] for record in kafka.records(topic) if record.partition() == partition)


def test_a_sink_that_hangs(pipeline: Pipeline, producer: Producer, engine: Engine, page: Page, tmp_path: Path) -> None:
    pipeline.start_ready()
    flow = producer.start("both", rate=500, count=60_000)
    page.goto(pipeline.url)
    page.wait_for_selector('#state[data-state="running"]')
    begin = pipeline.get("/metrics")
    wait_until(lambda: value(pipeline.get("/metrics"), "ctr_records_total") > value(begin, "ctr_records_total"), 30, "events are read")
    before = pipeline.get("/metrics")
    assert_firing(set(), begin, before, tmp_path)

    def hang() -> Iterator[float]:
        sight = Sight(page)
        for _ in range(ATTEMPTS):
            engine.resume()
            page.wait_for_selector('#state[data-state="running"]', timeout=60_000)
            sight.look_for("ClickHouse has not answered for")
            engine.suspend()
            # It hangs for the pipeline from when an insert lies before it: that one was sent before, or is sent now.
            since, insert_came = time.time(), False
            while not sight.seen_at:
                if not insert_came and lies_unread(engine.port):
                    since, insert_came = time.time(), True
                time.sleep(0.01)
            yield sight.wait() / 1000 - since

    try:
        assert_visible_in_time(hang())
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
    partition, last = kafka.produce(topics.clicks, [(b"product1", event("click", now))] * 500)[-1]
    page.goto(pipeline.url)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["ledger"]["counted"] == 500, 30, "the events are counted")
    before = pipeline.get("/metrics")
    sight = Sight(page)

    def bursts() -> Iterator[float]:
        for number in range(1, ATTEMPTS + 1):
            sight.look_for(f"{topics.clicks}-{partition} at {last + number * BURST}")
            kafka.produce(topics.clicks, [(b"product1", BAD)] * BURST)
            yield (sight.wait() - appended_at(kafka, topics.clicks, partition)) / 1000

    assert_visible_in_time(bursts())
    assert page.get_by_text("INVALID_JSON").count() > 1
    assert sum(pipeline.get_json("/api/v1/status")["deadLetters"]["byCode"].values()) % BURST == 0
    assert_firing({"CtrDeadLettersRising"}, before, pipeline.get("/metrics"), tmp_path, minutes=4)


def test_a_partition_that_is_far_ahead_waits_for_one_that_lags(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics, page: Page,
                                                               tmp_path: Path) -> None:
    # Fetches of one small batch each, a fifth of a second apart: the clicks take long to read, the impressions do not.
    slow = "fetch.wait.max.ms=200,fetch.min.bytes=65536,max.partition.fetch.bytes=1024,queued.min.messages=1"
    pipeline = make_pipeline(settings={"kafka.properties": slow, "ctr.job.parallelism": "1"}).start_ready()
    page.goto(pipeline.url)
    page.wait_for_selector('#state[data-state="running"]')
    begin, sight = int(time.time() * 1000) - 7_200_000, Sight(page)
    lagging, waiting = [], []

    def attempt(partition: int) -> float:
        """Both are seen of a partition that was empty; the longer of the two times."""
        # Its whole row is looked at: how many records it is behind, and the end of the log.
        sight.look_until(f"""[...document.querySelectorAll("#partition-table tbody tr")].some(({{ cells }}) =>
            cells[0].textContent === "{topics.clicks}-{partition}" && cells[2].textContent !== "0" && cells[6].textContent === "{BATCHES * 12}")""")
        for batch in range(BATCHES):
            kafka.produce(topics.clicks, [(b"product1", event("click", begin + batch))] * 12, partition=partition)
        lagging.append((sight.wait() - appended_at(kafka, topics.clicks, partition)) / 1000)
        sight.look_for(f"{topics.impressions}-{partition} waits: it is far ahead of the other topic")
        kafka.produce(topics.impressions, [(b"product1", event("impression", begin + 3_600_000))], partition=partition)
        waiting.append((sight.wait() - appended_at(kafka, topics.impressions, partition)) / 1000)
        return max(lagging[-1], waiting[-1])

    assert_visible_in_time(map(attempt, range(ATTEMPTS)))
    now, status = pipeline.get("/metrics"), pipeline.get_json("/api/v1/status")
    print(f"lag seen after {lagging} s, waiting after {waiting} s")
    seen = {(p["topic"], p["partition"]): p for p in status["partitions"]}
    partition = len(lagging) - 1
    behind, ahead = seen[topics.clicks, partition], seen[topics.impressions, partition]
    assert behind["lagRecords"] > 0 and 7_000 < behind["lagSeconds"] < 8_000 and behind["waitsFor"] is None and ahead["waitsFor"] is not None
    # Between a scrape and itself nothing was read, so there is no progress either.
    assert_firing({"CtrPartitionWaiting", "CtrEventTimeLag", "CtrNoProgress"}, now, now, tmp_path)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["lag"]["records"] == 0, 120, "all is read in the end")
