"""The peers: the same work done by a Flink job and by a Kafka Streams application (bench/peers), measured as the pipeline is."""

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filled_log import FilledLog
from measure import Usage, cpu_seconds, has_ended, peak_rss_bytes
from stack import Kafka, Process
from stack.process import TARGET, clean_environment

PATIENCE_SECONDS = 900
"""How long one reading may take."""

LOOK_EVERY_SECONDS = 0.005

KINDS = ("fresh", "warm")
"""The readings of one process: the first one with its start, the second one with what Java has compiled by then."""


@dataclass(frozen=True)
class Program:
    """A program of bench/peers."""

    name: str
    module: str
    main_class: str
    java_options: Sequence[str]


HEAP = ("-Xms1g", "-Xmx1g")

FLINK = Program("Flink", "flink", "ctr.peers.flink.FlinkPeer",
                # Those of the options that Flink itself starts Java 17 with that matter here.
                (*HEAP, "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED"))
KAFKA_STREAMS = Program("Kafka Streams", "kafka-streams", "ctr.peers.streams.StreamsPeer", HEAP)


class PeerReader:
    """One process that reads the whole log twice: a usage for each reading."""

    def __init__(self, program: Program, kafka: Kafka, folder: Path, parallelism: int):
        self._program, self._kafka, self._folder, self._parallelism = program, kafka, folder, parallelism

    def read(self, log: FilledLog) -> list[Usage]:
        """Measured to each line in which the program says that all rows are in its table; then they are compared with the truth."""
        process = self._process(log)
        usages: list[Usage] = []
        begun, used = time.time(), 0.0
        process.start()
        try:
            for kind in KINDS:
                peak = wait_for_reading(process, len(usages) + 1)
                ended, total = time.time(), cpu_seconds(process.pid)
                said = readings(process)[len(usages)]
                assert_right(f"{self._program.name}, {kind}", log, rows(Path(said["rows"])))
                usages.append(Usage(f"{self._program.name}, {kind}", log.records, ended - begun, total - used, peak,
                                    said["firstRowAt"] / 1000 - begun))
                begun, used = ended, total
            assert process.wait(60) == 0, f"{self._program.name} failed:\n{process.tail()}"
        finally:
            process.kill()
        return usages

    def _process(self, log: FilledLog) -> Process:
        folder = self._folder / f"{self._program.module}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
        command = [java, *self._program.java_options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                   "-cp", classpath(self._program.module), self._program.main_class]
        environment = clean_environment({
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers, "IMPRESSION_TOPIC": log.topics.impressions,
            "CLICK_TOPIC": log.topics.clicks, "RECORDS": str(log.records), "PARALLELISM": str(self._parallelism),
            "FOLDER": str(folder), "READINGS": str(len(KINDS)),
        })
        return Process(self._program.name, command, environment, folder / "console.log")


def classpath(module: str) -> str:
    """As bench/peers/build.sh left it."""
    built = TARGET / "peers" / module
    return f"{built / 'classes'}:{(built / 'classpath').read_text().strip()}"


def version_of(module: str, jar: str) -> str:
    """The version in the name of a jar that the program runs with."""
    names = (Path(entry).stem for entry in classpath(module).split(":"))
    return next(name.removeprefix(f"{jar}-") for name in names if name.startswith(f"{jar}-"))


def readings(process: Process) -> list[dict[str, Any]]:
    """What the program has said so far: a line for each reading that is done."""
    return [json.loads(line) for line in process.log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")]


def wait_for_reading(process: Process, number: int) -> int:
    """Until that many readings are done; the peak of resident memory so far, bytes."""
    deadline, peak = time.monotonic() + PATIENCE_SECONDS, 0
    while True:
        ended = has_ended(process.pid)
        peak = max(peak, peak_rss_bytes(process.pid))
        if len(readings(process)) >= number:
            return peak
        assert not ended, f"{process.name} ended:\n{process.tail()}"
        assert time.monotonic() < deadline, f"{process.name} does not end:\n{process.tail()}"
        time.sleep(LOOK_EVERY_SECONDS)


def rows(file: Path) -> dict[tuple[str, int], tuple[int, int]]:
    """(product, window start in ms) -> (impressions, clicks), of a file of ResultTable.java."""
    found = {}
    for line in file.read_text().splitlines():
        product, start, impressions, clicks = line.split("\t")
        found[product, int(start)] = (int(impressions), int(clicks))
    return found


def assert_right(name: str, log: FilledLog, counted: dict[tuple[str, int], tuple[int, int]]) -> None:
    """Every product and window of the log as the truth says. The windows of the closing events need not be there."""
    expected = log.windows_of_the_span
    found = {key: counts for key, counts in counted.items() if key[1] < log.shape.end_ms}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    shown = "\n".join(f"  {key}: must be {expected.get(key)}, is {found.get(key)}" for key in wrong[:20])
    assert not wrong, f"{name}: {len(wrong)} of {len(expected)} windows differ:\n{shown}"
