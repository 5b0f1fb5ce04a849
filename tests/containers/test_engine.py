"""The engine that the tests start: what a run that was killed leaves does not stop the next one."""

import os
import signal
from pathlib import Path

import pytest

from containers import engine as engines
from containers.engine import answers, started_engine
from containers.images import recipes
from stack.process import wait_until


def test_an_engine_starts_after_one_that_was_killed(docker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if answers({}):
        pytest.skip("a Docker engine of the user's answers here: the tests start none")
    cache = engines.CACHE
    monkeypatch.setattr(engines, "CACHE", tmp_path)
    killed, next_one = docker_folder / "killed", docker_folder / "next"
    killed.mkdir()
    next_one.mkdir()
    with started_engine(killed) as engine:
        base = recipes.make_base(engine, cache)
        container = engine("run", "--detach", "--network", "none", base, "sleep", "9999")
        process = int(engine("inspect", "--format", "{{.State.Pid}}", container))
        for name in ("dockerd.pid", "exec/containerd/containerd.pid"):
            os.kill(int((killed / name).read_text()), signal.SIGKILL)
        wait_until(lambda: not answers(engine.environment), 30, "the engine is gone", every=0.1)
        assert Path(f"/proc/{process}").exists() and is_mounted_below(tmp_path), "its container goes on"
        # The end of the block would ask the engine that is no more.
        monkeypatch.setattr(engines, "remove_everything", lambda _engine: None)
    monkeypatch.undo()
    monkeypatch.setattr(engines, "CACHE", tmp_path)
    with started_engine(next_one) as engine:
        assert not engine("ps", "--all", "--quiet")
        wait_until(lambda: not Path(f"/proc/{process}").exists(), 10, "the container of the one before has ended", every=0.1)
    assert not is_mounted_below(tmp_path)


def is_mounted_below(folder: Path) -> bool:
    return f" {folder}/" in Path("/proc/self/mounts").read_text()
