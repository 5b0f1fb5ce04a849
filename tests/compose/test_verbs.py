"""setup.sh --docker and the other verbs, with a stand-in for docker that records what it is asked for."""

import os
import re
import stat
import subprocess
from functools import cache
from pathlib import Path

import pytest

from compose.model import CHECKOUT, SECRETS, TOOLS, one_shots, services
from scripts.shell import script, stand_in
from stack.process import free_ports

PORTS = ("KAFKA1_PORT", "KAFKA2_PORT", "KAFKA3_PORT", "CLICKHOUSE_PORT", "CLICKHOUSE_NATIVE_PORT", "PIPELINE_PORT", "KAFKA_UI_PORT", "SUPERSET_PORT")
UP = "up --detach --no-deps --wait --wait-timeout 300"
RUN = "run --rm --no-deps -T"
# A profile that is not named is not taken down: `down` alone leaves its containers, and a volume that they use.
DOWN = "--profile * --profile monitoring down --remove-orphans"

# One line a call, without what is the same in each; `ps` answers what the test put into the file, `exec` an age of 5 s.
# A call that matches FAULT fails, as the real one does: with its own words on standard error.
DOCKER = r"""
call="$*"; call="${call#compose --env-file $ENV_FILE }"
case "$call" in info* | images* | network* | volume* | "compose version --short") ;; *) echo "$call" >>"$CALLS" ;; esac
if [ -n "${FAULT:-}" ] && [[ "$call" =~ $FAULT ]]; then echo "the engine's own words" >&2; exit 17; fi
case "$call" in
    info) exit "${NO_ENGINE:-0}" ;;
    info*ServerVersion*) echo "${ENGINE_VERSION:-28.2.2}" ;;
    info*MemTotal*) echo "${ENGINE_MEMORY:-8589934592}" ;;
    info*DockerRootDir*) echo "${ENGINE_FOLDER:-/not/of/this/machine}" ;;
    volume*) if [[ "$call" == *"name=^${VOLUME_LEFT:-none}\$"* || "$call" == *{{.Name}}* ]]; then echo "${VOLUME_LEFT:+volume $VOLUME_LEFT}"; fi ;;
    "ps --all"*"container {{.Names}}"*) [ -z "${CONTAINER_LEFT:-}" ] || echo "container $CONTAINER_LEFT" ;;
    network* | images*) ;;
    "compose version --short") echo 2.29.1 ;;
    ps*) cat "$CONTAINERS_OF_TEST" ;;
    exec*) echo "${AGE:-5}" ;;
    run*) echo "$PIPELINE_MEMORY" >"$CALLS.memory" ;;
    kill*) sed -i 's/^ctr-pipeline|running/ctr-pipeline|exited/' "$CONTAINERS_OF_TEST" ;;
esac
"""


