"""The corpus of the fuzz target `engine_request` as an ordinary test; the other targets' are in crates/ctr-pipeline/tests/fuzz_corpus.rs."""

import re
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[3] / "fuzz/engine_request.py"


def test_every_file_passes():
    # In a process of its own: the target replaces chdb.
    done = subprocess.run([sys.executable, str(TARGET), "--corpus"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    files = re.fullmatch(r"(\d+) files, 0 failed\n", done.stdout)
    assert files and int(files[1]) >= 20, done.stdout
