"""Every fuzz target has all its parts, and fuzzes the versions of dependencies that the binaries are built with."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from stack.process import CHECKOUT

FUZZ = CHECKOUT / "fuzz"
MANIFEST = tomllib.loads((FUZZ / "Cargo.toml").read_text())
RUST_TARGETS = [binary["name"] for binary in MANIFEST["bin"]]
TARGETS = [*RUST_TARGETS, "engine_request"]
# Of fuzzing alone.
OWN = {"ctr-fuzz", "libfuzzer-sys", "arbitrary"}


@pytest.mark.parametrize("target", RUST_TARGETS)
def test_a_target_has_a_check_that_ordinary_tests_run_too(target: str) -> None:
    assert f'#[path = "../checks/{target}.rs"]' in (FUZZ / f"targets/{target}.rs").read_text()
    regression = (CHECKOUT / "crates/ctr-pipeline/tests/fuzz_corpus.rs").read_text()
    assert f'"../../../fuzz/checks/{target}.rs"' in regression and f'corpus("{target}", {target}::check)' in regression


def test_no_part_belongs_to_nothing() -> None:
    for folder in ("targets", "checks"):
        assert {path.stem for path in (FUZZ / folder).iterdir()} == set(RUST_TARGETS), folder
    for folder in ("corpus", "dictionaries"):
        assert {path.stem for path in (FUZZ / folder).iterdir()} == set(TARGETS), folder


@pytest.mark.parametrize("target", TARGETS)
def test_a_corpus_is_small_and_its_files_say_what_they_are(target: str) -> None:
    files = list((FUZZ / "corpus" / target).iterdir())
    assert len(files) >= 20 and sum(file.stat().st_size for file in files) < 100_000
    assert [file.name for file in files if not re.fullmatch(r"[a-z][a-z0-9_]{1,50}", file.name) or re.search(r"[0-9a-f]{16}", file.name)] == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_script_and_its_help_name_each_target(target: str) -> None:
    done = subprocess.run([str(CHECKOUT / "scripts/fuzz.sh"), "--help"], capture_output=True, text=True, timeout=30)
    assert re.search(rf"^  {target} +\w", done.stdout, re.MULTILINE), done.stdout


def versions(lock: Path) -> set[tuple[str, str]]:
    return {(package["name"], package["version"]) for package in tomllib.loads(lock.read_text())["package"]}


def test_what_is_fuzzed_has_the_dependencies_of_what_is_built() -> None:
    built, fuzzed = versions(CHECKOUT / "Cargo.lock"), versions(FUZZ / "Cargo.lock")
    assert {name for name, _ in fuzzed - built} == OWN, (
        "after a change of Cargo.lock: cp Cargo.lock fuzz/Cargo.lock && cargo metadata --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null"
    )


def test_targets_are_formatted() -> None:
    files = [str(FUZZ / f"targets/{target}.rs") for target in RUST_TARGETS]
    done = subprocess.run(["rustfmt", "--edition", "2024", "--check", *files], cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_fuzzing_uses_what_is_public_for_it() -> None:
    using = [path for path in CHECKOUT.glob("crates/**/*.rs") if re.search(r"\bfuzzing::", path.read_text())]
    assert using == []