class Docker:
    """The stand-in, an .env and a LOCAL_DIR of its own, and ports that are free."""

    def __init__(self, folder: Path):
        stand_in(folder / "bin", "docker", DOCKER)
        self.folder, self.env, self.calls_file, self.containers_file = folder, folder / ".env", folder / "calls", folder / "containers"
        self.env.write_text("".join(f"{name}={port}\n" for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)))
        self.calls_file.touch()
        self.containers("")
        self.settings = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ENV_FILE": str(self.env), "LOCAL_DIR": str(folder / "local"), "CALLS": str(self.calls_file),
            "CONTAINERS_OF_TEST": str(self.containers_file), "CHECKOUT_OF_TEST": str(CHECKOUT)}

    def containers(self, text: str) -> None:
        self.containers_file.write_text(text)

    def all_up(self) -> None:
        health = {True: "Up 2 minutes (healthy)", False: "Up 2 minutes"}
        self.containers("".join(f"{name}|running|{health['healthcheck' in service]}\n" for name, service in services().items() if name not in one_shots())
                        + "kafka-init|exited|Exited (0) 2 minutes ago\n")

    def script(self, name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return script(name, *arguments, "--docker", settings={**self.settings, **settings})

    def calls(self) -> list[str]:
        """What was asked for, looks at what runs and at the data left out."""
        return [line for line in self.calls_file.read_text().splitlines() if not line.startswith(("ps ", "exec -T clickhouse"))]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def test_setup_does_everything_in_order(docker: Docker) -> None:
    docker.all_up()
    docker.containers(docker.containers_file.read_text().replace("|running|", "|exited|"))
    result = docker.script("setup.sh")
    assert result.returncode == 0, result.stdout
    calls = docker.calls()
    assert sorted(calls) == sorted([
        "build ctr-pipeline superset", f"{UP} kafka1 kafka2 kafka3 clickhouse", f"{RUN} kafka-init", f"{RUN} clickhouse-init", f"{RUN} ctr-pipeline check",
        f"{UP} ctr-pipeline", f"{UP} impression-producer click-producer", f"{RUN} superset-init", f"{UP} superset kafka-ui"])
    at = {call: place for place, call in enumerate(calls)}
    infrastructure, check = at[f"{UP} kafka1 kafka2 kafka3 clickhouse"], at[f"{RUN} ctr-pipeline check"]
    assert infrastructure < min(at[f"{RUN} kafka-init"], at[f"{RUN} clickhouse-init"])
    assert max(at[f"{RUN} kafka-init"], at[f"{RUN} clickhouse-init"], at["build ctr-pipeline superset"]) < min(check, at[f"{RUN} superset-init"])
    assert check < at[f"{UP} ctr-pipeline"] < at[f"{UP} impression-producer click-producer"] < at[f"{UP} superset kafka-ui"]
    assert at[f"{RUN} superset-init"] < at[f"{UP} superset kafka-ui"]
    assert result.stdout.splitlines()[0] == "mode: docker (requested)"
    assert "first new row in ctr_latest_view" in result.stdout and "Kafka UI      http://127.0.0.1:" in result.stdout


def test_setup_can_leave_superset_out(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("setup.sh", "--no-superset")
    assert result.returncode == 0, result.stdout
    assert [call for call in docker.calls() if "superset" in call] == ["stop superset"], "one that runs is stopped"
    assert "dashboards    none: left out (--no-superset)" in result.stdout
    docker.containers(docker.containers_file.read_text().replace("superset|running|Up 2 minutes (healthy)\n", ""))
    status = docker.script("status.sh")
    assert status.returncode == 0 and re.search(r"^superset +off ", status.stdout, re.MULTILINE), status.stdout
    assert docker.script("setup.sh").returncode == 0
    assert docker.calls()[-1] == f"{UP} superset kafka-ui", "wanted again unless it is said"


def test_setup_starts_every_service_of_the_file(docker: Docker) -> None:
    docker.all_up()
    assert docker.script("setup.sh").returncode == 0
    started = {word for call in docker.calls() for word in call.split()}
    assert {name for name, service in services().items() if not service.get("profiles")} <= started


def test_setup_makes_each_password_once_and_shows_none(docker: Docker) -> None:
    docker.all_up()
    first = docker.script("setup.sh")
    text = docker.env.read_text()
    passwords = [re.findall(rf"^{name}=([A-Za-z0-9]{{32}})$", text, re.MULTILINE) for name in SECRETS]
    assert all(len(found) == 1 for found in passwords) and len({found[0] for found in passwords}) == len(SECRETS)
    assert stat.S_IMODE(docker.env.stat().st_mode) == 0o600
    second = docker.script("setup.sh")
    assert docker.env.read_text() == text
    shown = first.stdout + second.stdout + docker.calls_file.read_text()
    shown += "".join(path.read_text() for path in (docker.folder / "local/logs").rglob("*.log"))
    assert not any(found[0] in shown for found in passwords)


@pytest.mark.parametrize(("fault", "step", "never"), [
    ("up .*clickhouse", "brokers and ClickHouse healthy", "kafka-init"),
    ("run .*kafka-init", "topics created", "ctr-pipeline check"),
    ("run .*clickhouse-init", "schema applied", "ctr-pipeline check"),
    ("build", "images built", "ctr-pipeline check"),
    ("run .* check", "pipeline deployed", f"{UP} ctr-pipeline"),
    ("up .*ctr-pipeline", "pipeline deployed", "impression-producer"),
    ("run .*superset-init", "dashboards imported", f"{UP} superset"),
    ("up .*superset", "Superset and Kafka UI healthy", "nothing"),
])
def test_setup_ends_at_a_service_that_fails(docker: Docker, fault: str, step: str, never: str) -> None:
    docker.all_up()
    result = docker.script("setup.sh", FAULT=fault)
    assert result.returncode != 0
    assert f"  failed  {step}" in result.stdout and "the engine's own words" in result.stdout
    assert "setup did not finish" in result.stdout and "The stack is running" not in result.stdout
    assert not any(never in call for call in docker.calls()), docker.calls()


def test_setup_names_a_port_that_is_taken(docker: Docker) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = docker.script("setup.sh", KAFKA_UI_PORT=str(port))
        assert result.returncode == 2
        assert f"port {port} (KAFKA_UI_PORT) is taken" in result.stdout
        assert docker.calls() == []
        # Our own container may have it.
        docker.all_up()
        assert docker.script("setup.sh", KAFKA_UI_PORT=str(port)).returncode == 0


def test_setup_names_all_that_is_missing_at_once_and_changes_nothing(docker: Docker) -> None:
    result = docker.script("setup.sh", ENGINE_VERSION="20.10.7+dfsg1", ENGINE_MEMORY=str(2 << 30), ENGINE_FOLDER=str(docker.folder), CLICKHOUSE_USER="somebody",
                           KAFKA_UI_PORT="no-port", VOLUME_LEFT="ctr-pipeline_superset-home")
    assert result.returncode == 2
    assert "Docker engine 20.10.7+dfsg1 is older than 20.10.10" in result.stdout
    assert "containers have 2048 MiB of memory, 3072 MiB are required" in result.stdout and "--no-superset" in result.stdout
    assert "CLICKHOUSE_USER is somebody" in result.stdout
    assert "KAFKA_UI_PORT=no-port is not a port" in result.stdout
    assert "put the old .env back, or remove the volume" in result.stdout and "docker volume rm --force ctr-pipeline_superset-home" in result.stdout
    assert docker.calls() == [] and not any(name in docker.env.read_text() for name in SECRETS)


def test_setup_needs_room_on_the_engines_disk(docker: Docker) -> None:
    stand_in(docker.folder / "bin", "df", "echo Filesystem; echo x 100 90 10 90% /")
    result = docker.script("setup.sh", ENGINE_FOLDER=str(docker.folder))
    assert result.returncode == 2 and f"{docker.folder} has 10 MiB of free space, 10240 MiB are required" in result.stdout
    assert docker.calls() == []


def test_a_lost_env_is_no_matter_without_superset(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("setup.sh", "--no-superset", VOLUME_LEFT="ctr-pipeline_superset-home")
    assert result.returncode == 0, result.stdout


def test_scripts_take_the_files_that_compose_takes_by_hand(docker: Docker) -> None:
    """An override file of the checkout, or COMPOSE_FILE, counts in both: no script names a file."""
    stand_in(docker.folder / "bin", "docker", 'case "$*" in info | ps*) ;; "compose version --short") echo 2.29.1 ;; *) echo "$PWD: $*" >>"$CALLS" ;; esac')
    assert docker.script("down.sh").returncode == 0
    (call,) = [line for line in docker.calls() if " down " in line]
    assert call == f"{CHECKOUT}: compose --env-file {docker.env} {DOWN}"


def test_a_mend_runs_where_there_is_a_shell(docker: Docker) -> None:
    docker.all_up()
    command = ["dlq", "redrive", "--code", "INVALID_JSON", "--mend", "sed s/a/b/"]
    assert docker.script("ctr-pipeline.sh", *command).returncode == 0
    assert docker.calls() == [
        f"build --target build --build-arg RUST_TAG=1.95-bookworm --tag ctr-pipeline:local-mend {CHECKOUT}",
        f"{RUN} --user 65532:65532 --workdir /src --entrypoint /out/bin/ctr-pipeline ctr-pipeline {' '.join(command)}"]


@pytest.mark.parametrize(("name", "command", "memory"), [
    ("ctr-verify.sh", ["reconcile"], "1g"), ("ctr-pipeline.sh", ["recount"], "1g"), ("deploy-job.sh", [], "256m")])
def test_what_counts_a_log_again_has_more_memory_than_the_job(docker: Docker, name: str, command: list[str], memory: str) -> None:
    """Field report F23: both hold the rows of a pair of partitions, and ran under the job's limit."""
    docker.all_up()
    assert docker.script(name, *command).returncode == 0
    assert Path(f"{docker.calls_file}.memory").read_text().strip() == memory


def test_setup_refuses_another_name_of_the_writer(docker: Docker) -> None:
    result = docker.script("setup.sh", CLICKHOUSE_USER="somebody")
    assert result.returncode == 2 and "ctr_writer" in result.stdout
    assert docker.calls() == []


@pytest.mark.parametrize("name", ["setup.sh", "create-topics.sh", "deploy-job.sh", "stop-job.sh", "start-producers.sh", "stop-producers.sh", "status.sh",
                                  "down.sh", "deploy-flink-job.sh", "stop-flink-job.sh"])
def test_without_an_engine_every_verb_says_so(docker: Docker, name: str) -> None:
    result = docker.script(name, NO_ENGINE="1")
    assert result.returncode == 2
    assert "no Docker engine responds" in result.stdout and "--local" in result.stdout
    assert docker.calls() == []


@pytest.mark.parametrize("name", ["create-topics.sh", "deploy-job.sh", "stop-job.sh", "start-producers.sh", "stop-producers.sh"])
def test_without_containers_verbs_name_setup(docker: Docker, name: str) -> None:
    result = docker.script(name)
    assert result.returncode == 1
    assert "the stack is not running; start it with ./scripts/setup.sh --docker" in result.stdout
    assert docker.calls() == []


@pytest.mark.parametrize(("command", "calls"), [
    (["create-topics.sh"], [f"{RUN} kafka-init"]),
    (["deploy-job.sh"], ["build ctr-pipeline", f"{RUN} ctr-pipeline check", f"{UP} ctr-pipeline"]),
    (["deploy-flink-job.sh"], ["build ctr-pipeline", f"{RUN} ctr-pipeline check", f"{UP} ctr-pipeline"]),
    (["stop-job.sh"], ["stop ctr-pipeline"]),
    (["stop-flink-job.sh"], ["stop ctr-pipeline"]),
    (["stop-job.sh", "--leave"], ["kill --signal SIGQUIT ctr-pipeline", "stop ctr-pipeline"]),
    (["ctr-pipeline.sh", "dlq", "list", "--help"], [f"{RUN} ctr-pipeline dlq list --help"]),
    (["ctr-verify.sh", "reconcile", "--wait", "60"], [f"{RUN} --entrypoint ctr-verify ctr-pipeline reconcile --wait 60"]),
    (["start-producers.sh"], [f"{UP} impression-producer click-producer"]),
    (["stop-producers.sh"], ["stop impression-producer click-producer"]),
    (["logs.sh", "clickhouse"], ["logs --no-log-prefix --tail 200 clickhouse"]),
    (["logs.sh", "superset"], ["logs --no-log-prefix --tail 200 superset"]),
    (["logs.sh", "kafka-ui", "-f"], ["logs --no-log-prefix --tail 100 --follow kafka-ui"]),
    (["ctr-pipeline.sh", "probe"], ["exec -T ctr-pipeline ctr-pipeline probe"]),
    (["down.sh"], [f"{DOWN}"]),
    (["down.sh", "--volumes"], [f"{DOWN} --volumes"]),
])
def test_a_verb_is_these_commands(docker: Docker, command: list[str], calls: list[str]) -> None:
    docker.all_up()
    result = docker.script(*command)
    assert result.returncode == 0, result.stdout
    assert docker.calls() == calls


def test_a_check_that_fails_leaves_the_pipeline_as_it_is(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("deploy-job.sh", FAULT="run .* check")
    assert result.returncode != 0 and "the engine's own words" in result.stdout
    assert docker.calls() == ["build ctr-pipeline", f"{RUN} ctr-pipeline check"]


def test_down_forgets_the_mode_and_needs_no_passwords(docker: Docker) -> None:
    (docker.folder / "local").mkdir()
    (docker.folder / "local/mode").write_text("docker\n")
    assert docker.script("down.sh").returncode == 0
    assert not (docker.folder / "local/mode").exists()
    assert not any(name in docker.env.read_text() for name in SECRETS)


def test_down_names_what_the_engine_still_has(docker: Docker) -> None:
    left = docker.script("down.sh", CONTAINER_LEFT="ctr-pipeline-prometheus-1")
    assert left.returncode == 1 and "container ctr-pipeline-prometheus-1" in left.stdout and "removed" not in left.stdout
    # Volumes are to stay unless it is said.
    assert docker.script("down.sh", VOLUME_LEFT="ctr-pipeline_prometheus-data").returncode == 0
    left = docker.script("down.sh", "--volumes", VOLUME_LEFT="ctr-pipeline_prometheus-data")
    assert left.returncode == 1 and "volume ctr-pipeline_prometheus-data" in left.stdout


# --- status ---

def test_status_is_good_only_if_all_is(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("status.sh")
    assert result.returncode == 0, result.stdout
    for name, service in services().items():
        # What a profile adds is not part of the stack that setup.sh starts.
        belongs = name not in one_shots() and "profiles" not in service
        assert bool(re.search(rf"^{name} +up ", result.stdout, re.MULTILINE)) == belongs, result.stdout
    assert re.search(r"^data +up +default +newest window ended 5 s ago$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(("line", "state"), [
    ("clickhouse|running|Up 2 minutes (unhealthy)", "unhealthy"), ("clickhouse|running|Up 2 seconds (health: starting)", "starting"),
    ("clickhouse|restarting|Restarting (2) 5 seconds ago", "failed"), ("clickhouse|exited|Exited (137) 5 seconds ago", "down"), ("", "down"),
])
def test_status_names_what_is_wrong(docker: Docker, line: str, state: str) -> None:
    docker.all_up()
    docker.containers(re.sub(r"^clickhouse\|.*\n", f"{line}\n" if line else "", docker.containers_file.read_text(), flags=re.MULTILINE))
    result = docker.script("status.sh")
    assert result.returncode == 1
    assert re.search(rf"^clickhouse +{state} ", result.stdout, re.MULTILINE), result.stdout


def test_a_clickhouse_that_does_not_answer_is_not_taken_for_no_rows(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("status.sh", FAULT="exec .*")
    assert result.returncode == 1
    assert re.search(r"^data +unknown +default +ClickHouse does not answer$", result.stdout, re.MULTILINE), result.stdout


def test_status_sees_old_data(docker: Docker) -> None:
    docker.all_up()
    result = docker.script("status.sh", AGE="300")
    assert result.returncode == 1
    assert re.search(r"^data +stale ", result.stdout, re.MULTILINE)


# --- the real Compose ---

@cache
def known_options(command: str) -> str:
    return subprocess.run([str(TOOLS / "docker-compose"), *command.split(), "--help"], capture_output=True, text=True, timeout=60).stdout


def test_every_option_is_one_that_compose_knows(docker: Docker) -> None:
    docker.all_up()
    for command in (["setup.sh"], ["deploy-job.sh"], ["stop-job.sh", "--leave"], ["stop-producers.sh"], ["logs.sh", "kafka1", "-f"], ["status.sh"],
                    ["down.sh", "--volumes"]):
        docker.all_up()
        assert docker.script(*command).returncode == 0
    calls = [line for line in docker.calls_file.read_text().splitlines() if not line.startswith("ps ")]
    seen = set()
    for call in calls:
        while call.startswith("--profile "):
            call = call.split(maxsplit=2)[2]
        subcommand, *words = call.split()
        for option in words[:1] if subcommand == "exec" else [word for word in words if word.startswith("-")]:
            assert re.search(rf"(^|[\s,]){re.escape(option)}[\s,]", known_options(subcommand), re.MULTILINE), f"{subcommand} {option}"
            seen.add(option)
    assert {"--wait", "--wait-timeout", "--no-deps", "-T", "--signal"} <= seen
