"""An engine server for tests: a process of its own on a free port."""

import base64
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0


class QueryFailed(Exception):
    """What the server answered instead of a result."""

    def __init__(self, status: int, code: str | None, text: str):
        super().__init__(text)
        self.status, self.code, self.text = status, int(code) if code else None, text


class EngineProcess:
    """`python -m clickhouse_engine` on a directory. Start it, and stop or kill it; it can be started again."""

    def __init__(self, directory: Path, *options: str, password: str | None = None, user: str = "default",
                 reader_password: str | None = None):
        self.directory, self.options, self.password, self.user, self.reader_password = directory, options, password, user, reader_password
        self.log_file = directory.parent / f"{directory.name}.log"
        self.process: subprocess.Popen | None = None
        self.port = 0

    def spawn(self) -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": str(_PACKAGE_PARENT)}
        environment.pop("CLICKHOUSE_ENGINE_PASSWORD", None)
        if self.password is not None:
            environment["CLICKHOUSE_ENGINE_PASSWORD"] = self.password
        if self.reader_password is not None:
            environment["CLICKHOUSE_ENGINE_READER_PASSWORD"] = self.reader_password
        command = [sys.executable, "-m", "clickhouse_engine", "--path", str(self.directory), "--port", str(self.port), *self.options]
        with open(self.log_file, "ab") as log:
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self) -> "EngineProcess":
        already = self.log().count("listens on http")
        self.process = self.spawn()
        deadline = time.monotonic() + _START_SECONDS
        while self.log().count("listens on http") == already:
            assert self.process.poll() is None, f"the engine ended with {self.process.returncode}:\n{self.log()}"
            assert time.monotonic() < deadline, f"the engine did not start:\n{self.log()}"
            time.sleep(0.02)
        self.port = int(re.findall(r"listens on http://[^ ]*:(\d+)/", self.log())[-1])
        return self

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60.0) -> int:
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.terminate()
        return self.wait()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def connect(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def credentials(self) -> dict[str, str]:
        if self.password is None or self.user == "default":
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()}

    def raw(self, sql: str, data: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST", **parameters: str):
        """One request: the statement in the body, or in the URL if there is data. The response, read, and its body."""
        if data or method == "GET":
            parameters["query"] = sql
        connection = self.connect()
        try:
            body = None if method == "GET" else data or sql.encode()
            connection.request(method, "/?" + urlencode(parameters), body, {**self.credentials(), **(headers or {})})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def query_bytes(self, sql: str, data: bytes = b"", **parameters: str) -> bytes:
        response, body = self.raw(sql, data, **parameters)
        if response.status != 200:
            raise QueryFailed(response.status, response.getheader("X-ClickHouse-Exception-Code"), body.decode())
        return body

    def query(self, sql: str, data: bytes = b"", **parameters: str) -> str:
        """The result as text, without its last end of line."""
        return self.query_bytes(sql, data, **parameters).decode().rstrip("\n")

    def rows(self, sql: str, **parameters: str) -> list[list[str]]:
        text = self.query(sql, **parameters)
        return [line.split("\t") for line in text.split("\n")] if text else []

    def memory_kb(self, field: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1))

    def blocked_signals(self) -> dict[int, set[int]]:
        """What each thread blocks, by its id."""
        blocked = {}
        for status in Path(f"/proc/{self.process.pid}/task").glob("*/status"):
            try:
                mask = int(re.search(r"SigBlk:\s+(\w+)", status.read_text()).group(1), 16)
            except OSError:
                continue  # the thread has ended
            blocked[int(status.parent.name)] = {number for number in range(1, 65) if mask >> (number - 1) & 1}
        return blocked
