"""The engine: one process owns the data directory, every request has its own connection.

A chdb connection runs one query at a time, several connections run concurrently, and opening one takes less than half
a millisecond. So a request opens a connection, sets user, database and settings, runs, and closes it; a session keeps its
connection between requests.
"""

import os
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .access import ROLES_CONFIGURATION, User, refuse_beyond_reading
from .body import Body
from .errors import EngineError, error, from_engine
from .result import Result, header_length, in_pieces, joined
from .sessions import Sessions
from .statement import Insert, first_word, identifier, literal, output_format, parse_insert, tokens

os.environ["TZ"] = "UTC"  # as clickhouse/config.d sets it for a server; the engine would use the host's time zone
# If installed, chdb imports these for result types that this server never uses: 50 MB of memory.
for _unused in ("pyarrow", "pandas", "numpy"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]
from chdb import _chdb  # noqa: E402 - after the environment is set; the public Session class is a thin layer over it

# URL parameters that belong to the HTTP interface; every other one is a setting, as on a server.
PROTOCOL_PARAMETERS = frozenset((
    "query", "database", "user", "password", "quota_key", "query_id", "session_id", "session_timeout", "session_check",
    "close_session", "compress", "decompress", "buffer_size", "wait_end_of_query", "stacktrace", "role",
    "default_format", "client_protocol_version", "enable_http_compression", "http_zlib_compression_level",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "http_write_exception_in_output_format",
    "cancel_http_readonly_queries_on_client_close", "framing",
))
_STREAMABLE_STATEMENTS = (b"SELECT", b"WITH", b"FROM")
_READING_STATEMENTS = _STREAMABLE_STATEMENTS + (b"SHOW", b"DESCRIBE", b"DESC", b"EXPLAIN", b"EXISTS", b"CHECK")
_SESSION_STATEMENTS = (b"SET", b"USE")
# The server itself, for its own queries.
_OWNER = User("owner", read_only=False)
# A formatted result that cannot be streamed is sent in pieces of this size.
_PIECE = 1 << 20
# How long a request waits for one of the `max_queries` slots.
_QUEUE_SECONDS = 60.0


@dataclass(frozen=True)
class Query:
    """One request: a statement, its data, and the URL's parameters."""

    sql: bytes
    body: Body
    user: User
    parameters: Mapping[str, str]
    read_only: bool = False
    """GET may not change anything, whoever asks."""

    @property
    def settings(self) -> dict[str, str]:
        return {name: value for name, value in self.parameters.items() if name not in PROTOCOL_PARAMETERS}

    @property
    def default_format(self) -> str:
        return self.parameters.get("default_format") or "TabSeparated"


class Connection:
    """A chdb connection whose errors are `EngineError`."""

    def __init__(self, path: str, user: User):
        self._raw = _chdb.connect(path)
        try:
            for statement in user.opening_statements():
                self.run(statement)
        except EngineError:
            self.close()
            raise

    def run(self, sql, output="TabSeparated"):
        """Runs one statement to completion; returns chdb's result object."""
        try:
            return self._raw.query(sql, output)
        except RuntimeError as raised:
            raise from_engine(raised) from None

    def text(self, sql: str) -> str:
        """The result of a small query as text."""
        return (self.run(sql).bytes() or b"").decode("utf-8", "replace")

    def stream(self, sql, output: str) -> Generator[bytes, None, None]:
        """Yields the result piece by piece; leaving the iteration early cancels the query."""
        running, finished = None, False
        try:
            running = self._raw.send_query(sql, output)
            while not finished:
                piece = self._raw.streaming_fetch_result(running)
                finished = piece is None or not piece.rows_read()
                data = b"" if piece is None else piece.bytes() or b""
                if data:
                    yield data
        except RuntimeError as raised:
            finished = True
            raise from_engine(raised) from None
        finally:
            if running is not None and not finished:
                self._raw.streaming_cancel_query(running)

    def query_class(self, sql: bytes) -> tuple[str, int]:
        """The kind of statement (READ_ONLY, CONTROL, MUTATING ..) and the number of statements."""
        found = self._raw.classify_query(sql.decode("utf-8", "replace"))
        return found["query_class"].name, found["statement_count"]

    def close(self) -> None:
        self._raw.close()


