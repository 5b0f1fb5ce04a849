"""The pinned compiler: who names its version, and what the scripts do where it is not installed."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from scripts.shell import functions, path_with_only, stand_in
from stack.process import CHECKOUT

TOOLCHAIN = tomllib.loads((CHECKOUT / "rust-toolchain.toml").read_text())["toolchain"]
WORKSPACE = tomllib.loads((CHECKOUT / "Cargo.toml").read_text())["workspace"]["package"]
REPORT = 'require_prerequisites "$(grep ^cargo <<<"$PREREQUISITES_BUILD")"; echo "with ${RUSTUP_TOOLCHAIN:-none}"'


def numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def test_the_versions_agree() -> None:
    assert numbers(TOOLCHAIN["channel"]) >= numbers(WORKSPACE["rust-version"])
    assert {"clippy", "rustfmt"} <= set(TOOLCHAIN["components"]), "what test.sh runs"
    tag = re.search(r"^ARG RUST_TAG=([\d.]+)-", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert tag and numbers(tag[1]) == numbers(TOOLCHAIN["channel"])[:2], "the image is built with another compiler"
    for name in ("README.md", "README.ko.md"):
        assert f"cargo {WORKSPACE['rust-version']}" in (CHECKOUT / name).read_text(), name


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A rustup with the toolchains in `installed`, whose `install` does what INSTALL says, and a cargo that refuses a missing one."""
    stand_in(tmp_path / "bin", "rustup", f"""case "$1 $2" in
        "toolchain list") cat {tmp_path}/installed ;;
        "toolchain install") echo "$@" >>{tmp_path}/calls; $INSTALL ;;
        "default ") echo "stable-x86_64-unknown-linux-gnu (default)" ;;
    esac""")
    stand_in(tmp_path / "bin", "cargo", 'echo "cargo 1.999.0"')
    stand_in(tmp_path / "bin", "id", "echo 1000")
    (tmp_path / "installed").write_text("stable-x86_64-unknown-linux-gnu (active, default)\n")
    (tmp_path / "calls").touch()
    return {"LOCAL_DIR": str(tmp_path / "local"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "INSTALL": "true"}


def test_an_installed_toolchain_is_used_from_any_folder(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "installed").write_text(f"stable-x86_64 (default)\n{TOOLCHAIN['channel']}-x86_64-unknown-linux-gnu\n")
    result = functions(REPORT, settings)
    assert result.stdout == f"with {TOOLCHAIN['channel']}\n"
    assert (tmp_path / "calls").read_text() == "", "nothing is installed"


def test_a_missing_toolchain_is_installed_and_announced(tmp_path: Path, settings: dict[str, str]) -> None:
    result = functions(REPORT, settings)
    assert f"installing Rust {TOOLCHAIN['channel']}" in result.stdout and f"with {TOOLCHAIN['channel']}" in result.stdout
    assert (tmp_path / "calls").read_text() == f"toolchain install --profile minimal --component clippy,rustfmt {TOOLCHAIN['channel']}\n"


@pytest.mark.parametrize("settings_of_rustup", [{"INSTALL": "false"}, {"RUSTUP_AUTO_INSTALL": "0"}], ids=["no network", "not allowed"])
def test_without_it_the_default_toolchain_is_used(settings: dict[str, str], settings_of_rustup: dict[str, str]) -> None:
    result = functions(REPORT, {**settings, **settings_of_rustup})
    assert result.returncode == 0, result.stdout
    assert "using stable-x86_64-unknown-linux-gnu" in result.stdout and "with stable-x86_64-unknown-linux-gnu" in result.stdout


def test_the_choice_of_the_user_stays(tmp_path: Path, settings: dict[str, str]) -> None:
    assert functions(REPORT, {**settings, "RUSTUP_TOOLCHAIN": "nightly"}).stdout == "with nightly\n"
    assert (tmp_path / "calls").read_text() == ""


def test_without_rustup_nothing_is_chosen(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "bin/rustup").unlink()
    programs = path_with_only(tmp_path / "programs", ["bash", "awk", "sed", "cut", "tr", "cat", "grep", "dirname", "date", "uname", "sort"])
    assert functions(REPORT, {**settings, "PATH": f"{tmp_path / 'bin'}:{programs}"}).stdout == "with none\n"
