"""Requests to the engine server (local/clickhouse_engine), as raw bytes of a connection; chdb itself is a stand-in.

Nothing fails inside the server, what a request contains stays text of one statement and one header, and a connection leaves
nothing behind. Corpus: requests of one connection, with plain line feeds.

`python fuzz/engine_request.py --corpus` checks the corpus without atheris; with libFuzzer's options it fuzzes.
"""

import io
import logging
import re
import sys
import tempfile
import time
import traceback
import types
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "local"))

CHANGES = (b"INSERT", b"CREATE", b"DROP", b"ALTER", b"TRUNCATE", b"DELETE", b"UPDATE", b"RENAME", b"OPTIMIZE")
MAX_QUERIES = 4


class Answer:
    """chdb's result object."""

    def __init__(self, data: bytes = b""):
        self._data = data

    def bytes(self) -> bytes:
        return self._data

    def rows_read(self) -> int:
        return len(self._data)

    storage_rows_read = storage_bytes_read = rows_written = bytes_written = rows_read

    def elapsed(self) -> float:
        return 0.001


class Connection:
    """chdb's connection: checks what it is asked, and answers without doing anything."""

    method = ""

    def query(self, sql, output: str) -> Answer:
        from clickhouse_engine.statement import first_word, tokens

        # The binding accepts text that is UTF-8, and no other.
        statement, _ = sql.encode() if isinstance(sql, str) else sql, output.encode()
        words = [token.text for token in tokens(statement)]
        if words[:1] == [b"SET"] and words[1:2] != [b"ROLE"] and isinstance(sql, str) and sql.startswith("SET `"):
            shape = b"".join(word[:1] if word[:1] in b"`'" and word[:1] == word[-1:] and len(word) > 1 else word for word in words[1:])
            assert re.fullmatch(rb"`='(,`=')*", shape), f"a setting leaves its quotes: {sql}"
        if isinstance(sql, str) and sql.startswith("USE "):
            assert len(words) == 2 and words[1][:1] == words[1][-1:] == b"`", f"a database leaves its quotes: {sql}"
        assert self.method not in ("GET", "HEAD") or first_word(statement) not in CHANGES, f"{self.method} changes something: {sql!r}"
        if b"refused" in statement:
            raise RuntimeError("Code: 62. DB::Exception: Syntax error: refused. (SYNTAX_ERROR)")
        if b"version()" in statement:
            return Answer(b"26.9\tUTC\n")
        return Answer(b"SELECT 1" if b"RawBLOB" in statement else b"1\n")

    def classify_query(self, sql: str) -> dict:
        from clickhouse_engine.statement import first_word, tokens

        statement = sql.encode()  # UTF-8, and no other
        first = first_word(statement)
        name = "MUTATING" if first in CHANGES else "CONTROL" if first in (b"SET", b"USE", b"KILL") else "READ_ONLY"
        count = sum(token.text == b";" for token in tokens(statement.rstrip(b"; \n"))) + 1
        return {"query_class": types.SimpleNamespace(name=name), "statement_count": count}

    def send_query(self, sql, output: str) -> list[Answer]:
        return [self.query(sql, output)] * 3

    def streaming_fetch_result(self, running: list[Answer]) -> Answer | None:
        return running.pop() if running else None

    def streaming_cancel_query(self, running: list[Answer]) -> None:
        running.clear()

    def close(self) -> None:
        pass


chdb = types.ModuleType("chdb")
chdb._chdb = types.SimpleNamespace(connect=lambda path: Connection(), set_signal_handlers_enabled=lambda enabled: None)


class Wire:
    """The client's end of a connection that has sent everything."""

    def __init__(self, data: bytes):
        self._data = data

    def makefile(self, mode: str, _size: int) -> io.BytesIO:
        return io.BytesIO(self._data if mode == "rb" else b"")

    def settimeout(self, _seconds: float) -> None:
        pass

    def setsockopt(self, *_: int) -> None:
        pass


class Finding(logging.Handler):
    """What the server logs as an error is one."""

    def emit(self, record: logging.LogRecord) -> None:
        raise AssertionError(record.getMessage()) from (record.exc_info or (None, None))[1]


def begin():
    """The check of one connection's bytes, on a server that does not listen."""
    sys.modules["chdb"] = chdb
    from clickhouse_engine.access import Access
    from clickhouse_engine.engine import Engine
    from clickhouse_engine.server import Handler, Server

    class Watched(Handler):
        def parse_request(self) -> bool:
            parsed = super().parse_request()
            Connection.method = self.command or ""
            return parsed

        def send_header(self, keyword: str, value: str) -> None:
            assert not re.search(r"[\r\n\0]", f"{keyword}{value}"), f"header {keyword} holds more than its value: {value!r}"
            super().send_header(keyword, value)

    logger = logging.getLogger("clickhouse_engine")
    logger.addHandler(Finding(logging.ERROR))
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    folder = tempfile.TemporaryDirectory(prefix="ctr-fuzz-")
    engine = Engine(Path(folder.name), MAX_QUERIES)
    server = Server(("127.0.0.1", 0), engine, Access("ctr_writer", "secret", "reading"))

    def check(data: bytes) -> None:
        server._busy = 0
        server._idle.clear()
        try:
            Watched(Wire(data), ("127.0.0.1", 1), server)
            assert not server._busy and not server._idle, "a request is still counted: a stop would wait for it"
            assert engine._places._value == MAX_QUERIES, "a place is still taken"
            for session in engine._sessions._sessions.values():
                assert session.expires <= time.monotonic() + 3600, "a session never expires"
                assert not session.lock.locked(), "a session is still locked"
        finally:
            engine._sessions.close()

    check.folder = folder  # removed with the check
    return check


def check_corpus() -> int:
    check = begin()
    files = sorted((FOLDER / "corpus/engine_request").iterdir())
    failed = 0
    for file in files:
        try:
            check(file.read_bytes())
        except Exception:
            failed += 1
            print(f"{file.name}:\n{traceback.format_exc()}")
    print(f"{len(files)} files, {failed} failed")
    return 1 if failed else 0


def fuzz() -> None:
    import atheris

    with atheris.instrument_imports(include=["clickhouse_engine", "urllib.parse"]):
        check = begin()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:] == ["--corpus"]:
        sys.exit(check_corpus())
    fuzz()
