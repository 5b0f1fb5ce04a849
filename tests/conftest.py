"""Fixtures: brokers and an engine for the whole run; topics, group and database of its own for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playwright.sync_api import Page

from stack import Database, Engine, Kafka, Pipeline, Process, Producer, Topics, started
from stack.browser import Browser


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Three brokers. A test that stops one starts it again and waits for its replicas."""
    with started(Kafka(tmp_path_factory.mktemp("kafka"), brokers=3)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine. A test that stops it starts it again."""
    with started(Engine(tmp_path_factory.mktemp("clickhouse"))) as server:
        yield server


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    """Topics of six partitions that nobody else uses."""
    return kafka.fresh_topics(partitions=6)


@pytest.fixture
def database(engine: Engine) -> Database:
    """A database with the schema that nobody else uses."""
    return engine.fresh_database()


@pytest.fixture
def producer(kafka: Kafka, topics: Topics, tmp_path: Path) -> Iterator[Producer]:
    yield Producer(kafka, topics, tmp_path)
    end_processes_in(tmp_path)


@pytest.fixture
def make_pipeline(kafka: Kafka, topics: Topics, database: Database, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Makes instances on the test's topics and database; arguments are those of Pipeline after these."""
    yield lambda **arguments: Pipeline(kafka, topics, database, tmp_path, **arguments)
    end_processes_in(tmp_path)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """One instance with the quick settings, not started."""
    return make_pipeline()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. It is gone after each file of tests: while it runs, nothing else may use asyncio."""
    with started(Browser()) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a visitor without cookies. What its scripts threw fails the test."""
    with browser.visitor() as page:
        yield page


def end_processes_in(folder: Path) -> None:
    for process in Process.started:
        if folder in process.log.parents:
            process.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A failed test shows the ends of the logs of its own processes and of those that all tests share."""
    report = yield
    if report.failed:
        own = item.funcargs.get("tmp_path") if hasattr(item, "funcargs") else None
        for process in Process.started:
            # Of what all tests share, little: three brokers say more than whoever reads the failure can use.
            its_own = own is not None and own in process.log.parents
            if its_own or process.runs():
                report.sections.append((f"log of {process.name} ({process.log})", process.tail(40 if its_own else 5)))
    elif report.when == "teardown":
        Process.started[:] = [process for process in Process.started if process.runs()]
    return report
