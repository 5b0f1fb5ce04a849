"""The project's Python code has nothing that ruff.toml forbids."""

import subprocess
import sys
from pathlib import Path

from stack.process import CHECKOUT

RUFF = Path(sys.executable).parent / "ruff"


def ruff(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(RUFF), "check", "--no-cache", "--output-format", "concise", *arguments], cwd=CHECKOUT, input=code,
                          capture_output=True, text=True, timeout=120)


def test_ruff_finds_nothing() -> None:
    done = ruff()
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_reads_the_rules_of_this_project() -> None:
    done = ruff("--stdin-filename", "tests/made_up.py", "-", code="import os\n\n\ndef add(to=[]):\n    return to\n")
    assert done.returncode == 1 and "F401" in done.stdout and "B006" in done.stdout, done.stdout
