"""One engine for the tests that only ask it, and a way to start others."""

import pytest

from .engine_process import EngineProcess


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """A running engine without a password."""
    process = EngineProcess(tmp_path_factory.mktemp("engine") / "data").start()
    yield process
    process.kill()


@pytest.fixture
def start_engine(tmp_path):
    """Starts an engine on the test's own directory: `start_engine(options.., password=.., user=..)`."""
    started = []

    def start(*options, directory="data", **keywords):
        process = EngineProcess(tmp_path / directory, *options, **keywords)
        started.append(process)
        return process.start()

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def table(engine, request):
    """The name of an empty table (a UInt64, s String) of this test."""
    name = f"t_{abs(hash(request.node.nodeid))}"
    engine.query(f"CREATE TABLE {name} (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    return name
