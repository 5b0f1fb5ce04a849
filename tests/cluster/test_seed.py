"""The three queries of the seed project, word for word, over two shards."""

import pytest

from clickhouse_engine.tests.engine_process import EngineProcess
from schema.test_seed_queries import (  # noqa: F401 - the tests themselves
    COUNT, LATEST, MINUTES, test_columns_come_in_the_seeds_order, test_the_three_queries_on_empty_tables,
    test_the_three_queries_on_rows_put_in_by_hand)

from .conftest import Shards


@pytest.fixture
def seed(tmp_path):
    """They name the database `default`: an engine of its own, where that is a shard's."""
    process = EngineProcess(tmp_path / "data").start()
    yield Shards(process, "default", "default_of_another_shard")
    process.kill()


@pytest.fixture
def database(shards):
    return shards
