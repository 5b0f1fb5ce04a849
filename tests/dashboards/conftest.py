"""An engine that may be stopped and a Superset on it, for the tests of this folder."""

from collections.abc import Iterator

import pytest

from stack import Database, Engine, started
from stack.superset import Superset


@pytest.fixture(scope="package")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started(Engine(tmp_path_factory.mktemp("dashboards-clickhouse"))) as server:
        yield server


@pytest.fixture(scope="package")
def data(own_engine: Engine) -> Database:
    """The one database that Superset reads; every test begins with what it wants in it."""
    return own_engine.fresh_database()


@pytest.fixture(scope="package")
def superset(tmp_path_factory: pytest.TempPathFactory, data: Database) -> Iterator[Superset]:
    provisioned = Superset(tmp_path_factory.mktemp("superset"), data)
    provisioned.provision()
    with started(provisioned) as running:
        yield running
