"""What the server reads out of a statement before the engine sees it."""

import pytest

from clickhouse_engine.errors import EngineError
from clickhouse_engine.statement import first_word, output_format, parse_insert, tokens


@pytest.mark.parametrize("sql, head, settings, name, data", [
    (b"INSERT INTO t FORMAT CSV\n1,2", b"INSERT INTO t ", b"", "CSV", b"1,2"),
    (b"insert into db.t (a, `b)c`) format RowBinary", b"insert into db.t (a, `b)c`) ", b"", "RowBinary", b""),
    (b"INSERT INTO t (a) SETTINGS x = 'FORMAT TSV' FORMAT JSONEachRow {}", b"INSERT INTO t (a) ", b"SETTINGS x = 'FORMAT TSV' ", "JSONEachRow", b"{}"),
    (b"INSERT INTO t VALUES (1, 'SELECT')", b"INSERT INTO t ", b"", "Values", b" (1, 'SELECT')"),
    (b"/* FORMAT */ INSERT INTO TABLE t -- VALUES\n(a) FORMAT TSV\n\n1", b"/* FORMAT */ INSERT INTO TABLE t -- VALUES\n(a) ", b"", "TSV", b"\n1"),
    (b"INSERT INTO t (a)", b"INSERT INTO t (a)", b"", None, b""),
    (b"INSERT INTO db.format FORMAT TSV", b"INSERT INTO db.format ", b"", "TSV", b""),
])
def test_an_insert_is_cut_where_its_data_begins(sql, head, settings, name, data):
    insert = parse_insert(sql)
    assert (insert.head, insert.settings, insert.format, sql[insert.data_at:]) == (head, settings, name, data)


@pytest.mark.parametrize("sql", [
    b"SELECT 1", b"INSERT INTO t SELECT 1", b"INSERT INTO t (a) (SELECT 1)", b"INSERT INTO t WITH 1 AS x SELECT x",
    b"INSERT INTO FUNCTION null('a Int8') SELECT 1", b"",
])
def test_a_statement_without_data_is_no_insert(sql):
    assert parse_insert(sql) is None


def test_a_client_may_not_name_a_file():
    with pytest.raises(EngineError, match="INFILE"):
        parse_insert(b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT TSV")


@pytest.mark.parametrize("sql, expected", [
    (b"SELECT 1", "TSV"), (b"SELECT 1 FORMAT JSON", "JSON"), (b"SELECT 1 format Native settings a = 1", "Native"),
    (b"SELECT 'FORMAT JSON'", "TSV"), (b"SELECT 1 -- FORMAT JSON", "TSV"), (b"SELECT * FROM (SELECT 1 FORMAT JSON)", "TSV"),
    (b"SELECT $$ FORMAT JSON $$", "TSV"), (b"SELECT 1 FORMAT JSON;", "JSON"),
])
def test_the_output_format_is_that_of_the_statement(sql, expected):
    assert output_format(sql, "TSV") == expected


def test_the_first_word_skips_comments_and_parentheses():
    assert first_word(b" /* x */ -- y\n ((select 1))") == b"SELECT"
    assert first_word(b"  ") == b""


def test_tokens_cover_any_bytes():
    assert [token.text for token in tokens(b"a'\xff' \x00")] == [b"a", b"'\xff'", b"\x00"]
    assert list(tokens(b"'never closed"))
