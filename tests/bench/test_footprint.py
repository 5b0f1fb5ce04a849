"""How CPU and memory of the stack are read off the kernel. The stack is this test's own children."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from footprint import Footprint, Use, children_of, moment_of, process_of


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A shell with a child that uses a tenth of a second of CPU and then waits."""
    code = "import time; begun = time.process_time()\nwhile time.process_time() - begun < 0.1: pass\nprint('done', flush=True); time.sleep(60)"
    with subprocess.Popen(["bash", "-c", f'python3 -c "{code}"; true'], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "done\n"
        yield process
        for pid in [*children_of(process.pid), process.pid]:
            os.kill(pid, 9)


def test_children_count_with_their_parent(parent: subprocess.Popen[str]) -> None:
    pids = [parent.pid, *children_of(parent.pid)]
    assert len(pids) == 2
    moment = moment_of(pids)
    assert 0.1 <= moment.cpu_seconds < 5
    assert moment.resident_bytes > 4_000_000


def test_a_service_is_found_by_its_file_while_it_runs(tmp_path: Path) -> None:
    assert process_of("kafka1", tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run/kafka1.pid").write_text(f"{os.getpid()} Fri Nov 27 11:00:00 2026\n")
    (tmp_path / "run/kafka2.pid").write_text("4194304 Fri Nov 27 11:00:00 2026\n")
    (tmp_path / "run/supervisord.pid").write_text(f"{os.getpid()}\n")
    assert process_of("kafka1", tmp_path) == process_of("supervisor", tmp_path) == os.getpid()
    assert process_of("kafka2", tmp_path) is None, "a process that is gone"


def test_the_table_ends_with_all_of_it() -> None:
    text = Footprint(60, [Use("kafka1", 0.1, 300 << 20), Use("ctr-pipeline", 0.02, 50 << 20)]).markdown()
    assert text.splitlines()[-3:] == ["| kafka1 | 0.100 | 300 MiB |", "| ctr-pipeline | 0.020 | 50 MiB |", "| **all** | **0.120** | **350 MiB** |"]
