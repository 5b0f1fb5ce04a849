"""test.sh itself: a stage that fails is seen though the others go on, and a skip is not silent."""

import os
from pathlib import Path

import pytest

from scripts.shell import script, stand_in


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    stand_in(tmp_path / "bin", "cargo", '''[ "$1" = --version ] && echo cargo 1.999.0
        [ "$1" != --config ] || shift 2
        [ "$1" != "$FAILING" ] || { seq 100 | sed "s/^/$1 said /"; exit 1; }''')
    stand_in(tmp_path / "bin", "shellcheck", 'echo "checked $# files"')
    return {"LOCAL_DIR": str(tmp_path / "local"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}


def test_all_stages_pass(settings: dict[str, str]) -> None:
    result = script("test.sh", "--unit", settings=settings)
    assert result.returncode == 0, result.stdout
    assert "5 stages passed, 0 failed, 0 skipped" in result.stdout


@pytest.mark.parametrize(("failing", "stage"), [("fmt", "formatting (cargo fmt)"), ("clippy", "lints (cargo clippy)"), ("doc", "documentation (cargo doc)"),
                                                ("test", "unit and property tests (cargo test)")])
def test_one_failed_stage_fails_the_run_and_is_named_at_the_end(settings: dict[str, str], failing: str, stage: str) -> None:
    result = script("test.sh", "--unit", settings={**settings, "FAILING": failing})
    assert result.returncode == 1
    assert "4 stages passed, 1 failed" in result.stdout
    assert result.stdout.splitlines()[-1] == f"FAILED: {stage}"
    assert f"{failing} said 1\n" in result.stdout, "all of its output, also of a stage that ran in the background"


def test_a_skip_is_listed_and_fails_where_ci_is_set(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "bin/shellcheck").unlink()
    stand_in(tmp_path / "bin", "id", "echo 1000")
    # This machine may have a shellcheck of its own behind the stand-ins.
    folders = [folder for folder in os.environ["PATH"].split(":") if not (Path(folder) / "shellcheck").exists()]
    hidden = tmp_path / "rest"
    hidden.mkdir()
    for folder in set(os.environ["PATH"].split(":")) - set(folders):
        for program in Path(folder).iterdir():
            if program.name not in ("shellcheck", "apt-get") and not (hidden / program.name).exists():
                (hidden / program.name).symlink_to(program)
    settings = {**settings, "PATH": ":".join([str(tmp_path / "bin"), *folders, str(hidden)])}
    result = script("test.sh", "--unit", settings=settings)
    assert result.returncode == 0, result.stdout
    assert "skipped: shellcheck: not installed" in result.stdout
    assert script("test.sh", "--unit", settings={**settings, "CI": "true"}).returncode == 1
