"""An engine that may be stopped and a Superset on it, for the tests of this folder."""

from collections.abc import Iterator

import pytest

from stack import Database, Engine
from stack.superset import Superset


@pytest.fixture(scope="package")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    server = Engine(tmp_path_factory.mktemp("dashboards-clickhouse"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="package")
def data(own_engine: Engine) -> Database:
    """The one database that Superset reads; every test begins with what it wants in it."""
    return own_engine.fresh_database()


@pytest.fixture(scope="package")
def superset(tmp_path_factory: pytest.TempPathFactory, data: Database) -> Iterator[Superset]:
    running = Superset(tmp_path_factory.mktemp("superset"), data)
    try:
        running.provision()
        running.start()
        yield running
    finally:
        running.kill()
