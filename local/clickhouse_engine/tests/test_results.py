"""Results: formats, streaming, errors in the middle."""

import http.client
import json
import time

import pytest

from .engine_process import QueryFailed

ROWS = 200_000  # three blocks of the engine and a bit
MANY = f"SELECT number AS n, toString(number) AS `odd \"name` FROM numbers({ROWS})"


@pytest.mark.parametrize("name", [
    "TabSeparated", "TSVWithNames", "TSVWithNamesAndTypes", "CSV", "CSVWithNames", "CSVWithNamesAndTypes", "JSONEachRow", "JSONCompactEachRow",
    "JSONCompactEachRowWithNames", "JSONCompactEachRowWithNamesAndTypes", "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes",
    "Native", "JSON", "JSONCompact", "Parquet", "ArrowStream", "Pretty", "Values", "Vertical", "XML",
])
def test_a_streamed_result_is_the_result(engine, name):
    """In pieces or whole, the answer has the same bytes, headers once."""
    whole = engine.query_bytes(f"{MANY} FORMAT {name}", wait_end_of_query="1")
    streamed = engine.query_bytes(f"{MANY} FORMAT {name}")
    if name in ("JSON", "JSONCompact", "XML"):  # they carry the time it took
        whole, streamed = whole.split(b"statistics")[0], streamed.split(b"statistics")[0]
    assert streamed == whole


def test_a_header_with_an_end_of_line_in_a_name_is_cut_off_whole(engine):
    sql = f'SELECT number AS "two\nlines" FROM numbers({ROWS}) FORMAT CSVWithNames'
    assert engine.query(sql).count("lines") == 1


@pytest.mark.parametrize("name", ["TSVWithNames", "RowBinaryWithNamesAndTypes", "CSVWithNames", "JSONEachRow"])
def test_a_result_without_rows_keeps_its_header(engine, name):
    sql = f"SELECT number FROM numbers(0) FORMAT {name}"
    assert engine.query_bytes(sql) == engine.query_bytes(sql, wait_end_of_query="1")


def test_totals_come_once(engine):
    sql = f"SELECT number % 100000 AS k, count() FROM numbers({ROWS}) GROUP BY k WITH TOTALS ORDER BY k FORMAT TSV"
    assert engine.query(sql).endswith(f"\n\n0\t{ROWS}")


def test_rows_come_before_the_query_ends_and_memory_stays_low(engine):
    before, started = engine.memory_kb(), time.monotonic()
    connection = engine.connect()
    connection.request("POST", "/", b"SELECT number, repeat('x', 100) FROM numbers(20000000) SETTINGS max_threads = 1")
    response = connection.getresponse()
    first, first_after = response.read(1 << 20), time.monotonic() - started
    read, peak = len(first), 0
    while chunk := response.read(1 << 22):
        read += len(chunk)
        peak = max(peak, engine.memory_kb())
    total = time.monotonic() - started
    connection.close()
    assert response.getheader("Transfer-Encoding") == "chunked"
    assert read > 2_000_000_000
    assert first_after < total / 4
    assert peak - before < 400_000, "two gigabytes were gathered instead of streamed"


def test_an_error_in_the_middle_is_seen_by_every_client(engine):
    connection = engine.connect()
    connection.request("POST", "/", b"SELECT throwIf(number = 1500000), number FROM numbers(2000000) SETTINGS max_threads = 1")
    response = connection.getresponse()
    assert response.status == 200
    tag = response.getheader("X-ClickHouse-Exception-Tag")
    with pytest.raises(http.client.IncompleteRead) as cut:
        while response.read(1 << 20):
            pass
    connection.close()
    block = cut.value.partial.decode()[-600:]
    assert block.endswith(f" {tag}\r\n__exception__\r\n")
    message = block.split(f"\r\n__exception__\r\n{tag}\r\n")[1]
    text, _, length = message.rpartition(f" {tag}")[0].rpartition("\n")
    assert "Code: 395." in text and len(text) + 1 == int(length)


