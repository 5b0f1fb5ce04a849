"""A proxy between the pipeline and ClickHouse that can simulate failures of the network and the server."""

import http.client
import socket
import threading
import time
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Headers that apply to one connection and are not forwarded.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Mood(Enum):
    """The outcome of an insert."""

    PASS = "passed on"
    SLOW = "answered slowly"
    REFUSE = "answered 500, rows not taken"
    LIE = "answered 500, rows taken"
    CUT = "cut in the middle of the insert"
    LOSE = "taken, and cut before the answer"
    STRANGER = "answered 200 by something that is not ClickHouse, rows not taken"


class FlakyProxy:
    """Listens on a free port of 127.0.0.1 until it is closed."""

    def __init__(self, upstream_port: int):
        self.upstream = ("127.0.0.1", upstream_port)
        self.mood = Mood.PASS
        self.delay = 0.0
        # A header that is not forwarded.
        self.without: str | None = None
        self.spoiled = {mood: 0 for mood in Mood if mood is not Mood.PASS}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (ProxyHandler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class ProxyHandler(BaseHTTPRequestHandler):
    """One connection of the pipeline."""

    proxy: FlakyProxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True  # the pipeline was killed between two requests, or in the middle of one

    def do_POST(self) -> None:
        body = self._body()
        mood = self.proxy.mood
        if mood is not Mood.PASS:
            self.proxy.spoiled[mood] += 1
        match mood:
            case Mood.SLOW:
                time.sleep(self.proxy.delay)
                self._answer(*self._ask(body))
            case Mood.REFUSE:
                self._answer(500, {}, b"Code: 241. DB::Exception: refused by the chaos run")
            case Mood.LIE:
                self._ask(body)
                self._answer(500, {}, b"Code: 209. DB::Exception: answer replaced by the chaos run")
            case Mood.CUT:
                self._begin_and_cut(body)
                self._hang_up()
            case Mood.STRANGER:
                self._answer(200, {"Server": "a-proxy"}, b"")
            case Mood.LOSE:
                self._ask(body)
                self._hang_up()
            case Mood.PASS:
                self._answer(*self._ask(body))

    do_GET = do_POST

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _headers(self) -> dict[str, str]:
        dropped = HOP_BY_HOP | {(self.proxy.without or "").lower()}
        return {name: value for name, value in self.headers.items() if name.lower() not in dropped}

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The server's response; 502 if there is none."""
        connection = http.client.HTTPConnection(*self.proxy.upstream, timeout=60)
        try:
            connection.request(self.command, self.path, body, self._headers())
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, {}, f"no answer from the engine: {error}".encode()
        finally:
            connection.close()

    def _begin_and_cut(self, body: bytes) -> None:
        """Sends half of the body and closes the connection, like a process that dies midway."""
        half = body[: len(body) // 2]
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._headers().items())
        try:
            with socket.create_connection(self.proxy.upstream, timeout=5) as upstream:
                upstream.sendall(f"{self.command} {self.path} HTTP/1.1\r\nHost: engine\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode())
                upstream.sendall(half)
        except OSError:
            pass  # the engine is down too: close it anyway

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the pipeline was killed meanwhile

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it closed the connection first

    def log_message(self, *_: object) -> None:
        """No line per insert: it would not be useful."""
