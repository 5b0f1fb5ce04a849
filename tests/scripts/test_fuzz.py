"""fuzz.sh: what it prints of each target, and what a finding is good for. The fuzzers are stand-ins."""

import subprocess
from pathlib import Path

import pytest

from scripts.shell import script, stand_in
from stack.process import CHECKOUT

RAN = """echo '#2	INITED cov: 100 ft: 150 corp: 1/1b exec/s: 0 rss: 30Mb'
echo '#900	NEW    cov: 812 ft: 3456 corp: 33/9Kb lim: 4096 exec/s: 100 rss: 31Mb'
echo 'stat::number_of_executed_units: 12345'
echo 'stat::new_units_added:          7'"""
CRASHED = """for option in "$@"; do case "$option" in -artifact_prefix=*) prefix="${option#*=}" ;; esac; done
echo "thread panicked at fuzz/checks/event.rs: the two parsers disagree"
echo "x" >"${prefix}crash-1"
echo "Test unit written to ${prefix}crash-1"
exit 77"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """An environment in which everything is installed and built."""
    version = subprocess.run(["rustc", "-vV"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    triple = next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))
    stand_in(tmp_path / "venv/bin", "python", f'[[ "$1" != *engine_request.py ]] || {{ {RAN}\n}}')
    stand_in(tmp_path / "venv/bin", "cargo-fuzz", f'echo "$@" >>{tmp_path}/builds')
    stand_in(tmp_path / f"fuzz/target/{triple}/release", "event", CRASHED)
    stand_in(tmp_path / f"fuzz/target/{triple}/release", "headers", f'echo "$@" >{tmp_path}/options\n{RAN}')
    return {"LOCAL_DIR": str(tmp_path)}


def test_a_target_is_built_and_run_and_its_coverage_shown(tmp_path: Path, settings: dict[str, str]) -> None:
    result = script("fuzz.sh", "headers", "--seconds", "5", settings=settings)
    assert result.returncode == 0, result.stdout
    row = result.stdout.splitlines()[-1].split()
    assert row == "headers 12345 executions 812 edges 3456 features 7 new inputs 5 s".split()
    assert (tmp_path / "builds").read_text().startswith("fuzz build ")
    options = (tmp_path / "options").read_text().split()
    assert "-max_total_time=5" in options and f"-dict={CHECKOUT}/fuzz/dictionaries/headers.dict" in options
    assert options[-2:] == [f"{tmp_path}/fuzz/corpus/headers", f"{CHECKOUT}/fuzz/corpus/headers"], "new inputs stay outside of the tree"


def test_the_target_in_python_needs_no_build(tmp_path: Path, settings: dict[str, str]) -> None:
    result = script("fuzz.sh", "engine_request", settings=settings)
    assert result.returncode == 0 and "engine_request" in result.stdout, result.stdout
    assert not (tmp_path / "builds").exists()


def test_a_finding_is_kept_and_explained_and_the_others_go_on(tmp_path: Path, settings: dict[str, str]) -> None:
    result = script("fuzz.sh", "event", "headers", settings=settings)
    assert result.returncode == 1
    file = f"{tmp_path}/fuzz/findings/event/crash-1"
    for part in ("FOUND by event", "the two parsers disagree", f"event {file}\n", f"-minimize_crash=1 -max_total_time=60 -artifact_prefix={tmp_path}",
                 f"cp {file} fuzz/corpus/event/", "--test fuzz_corpus", "headers "):
        assert part in result.stdout, result.stdout
    assert result.stdout.splitlines()[-1] == "error: found something: event"


@pytest.mark.parametrize("arguments", [("no_such_target",), ("--seconds",), ("--seconds", "soon"), ("event", "--seconds", "0")])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = script("fuzz.sh", *arguments, settings={"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 2 and "usage:" in result.stdout
