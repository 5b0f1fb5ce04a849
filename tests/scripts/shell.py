"""Runs scripts as a person without a terminal would, in a folder of their own and with stand-ins for programs."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from stack.process import CHECKOUT, clean_environment

SCRIPTS = CHECKOUT / "scripts"


def run(command: list[str], settings: Mapping[str, str] | None = None, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    """Both outputs in one (`stdout`), in order. Settings may replace PATH."""
    environment = clean_environment(settings)
    return subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds)


def script(name: str, *arguments: str, settings: Mapping[str, str] | None = None, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    return run([str(SCRIPTS / name), *arguments], settings, seconds)


def functions(code: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs shell code that has the functions of the local mode."""
    return run(["bash", "-c", f"set -euo pipefail; source {SCRIPTS}/lib/verb.sh; source {SCRIPTS}/lib/steps.sh; "
                              f"source {SCRIPTS}/lib/local.sh; {code}"], settings)


def stand_in(folder: Path, name: str, body: str) -> None:
    """A program of this name that does what `body` (shell) says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def path_with_only(folder: Path, names: list[str]) -> str:
    """A PATH with links to these programs of the machine and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for directory in os.environ["PATH"].split(":"):
            program = Path(directory) / name
            if program.exists() and not (folder / name).exists():
                (folder / name).symlink_to(program)
    return str(folder)