class Engine:
    """The open data directory. Raises `EngineError` if the engine cannot open it."""

    def __init__(self, directory: Path, max_queries: int):
        self._path = str(directory / "data")
        self._spill_directory = str(directory / "spill")
        os.makedirs(self._spill_directory, exist_ok=True)
        roles = directory / "access.xml"
        roles.write_text(ROLES_CONFIGURATION.format(path=roles), encoding="utf-8")
        _chdb.set_signal_handlers_enabled(False)
        # The first connection opens the directory and keeps it open; its options apply to the whole process.
        try:
            self._first = Connection(f"{self._path}?config-file={roles}", _OWNER)
        except RuntimeError as raised:
            raise from_engine(raised) from None
        self.version, self.timezone = self._first.text("SELECT version(), timezone()").strip().split("\t")
        self._sessions = Sessions(lambda user: Connection(self._path, user))
        self._places = threading.BoundedSemaphore(max_queries)

    def new_body(self) -> Body:
        return Body(self._spill_directory)

    def decoded(self, body: Body) -> bytes:
        """The decompressed bytes of a body that contains the statement itself (as in inserts of clickhouse-connect)."""
        if body.codec == "none":
            return body.read()
        with closing(Connection(self._path, _OWNER)) as connection:
            unpacked = connection.run(f"SELECT raw FROM file('{body.path}', 'RawBLOB', 'raw String', '{body.codec}')", "RawBLOB")
            return unpacked.bytes() or b""

    @contextmanager
    def execute(self, query: Query) -> Iterator[Result]:
        """Runs a query; the result's pieces can be read inside the `with`, which returns the connection at its end."""
        if not self._places.acquire(timeout=_QUEUE_SECONDS):
            raise error(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries; --max-queries sets how many may run")
        try:
            with self._sessions.connection(query.user, query.parameters) as connection, _settings_of(connection, query):
                result = _run(connection, query)
                # If the client disconnects early, its query must not keep running on a closed connection.
                with closing(result.pieces):
                    yield result
        finally:
            self._places.release()

    def close(self) -> None:
        """Closes everything. No query may be running."""
        self._sessions.close()
        self._first.close()


@contextmanager
def _settings_of(connection: Connection, query: Query) -> Iterator[None]:
    """URL settings apply to one query, in a session too, where they are restored afterwards."""
    database = query.parameters.get("database")
    if database:
        connection.run(f"USE {identifier(database)}")
    settings = query.settings
    in_session = "session_id" in query.parameters
    # Neither the request nor its session may lift this. A session's own setting cannot be reset from read-only: for its
    # GETs only the statement is checked.
    if query.read_only and not in_session and settings.get("readonly") != "1":
        settings["readonly"] = "2"
    before: dict[str, str] = {}
    if in_session:
        before = {name: connection.text(f"SELECT toString(getSetting({literal(name)})) FORMAT TSVRaw").rstrip("\n")
                  for name in settings if not name.startswith("param_")}
    if settings:
        connection.run(_set(settings))
    try:
        yield
    finally:
        if before:
            connection.run(_set(before))


def _set(settings: Mapping[str, str]) -> str:
    return "SET " + ", ".join(f"{identifier(name)} = {literal(value)}" for name, value in settings.items())


def _run(connection: Connection, query: Query) -> Result:
    insert = parse_insert(query.sql)
    if insert is not None:
        if query.read_only:
            raise _changes_something()
        return _insert(connection, query, insert)
    sql = query.sql
    if query.body.size:
        sql += b"\n" + query.body.read()
    kind, count = connection.query_class(sql)
    first = first_word(sql)
    if count > 1:
        raise error(62, "SYNTAX_ERROR", "Multi-statements are not allowed: send one statement a request")
    if kind == "CONTROL" and first in _READING_STATEMENTS:
        raise error(1, "UNSUPPORTED_METHOD", "INTO OUTFILE is not possible over HTTP: the result is the answer")
    if query.read_only and not (kind == "READ_ONLY" or first in _SESSION_STATEMENTS):
        raise _changes_something()
    if query.user.read_only:
        _check_reader(connection, sql, kind)
    output = output_format(sql, query.default_format)
    header = header_length(output)
    if header is not None and first in _STREAMABLE_STATEMENTS and not _wants_whole(sql, query):
        # As on a server: the headers are sent before the rows, so they count nothing yet.
        return Result(output, joined(connection.stream(sql, query.default_format), header), _NOTHING_YET)
    done = connection.run(sql, query.default_format)
    data = done.bytes() or b""
    return Result(output, in_pieces(data, _PIECE), _summary(done, len(data)))


def _changes_something() -> EngineError:
    return error(164, "READONLY", "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly: use POST")


def _wants_whole(sql: bytes, query: Query) -> bool:
    """Totals and extremes come once, after the rows; `wait_end_of_query` requests the complete result or an error."""
    return (query.parameters.get("wait_end_of_query") == "1" or query.parameters.get("extremes", "0") != "0"
            or any(token.word in (b"TOTALS", b"EXTREMES") for token in tokens(sql)))


def _check_reader(connection: Connection, sql: bytes, kind: str) -> None:
    """Refuses statements that roles and `readonly` allow. The engine itself refuses statements that change data."""
    can_name_file = b"file" in sql.lower() or b"\\" in sql or b"{" in sql
    if kind in ("CONTROL", "UNKNOWN") or (kind == "READ_ONLY" and can_name_file):
        tree = connection.run(b"EXPLAIN AST " + sql, "TSVRaw").bytes() or b""
        refuse_beyond_reading("CONTROL" if kind == "UNKNOWN" else kind, tree.decode("utf-8", "replace"))


def _insert(connection: Connection, query: Query, insert: Insert) -> Result:
    """Passes the data to the engine as a file, so that errors of materialized views are raised too."""
    inline, body = query.sql[insert.data_at:], query.body
    if inline.strip():
        if body.codec != "none":
            raise error(48, "NOT_IMPLEMENTED", "Data in the statement together with a compressed body")
        with body.derive() as data:
            data.write(inline + body.read())
            return _insert_file(connection, query, insert, data)
    return _insert_file(connection, query, insert, body)


def _insert_file(connection: Connection, query: Query, insert: Insert, data: Body) -> Result:
    input_format = insert.format or query.parameters.get("default_format") or "Values"
    sql = b"%s FROM INFILE '%s' COMPRESSION '%s' %s FORMAT %s" % (
        insert.head, data.path.encode(), data.codec.encode(), insert.settings, input_format.encode())
    return Result(query.default_format, in_pieces(b"", _PIECE), _summary(connection.run(sql, "Null"), 0))


_NOTHING_YET = dict.fromkeys(("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read",
                               "result_rows", "result_bytes", "elapsed_ns"), "0")


def _summary(done, result_bytes: int) -> dict[str, str]:
    """X-ClickHouse-Summary; numbers are strings there."""
    return {
        "read_rows": str(done.storage_rows_read()), "read_bytes": str(done.storage_bytes_read()),
        "written_rows": str(done.rows_written()), "written_bytes": str(done.bytes_written()),
        "total_rows_to_read": "0", "result_rows": str(done.rows_read()), "result_bytes": str(result_bytes),
        "elapsed_ns": str(int(done.elapsed() * 1e9)),
    }
