"""The stored recordings and answers are what their programs give. What the answers say is tested in Rust (ctr-domain)."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = ("agree", "differ")


def stored(pattern: str, root: Path = HERE) -> dict[str, bytes]:
    files = (file for folder in FOLDERS for file in (root / folder).glob(pattern))
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


def assert_same(made: dict[str, bytes], kept: dict[str, bytes], remedy: str) -> None:
    assert kept
    assert sorted(made) == sorted(kept), remedy
    assert [name for name in kept if made[name] != kept[name]] == [], remedy


def test_recordings_are_those_of_their_script(tmp_path: Path):
    subprocess.run([sys.executable, HERE / "make_recordings.py", tmp_path], check=True)
    assert_same(stored("*.events.jsonl", tmp_path), stored("*.events.jsonl"), "make_recordings.py, then make_answers.sh")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_flink_answers_again_as_it_did(tmp_path: Path):
    """Builds the program, so it needs Java 17 and Maven, and Flink's jars are downloaded the first time."""
    subprocess.run([HERE / "make_answers.sh", tmp_path], check=True)
    assert_same(stored("*.answers.jsonl", tmp_path), stored("*.answers.jsonl"), "make_answers.sh, and look at what changed")
