"""The HTTP interface: receives requests, sends results, and shuts down cleanly."""

import json
import logging
import re
import secrets
import socket
import ssl
import string
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from urllib.parse import SplitResult, parse_qsl, urlsplit

from .access import Access
from .body import CODECS, Body, receive, unwrap_native_blocks
from .engine import Engine, Query
from .errors import EngineError, error
from .result import Result

log = logging.getLogger(__name__)

_DISPLAY_NAME = "clickhouse_engine"
_HEADER_PARAMETERS = (("X-ClickHouse-Database", "database"), ("X-ClickHouse-Format", "default_format"),
                      ("X-ClickHouse-Query-Id", "query_id"))


class Server(ThreadingHTTPServer):
    """Listens, and tracks which connections are inside a request, so that it can stop without aborting one."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], engine: Engine, access: Access, tls: ssl.SSLContext | None = None):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.engine = engine
        self.access = access
        self._changed = threading.Condition()
        self._idle: set[socket.socket] = set()
        self._busy = 0
        self._stopping = False
        super().__init__(address, Handler)
        if tls:
            # The handshake runs in the connection's own thread, so a slow client does not block others.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        # Unlike HTTPServer's, which resolves the host's full name, which may take seconds.
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def connected(self, connection: socket.socket) -> None:
        with self._changed:
            self._idle.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._changed:
            self._idle.discard(connection)

    def request_begins(self, connection: socket.socket) -> bool:
        """False: the server is stopping, and this request arrived too late to be served."""
        with self._changed:
            self._idle.discard(connection)
            if not self._stopping:
                self._busy += 1
            return not self._stopping

    def request_ends(self, connection: socket.socket) -> bool:
        """False: the server is stopping, and the connection must be closed."""
        with self._changed:
            self._busy -= 1
            self._idle.add(connection)
            self._changed.notify_all()
            return not self._stopping

    def stop(self, seconds: float) -> bool:
        """Refuses new connections and requests and waits for running ones; False if some are still running after `seconds`."""
        self.shutdown()
        self.server_close()
        deadline = time.monotonic() + seconds
        with self._changed:
            self._stopping = True
            for connection in self._idle:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the client closed it first
            while self._busy and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            return self._busy == 0


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = _DISPLAY_NAME
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 600
    server: Server
    _counted = False  # inside a request, as the server counts it

    def setup(self) -> None:
        super().setup()
        self.server.connected(self.connection)

    def finish(self) -> None:
        self.server.disconnected(self.connection)
        try:
            super().finish()
        except OSError:
            pass  # the client has disconnected

    def handle(self) -> None:
        try:
            super().handle()
        except ssl.SSLError as refused:
            log.info("%s: no TLS with this client: %s", self.address_string(), refused)

    def log_message(self, format: str, *arguments: object) -> None:
        log.debug("%s %s", self.address_string(), format % arguments)

    def parse_request(self) -> bool:
        self._quick_ack()
        if not self.server.request_begins(self.connection):
            self.close_connection = True
            return False
        self._counted = True
        return super().parse_request()

    def handle_one_request(self) -> None:
        # The one place where a request ends: also one that cannot be parsed, or whose method does not exist.
        try:
            super().handle_one_request()
        finally:
            if self._counted:
                self._counted = False
                self.close_connection |= not self.server.request_ends(self.connection)

    def _handle(self) -> None:
        try:
            with self.server.engine.new_body() as body:
                self._respond(body)
        except (ConnectionError, TimeoutError) as gone:
            log.debug("%s went away: %s", self.address_string(), gone)
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def do_OPTIONS(self) -> None:
        self._send(204, b"")

    def _respond(self, body: Body) -> None:
        query_id = str(uuid.uuid4())
        try:
            self._receive(body)
            url = _split(self.path)
            if url.path in ("/ping", "/replicas_status") or (url.path == "/" and not url.query and not body.size):
                return self._send(200, b"Ok.\n")
            if url.path != "/":
                return self._send(404, f"There is no handle {url.path}: the interface is /, its health is /ping\n".encode())
            parameters = dict(parse_qsl(url.query, keep_blank_values=True))
            for header, name in _HEADER_PARAMETERS:
                if self.headers.get(header):
                    parameters.setdefault(name, self.headers[header])
            query_id = parameters.get("query_id") or query_id
            user = self.server.access.admit(parameters, self.headers, self.client_address[0])
            with _StatementAndData(self.server.engine, parameters, self.headers, body) as (sql, data):
                query = Query(sql, data, user, parameters, read_only=self.command in ("GET", "HEAD"))
                with self.server.engine.execute(query) as result:
                    self._send_result(result, query_id)
        except EngineError as failed:
            self._send_error(failed, query_id)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            log.exception("query %s failed inside the server", query_id)
            internal = error(1002, "UNKNOWN_EXCEPTION", "Internal error of clickhouse_engine; its log has the details")
            self._send_error(internal, query_id)

    def _receive(self, body: Body) -> None:
        try:
            length = self.headers.get("Content-Length")
            chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
            receive(self.rfile, int(length) if length else None, chunked, body, self._quick_ack)
        except ValueError:
            # The connection is out of sync: where the next request starts is unknown.
            raise ConnectionError("the body's framing makes no sense") from None

    def _quick_ack(self) -> None:
        """Without this, a client that sends a body in small segments (the Rust crate) waits 40 ms for an acknowledgement."""
        if hasattr(socket, "TCP_QUICKACK"):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _send(self, status: int, data: bytes, content_type: str = "text/plain; charset=UTF-8",
              headers: Mapping[str, str] | None = None) -> None:
        self._send_head(status, content_type, {**(headers or {}), "Content-Length": str(len(data))})
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()

    def _send_head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("X-ClickHouse-Server-Display-Name", _DISPLAY_NAME)
        for name, value in headers.items():
            self.send_header(name, _header_value(value))
        self.end_headers()

    def _send_error(self, failed: EngineError, query_id: str) -> None:
        log.info("query %s: %s", query_id, failed.text[:500])
        engine = self.server.engine
        self._send(failed.http_status, f"{failed.text} (version {engine.version})\n".encode(), headers={
            "X-ClickHouse-Exception-Code": str(failed.code), "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": engine.timezone})

    def _send_result(self, result: Result, query_id: str) -> None:
        """Small results have a length, so that their errors have a status; larger ones are streamed in chunks."""
        headers = {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Format": result.format,
                   "X-ClickHouse-Timezone": self.server.engine.timezone}
        if result.summary:
            headers["X-ClickHouse-Summary"] = json.dumps(result.summary, separators=(",", ":"))
        pieces = iter(result.pieces)
        first, second = next(pieces, b""), next(pieces, None)
        if second is None or self.command == "HEAD":
            return self._send(200, first, result.content_type, headers)
        tag = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
        chunked = self.request_version != "HTTP/1.0"
        headers.update({"X-ClickHouse-Exception-Tag": tag}, **({"Transfer-Encoding": "chunked"} if chunked else {}))
        self.close_connection |= not chunked
        self._send_head(200, result.content_type, headers)
        try:
            for piece in chain((first, second), pieces):
                self._send_piece(piece, chunked)
        except EngineError as failed:
            # The status has already been sent: the error is reported in the way of ClickHouse 25.11 and later, and the last
            # chunk is left out, so that no client treats the response as complete.
            log.info("query %s, while its result was sent: %s", query_id, failed.text[:500])
            self._send_piece(_exception_block(tag, f"{failed.text} (version {self.server.engine.version})\n"), chunked)
            self.close_connection = True
        else:
            self._send_piece(b"", chunked)

    def _send_piece(self, data: bytes, chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        self.wfile.flush()


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as wrong:
        raise error(36, "BAD_ARGUMENTS", f"Invalid address: {wrong}") from None


def _header_value(text: str) -> str:
    """Text from a request as the value of a header: UTF-8, as a server writes it, and on one line."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text).encode("utf-8", "replace").decode("latin-1")


