"""The peers (bench/peers), measured like the pipeline: two Flink jobs, a Kafka Streams application and ClickHouse's Kafka engine do
the same work.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filled_log import FilledLog
from ground import Ground
from measure import Usage, cpu_seconds, has_ended, peak_rss_bytes
from readers import first_insert
from stack import Database, Process
from stack.engine import PASSWORD, WRITER
from stack.process import CHECKOUT, TARGET, clean_environment

PATIENCE_SECONDS = 900
"""How long one reading may take."""

LOOK_EVERY_SECONDS = 0.005

Windows = dict[tuple[str, int], tuple[int, int]]
"""(product, window start in ms) -> (impressions, clicks)."""

KINDS = ("fresh", "warm")
"""The readings of one process: the first one with its start, the second one with what is compiled and cached by then."""


@dataclass(frozen=True)
class JavaProgram:
    """A program of bench/peers in Java."""

    name: str
    module: str
    main_class: str
    options: Sequence[str]

    def command(self) -> list[str]:
        java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
        return [java, *self.options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath(self.module), self.main_class]


@dataclass(frozen=True)
class PythonProgram:
    """A program of bench/peers in Python, in the environment of the tests."""

    name: str
    module: str
    script: Path

    def command(self) -> list[str]:
        return [sys.executable, str(self.script)]


Program = JavaProgram | PythonProgram

HEAP = ("-Xms1g", "-Xmx1g")

# The relevant ones of Flink's own options for Java 17.
FLINK_JAVA = (*HEAP, "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED")

FLINK_TUNED = JavaProgram("Flink, tuned", "flink", "ctr.peers.flink.TunedJob", FLINK_JAVA)
FLINK_ORIGINAL = JavaProgram("Flink, as the original", "flink", "ctr.peers.flink.OriginalJob", FLINK_JAVA)
KAFKA_STREAMS = JavaProgram("Kafka Streams", "kafka-streams", "ctr.peers.streams.StreamsPeer", HEAP)
CLICKHOUSE = PythonProgram("ClickHouse's Kafka engine", "clickhouse", CHECKOUT / "bench/peers/clickhouse/kafka_engine.py")


class PeerReader:
    """One process that reads the whole log twice; returns the usage of each reading."""

    def __init__(self, program: Program, ground: Ground, parallelism: int):
        self._program, self._ground, self._parallelism = program, ground, parallelism

    def read(self, log: FilledLog) -> list[Usage]:
        """Measures up to each log line that reports that all rows are in the table; then compares them with the truth."""
        process = self._process(log)
        usages: list[Usage] = []
        begun, used = time.time(), 0.0
        process.start()
        try:
            for kind in KINDS:
                peak = wait_for_reading(process, len(usages) + 1)
                ended, total = time.time(), cpu_seconds(process.pid)
                counted, first_row_at = self._result(readings(process)[len(usages)], len(usages))
                name = f"{self._program.name}, {kind}"
                assert_right(name, log, counted)
                usages.append(Usage(name, log.records, ended - begun, total - used, peak, first_row_at - begun))
                begun, used = ended, total
            assert process.wait(60) == 0, f"{self._program.name} failed:\n{process.tail()}"
        finally:
            process.kill()
        return usages

    def _result(self, said: dict[str, Any], reading: int) -> tuple[Windows, float]:
        """The counts of a reading (0, 1 ..), and the time of its first row in epoch seconds."""
        return rows(Path(said["rows"])), said["firstRowAt"] / 1000

    def _settings(self) -> dict[str, str]:
        """Further arguments of the program."""
        return {}

    def _process(self, log: FilledLog) -> Process:
        folder = self._ground.folder / f"{self._program.module}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        environment = clean_environment({
            "KAFKA_BOOTSTRAP_SERVERS": self._ground.kafka.bootstrap_servers, "IMPRESSION_TOPIC": log.topics.impressions,
            "CLICK_TOPIC": log.topics.clicks, "DLQ_TOPIC": log.topics.dead_letters, "RECORDS": str(log.records),
            "PARALLELISM": str(self._parallelism), "FOLDER": str(folder), "READINGS": str(len(KINDS)), **self._settings(),
        })
        return Process(self._program.name, self._program.command(), environment, folder / "console.log")


class DatabasePeerReader(PeerReader):
    """A peer that writes its rows to ClickHouse, to a separate database for each reading."""

    def __init__(self, program: Program, ground: Ground, parallelism: int):
        super().__init__(program, ground, parallelism)
        self._databases: list[Database] = []

    def read(self, log: FilledLog) -> list[Usage]:
        self._databases = [self._ground.engine.fresh_database() for _ in KINDS]
        try:
            return super().read(log)
        finally:
            for database in self._databases:
                database.execute(f"DROP DATABASE {database.name}")

    def _result(self, said: dict[str, Any], reading: int) -> tuple[Windows, float]:
        database = self._databases[reading]
        return database.windows(), first_insert(database)

    def _settings(self) -> dict[str, str]:
        # The benchmark's engine does not compress responses.
        urls = (f"jdbc:ch://127.0.0.1:{self._ground.engine.port}/{database.name}?compress=0" for database in self._databases)
        return {"JDBC_URLS": " ".join(urls), "CLICKHOUSE_USER": WRITER, "CLICKHOUSE_PASSWORD": PASSWORD}


def all_peers(ground: Ground, parallelism: int) -> list[PeerReader]:
    return [
        PeerReader(FLINK_TUNED, ground, parallelism),
        DatabasePeerReader(FLINK_ORIGINAL, ground, parallelism),
        PeerReader(KAFKA_STREAMS, ground, parallelism),
        PeerReader(CLICKHOUSE, ground, parallelism),
    ]


def classpath(module: str) -> str:
    """As built by bench/peers/build.sh."""
    built = TARGET / "peers" / module
    return f"{built / 'classes'}:{(built / 'classpath').read_text().strip()}"


def version_of(module: str, jar: str) -> str:
    """The version in the file name of one of the program's jars."""
    names = (Path(entry).stem for entry in classpath(module).split(":"))
    return next(name.removeprefix(f"{jar}-") for name in names if name.startswith(f"{jar}-"))