def test_wait_end_of_query_gives_the_error_a_status(engine):
    with pytest.raises(QueryFailed, match="THROW_IF") as failed:
        engine.query("SELECT throwIf(number = 1500000) FROM numbers(2000000)", wait_end_of_query="1")
    assert (failed.value.status, failed.value.code) == (500, 395)


@pytest.mark.parametrize("sql, status, code", [
    ("SELECT * FROM nowhere", 404, 60), ("SELEC 1", 400, 62), ("SELECT 1; SELECT 2", 400, 62), ("", 400, 62),
    ("SELECT 1 INTO OUTFILE '/tmp/never'", 500, 1), ("INSERT INTO t FROM INFILE '/etc/passwd'", 500, 1),
])
def test_errors_have_codes(engine, sql, status, code):
    response, body = engine.raw(sql, default_format="TSV")
    assert (response.status, response.getheader("X-ClickHouse-Exception-Code")) == (status, str(code))
    assert body.startswith(b"Code: %d. DB::Exception: " % code)


def test_an_unknown_setting_is_an_error(engine):
    with pytest.raises(QueryFailed) as failed:
        engine.query("SELECT 1", no_such_setting="1")
    assert failed.value.code == 115


def test_a_client_that_leaves_stops_its_query(engine):
    connection = engine.connect()
    connection.request("POST", "/", b"SELECT number FROM numbers(1000000000000) /* abandoned */")
    connection.getresponse().read(1 << 16)
    connection.sock.close()
    connection.close()
    deadline = time.monotonic() + 30
    while engine.query("SELECT count() FROM system.processes WHERE query LIKE '%abandoned%' AND query NOT LIKE '%processes%'") != "0":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ping_get_parameters_and_headers(engine):
    response, body = engine.raw("SELECT {x:UInt8} + 1", method="GET", param_x="41", query_id="my-id")
    assert (body, response.getheader("X-ClickHouse-Query-Id")) == (b"42\n", "my-id")
    connection = engine.connect()
    for path, status in (("/ping", 200), ("/", 200), ("/other", 404)):
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, response.read()[:1] != b"") == (status, True)
    connection.request("POST", "/", b"SELECT 1 AS x", {"X-ClickHouse-Format": "JSON", "X-ClickHouse-Database": "system"})
    assert json.loads(connection.getresponse().read())["data"] == [{"x": 1}]
    connection.close()


def test_a_get_may_not_write(engine, table):
    with pytest.raises(QueryFailed) as failed:
        engine.query(f"INSERT INTO {table} SELECT 1, 'x'", method="GET")
    assert failed.value.code == 164


def test_sessions_keep_settings_and_tables_and_settings_of_the_url_do_not_stay(engine):
    session = {"session_id": "one"}
    engine.query("SET max_threads = 3", **session)
    engine.query("CREATE TEMPORARY TABLE mine (a Int8) ENGINE = Memory", **session)
    assert engine.query("SELECT getSetting('max_threads'), (SELECT count() FROM mine)", max_threads="7", **session) == "7\t0"
    assert engine.query("SELECT getSetting('max_threads')", **session) == "3"
    with pytest.raises(QueryFailed):
        engine.query("SELECT * FROM mine")
    with pytest.raises(QueryFailed, match="SESSION_NOT_FOUND"):
        engine.query("SELECT 1", session_id="other", session_check="1")


def test_a_statement_may_come_in_a_form(engine):
    fields = {"param_x": "5", "query": "SELECT {x:UInt8}"}
    form = "".join(f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    _, body = engine.raw("", form.encode() + b"--B--\r\n", {"Content-Type": "multipart/form-data; boundary=B"})
    assert body == b"5\n"


def test_a_statement_need_not_be_utf8(engine):
    connection = engine.connect()
    connection.request("POST", "/", b"SELECT hex('\xff')")
    assert connection.getresponse().read() == b"FF\n"


def test_a_query_id_stays_in_its_header(engine):
    response, body = engine.raw("SELECT 1", query_id="a\r\nSet-Cookie: \ud55c")
    assert body == b"1\n" and response.getheader("Set-Cookie") is None
    assert response.getheader("X-ClickHouse-Query-Id").encode("latin-1").decode() == "a??Set-Cookie: \ud55c"
