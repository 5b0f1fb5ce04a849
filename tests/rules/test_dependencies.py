"""What may be depended on is deny.toml's, checked by cargo-deny itself without a network; what is depended on is used."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.process import CHECKOUT

CARGO_DENY = Path(sys.executable).parent / "cargo-deny"
CONFIG = CHECKOUT / "deny.toml"
CRATES = sorted(path.parent for path in CHECKOUT.glob("crates/*/Cargo.toml"))
# Where a dependency of each kind must be named. Dependencies that only tests name belong in dev-dependencies.
SOURCES = {"dependencies": ["src"], "dev-dependencies": ["src", "tests", "benches", "examples"], "build-dependencies": ["build.rs"]}


@pytest.fixture(scope="module", autouse=True)
def sources_of_all_platforms() -> None:
    """A build fetches what its own platform needs; cargo-deny reads the manifests of all."""
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=CHECKOUT, check=True, timeout=240)


def check(config: Path, *checks: str) -> subprocess.CompletedProcess[str]:
    command = [str(CARGO_DENY), "--locked", "--offline", "--config", str(config), "check", "--hide-inclusion-graph", "--deny", "warnings", *checks]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)


def test_licenses_bans_and_sources() -> None:
    done = check(CONFIG, "licenses", "bans", "sources")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("rule", "instead", "complaint"), [
    ('"MIT", ', "", "license"),
    ('"MIT", ', '"MIT", "MPL-2.0", ', "license-not-encountered"),
    ('    { crate = "rand@0.9", reason = "clickhouse" },\n', "", "duplicate"),
    ('wrappers = ["ctr-verify"]', 'wrappers = ["ctr-producer"]', "clickhouse"),
    ('unknown-registry = "deny"\n', 'unknown-registry = "deny"\nallow-registry = []\n', "source"),
], ids=["a license that is not allowed", "a license that nothing has", "a second version", "a crate in the wrong place", "another registry"])
def test_each_rule_is_enforced(tmp_path: Path, rule: str, instead: str, complaint: str) -> None:
    text = CONFIG.read_text()
    assert rule in text
    changed = tmp_path / "deny.toml"
    changed.write_text(text.replace(rule, instead))
    done = check(changed, "licenses", "bans", "sources")
    assert done.returncode != 0 and complaint in done.stderr, done.stderr


def tables(manifest: dict) -> Iterator[tuple[str, str]]:
    """Kind and name of every dependency; the name is the one that code uses, whatever the package is called."""
    for part in [manifest, *manifest.get("target", {}).values()]:
        for kind in SOURCES:
            yield from ((kind, name) for name in part.get(kind, {}))


def code(folder: Path, places: list[str]) -> str:
    """The sources there, without comments."""
    files = [file for place in places for file in ([folder / place] if place.endswith(".rs") else sorted((folder / place).rglob("*.rs"))) if file.exists()]
    return "\n".join(re.sub(r"//[^\n]*", "", file.read_text()) for file in files)


def unused(folder: Path) -> list[str]:
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    found = []
    for kind, name in tables(manifest):
        identifier = re.escape(name.replace("-", "_"))
        if not re.search(rf"(?<!::)\b{identifier}::|\buse {identifier}\b|\bextern crate {identifier}\b", code(folder, SOURCES[kind])):
            found.append(f"{folder.name}: {name} ({kind})")
    return found


@pytest.mark.parametrize("folder", CRATES, ids=lambda folder: folder.name)
def test_every_dependency_is_named_in_the_sources(folder: Path) -> None:
    assert unused(folder) == [], "remove it from Cargo.toml"


def test_an_unused_dependency_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "Cargo.toml").write_text('[dependencies]\nused-one.workspace = true\nonly-tested = "1"\nyaml = { package = "yaml_ng", version = "1" }\n'
                                         '[dev-dependencies]\ncommented = "1"\n[target."cfg(unix)".dependencies]\nforgotten = "1"\n')
    (tmp_path / "src/lib.rs").write_text("use used_one::Thing;\nfn f() { yaml::read(); crate::forgotten::f() } // commented::g()\n")
    (tmp_path / "tests/t.rs").write_text("use only_tested as t;\n")
    assert [line.split(": ")[1] for line in unused(tmp_path)] == ["only-tested (dependencies)", "commented (dev-dependencies)", "forgotten (dependencies)"]
