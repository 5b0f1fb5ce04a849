"""Who may do what."""

import pytest

from .engine_process import EngineProcess, QueryFailed

PASSWORD, READER_PASSWORD = 'p"ss\\w:rd', "another"


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    process = EngineProcess(tmp_path_factory.mktemp("access") / "data", password=PASSWORD, user="ctr_writer", reader_password=READER_PASSWORD).start()
    process.query("CREATE TABLE t (a UInt64, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY a")
    process.query("INSERT INTO t VALUES (1, 1)")
    process.query("INSERT INTO t VALUES (1, 2)")
    process.query("SYSTEM STOP MERGES t")
    yield process
    process.kill()


@pytest.fixture(scope="module", params=["default", "ctr_reader"])
def reader(writer, request):
    """Both who may only read: `default` without a password, and the dashboards' user with one."""
    process = EngineProcess(writer.directory, user=request.param, password=READER_PASSWORD)
    process.port = writer.port
    return process


@pytest.fixture
def stranger(writer):
    """Says nothing of itself but what the test says."""
    process = EngineProcess(writer.directory)
    process.port = writer.port
    return process


@pytest.mark.parametrize("sql, expected", [
    ("SELECT * FROM t", "1\t2"), ("WITH 1 AS x SELECT x", "1"), ("SHOW TABLES", "t"), ("EXISTS TABLE t", "1"),
    ("SELECT getSetting('final')", "true"), ("SELECT 'a \\\\ file'", "a \\\\ file"), ("SET max_threads = 1", ""), ("USE system", ""),
])
def test_the_reader_reads_exactly(reader, sql, expected):
    assert reader.query(sql) == expected


def test_the_reader_describes_and_explains(reader):
    assert reader.rows("DESCRIBE TABLE t")[0][:2] == ["a", "UInt64"]
    assert "ReadFromMergeTree" in reader.query("EXPLAIN SELECT * FROM t")


def test_the_reader_has_sessions_of_its_own(reader, writer):
    reader.query("SET max_threads = 3", session_id="s")
    assert reader.query("SELECT getSetting('max_threads'), getSetting('final')", session_id="s", final="0") == "3\tfalse"
    assert reader.query("SELECT getSetting('final')", session_id="s") == "true"
    assert writer.query("SELECT getSetting('max_threads') = 3, getSetting('readonly')", session_id="s") == "0\t0"
    with pytest.raises(QueryFailed):
        reader.query("SET readonly = 0", session_id="s")


@pytest.mark.parametrize("sql", [
    "INSERT INTO t VALUES (5, 5)", "INSERT INTO t SELECT 5, 5", "CREATE TABLE z (a Int8) ENGINE = Memory", "CREATE VIEW z AS SELECT 1",
    "CREATE TEMPORARY TABLE z (a Int8)", "DROP TABLE t", "TRUNCATE TABLE t", "ALTER TABLE t DELETE WHERE 1", "OPTIMIZE TABLE t FINAL",
    "RENAME TABLE t TO z", "CREATE DATABASE z", "SYSTEM START MERGES t", "SET readonly = 0", "SET ROLE owner", "SET /**/ ROLE ALL",
    "SET DEFAULT ROLE ALL TO default", "GRANT ALL ON *.* TO default", "CREATE USER z", "KILL QUERY WHERE 1", "BEGIN TRANSACTION",
    "BACKUP TABLE t TO File('/tmp/never')", "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM `/etc/passwd`",
    "SELECT * FROM {t:Identifier}", "SELECT file('/etc/hostname')", 'SELECT "fi\\x6ce"(\'/etc/hostname\')', "SELECT arrayMap(FILE, ['/etc/hostname'])",
    "SELECT * APPLY(file) FROM (SELECT '/etc/hostname')", "SELECT * APPLY(\"fi\\x6ce\") FROM (SELECT '/etc/hostname')",
    "EXPLAIN SYNTAX SELECT file('/etc/hostname')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "INSERT INTO FUNCTION file('/tmp/never', 'TSV') SELECT 1", "SELECT 1 INTO OUTFILE '/tmp/never'", "SELECT 1 SETTINGS readonly = 0",
])
def test_the_reader_does_nothing_else(reader, writer, sql):
    with pytest.raises(QueryFailed) as failed:
        reader.query(sql, param_t="/etc/passwd")
    assert failed.value.code in (1, 164, 497), failed.value.text
    assert writer.query("SELECT count() FROM t SETTINGS final = 1") == "1"


