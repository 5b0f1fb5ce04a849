"""Which mode is chosen, that the first line says it, and that the other scripts remember it."""

import os
from pathlib import Path

import pytest

from scripts.shell import script, stand_in


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"LOCAL_DIR": str(tmp_path / "local"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}


def docker(tmp_path: Path, info: int, compose: str) -> None:
    stand_in(tmp_path / "bin", "docker", f'case "$1" in info) exit {info} ;; compose) echo "{compose}" ;; esac')


@pytest.mark.parametrize(("info", "compose", "expected"), [
    (1, "2.29.1", "mode: local (no Docker engine responds (docker info))"),
    (0, "", "mode: local (docker has no compose plugin)"),
    (0, "2.19.9", "mode: local (Compose 2.19.9 is older than 2.20)"),
    (0, "1.29.2", "mode: local (Compose 1.29.2 is older than 2.20)"),
    (0, "v2.20.0", "mode: docker (a Docker engine is running)"),
    (0, "2.100.0-desktop.1", "mode: docker (a Docker engine is running)"),
    (0, "5.0.1", "mode: docker (a Docker engine is running)"),
])
def test_docker_only_if_it_answers_and_is_new_enough(tmp_path: Path, settings: dict[str, str], info: int, compose: str, expected: str) -> None:
    docker(tmp_path, info, compose)
    assert script("status.sh", settings=settings).stdout.splitlines()[0] == expected


def test_a_flag_decides_whatever_the_machine_has(tmp_path: Path, settings: dict[str, str]) -> None:
    docker(tmp_path, 0, "2.29.1")
    assert script("status.sh", "--local", settings=settings).stdout.splitlines()[0] == "mode: local (requested)"
    docker(tmp_path, 1, "")
    assert script("status.sh", "--docker", settings=settings).stdout.splitlines()[0] == "mode: docker (requested)"


def test_both_flags_are_a_usage_error(settings: dict[str, str]) -> None:
    result = script("status.sh", "--local", "--docker", settings=settings)
    assert result.returncode == 2
    assert "mutually exclusive" in result.stdout


def test_what_is_remembered_holds_until_down(tmp_path: Path, settings: dict[str, str]) -> None:
    docker(tmp_path, 0, "2.29.1")
    (tmp_path / "local").mkdir()
    (tmp_path / "local/mode").write_text("local\n")
    assert script("status.sh", settings=settings).stdout.splitlines()[0] == "mode: local (as last time)"
    assert script("down.sh", settings=settings).returncode == 0
    assert script("status.sh", settings=settings).stdout.splitlines()[0] == "mode: docker (a Docker engine is running)"