def _exception_block(tag: str, message: str) -> bytes:
    text = message.encode()
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag.encode(), text, len(text), tag.encode())


class _StatementAndData:
    """The statement of a request and its data, whichever way the client sent them."""

    def __init__(self, engine: Engine, parameters: dict[str, str], headers: Mapping[str, str], body: Body):
        self._engine = engine
        self._parameters, self._headers, self._body = parameters, headers, body
        self._made: list[Body] = []

    def __enter__(self) -> tuple[bytes, Body]:
        parameters, headers, body = self._parameters, self._headers, self._body
        codec = CODECS.get(headers.get("Content-Encoding", "").lower())
        if codec is None:
            raise error(89, "UNKNOWN_COMPRESSION_METHOD", f"Unknown Content-Encoding {headers['Content-Encoding']}")
        body.codec = codec
        if parameters.get("compress") == "1":
            raise error(48, "NOT_IMPLEMENTED", "compress=1 is not supported: take results uncompressed "
                        "(the Rust crate clickhouse from 0.15.3 on does; in older ones use Compression::None)")
        if body.size and headers.get("Content-Type", "").startswith("multipart/form-data"):
            parameters.update(_form_fields(body.read(), headers["Content-Type"]))
            body = self._keep(body.derive())
        if parameters.get("decompress") == "1" and body.size:
            body = self._keep(unwrap_native_blocks(body))
        sql = parameters.get("query", "").encode()
        if not sql.strip():
            sql, body = self._engine.decoded(body), self._keep(body.derive())
        if not sql.strip():
            raise error(62, "SYNTAX_ERROR", "Empty query")
        return sql, body

    def __exit__(self, *_: object) -> None:
        for body in self._made:
            body.__exit__()

    def _keep(self, body: Body) -> Body:
        self._made.append(body)
        return body


def _form_fields(data: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    """The fields of a multipart form, in which clients send query parameters that are too long for a URL."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise error(36, "BAD_ARGUMENTS", "multipart/form-data without a boundary")
    for part in data.split(b"--" + boundary.group(1).encode()):
        head, separator, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if separator and name:
            if b"filename=" in head.lower() and name.group(1) != b"query":
                raise error(48, "NOT_IMPLEMENTED", "External data in a form is not supported")
            try:
                yield name.group(1).decode(), (value[:-2] if value.endswith(b"\r\n") else value).decode()
            except UnicodeDecodeError:
                raise error(36, "BAD_ARGUMENTS", "A field of the form is not UTF-8") from None
