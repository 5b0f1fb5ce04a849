"""The workflows of .github without a forge: valid, safe, calling what exists; a release has everything that it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stack.process import CHECKOUT

TOOLS = Path(sys.executable).parent
WORKFLOWS = sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
RELEASE = CHECKOUT / ".github/workflows/release.yml"


# What each tool is asked, before the files. zizmor looks, among others, for actions that are not pinned to a commit, for expressions
# in shell code, for needless permissions, and for tokens left in a checkout.
LINTS = {"schema": ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
         "safety": ["zizmor", "--offline", "--no-progress", "--min-severity", "medium"]}


def lint(name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    tool, *options = LINTS[name]
    return subprocess.run([str(TOOLS / tool), *options, *map(str, files)], capture_output=True, text=True, timeout=120)


def jobs(workflow: Path) -> dict[str, dict]:
    return yaml.safe_load(workflow.read_text())["jobs"]


def steps(workflow: Path) -> list[dict]:
    return [step for job in jobs(workflow).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", LINTS)
def test_a_linter_finds_nothing(name: str) -> None:
    done = lint(name, *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_they_call_scripts_that_exist(workflow: Path) -> None:
    code = "\n".join(step.get("run", "") for step in steps(workflow))
    called = re.findall(r"(?<![\w.])\./([\w./-]+)", code)
    assert called, "the project's own scripts do the work"
    for name in called:
        assert (CHECKOUT / name).stat().st_mode & 0o111, name


def test_a_release_is_tested_first_and_has_all_its_parts() -> None:
    order = {name: job.get("needs") for name, job in jobs(RELEASE).items()}
    assert order == {"check": None, "test": "check", "build": "test", "image": "build", "release": "image"}
    assert {row["platform"]: row["runner"] for row in jobs(RELEASE)["build"]["strategy"]["matrix"]["include"]} == {
        "amd64": "ubuntu-24.04", "arm64": "ubuntu-24.04-arm"}
    uses = {step["uses"].partition("@")[0]: step.get("with", {}) for step in steps(RELEASE) if "uses" in step}
    image = uses["docker/build-push-action"]
    assert image["sbom"] is True and image["provenance"] == "mode=max" and "VERSION=" in image["build-args"]
    assert "actions/attest-build-provenance" in uses
    assert {step["with"]["format"] for step in steps(RELEASE) if "sbom-action" in step.get("uses", "")} == {"spdx-json", "cyclonedx-json"}
    code = "\n".join(step.get("run", "") for step in steps(RELEASE))
    for part in ("release.sh check", "release.sh archive", "release.sh notes", "sha256sum", "cosign sign ", "cosign sign-blob", "gh release create"):
        assert part in code, part
    assert "--key" not in code and "COSIGN" not in RELEASE.read_text(), "keyless"
    signers = [name for name, job in jobs(RELEASE).items() if any("cosign-installer" in step.get("uses", "") for step in job.get("steps", []))]
    assert all(jobs(RELEASE)[name]["permissions"]["id-token"] == "write" for name in signers) and len(signers) == 2


def test_the_instructions_for_verifying_name_what_a_release_has() -> None:
    guide, release = (CHECKOUT / "SECURITY.md").read_text(), RELEASE.read_text()
    for name in ("SHA256SUMS", "SHA256SUMS.sigstore.json"):
        assert name in guide and name in release, name
    assert f"/.github/workflows/{RELEASE.name}@refs/tags/VERSION" in guide, "the identity that signs"
    script = (CHECKOUT / "scripts/release.sh").read_text()
    assert "ctr-pipeline-VERSION-linux-amd64.tar.gz" in guide and 'name="ctr-pipeline-v$1-linux-$3"' in script


@pytest.mark.parametrize(("name", "sound", "broken"), [
    ("schema", "timeout-minutes: 5\n", "timeout-minutes: soon\n"),
    ("safety", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
])
def test_a_linter_finds_a_mistake(tmp_path: Path, name: str, sound: str, broken: str) -> None:
    text = RELEASE.read_text()
    assert sound in text
    changed = tmp_path / ".github/workflows/release.yml"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(sound, broken))
    assert lint(name, changed).returncode != 0
