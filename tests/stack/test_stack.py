"""The harness itself: brokers that are lost and return, records, topics; the engine across a stop and a kill."""

import time

import pytest
from playwright.sync_api import Page

from stack import Database, Engine, Kafka, Producer, Topics, started, wait_until
from stack.browser import Browser


def test_what_is_produced_is_read_back_in_order(kafka: Kafka, topics: Topics) -> None:
    places = kafka.produce(topics.clicks, [(b"product1", b"%d" % n) for n in range(100)])
    assert [offset for _, offset in places] == list(range(100)), "one key is one partition, in order"
    assert [message.value() for message in kafka.records(topics.clicks)] == [b"%d" % n for n in range(100)]
    assert sum(kafka.end_offsets(topics.clicks).values()) == 100
    assert kafka.records(topics.impressions) == []


def test_topics_have_the_brokers_clock(kafka: Kafka, topics: Topics) -> None:
    kafka.produce(topics.clicks, [(None, b"{}")])
    kind, timestamp = kafka.records(topics.clicks)[0].timestamp()
    assert kind == 2, "LogAppendTime"
    assert abs(timestamp - time.time() * 1000) < 60_000


def test_a_broker_may_be_lost_and_comes_back(kafka: Kafka, topics: Topics) -> None:
    kafka.kill_broker(2)
    try:
        kafka.produce(topics.clicks, [(b"product1", b"while one is down")])
    finally:
        kafka.start_broker(2)
        kafka.wait_for_brokers(3)
    kafka.wait_for_replicas(topics.clicks)
    assert [message.value() for message in kafka.records(topics.clicks)] == [b"while one is down"]


def test_waiting_ends_with_what_was_waited_for() -> None:
    with pytest.raises(AssertionError, match="a day with 25 hours"):
        wait_until(lambda: False, 0.1, "a day with 25 hours")


class Lamp:
    """A server that does nothing, and may fail to start."""

    def __init__(self, works: bool) -> None:
        self.works, self.lit = works, False

    def start(self) -> None:
        self.lit = True
        assert self.works, "it flickers"

    def kill(self) -> None:
        self.lit = False


def test_what_was_started_is_gone_however_it_ends() -> None:
    with started(Lamp(works=True)) as lamp:
        assert lamp.lit
    assert not lamp.lit
    with pytest.raises(ZeroDivisionError), started(lamp):
        raise ZeroDivisionError
    assert not lamp.lit
    broken = Lamp(works=False)
    with pytest.raises(AssertionError, match="it flickers"), started(broken):
        raise AssertionError("a server that did not start was used")
    assert not broken.lit


def test_rows_survive_a_stop_and_a_kill_of_the_engine(engine: Engine, database: Database) -> None:
    insert = "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES ('p', 0.5, 2, 1, {0}, {0} + 10)"
    database.execute(insert.format(1_700_000_000))
    assert engine.stop() == 0
    engine.start()
    database.execute(insert.format(1_700_000_010))
    engine.kill()
    engine.start()
    assert database.windows() == {("p", 1_700_000_000_000): (2, 1), ("p", 1_700_000_010_000): (2, 1)}


def test_the_producer_ends_with_a_truth_about_every_record(kafka: Kafka, topics: Topics, producer: Producer) -> None:
    truth = producer.run("both", rate=0, count=2000, seed=7, bad=0.05, start_time="2026-01-01T00:00:00Z", span="1m")
    in_kafka = len(kafka.records(topics.impressions)) + len(kafka.records(topics.clicks))
    assert in_kafka == truth.total["sent"] == 2000
    assert len(truth.dead_letters) == sum(truth.total["rejected"].values()) + truth.total["too_late"] > 0
    counted = sum(impressions + clicks for impressions, clicks in truth.windows.values())
    assert counted == truth.total["counted"] == 2000 - len(truth.dead_letters)


def test_the_browser_runs_the_scripts_of_a_page_and_tells_what_they_throw(browser: Browser, page: Page) -> None:
    page.set_content("<p id=x></p><script>document.getElementById('x').textContent = 6 * 7</script>")
    assert page.inner_text("#x") == "42"
    with pytest.raises(AssertionError, match="out of paper"), browser.visitor() as other:
        other.set_content("<script>throw new Error('out of paper')</script>")
        other.wait_for_load_state()
