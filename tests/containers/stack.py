"""The stack in containers as a person has it: a copy of the checkout, ./scripts with --docker, `docker compose` by hand."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from containers.engine import DockerEngine
from stack.engine import direct
from stack.process import CHECKOUT, clean_environment, free_ports, wait_until

PORTS = ("KAFKA1_PORT", "KAFKA2_PORT", "KAFKA3_PORT", "CLICKHOUSE_PORT", "CLICKHOUSE_NATIVE_PORT", "PIPELINE_PORT", "KAFKA_UI_PORT", "SUPERSET_PORT",
         "PROMETHEUS_PORT", "GRAFANA_PORT")
STAYING = ("kafka1", "kafka2", "kafka3", "clickhouse", "ctr-pipeline", "impression-producer", "click-producer", "kafka-ui")


def copy_checkout(target: Path) -> None:
    """What a fresh clone would have, uncommitted changes included."""
    listed = subprocess.run(["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)


class ContainerStack:
    """One project of Compose with ports and volumes of its own."""

    def __init__(self, engine: DockerEngine, folder: Path, project: str = "ctr-of-the-tests"):
        self.engine, self.project, self.checkout = engine, project, folder / "checkout"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.env = self.checkout / ".env"
        copy_checkout(self.checkout)
        self.env.write_text("".join(f"{name}={port}\n" for name, port in self.ports.items()) + f"COMPOSE_PROJECT_NAME={project}\n")
        docker = {name: os.environ[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT") if name in os.environ}
        self.settings = clean_environment({"ENV_FILE": str(self.env), **docker, **engine.environment})

    # --- what a person types ---

    def script(self, name: str, *arguments: str, seconds: float = 900, **settings: str) -> subprocess.CompletedProcess[str]:
        """Both outputs in `stdout`, in order."""
        command = [str(self.checkout / "scripts" / name), *arguments]
        return subprocess.run(command, env={**self.settings, **settings}, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds)

    def must(self, name: str, *arguments: str, **settings: str) -> str:
        """A script that has to end with 0; what it said."""
        done = self.script(name, *arguments, **settings)
        assert done.returncode == 0, f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}"
        return done.stdout

    def setup(self, *arguments: str) -> str:
        return self.must("setup.sh", "--docker", "--no-superset", *arguments)

    def compose(self, *arguments: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """`docker compose ARGUMENTS` in the checkout."""
        return subprocess.run(["docker", "compose", *arguments], env=self.settings, cwd=self.checkout, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds)

    def reconcile(self, seconds: int = 90) -> str:
        """Everything that the log says is in ClickHouse, once: ctr-verify's own words."""
        said = self.must("ctr-verify.sh", "--docker", "reconcile", "--wait", str(seconds))
        assert "equal: every row and every dead letter is what the log says" in said, said
        return said

    def secret(self, name: str) -> str:
        """A password that setup wrote to .env."""
        return next(line.partition("=")[2] for line in self.env.read_text().splitlines() if line.startswith(f"{name}="))

    # --- what the engine knows ---

    def ensure_up(self) -> None:
        """One question for all: each takes a second of a busy machine."""
        running = self.engine("ps", "--filter", f"label=com.docker.compose.project={self.project}",
                              "--format", '{{.Label "com.docker.compose.service"}}').split()
        if not set(STAYING) <= set(running):
            self.setup()

    def container(self, service: str) -> str:
        """The container's id; empty if there is none."""
        return self.engine("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.project}",
                           "--filter", f"label=com.docker.compose.service={service}", "--filter", "label=com.docker.compose.oneoff=False")

    def inspect(self, service: str) -> dict[str, Any]:
        found = self.container(service)
        assert found, f"no container of {service}"
        return json.loads(self.engine("inspect", found))[0]

    def state(self, service: str) -> dict[str, Any]:
        return self.inspect(service)["State"]

    def is_running(self, service: str) -> bool:
        return bool(self.container(service)) and bool(self.state(service)["Running"])

    def health(self, service: str) -> str:
        return self.state(service).get("Health", {}).get("Status", "none")

    def wait_for_health(self, service: str, wanted: str, seconds: float = 90) -> None:
        wait_until(lambda: self.health(service) == wanted, seconds, f"{service} is {wanted}", every=0.5)

    def query(self, sql: str) -> str:
        """By `docker compose exec`, as `default`."""
        done = self.compose("exec", "-T", "clickhouse", "clickhouse-client", "--query", sql)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def read(self, port: str, path: str) -> str:
        """What a service answers on its published port."""
        with direct.open(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as answer:
            return answer.read().decode()

    def consumed(self) -> int:
        """Records that the pipeline has read since it began."""
        found = re.findall(r"^ctr_records_consumed_total\{[^}]*\} (\d+)$", self.read("PIPELINE_PORT", "/metrics"), re.MULTILINE)
        return sum(map(int, found))

    def rows(self) -> int:
        return int(self.query("SELECT count() FROM default.ctr_results_raw"))

    def wait_for_more_rows(self, seconds: float = 60) -> None:
        before = self.rows()
        wait_until(lambda: self.rows() > before, seconds, "new rows", every=1)

    def left(self) -> list[str]:
        """All that the engine has of this project, and volumes without a name."""
        mine = ["--filter", f"label=com.docker.compose.project={self.project}"]
        found = self.engine("ps", "--all", *mine, "--format", "container {{.Names}}").splitlines()
        found += self.engine("network", "ls", *mine, "--format", "network {{.Name}}").splitlines()
        return found + self.engine("volume", "ls", *mine, "--format", "volume {{.Name}}").splitlines() + self.anonymous_volumes()

    def anonymous_volumes(self) -> list[str]:
        return [f"volume {name}" for name in self.engine("volume", "ls", "--quiet").split() if re.fullmatch(r"[0-9a-f]{64}", name)]

    def end(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")


def seconds_of(action: Any) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started
