"""A real ClickHouse engine for tests, behind its HTTP interface, with the project's schema."""

import base64
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from signal import SIGTERM
from typing import IO, Any

from stack.certificates import Certificates
from stack.process import CHECKOUT, Process, clean_environment, free_ports, wait_until

WRITER, PASSWORD, READER_PASSWORD = "ctr_writer", "a-password-of-the-tests", "another-password-of-the-tests"

# The engine is on this machine: bypass any proxy of the environment.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class QueryError(Exception):
    """ClickHouse's message about a refused statement."""


class Database:
    """One database with the schema, used by no other test."""

    def __init__(self, engine: "Engine", name: str):
        self.engine, self.name = engine, name

    def query(self, sql: str, as_reader: bool = False) -> list[dict[str, Any]]:
        """The rows of a SELECT as dictionaries; 64-bit numbers are numbers."""
        text = self.engine.request(f"{sql} FORMAT JSONEachRow", self.name, as_reader)
        return [json.loads(line) for line in text.splitlines()]

    def execute(self, sql: str) -> None:
        self.engine.request(sql, self.name)

    def windows(self) -> dict[tuple[str, int], tuple[int, int]]:
        """The counts: (product, window start in ms) -> (impressions, clicks)."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for window, counts in self.each_window():
            assert window not in found, "ctr_windows has two rows for one product and window"
            found[window] = counts
        return found

    def each_window(self) -> Iterator[tuple[tuple[str, int], tuple[int, int]]]:
        """The same one by one, unordered: there may be millions."""
        sql = "SELECT product_id, toUnixTimestamp64Milli(window_start), impressions, clicks FROM ctr_windows FORMAT JSONCompactEachRow"
        for line in self.engine.lines(sql, self.name):
            product, start, impressions, clicks = json.loads(line)
            yield (product, start), (impressions, clicks)

    def apply_schema(self, settings: Iterable[tuple[str, str]] = ()) -> None:
        """Applies the schema in the documented way."""
        environment = clean_environment({
            "CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(self.engine.port), "CLICKHOUSE_DB": self.name,
            "CLICKHOUSE_USER": WRITER, "CLICKHOUSE_PASSWORD": PASSWORD,
            # Event times of tests are long ago: rows must not expire.
            "RAW_TTL_DAYS": "0", "HISTORY_TTL_DAYS": "0", **dict(settings),
        })
        script = subprocess.run([str(CHECKOUT / "scripts/init-clickhouse.sh")], env=environment, cwd=CHECKOUT, timeout=120,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert script.returncode == 0, f"init-clickhouse.sh: {script.stdout}{script.stderr}"

    def raw_rows(self) -> list[dict[str, Any]]:
        """The raw rows after merging, without the insertion time, to compare two runs."""
        return self.query("SELECT * EXCEPT (inserted_at) FROM ctr_results_raw FINAL ORDER BY ALL")


class Engine:
    """The engine server of `local/clickhouse_engine` with its data in a folder; can be stopped, killed and restarted."""

    def __init__(self, folder: Path, port: int | None = None, certificates: Certificates | None = None):
        """With certificates it serves only https, which the scripts do not support: create databases without them first."""
        self.folder, self.port = folder, port or free_ports(1)[0]
        self.url = f"https://localhost:{self.port}" if certificates else f"http://127.0.0.1:{self.port}"
        self._opener, options = direct, []
        if certificates:
            options = ["--tls-certificate", str(certificates.certificate), "--tls-key", str(certificates.key)]
            trusting = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=certificates.authority))
            self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)
        command = [sys.executable, "-m", "clickhouse_engine", "--path", str(folder / "data"), "--port", str(self.port), "--writer-user", WRITER, *options]
        environment = clean_environment({"PYTHONPATH": str(CHECKOUT / "local"), "CLICKHOUSE_ENGINE_PASSWORD": PASSWORD,
                                         "CLICKHOUSE_ENGINE_READER_PASSWORD": READER_PASSWORD})
        self.process = Process("clickhouse", command, environment, folder / "clickhouse.log")

    def start(self) -> None:
        self.process.start()

        def answers() -> bool:
            assert self.process.runs(), f"the engine ended:\n{self.process.tail()}"
            try:
                with self._opener.open(f"{self.url}/ping", timeout=1) as response:
                    return response.status == 200
            except OSError:
                return False

        wait_until(answers, 30, "the engine answers /ping")

    def stop(self) -> int:
        """A clean stop; the exit code."""
        return self.process.stop(SIGTERM, 60)

    def kill(self) -> None:
        self.process.kill()

    def suspend(self) -> None:
        self.process.suspend()

    def resume(self) -> None:
        self.process.resume()

    def fresh_database(self, settings: Iterable[tuple[str, str]] = ()) -> Database:
        """Creates a database with the schema, applied in the documented way."""
        name = f"test_{uuid.uuid4().hex[:8]}"
        self.request(f"CREATE DATABASE IF NOT EXISTS {name}", "default")
        database = Database(self, name)
        database.apply_schema(settings)
        return database

    def request(self, sql: str, database: str, as_reader: bool = False, login: tuple[str, str] = (WRITER, PASSWORD)) -> str:
        """The text of a response, or QueryError. A reader is `default` without a password; otherwise `login` is the user."""
        with self._ask(sql, database, None if as_reader else login, timeout=60) as response:
            return response.read().decode()

    def lines(self, sql: str, database: str) -> Iterator[bytes]:
        """The lines of a response that may be too long to hold; the first may take minutes."""
        with self._ask(sql, database, (WRITER, PASSWORD), timeout=600) as response:
            yield from response

    def _ask(self, sql: str, database: str, login: tuple[str, str] | None, timeout: float) -> IO[bytes]:
        query_id = uuid.uuid4().hex
        parameters = {"database": database, "output_format_json_quote_64bit_integers": "0", "query_id": query_id}
        request = urllib.request.Request(f"{self.url}/?{urllib.parse.urlencode(parameters)}", data=sql.encode())
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
        try:
            response = self._opener.open(request, timeout=timeout)
            assert response.headers["X-ClickHouse-Query-Id"] == query_id, f"{self.url} is not the engine"
            return response
        except urllib.error.HTTPError as error:
            raise QueryError(error.read().decode(errors="replace").strip()) from None
