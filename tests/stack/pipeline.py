"""The release build of the pipeline, with settings for a test."""

import json
import urllib.error
import uuid
from collections.abc import Mapping
from pathlib import Path
from signal import SIGQUIT, SIGTERM, Signals
from typing import Any

from stack.engine import PASSWORD, WRITER, Database, direct
from stack.kafka import Kafka, Topics
from stack.process import BINARIES, CHECKOUT, Process, clean_environment, free_ports, wait_until

# Shorter than the defaults for what a test would wait for: idle streams, commits, restarts.
QUICK = {
    "ctr.job.checkpoint-interval": "1000", "ctr.job.checkpoint-min-pause": "100", "ctr.job.idle-timeout-ms": "1000",
    "ctr.job.restart-delay-ms": "500", "clickhouse.backoff-max-ms": "1000",
    # Ten minutes of simulated event time are sent within a second, so one topic is easily a minute of event time behind the
    # other while it is at its end: by default its windows would rightly close early, and its events become dead letters.
    "ctr.job.idle-hold-ms": "3600000",
}

# The threads for monitoring: the page, REST and metrics; and the watch over the end offsets.
STATUS_THREADS = ("status", "cluster-watch")


def variable(key: str) -> str:
    """The environment variable of a settings key."""
    return key.upper().replace(".", "_").replace("-", "_")


class Pipeline:
    """One instance. It can be stopped or killed and restarted: it continues from its commits."""

    count = 0

    def __init__(self, kafka: Kafka, topics: Topics, database: Database, folder: Path, settings: Mapping[str, object] | None = None,
                 config: Path | None = None, binary: Path = BINARIES / "ctr-pipeline"):
        Pipeline.count += 1
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings: dict[str, str] = {
            "kafka.bootstrap-servers": kafka.bootstrap_servers, "kafka.topics.impression": topics.impressions,
            "kafka.topics.click": topics.clicks, "kafka.dlq-topic": topics.dead_letters, "kafka.group-id": topics.group,
            "clickhouse.url": database.engine.url, "clickhouse.database": database.name,
            "clickhouse.user": WRITER, "clickhouse.password": PASSWORD,
            "ctr.job.instance-id": f"test-{Pipeline.count}", "status.port": str(self.port),
            "logging.directory": str(folder / f"pipeline-{Pipeline.count}"), "logging.level": "info",
            **QUICK, **{key: str(value) for key, value in (settings or {}).items()},
        }
        self._binary = binary
        self._config = config or CHECKOUT / "config" / "application.yml"
        self.process = Process("ctr-pipeline", self._command("run"), self._environment(), folder / f"ctr-pipeline-{Pipeline.count}.log")
        self._folder = folder

    def _command(self, verb: str, *words: str) -> list[str]:
        return [str(self._binary), verb, "--config", str(self._config), *words]

    def _environment(self) -> dict[str, str]:
        return clean_environment({variable(key): value for key, value in self.settings.items()})

    def start(self, environment: Mapping[str, str] | None = None) -> "Pipeline":
        self.process.start(environment)
        return self

    def start_ready(self, seconds: float = 60) -> "Pipeline":
        self.start()
        self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds: float = 60) -> None:
        def ready() -> bool:
            assert self.process.runs(), f"the pipeline ended:\n{self.process.tail()}"
            return self.status_code("/readyz") == 200

        wait_until(ready, seconds, "the pipeline is ready")

    def check(self) -> tuple[int, str]:
        """`ctr-pipeline check` with the same settings: exit code and output."""
        return self.ask("check")

    def probe(self) -> tuple[int, str]:
        """`ctr-pipeline probe` with the same settings: exit code and output."""
        return self.ask("probe")

    def ask(self, verb: str, *words: str, seconds: float = 60) -> tuple[int, str]:
        """Any other command with the same settings: exit code and output."""
        process = self.command(verb, *words)
        process.start()
        return process.wait(seconds), process.log.read_text(errors="replace")

    def command(self, verb: str, *words: str) -> Process:
        """Any other command with the same settings, not started."""
        log = self._folder / f"{verb}-{uuid.uuid4().hex[:8]}.log"
        return Process(f"ctr-pipeline {verb}", self._command(verb, *words), self._environment(), log)

    def stop(self, number: Signals = SIGTERM, seconds: float = 30) -> int:
        """A clean stop that keeps the group membership; returns the exit code."""
        return self.process.stop(number, seconds)

    def leave(self) -> int:
        """A clean stop that leaves the group."""
        return self.stop(SIGQUIT)

    def kill(self) -> None:
        self.process.kill()

    def status_code(self, path: str) -> int:
        """The HTTP status of a page, 0 if there is no response."""
        try:
            with direct.open(f"{self.url}{path}", timeout=2) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def status_cpu_seconds(self) -> float:
        """CPU time used for monitoring so far."""
        spent = self.process.cpu_seconds_by_thread()
        return sum(spent.get(name, 0.0) for name in STATUS_THREADS)

    def get(self, path: str) -> str:
        with direct.open(f"{self.url}{path}", timeout=5) as response:
            return response.read().decode()

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def records_accounted(self) -> int:
        """Records that are a count or a letter, by the ledger, each once: a group that forms may hand partitions over before anything is
        committed, and they are read again."""
        ledger = self.get_json("/api/v1/status")["ledger"]
        assert ledger["difference"] == 0
        return ledger["consumed"] - ledger["replayed"]
