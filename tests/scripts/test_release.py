"""release.sh: a tag that does not agree with the checkout is refused with every reason; the archive holds the image's binaries."""

import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from scripts.shell import run, stand_in
from stack.process import CHECKOUT

PARTS = ["scripts", "Cargo.toml", "Cargo.lock", "Dockerfile", "deploy", "config", "README.md", "LICENSE"]
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- Next.\n\n## {version} - 2026-11-27\n\n- Added: this.\n\n  And more.\n\n## 0.0.1\n\n- First.\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project's files, with a changelog that has a section for their version."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for part in PARTS:
        (folder / part).symlink_to(CHECKOUT / part)
    (folder / "CHANGELOG.md").write_text(CHANGELOG.format(version="0.1.0"))
    return folder


def release(checkout: Path, *arguments: str, path: str = os.environ["PATH"]) -> tuple[int, str]:
    done = run([str(checkout / "scripts/release.sh"), *arguments], {"PATH": path})
    return done.returncode, done.stdout


def test_a_tag_that_agrees_is_accepted(checkout: Path) -> None:
    assert release(checkout, "check", "v0.1.0") == (0, "v0.1.0: versions and changelog agree\n")


def test_a_tag_that_does_not_agree_is_refused_with_every_reason(checkout: Path) -> None:
    code, said = release(checkout, "check", "v9.9.9")
    assert code == 1
    for name in ("Cargo.toml: 0.1.0", "Dockerfile: 0.1.0", "Chart.yaml: 0.1.0", "Cargo.lock", "CHANGELOG.md"):
        assert name in said, said


@pytest.mark.parametrize("arguments", [("check",), ("check", "0.1.0"), ("check", "v1"), ("archive", "v0.1.0", "image"), ("publish", "v0.1.0")])
def test_wrong_usage(checkout: Path, arguments: tuple[str, ...]) -> None:
    code, said = release(checkout, *arguments)
    assert code == 2 and "usage:" in said


def test_the_notes_are_the_section_of_the_changelog(checkout: Path) -> None:
    assert release(checkout, "notes", "v0.1.0") == (0, "- Added: this.\n\n  And more.\n")


def test_the_archive_holds_the_binaries_of_the_image(tmp_path: Path, checkout: Path) -> None:
    for name in ("ctr-pipeline", "ctr-producer", "ctr-verify"):
        stand_in(tmp_path / "image", name, f"echo {name}")
    stand_in(tmp_path / "bin", "docker", f'echo "$@" >>{tmp_path}/calls; case "$1" in create) echo c1 ;; cp) cp {tmp_path}/image/* "$3" ;; esac')
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    code, said = release(checkout, "archive", "v0.1.0", "ctr@sha256:1", "arm64", str(tmp_path / "dist"), path=path)
    assert code == 0, said
    assert (tmp_path / "calls").read_text().splitlines()[0] == "create ctr@sha256:1" and "rm c1" in (tmp_path / "calls").read_text()
    (archive,) = (tmp_path / "dist").iterdir()
    assert archive.name == "ctr-pipeline-v0.1.0-linux-arm64.tar.gz"
    with tarfile.open(archive) as tar:
        files = {Path(member.name).name: member for member in tar if member.isfile()}
    assert set(files) == {"ctr-pipeline", "ctr-producer", "ctr-verify", "application.yml", "README.md", "CHANGELOG.md", "LICENSE"}
    assert files["ctr-verify"].mode & 0o111 and files["ctr-verify"].uid == 0
    shutil.rmtree(tmp_path / "image")
    stand_in(tmp_path / "image", "ctr-pipeline", "")
    code, said = release(checkout, "archive", "v0.1.0", "ctr@sha256:1", "arm64", str(tmp_path / "dist"), path=path)
    assert code == 1 and "ctr-producer" in said


def test_the_changelog_has_the_format_that_it_names() -> None:
    lines = (CHECKOUT / "CHANGELOG.md").read_text().splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## Unreleased"
    assert all(re.fullmatch(r"## \d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", line) for line in versions[1:]), versions
    kinds = {line.removeprefix("### ") for line in lines if line.startswith("### ")}
    assert kinds and kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, kinds
