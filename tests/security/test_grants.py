"""Who may do what in the ClickHouse of the stack without Docker, started by its launcher.

On the engine server everywhere; where a `clickhouse` binary is on the PATH, on a real server (clickhouse/users.xml) too.
docs/containers.md lists the latter among what was not run.
"""

import shutil
from collections.abc import Iterator

import pytest

from stack import Database, Engine, Process, started
from stack.engine import PASSWORD, READER_PASSWORD, WRITER, QueryError
from stack.process import CHECKOUT, LOCAL_DIR, clean_environment

INSERT = "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES ('p', 1, 1, 1, now(), now() + 10)"
READABLE = ("ctr_results_raw", "ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_window_history")


SERVERS = ["", *filter(None, [shutil.which("clickhouse")])]


@pytest.fixture(scope="module", params=SERVERS, ids=["engine server", "real server"][:len(SERVERS)])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The schema with one row."""
    server = Engine(tmp_path_factory.mktemp("server"))
    command = [str(CHECKOUT / "local/clickhouse_engine/launch.sh"), "--path", str(server.folder), "--port", str(server.port), "--writer-user", WRITER]
    environment = clean_environment({"CLICKHOUSE_BINARY": request.param, "CLICKHOUSE_ENGINE_PASSWORD": PASSWORD,
                                     "CLICKHOUSE_ENGINE_READER_PASSWORD": READER_PASSWORD, "LOCAL_DIR": str(LOCAL_DIR)})
    server.process = Process("clickhouse", command, environment, server.folder / "server.log")
    with started(server):
        database = server.fresh_database()
        database.execute(INSERT)
        yield database


def test_the_dashboards_user_reads_every_view_and_nothing_else(database: Database) -> None:
    for table in READABLE:
        assert ask(database, "ctr_reader", READER_PASSWORD, f"SELECT count() FROM {table}") == "1", table
    for sql in (INSERT, "DROP VIEW ctr_windows", "TRUNCATE TABLE ctr_results_raw", "CREATE TABLE t (a Int8) ENGINE = Log", "SET readonly = 0"):
        with pytest.raises(QueryError):
            ask(database, "ctr_reader", READER_PASSWORD, sql)


def test_without_a_password_one_reads_only(database: Database) -> None:
    assert database.query("SELECT count() AS n FROM ctr_windows", as_reader=True) == [{"n": 1}]
    with pytest.raises(QueryError):
        database.engine.request(INSERT, database.name, as_reader=True)


@pytest.mark.parametrize(("user", "password"), [(WRITER, "wrong"), ("ctr_reader", ""), ("ctr_reader", PASSWORD), ("nobody", "")])
def test_others_are_not_let_in(database: Database, user: str, password: str) -> None:
    with pytest.raises(QueryError):
        ask(database, user, password, "SELECT 1")


def ask(database: Database, user: str, password: str, sql: str) -> str:
    return database.engine.request(sql, database.name, login=(user, password)).strip()
