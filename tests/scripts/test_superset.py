"""Superset in the stack without Docker: the one part that setup.sh goes on without."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts.shell import functions, script, stand_in
from stack.process import CHECKOUT

LOCK = CHECKOUT / "superset/requirements.txt"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A Python environment whose pip says what it is asked for, and fails if FAULT is set."""
    local = tmp_path / "local"
    stand_in(local / "venv/bin", "python", f'[ "$1" != -m ] || {{ echo "$@" >>{tmp_path}/pip; [ -z "${{FAULT:-}}" ] || {{ echo "no such host"; exit 1; }}; }}')
    return {"LOCAL_DIR": str(local), "ENV_FILE": str(tmp_path / ".env")}


def install(settings: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return functions(f"ARGUMENTS=({' '.join(options)}); begin_superset; superset_is_installed && echo installed; say_where_dashboards_are", settings)


def test_what_cannot_be_fetched_is_said_and_tried_again(tmp_path: Path, settings: dict[str, str]) -> None:
    failed = install({**settings, "FAULT": "1"})
    assert failed.returncode == 0, failed.stdout
    assert "failed  Superset installed" in failed.stdout and "no such host" in failed.stdout
    assert "Run ./scripts/setup.sh again to retry, or with --no-superset" in failed.stdout
    assert "dashboards    none: could not be installed" in failed.stdout and "\ninstalled\n" not in failed.stdout
    status = functions("STATUS_HEALTHY=yes; superset_row; echo $STATUS_HEALTHY", settings)
    assert re.search(r"^superset +off .*could not be installed.*\nyes$", status.stdout, re.MULTILINE), status.stdout

    retried = install(settings)
    assert retried.returncode == 0 and "\ninstalled\n" in retried.stdout, retried.stdout
    assert "/superset/dashboard/ctr-live/" in retried.stdout and "none" not in retried.stdout
    assert len((tmp_path / "pip").read_text().splitlines()) == 2
    assert install(settings).returncode == 0
    assert len((tmp_path / "pip").read_text().splitlines()) == 2, "what is installed is not installed again"


def test_it_can_be_left_out(tmp_path: Path, settings: dict[str, str]) -> None:
    result = install(settings, "--no-superset")
    assert result.returncode == 0, result.stdout
    assert "dashboards    none: left out (--no-superset)" in result.stdout and "installed" not in result.stdout
    assert not (tmp_path / "pip").exists()
    assert functions("ARGUMENTS=(--no-superset); service_ports superset", settings).stdout == ""
    assert functions("service_ports superset", settings).stdout == "SUPERSET_PORT\n"
    assert script("down.sh", "--no-superset", settings=settings).returncode == 2, "only setup.sh has it"


def test_the_lock_agrees_with_the_image() -> None:
    pins = dict(line.split("==") for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    dockerfile = (CHECKOUT / "superset/Dockerfile").read_text()
    assert f"SUPERSET_TAG={pins['apache-superset']}\n" in dockerfile
    assert f"clickhouse-connect=={pins['clickhouse-connect']}" in dockerfile
