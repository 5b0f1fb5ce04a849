"""The growth tests of tests/schema, over two shards: not one of them is written again."""

import pytest

from schema.test_results_grow import *  # noqa: F403 - the tests themselves


@pytest.fixture
def database(shards):
    return shards
