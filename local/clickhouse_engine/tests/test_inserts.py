"""Inserts: every byte arrives, or no row does."""

import gzip
import json
import socket
import threading
import time

import pytest

from .engine_process import QueryFailed


def row_binary(rows):
    return b"".join(a.to_bytes(8, "little") + bytes([len(s)]) + s for a, s in rows)


def native_block(data, method):
    """ClickHouse's compressed block; LZ4 without any matches, so that no codec is needed here."""
    if method == 0x82:
        extra = len(data) - 15
        length = b"" if extra < 0 else b"\xff" * (extra // 255) + bytes([extra % 255])
        payload = bytes([min(len(data), 15) << 4]) + length + data
    else:
        payload = data
    return bytes(16) + bytes([method]) + (len(payload) + 9).to_bytes(4, "little") + len(data).to_bytes(4, "little") + payload


def content(engine, table):
    return engine.rows(f"SELECT * FROM {table} ORDER BY a FORMAT TSV")


def test_blank_lines_and_any_bytes_arrive(engine, table):
    rows = [(1, b"a\n\nb"), (2, b"\x00\xff\xfe"), (3, b""), (2570, b";"), (0x0A0A0A0A0A0A0A0A, b"\n\n\n")]
    engine.query(f"INSERT INTO {table} (a, s) FORMAT RowBinary", row_binary(rows))
    assert engine.query(f"SELECT groupArray((a, hex(s))) FROM (SELECT * FROM {table} ORDER BY a)") == str(
        [(a, s.hex().upper()) for a, s in rows]).replace(" ", "")
    engine.query(f"INSERT INTO {table} FORMAT JSONEachRow", b'{"a":5,"s":"x"}\n\n\n{"a":6,"s":"y"}\n')
    assert engine.query(f"SELECT count() FROM {table}") == "7"


@pytest.mark.parametrize("sql", ["INSERT INTO {} VALUES (1, 'x'), (1 + 1, 'y;')", "INSERT INTO {} FORMAT TSV\n1\tx\n2\ty;\n",
                                 "INSERT INTO {} SETTINGS async_insert = 0 FORMAT JSONEachRow\n{{\"a\":1,\"s\":\"x\"}}\n\n{{\"a\":2,\"s\":\"y;\"}}"])
def test_data_may_stand_in_the_statement(engine, table, sql):
    engine.query(sql.format(table))
    assert content(engine, table) == [["1", "x"], ["2", "y;"]]


def test_an_insert_without_rows_is_no_error(engine, table):
    engine.query(f"INSERT INTO {table} FORMAT JSONEachRow")
    assert content(engine, table) == []


def test_the_summary_counts_the_rows(engine, table):
    response, _ = engine.raw(f"INSERT INTO {table} FORMAT TSV", b"1\tx\n2\ty\n")
    assert '"written_rows":"2"' in response.getheader("X-ClickHouse-Summary")


@pytest.mark.parametrize("method", [0x82, 0x02])
def test_blocks_of_the_native_protocol_are_unpacked(engine, table, method):
    rows = row_binary([(number, b"some text") for number in range(1000)])
    body = native_block(rows[:7000], method) + native_block(rows[7000:], method)
    engine.query(f"INSERT INTO {table} (a, s) FORMAT RowBinary", body, decompress="1")
    assert engine.query(f"SELECT count(), sum(a) FROM {table}") == "1000\t499500"


def test_a_broken_block_is_refused(engine, table):
    block = native_block(row_binary([(1, b"x")]), 0x82)
    for body in (block[:-1], block[:20], block[:16] + b"\x77" + block[17:]):
        with pytest.raises(QueryFailed, match="CANNOT_DECOMPRESS"):
            engine.query(f"INSERT INTO {table} FORMAT RowBinary", body, decompress="1")
    assert content(engine, table) == []


def test_compressed_bodies(engine, table):
    engine.raw(f"INSERT INTO {table} FORMAT TSV", gzip.compress(b"1\tx\n"), {"Content-Encoding": "gzip"})
    engine.raw("", gzip.compress(f"INSERT INTO {table} VALUES (2, 'y')".encode()), {"Content-Encoding": "gzip"})
    assert content(engine, table) == [["1", "x"], ["2", "y"]]
    response, text = engine.raw("", b"not gzip", {"Content-Encoding": "gzip"})
    assert response.status >= 400 and text.startswith(b"Code: ")


def test_a_body_larger_than_memory_is_meant_for(engine, table):
    """Beyond 64 MiB a body goes to a file: nothing of it stays behind."""
    line = b"%d\t" + b"x" * 1000 + b"\n"
    engine.query(f"INSERT INTO {table} FORMAT TSV", b"".join(line % number for number in range(80_000)))
    assert engine.query(f"SELECT count(), sum(length(s)) FROM {table}") == "80000\t80000000"
    assert list((engine.directory / "spill").iterdir()) == []


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_half_a_body_leaves_no_row(engine, table, framing):
    head = f"POST /?query=INSERT+INTO+{table}+FORMAT+TSV HTTP/1.1\r\nHost: x\r\n".encode()
    request = head + b"Content-Length: 1000\r\n\r\n1\tx\n2\ty\n" if framing == "length" else head + b"Transfer-Encoding: chunked\r\n\r\n8\r\n1\tx\n2\ty\n\r\n"
    with socket.create_connection(("127.0.0.1", engine.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""
    assert content(engine, table) == []


def test_the_error_of_a_materialized_view_reaches_the_client(engine, table):
    engine.query(f"CREATE TABLE {table}_to (a UInt64) ENGINE = MergeTree ORDER BY a")
    engine.query(f"CREATE MATERIALIZED VIEW {table}_mv TO {table}_to AS SELECT a + throwIf(a = 2) AS a FROM {table}")
    engine.query(f"INSERT INTO {table} FORMAT TSV", b"1\tx\n")
    with pytest.raises(QueryFailed) as failed:
        engine.query(f"INSERT INTO {table} FORMAT TSV", b"2\tx\n")
    assert (failed.value.status, failed.value.code) == (500, 395)


def test_rows_that_do_not_parse_are_refused_with_their_place(engine, table):
    with pytest.raises(QueryFailed, match="row 2|Row 2") as failed:
        engine.query(f"INSERT INTO {table} FORMAT TSV", b"1\tx\nnot a number\ty\n")
    assert failed.value.status == 400
    assert content(engine, table) == []


def test_many_clients_at_a_time(engine, table):
    failures = []

    def work(client):
        try:
            for number in range(25):
                engine.query(f"INSERT INTO {table} FORMAT TSV", b"%d\tx\n" % (client * 1000 + number))
                assert int(engine.query(f"SELECT countIf(a = {client * 1000 + number}) FROM {table}")) == 1
        except Exception as failed:
            failures.append(failed)

    clients = [threading.Thread(target=work, args=(client,)) for client in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert failures == []
    assert engine.query(f"SELECT count(), uniqExact(a) FROM {table}") == "200\t200"


def test_slow_queries_run_side_by_side(engine):
    started = time.monotonic()
    clients = [threading.Thread(target=engine.query, args=("SELECT sleep(1)",)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert time.monotonic() - started < 6


def names_and_types(*columns):
    texts = [name for name, _ in columns] + [kind for _, kind in columns]
    return bytes([len(columns)]) + b"".join(bytes([len(text)]) + text.encode() for text in texts)


def test_rows_with_names_and_types_are_refused_by_name(engine, table):
    sql = f"INSERT INTO {table} (a, s) FORMAT RowBinaryWithNamesAndTypes"
    good = names_and_types(("a", "UInt64"), ("s", "String"))
    engine.query(sql, good + row_binary([(1, b"x"), (2, b"y")]))
    response, _ = engine.raw(sql, good)
    assert response.status == 200, "no row at all is no error"
    for columns in ((("a", "UInt32"), ("s", "String")), (("a", "UInt64"), ("t", "String"))):
        with pytest.raises(QueryFailed, match="'a'|`?t`?"):
            engine.query(sql, names_and_types(*columns) + row_binary([(3, b"z")]), input_format_skip_unknown_fields="0")
    assert content(engine, table) == [["1", "x"], ["2", "y"]]


def test_every_answer_says_who_gave_it(engine, table):
    """What clients prove an answer by: the id they sent, and a summary."""
    for sql, data in ((f"INSERT INTO {table} FORMAT TSV", b"1\tx\n"), ("SELECT 1", b""), (f"EXISTS TABLE {table}", b""), ("nonsense", b"")):
        response, _ = engine.raw(sql, data, query_id="an-id-of-mine")
        assert response.getheader("X-ClickHouse-Query-Id") == "an-id-of-mine", sql
        assert response.status != 200 or '"written_rows":' in response.getheader("X-ClickHouse-Summary"), sql


def test_the_rows_of_views_are_counted_or_not_but_never_less(engine, table):
    engine.query(f"CREATE TABLE {table}_to (a UInt64) ENGINE = MergeTree ORDER BY a")
    engine.query(f"CREATE MATERIALIZED VIEW {table}_mv TO {table}_to AS SELECT a FROM {table}")
    response, _ = engine.raw(f"INSERT INTO {table} FORMAT TSV", b"1\tx\n2\ty\n", wait_end_of_query="1")
    assert int(json.loads(response.getheader("X-ClickHouse-Summary"))["written_rows"]) >= 2
