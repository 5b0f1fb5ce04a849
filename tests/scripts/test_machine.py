"""What setup.sh finds out before it changes anything: programs that are missing or too old, ports that are taken."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.shell import functions, path_with_only, script, stand_in
from stack import free_ports

# What the scripts themselves use, without anything that is checked for.
PLAIN = ["bash", "awk", "sed", "cut", "tr", "cat", "mkdir", "dirname", "date",
         "head", "tail", "grep", "uname", "env", "rm", "mv", "cksum", "xargs", "sort"]
CHECKED = ["C and C++ compiler", "make", "OpenSSL", "curl", "ps", "cargo", "Python 3.10", "Java 17", "Maven"]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"LOCAL_DIR": str(tmp_path / "local"), "PATH": path_with_only(tmp_path / "bin", PLAIN)}


def test_everything_that_is_missing_is_named_at_once_with_its_command(tmp_path: Path, settings: dict[str, str]) -> None:
    stand_in(tmp_path / "bin", "id", "echo 1000")
    result = script("setup.sh", "--local", settings=settings)
    assert result.returncode == 1
    for name in CHECKED:
        assert name in result.stdout, result.stdout
    assert result.stdout.count("apt-get install") == len(CHECKED) - 1 and "rustup" in result.stdout
    assert not (tmp_path / "local/venv").exists(), "nothing is made before all is there"


def test_what_is_too_old_counts_as_missing(tmp_path: Path, settings: dict[str, str]) -> None:
    stand_in(tmp_path / "bin", "id", "echo 1000")
    for name in ("cc", "c++", "make", "pkg-config", "curl", "ps", "mvn"):
        stand_in(tmp_path / "bin", name, "")
    stand_in(tmp_path / "bin", "cargo", "echo cargo 1.63.0")
    stand_in(tmp_path / "bin", "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    stand_in(tmp_path / "bin", "python3", "exit 1")
    result = script("setup.sh", "--local", settings=settings)
    assert result.returncode == 1
    named = [name for name in CHECKED if f"  {name}" in result.stdout]
    assert named == ["cargo", "Python 3.10", "Java 17"], result.stdout


@pytest.mark.parametrize(("version", "accepted"), [("17.0.15", True), ("21", True), ("21.0.1", True), ("1.8.0_402", False), ("16.0.2", False)])
def test_java_versions(tmp_path: Path, settings: dict[str, str], version: str, accepted: bool) -> None:
    stand_in(tmp_path / "bin", "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")
    assert (functions("has_java", settings).returncode == 0) == accepted


def test_root_with_apt_installs_what_is_missing(tmp_path: Path, settings: dict[str, str]) -> None:
    stand_in(tmp_path / "bin", "id", "echo 0")
    stand_in(tmp_path / "bin", "apt-cache", "exit 0")
    calls = tmp_path / "calls"
    stand_in(tmp_path / "bin", "apt-get", f'echo "$@" >>{calls}; [ "$1" = update ] || printf "#!/bin/bash\\n" >{tmp_path}/bin/make')
    os.chmod(tmp_path / "bin/apt-get", 0o755)
    result = functions(f"mkdir -p $LOCAL_DIR/logs/setup; require_prerequisites \"$(grep ^make <<<\"$PREREQUISITES_BUILD\")\"; chmod +x {tmp_path}/bin/make",
                       settings)
    assert calls.read_text().splitlines() == ["update -q", "install -q -y --no-install-recommends make"]
    assert "installed by apt" in result.stdout


# --- ports ---

@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def free_settings(tmp_path: Path) -> dict[str, str]:
    names = ["KAFKA1_PORT", "KAFKA2_PORT", "KAFKA3_PORT", "KAFKA_CONTROLLER1_PORT", "KAFKA_CONTROLLER2_PORT", "KAFKA_CONTROLLER3_PORT",
             "CLICKHOUSE_PORT", "PIPELINE_PORT", "SUPERSET_PORT"]
    return {"LOCAL_DIR": str(tmp_path), **{name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}}


@pytest.mark.skipif(not any(map(shutil.which, ("ss", "lsof"))), reason="neither ss nor lsof is installed: nothing here can tell who holds a port")
def test_a_taken_port_is_named_with_its_setting_and_its_holder(free_settings: dict[str, str], listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    result = script("setup.sh", "--local", settings={**free_settings, "CLICKHOUSE_PORT": str(port)})
    assert result.returncode == 1
    assert f"port {port} (CLICKHOUSE_PORT) is taken by" in result.stdout
    assert str(os.getpid()) in result.stdout, "the process that holds it"
    assert "./scripts/down.sh" in result.stdout and ".env" in result.stdout


def test_ports_that_cannot_work_are_all_named(free_settings: dict[str, str]) -> None:
    wrong = {"KAFKA1_PORT": "70000", "KAFKA2_PORT": "eight", "PIPELINE_PORT": free_settings["CLICKHOUSE_PORT"]}
    result = script("setup.sh", "--local", settings={**free_settings, **wrong})
    assert result.returncode == 1
    assert "KAFKA1_PORT=70000 is not a port" in result.stdout
    assert "KAFKA2_PORT=eight is not a port" in result.stdout
    assert f"PIPELINE_PORT={free_settings['CLICKHOUSE_PORT']} is given to another service too" in result.stdout


def test_free_ports_pass(free_settings: dict[str, str]) -> None:
    assert functions("check_machine", free_settings).returncode == 0
