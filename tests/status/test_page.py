"""The job page in a real browser: its numbers are those of REST and of the metrics, and it fits every screen."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from stack import Kafka, Pipeline, Producer, Topics, wait_until
from stack.browser import Browser
from stack.process import CHECKOUT
from status.exposition import parse, promtool, value
from status.test_monitoring import metrics

SCREENS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1360, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1360, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
}


@pytest.fixture
def quiet(pipeline: Pipeline, producer: Producer, kafka: Kafka, topics: Topics) -> Pipeline:
    """A pipeline that has read all there is: its numbers stand still."""
    pipeline.start_ready()
    truth = producer.run("both", rate=0, count=3000, seed=11, bad=0.05, products=20)

    def at_rest() -> bool:
        status = pipeline.get_json("/api/v1/status")
        read_all = status["ledger"]["consumed"] == truth.total["sent"] and status["deadLetters"]["written"] == len(truth.dead_letters)
        assigned = sum(len(topic["partitions"]) for member in status["group"]["members"] for topic in member["assignment"])
        return read_all and status["lag"]["records"] == 0 and assigned == 12 and status["sink"]["rows"] > 0

    wait_until(at_rest, 60, "everything is read and the group is known")
    return pipeline


def shown(page: Page, name: str) -> str:
    return page.locator(f'[data-field="{name}"]').first.inner_text()


def number(text: str) -> int:
    return int(text.replace(",", ""))


def places(answer: dict) -> list[tuple[str, int, int, int]]:
    return [(p["topic"], p["partition"], p["position"], p["endOffset"]) for p in answer["partitions"]]


def column(page: Page, table: str, place: int) -> list[str]:
    return page.locator(f"#{table} tbody tr").evaluate_all(f"rows => rows.map(row => row.cells[{place}].textContent)")


def test_page_rest_and_metrics_say_the_same(quiet: Pipeline, page: Page, topics: Topics) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(quiet.url)
    page.wait_for_selector('#state[data-state="running"]')
    status, exposed = quiet.get_json("/api/v1/status"), quiet.get("/metrics")

    ledger = status["ledger"]
    assert ledger["difference"] == 0 == value(exposed, "ctr_ledger_difference_records")
    assert column(page, "ledger-table", 3)[0] == f"{ledger['consumed']:,}"
    assert ledger["consumed"] == value(exposed, "ctr_records_consumed_total") == value(exposed, "ctr_records_total")
    assert number(column(page, "ledger-table", 3)[1]) == ledger["counted"] == value(exposed, "ctr_records_total", outcome="counted")
    letters = sum(status["deadLetters"]["byCode"].values())
    assert number(shown(page, "deadLetters.total")) == letters == value(exposed, "ctr_dead_letters_total") > 0
    assert letters == status["deadLetters"]["written"] == value(exposed, "ctr_dead_letters_written_total")
    # Windows fire by idleness, one after another: rows come a while longer.
    wait_until(lambda: number(shown(page, "sink.rows")) == quiet.get_json("/api/v1/status")["sink"]["rows"]
               == value(quiet.get("/metrics"), "ctr_sink_rows_total"), 30, "all three say as many rows")

    names = column(page, "partition-table", 0)
    assert sorted(names) == sorted(f"{topic}-{number}" for topic in (topics.impressions, topics.clicks) for number in range(6))
    for name, position, end in zip(names, column(page, "partition-table", 5), column(page, "partition-table", 6), strict=True):
        topic, partition = name.rsplit("-", 1)
        found = next(p for p in status["partitions"] if (p["topic"], p["partition"]) == (topic, int(partition)))
        assert number(position) == number(end) == found["position"] == found["endOffset"]
        assert found["position"] == value(exposed, "ctr_partition_position_offset", topic=topic, partition=partition)
    members = status["group"]["members"]
    assert column(page, "group-table", 0) == [f"▸ {member['member']}" for member in members]
    assert sorted(p for member in members for entry in member["assignment"] for p in entry["partitions"]) == sorted([*range(6)] * 2)

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert all(url.startswith(quiet.url) for url in asked), asked


def test_the_other_answers_are_parts_of_the_same(quiet: Pipeline) -> None:
    status = quiet.get_json("/api/v1/status")
    assert places(quiet.get_json("/api/v1/partitions")) == places(status)
    assert quiet.get_json("/api/v1/dead-letters")["deadLetters"] == status["deadLetters"]
    assert len(status["deadLetters"]["recent"]) == 10 and all(letter["message"] for letter in status["deadLetters"]["recent"])
    checkpoints = quiet.get_json("/api/v1/checkpoints")["checkpoints"]
    assert checkpoints["completed"] >= 1 and checkpoints["recent"][0]["completed"] and checkpoints["ageSeconds"] < 60
    settings = {row["key"]: row["value"] for row in quiet.get_json("/api/v1/config")["settings"]}
    assert settings["clickhouse.password"] == "***" and settings["status.port"] == str(quiet.port)
    assert quiet.settings["clickhouse.password"] not in quiet.get("/api/v1/config")

    exposed = quiet.get("/metrics")
    lint = promtool("check", "metrics", text=exposed)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", exposed, re.MULTILINE))
    assert families == metrics(), "what is exposed is what docs/metrics.md lists"
    assert not any("product" in label for _, labels in parse(exposed) for label, _ in labels)


def test_it_fits_every_screen_and_says_when_it_is_old(quiet: Pipeline, browser: Browser, page: Page) -> None:
    for name, options in SCREENS.items():
        with browser.visitor(**options) as screen:
            screen.goto(quiet.url)
            screen.wait_for_selector('#state[data-state="running"]')
            assert screen.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"], f"{name} scrolls sideways"
            assert screen.locator("th:not([scope])").count() == 0 and screen.locator("h1").count() == 1
            keyboard_reaches_all_tables(screen)
    page.goto(quiet.url)
    page.wait_for_selector('#state[data-state="running"]')
    quiet.kill()
    page.wait_for_selector('#state[data-state="gone"]')
    assert "has not responded" in page.locator("#reasons").inner_text()


def keyboard_reaches_all_tables(page: Page) -> None:
    """Whatever scrolls can be scrolled without a mouse, and has a name."""
    for region in page.locator(".scroll").all():
        assert region.get_attribute("tabindex") == "0" and region.get_attribute("role") == "region"
        assert region.get_attribute("aria-labelledby") or region.get_attribute("aria-label")


def test_several_instances_show_each_other(make_pipeline: Callable[..., Pipeline], page: Page) -> None:
    one, two = make_pipeline().start_ready(), make_pipeline().start_ready()
    wait_until(lambda: len(one.get_json("/api/v1/status")["group"]["members"]) == 4, 60, "both instances are seen")
    own = {pipeline: {p["partition"] for p in pipeline.get_json("/api/v1/status")["partitions"]} for pipeline in (one, two)}
    assert own[one] | own[two] == set(range(6)) and not own[one] & own[two]
    page.goto(two.url)
    page.wait_for_selector("#group-table tbody tr:nth-child(4)")
    marked = [name for name in column(page, "group-table", 0) if name.startswith("▸ ")]
    assert marked == [f"▸ {two.settings['ctr.job.instance-id']}-{worker}" for worker in (0, 1)]


if os.environ.get("UPDATE_SCREENSHOTS") == "1":
    # Makes docs/images/page-*.png. It takes minutes, so that the lines on the page have a shape.
    def test_images(kafka: Kafka, make_pipeline: Callable[..., Pipeline], browser: Browser, tmp_path: Path) -> None:
        topics = Topics("impressions", "clicks", "dlq-events", "ctr", 6)
        for topic in (topics.impressions, topics.clicks, topics.dead_letters):
            kafka.create_topic(topic, 6)
        pipeline = make_pipeline(settings={"kafka.topics.impression": "impressions", "kafka.topics.click": "clicks", "kafka.dlq-topic": "dlq-events",
                                           "kafka.group-id": topics.group, "ctr.job.instance-id": "ctr"}).start_ready()
        Producer(kafka, topics, tmp_path).start("both", rate=1400, products=50, bad=0.001, too_late=0.0005)
        for name, options in SCREENS.items():
            with browser.visitor(**options) as screen:
                screen.goto(pipeline.url)
                screen.wait_for_timeout(25_000)
                screen.screenshot(path=CHECKOUT / f"docs/images/page-{name}.png")
