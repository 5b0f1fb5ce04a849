"""Fixtures: brokers and an engine for the whole run; separate topics, group and database for every test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playwright.sync_api import Page

from stack import Database, Engine, Kafka, Pipeline, Process, Producer, Topics, started
from stack.browser import Browser


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Three brokers. A test that stops one restarts it and waits for its replicas."""
    with started(Kafka(tmp_path_factory.mktemp("kafka"), brokers=3)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine. A test that stops it restarts it."""
    with started(Engine(tmp_path_factory.mktemp("clickhouse"))) as server:
        yield server


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    """Topics of six partitions for this test only."""
    return kafka.fresh_topics(partitions=6)


@pytest.fixture
def database(engine: Engine) -> Database:
    """A database with the schema for this test only."""
    return engine.fresh_database()


@pytest.fixture
def producer(kafka: Kafka, topics: Topics, tmp_path: Path) -> Iterator[Producer]:
    yield Producer(kafka, topics, tmp_path)
    end_processes_in(tmp_path)


@pytest.fixture
def make_pipeline(kafka: Kafka, topics: Topics, database: Database, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Creates instances on the test's topics and database; the arguments are the remaining ones of Pipeline."""
    yield lambda **arguments: Pipeline(kafka, topics, database, tmp_path, **arguments)
    end_processes_in(tmp_path)


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """One instance with the fast settings, not started."""
    return make_pipeline()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, closed after each test file: while it runs, nothing else may use asyncio."""
    with started(Browser()) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a visitor without cookies. Exceptions of its scripts fail the test."""
    with browser.visitor() as page:
        yield page


def end_processes_in(folder: Path) -> None:
    for process in Process.started:
        if folder in process.log.parents:
            process.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A failed test prints the last log lines of its own processes and of the shared ones."""
    report = yield
    if report.failed:
        own = item.funcargs.get("tmp_path") if hasattr(item, "funcargs") else None
        for process in Process.started:
            # Only a few lines of the shared processes: three brokers log more than is useful.
            its_own = own is not None and own in process.log.parents
            if its_own or process.runs():
                report.sections.append((f"log of {process.name} ({process.log})", process.tail(40 if its_own else 5)))
    elif report.when == "teardown":
        Process.started[:] = [process for process in Process.started if process.runs()]
    return report
