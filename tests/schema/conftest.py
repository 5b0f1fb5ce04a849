"""An engine server and databases with the schema, made by scripts/init-clickhouse.sh as users make them."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clickhouse_engine.tests.engine_process import EngineProcess
from stack.process import CHECKOUT

_numbers = itertools.count(1)


class Database:
    """A database of the engine with the schema in it."""

    def __init__(self, engine: EngineProcess, name: str):
        self.engine, self.name = engine, name

    def init(self, **settings: str) -> subprocess.CompletedProcess:
        return self.run_script("init-clickhouse.sh", **settings)

    def run_script(self, script: str, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLICKHOUSE_", "RAW_TTL", "HISTORY_TTL"))}
        environment.update(ENV_FILE="/nonexistent", CLICKHOUSE_PORT=str(self.engine.port), CLICKHOUSE_DB=self.name, **settings)
        return subprocess.run([CHECKOUT / "scripts" / script, *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=120)

    def query(self, sql: str, data: bytes = b"", **parameters: str) -> str:
        return self.engine.query(sql, data, **{"database": self.name, **parameters})

    def rows(self, sql: str, **parameters: str) -> list[list[str]]:
        return self.engine.rows(sql, **{"database": self.name, **parameters})

    def insert(self, *rows: tuple) -> None:
        """Rows (product, second of window start, impressions, clicks, source partition) of windows of 10 s, in one request."""
        values = ", ".join(
            f"('{product}', {clicks / impressions if impressions else 0}, {impressions}, {clicks},"
            f" toDateTime64({start}, 3, 'UTC'), toDateTime64({start + 10}, 3, 'UTC'), {partition})"
            for product, start, impressions, clicks, partition in rows)
        self.query("INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end, source_partition)"
                   f" SETTINGS async_insert = 0, max_partitions_per_insert_block = 0 VALUES {values}")


@contextmanager
def fresh_database(engine: EngineProcess, name: str) -> Iterator[Database]:
    """A database in which nothing ever expires, removed afterwards."""
    made = Database(engine, name)
    done = made.init(RAW_TTL_DAYS="0", HISTORY_TTL_DAYS="0")
    assert done.returncode == 0, done.stderr
    yield made
    engine.query(f"DROP DATABASE {made.name} SYNC")


@pytest.fixture(scope="session")
def schema_engine(tmp_path_factory):
    process = EngineProcess(tmp_path_factory.mktemp("schema") / "data").start()
    yield process
    process.kill()


@pytest.fixture
def database(schema_engine):
    with fresh_database(schema_engine, f"schema_{next(_numbers)}") as made:
        yield made