def test_a_readers_body_is_refused_too(reader, writer):
    with pytest.raises(QueryFailed):
        reader.query("INSERT INTO t FORMAT TSV", b"9\t9\n")
    assert writer.query("SELECT countIf(a = 9) FROM t") == "0"


def test_the_writer_sees_every_row_by_default(writer):
    assert writer.query("SELECT count() FROM t") == "2"


@pytest.mark.parametrize("how", ["basic", "headers", "url"])
def test_the_ways_to_log_in(stranger, how):
    import base64
    headers, parameters = {}, {}
    if how == "basic":
        headers = {"Authorization": "Basic " + base64.b64encode(f"ctr_writer:{PASSWORD}".encode()).decode()}
    elif how == "headers":
        headers = {"X-ClickHouse-User": "ctr_writer", "X-ClickHouse-Key": PASSWORD}
    else:
        parameters = {"user": "ctr_writer", "password": PASSWORD}
    response, _ = stranger.raw("CREATE TABLE IF NOT EXISTS t (a UInt64) ENGINE = Memory", headers=headers, **parameters)
    assert response.status == 200


@pytest.mark.parametrize("parameters", [
    {"user": "ctr_writer"}, {"user": "ctr_writer", "password": "wrong"}, {"password": PASSWORD}, {"user": "somebody"}, {"user": "default", "password": "x"},
    {"user": "ctr_reader"}, {"user": "ctr_reader", "password": PASSWORD},
])
def test_others_are_not_let_in(stranger, parameters):
    with pytest.raises(QueryFailed) as failed:
        stranger.query("SELECT 1", **parameters)
    assert (failed.value.status, failed.value.code) == (403, 516)


def test_ping_needs_no_password(stranger):
    connection = stranger.connect()
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b"Ok.\n"
    connection.close()


def test_the_reader_comes_from_this_machine_only():
    from clickhouse_engine.access import Access
    from clickhouse_engine.errors import EngineError
    access = Access("ctr_writer", "secret")
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert access.admit({}, {}, address).read_only
    with pytest.raises(EngineError):
        access.admit({"user": "ctr_reader"}, {}, "127.0.0.1")
    for address in ("10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1"):
        with pytest.raises(EngineError):
            access.admit({}, {}, address)
    assert not access.admit({"user": "ctr_writer", "password": "secret"}, {}, "10.0.0.1").read_only


@pytest.mark.parametrize("parameters", [{}, {"readonly": "0"}, {"session_id": "one"}, {"session_id": "two", "readonly": "0"}])
@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (9, 9)", "TRUNCATE TABLE t", "CREATE TABLE u (a UInt64) ENGINE = Memory", "SYSTEM START MERGES t",
                                 "ALTER TABLE t DELETE WHERE 1", "DROP TABLE t"])
def test_a_get_changes_nothing_whoever_asks(writer, sql, parameters):
    response, body = writer.raw(sql, method="GET", **parameters)
    assert response.status >= 400 and b"readonly" in body.lower(), body
    assert writer.query("SELECT max(v), count() FROM t FINAL") == "2\t1"


def test_a_session_is_set_and_read_by_get(writer):
    for sql in ("SET max_threads = 1", "USE system"):
        response, body = writer.raw(sql, method="GET", session_id="three")
        assert response.status == 200, body
    response, body = writer.raw("SELECT currentDatabase(), getSetting('max_threads')", method="GET", session_id="three")
    assert body == b"system\t1\n"
