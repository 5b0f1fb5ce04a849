"""The real supervisor with the real brokers and engine: nothing survives down.sh, whatever happened before."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.shell import functions, script
from stack import free_ports, wait_until
from stack.process import LOCAL_DIR
from stack.sockets import listening

PORTS = ["KAFKA1_PORT", "KAFKA2_PORT", "KAFKA3_PORT", "KAFKA_CONTROLLER1_PORT", "KAFKA_CONTROLLER2_PORT", "KAFKA_CONTROLLER3_PORT",
         "CLICKHOUSE_PORT", "PIPELINE_PORT", "SUPERSET_PORT"]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A folder too deep for a socket, with the jars and the Python environment that are there already."""
    folder = tmp_path / "a-folder-with-a-name-that-is-longer-than-most-people-would-like-it-to-be" / "local"
    (folder / "kafka").mkdir(parents=True)
    (folder / "venv").symlink_to(LOCAL_DIR / "venv")
    (folder / "kafka/lib").symlink_to(LOCAL_DIR / "kafka/lib")
    runtime = tmp_path / "r"
    runtime.mkdir()
    settings = {"LOCAL_DIR": str(folder), "ENV_FILE": str(tmp_path / ".env"), "XDG_RUNTIME_DIR": str(runtime),
                **{name: str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}}
    yield settings
    script("down.sh", "--local", "--volumes", settings=settings, seconds=180)


def processes_of(folder: str) -> list[int]:
    """Processes that name the folder in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if folder.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def start(settings: dict[str, str]) -> None:
    started = functions("ensure_secrets; start_infrastructure; create_topics", settings)
    assert started.returncode == 0, started.stdout
    assert "impressions: created, 6 partitions" in started.stdout


def test_topics_are_made_once_and_then_kept_to_the_settings(settings: dict[str, str]) -> None:
    start(settings)
    again = script("create-topics.sh", "--local", settings={**settings, "TOPIC_PARTITIONS": "8", "TOPIC_RETENTION_MS": "3600000"})
    assert again.returncode == 0, again.stdout
    assert "clicks: exists, set to 8 partitions" in again.stdout and "kept 3600000 ms" in again.stdout
    fewer = script("create-topics.sh", "--local", settings=settings)
    assert fewer.returncode == 1
    assert "cannot remove partitions" in fewer.stdout

    # What runs holds its own ports: that is no fault.
    assert functions("check_machine", settings).returncode == 0
    moved = functions("check_machine", {**settings, "CLICKHOUSE_PORT": str(free_ports(1)[0])})
    assert moved.returncode == 1 and "CLICKHOUSE_PORT" in moved.stdout and "down.sh" in moved.stdout

    assert {address for address, _ in listening(processes_of(settings["LOCAL_DIR"]))} == {"127.0.0.1"}, "the supervisor and all that it runs"

    password = dict(line.split("=", 1) for line in Path(settings["ENV_FILE"]).read_text().splitlines())["CLICKHOUSE_PASSWORD"]
    status = script("status.sh", "--local", settings=settings)
    assert status.returncode == 1, "no pipeline and no producers: not healthy"
    assert "3 of 3 respond" in status.stdout
    assert password not in status.stdout + again.stdout + moved.stdout

    assert functions("apply_schema", settings).returncode == 0
    verified = script("ctr-verify.sh", "--local", "reconcile", settings=settings)
    assert verified.returncode == 0 and "equal: every row and every dead letter is what the log says" in verified.stdout, verified.stdout

    down = script("down.sh", "--local", settings=settings, seconds=180)
    assert down.returncode == 0, down.stdout
    assert processes_of(settings["LOCAL_DIR"]) == []


def test_down_ends_what_a_killed_supervisor_left(settings: dict[str, str]) -> None:
    start(settings)
    supervisor = int((Path(settings["LOCAL_DIR"]) / "run/supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: supervisor not in processes_of(settings["LOCAL_DIR"]), 10, "the supervisor is gone")
    assert len(processes_of(settings["LOCAL_DIR"])) >= 4, "three brokers and the engine live on"
    down = script("down.sh", "--local", "--volumes", settings=settings, seconds=180)
    assert down.returncode == 0, down.stdout
    assert processes_of(settings["LOCAL_DIR"]) == []
    assert not (Path(settings["LOCAL_DIR"]) / "kafka/data").exists()
