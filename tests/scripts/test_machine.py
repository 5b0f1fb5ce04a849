"""What setup.sh finds out before it changes anything: programs that are missing or too old, ports that are taken."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.shell import SCRIPTS, functions, path_with_only, run, script, stand_in
from stack import free_ports
from stack.process import CHECKOUT

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
    assert "installing with apt" in result.stdout


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
    assert f"PIPELINE_PORT={free_settings['CLICKHOUSE_PORT']} is also used by another service" in result.stdout


def test_free_ports_pass(free_settings: dict[str, str]) -> None:
    assert functions("check_machine", free_settings).returncode == 0


# --- paths, disk, memory, an old .env ---

@pytest.mark.parametrize("folder", ["my projects", "100%", "a;b", "it's", "what?", "a:b", "$HOME"])
def test_a_path_that_some_tool_does_not_take_is_refused_by_name(tmp_path: Path, folder: str) -> None:
    local = tmp_path / folder / "local"
    result = script("setup.sh", "--local", settings={"LOCAL_DIR": str(local), "PATH": os.environ["PATH"]})
    assert result.returncode == 2, result.stdout
    assert "the path of LOCAL_DIR" in result.stdout, result.stdout
    named = result.stdout.partition('contains the character "')[2][0]
    assert named in folder and not named.isalnum()
    assert not local.exists(), "nothing is made"


def test_a_checkout_with_a_space_is_refused_by_name(tmp_path: Path) -> None:
    checkout = tmp_path / "my projects"
    checkout.mkdir()
    for part in ("scripts", "Cargo.toml", "docs", "local"):
        (checkout / part).symlink_to(CHECKOUT / part)
    result = run([str(checkout / "scripts/setup.sh"), "--local"], {"LOCAL_DIR": str(tmp_path / "local")})
    assert result.returncode == 2 and "the path of this checkout" in result.stdout and '" "' in result.stdout, result.stdout
    result = run([str(checkout / "scripts/test.sh"), "--unit"], {"LOCAL_DIR": str(tmp_path / "local")})
    assert result.returncode == 2 and "the path of this checkout" in result.stdout, result.stdout


def test_an_ordinary_path_is_taken(tmp_path: Path) -> None:
    assert functions("check_folders", {"LOCAL_DIR": str(tmp_path / "a-b_c.d+e@f,g=h/größe")}).returncode == 0


def test_too_little_disk_or_memory_is_said_with_the_way_out(free_settings: dict[str, str]) -> None:
    disk = functions("free_disk_mb() { echo 12; }; check_machine", free_settings)
    assert disk.returncode == 1 and "too little disk" in disk.stdout and "12 MB free" in disk.stdout and "LOCAL_DIR" in disk.stdout
    memory = functions("free_memory_mb() { echo 900; }; check_machine", free_settings)
    assert memory.returncode == 1 and "too little memory" in memory.stdout and "900 MB are available" in memory.stdout
    assert "--no-superset" in memory.stdout
    unknown = functions("free_memory_mb() { :; }; check_machine", free_settings)
    assert unknown.returncode == 0, "a system that does not say is not refused"


def test_without_a_network_nothing_is_built(tmp_path: Path, free_settings: dict[str, str]) -> None:
    stand_in(tmp_path / "bin", "cargo", f'[ "$1" != --version ] || {{ echo cargo 1.999.0; exit 0; }}; echo "$1" >>{tmp_path}/calls; '
                                        '[ "$1" = fetch ] && { echo "Could not resolve host" >&2; exit 101; }')
    result = script("setup.sh", "--local", settings={**free_settings, "ENV_FILE": str(tmp_path / ".env"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    assert result.returncode == 1, result.stdout
    assert "Check the network" in result.stdout and "Could not resolve host" in result.stdout and "proxy" in result.stdout
    assert set((tmp_path / "calls").read_text().split()) == {"fetch"}, "no build"


def test_a_name_in_env_that_nothing_reads_is_told(tmp_path: Path, free_settings: dict[str, str]) -> None:
    (tmp_path / ".env").write_text("FLINK_PORT=8081\nKAFKA1_PRT=1\nCTR_JOB_PARALLELISM=2\nCLICKHOUSE_READER_PASSWORD=x\n# OLD=1\nPARALLELISM=2\n")
    result = functions("warn_of_unknown_settings", {**free_settings, "ENV_FILE": str(tmp_path / ".env")})
    assert result.returncode == 0
    assert "contains unknown settings: FLINK_PORT KAFKA1_PRT." in result.stdout, result.stdout
    quiet = functions("warn_of_unknown_settings", {**free_settings, "ENV_FILE": str(CHECKOUT / ".env.example")})
    assert quiet.stdout == ""


def test_every_name_of_the_example_is_known(tmp_path: Path, free_settings: dict[str, str]) -> None:
    names = [line.removeprefix("#") for line in (CHECKOUT / ".env.example").read_text().splitlines() if line.startswith("#") and "=" in line.split(" ")[0]]
    assert len(names) > 30
    (tmp_path / ".env").write_text("\n".join(names) + "\n")
    assert functions("warn_of_unknown_settings", {**free_settings, "ENV_FILE": str(tmp_path / ".env")}).stdout == ""


def test_a_lost_secret_key_is_told_before_superset_fails_on_it(tmp_path: Path, free_settings: dict[str, str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "superset").mkdir()
    (tmp_path / "run/superset.settings").write_text("SUPERSET_SECRET_KEY=the-old-one\n")
    result = functions("check_machine", {**free_settings, "SUPERSET_SECRET_KEY": "another"})
    assert result.returncode == 1 and "SUPERSET_SECRET_KEY is not the key with which" in result.stdout and "the-old-one" not in result.stdout
    assert functions("check_machine", {**free_settings, "SUPERSET_SECRET_KEY": "the-old-one"}).returncode == 0
    assert functions("ARGUMENTS=(--no-superset); check_machine", free_settings).returncode == 0


def test_files_that_containers_cannot_read_are_named_and_what_python_compiled_is_not(tmp_path: Path) -> None:
    """A stack without Docker leaves compiled files of Superset's settings that only their owner may read; setup.sh --docker refused them."""
    for name in ("clickhouse/a.sql", "containers/b.sh", "superset/c.py", "superset/__pycache__/c.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "containers/b.sh").chmod(0o644)
    said = functions(f"source {SCRIPTS}/lib/docker_machine.sh; CHECKOUT={tmp_path}; files_fault", {}).stdout
    assert "clickhouse/a.sql" in said and "superset/c.py" in said
    assert "b.sh" not in said and "c.pyc" not in said
