"""mutants.sh: which mutants it asks for, and what its exit code says. cargo-mutants is a stand-in."""

from pathlib import Path

import pytest

from scripts.shell import script, stand_in


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """An environment in which cargo-mutants is installed."""
    stand_in(tmp_path / "mutants/bin", "cargo-mutants", f"""[ "$*" != "mutants --version" ] || {{ echo "cargo-mutants 27.1.0"; exit; }}
echo "$@" >{tmp_path}/arguments
echo "$CTR_HISTORIES" >{tmp_path}/histories
exit "${{MUTANTS_EXIT:-0}}"
""")
    return {"LOCAL_DIR": str(tmp_path)}


def test_it_mutates_the_domain_and_runs_its_tests_and_the_histories(tmp_path: Path, settings: dict[str, str]) -> None:
    result = script("mutants.sh", "--shard", "1/20", "--file", "src/shell/*.rs", "--jobs", "1", settings=settings)
    assert result.returncode == 0, result.stdout
    arguments = (tmp_path / "arguments").read_text()
    for part in ("--package ctr-domain", "--test-package ctr-domain,ctr-simulation", "--jobs 1", "--shard 1/20",
                 "--file crates/ctr-domain/src/shell/*.rs", f"--output {tmp_path}/mutants"):
        assert part in arguments
    assert (tmp_path / "histories").read_text() == "300\n"


def test_a_missed_mutant_is_its_exit_code(settings: dict[str, str]) -> None:
    assert script("mutants.sh", settings={**settings, "MUTANTS_EXIT": "2"}).returncode == 2


@pytest.mark.parametrize("arguments", [("everything",), ("--shard",), ("--shard", "1"), ("--jobs", "0"), ("--file",)])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = script("mutants.sh", *arguments, settings={"LOCAL_DIR": str(tmp_path)})
    assert result.returncode == 2 and "usage:" in result.stdout