def readings(process: Process) -> list[dict[str, Any]]:
    """The program's output so far: a line for each completed reading."""
    return [json.loads(line) for line in process.log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")]


def wait_for_reading(process: Process, number: int) -> int:
    """Waits until that many readings are done; returns the peak resident memory so far in bytes."""
    deadline, peak = time.monotonic() + PATIENCE_SECONDS, 0
    while True:
        ended = has_ended(process.pid)
        peak = max(peak, peak_rss_bytes(process.pid))
        if len(readings(process)) >= number:
            return peak
        assert not ended, f"{process.name} ended:\n{process.tail()}"
        assert time.monotonic() < deadline, f"{process.name} does not end:\n{process.tail()}"
        time.sleep(LOOK_EVERY_SECONDS)


def rows(file: Path) -> Windows:
    """The rows in a file of ResultTable.java."""
    found = {}
    for line in file.read_text().splitlines():
        product, start, impressions, clicks = line.split("\t")
        found[product, int(start)] = (int(impressions), int(clicks))
    return found


def assert_right(name: str, log: FilledLog, counted: Windows) -> None:
    """Checks every product and window of the log against the truth. The windows of the closing events may be missing."""
    expected = log.windows_of_the_span
    found = {key: counts for key, counts in counted.items() if key[1] < log.shape.end_ms}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    shown = "\n".join(f"  {key}: must be {expected.get(key)}, is {found.get(key)}" for key in wrong[:20])
    assert not wrong, f"{name}: {len(wrong)} of {len(expected)} windows differ:\n{shown}"
