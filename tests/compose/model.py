"""docker-compose.yml as the real Compose reads it, and the other files that must agree with it."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stack.process import CHECKOUT, clean_environment

TOOLS = Path(sys.executable).parent
SECRETS = ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_READER_PASSWORD",
           "SUPERSET_SECRET_KEY", "SUPERSET_ADMIN_PASSWORD", "SUPERSET_VIEWER_PASSWORD")
PASSWORDS = {name: f"{name.lower()}-of-the-tests" for name in SECRETS}


def docker_compose(*arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The real Compose on the project's file, without an engine and without anybody's .env."""
    command = [str(TOOLS / "docker-compose"), "--project-directory", str(CHECKOUT), "--file", str(CHECKOUT / "docker-compose.yml"),
               "--env-file", "/dev/null", *arguments]
    return subprocess.run(command, env=clean_environment(settings), capture_output=True, text=True, timeout=60)


def profiles() -> list[str]:
    return docker_compose("config", "--profiles", settings=PASSWORDS).stdout.split()


def config(settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What Compose makes of the file, all profiles included."""
    chosen = [argument for name in profiles() for argument in ("--profile", name)]
    result = docker_compose(*chosen, "config", "--format", "json", settings={**PASSWORDS, **(settings or {})})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@cache
def services() -> dict[str, dict[str, Any]]:
    """The services with default settings."""
    return config()["services"]


@cache
def source() -> dict[str, Any]:
    """The file as it is written: anchors resolved, variables not."""
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


def one_shots() -> set[str]:
    return {name for name, service in services().items() if service.get("restart") == "no"}


def variables() -> dict[str, set[str]]:
    """Every variable of the file with the defaults it is given; `?` for one that has to be set."""
    found: dict[str, set[str]] = {}
    for name, operator, default in re.findall(r"\$\{([A-Z0-9_]+)(:-|:\?|)([^}]*)\}", (CHECKOUT / "docker-compose.yml").read_text()):
        found.setdefault(name, set()).add("?" if operator != ":-" else default)
    return found
