"""debian.sh finds the mirror of this machine's apt, however its sources are written. Needs no engine."""

import os
from pathlib import Path

import pytest

from scripts.shell import run, stand_in
from stack.process import CHECKOUT

SCRIPT = CHECKOUT / "tests/containers/images/debian.sh"
DEB822 = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n"
ONE_LINE = "# deb http://comment.example/debian bookworm main\ndeb [signed-by=/usr/share/k.gpg] http://mirror.example/debian bookworm main\n"


@pytest.mark.parametrize("sources", [{"sources.list.d/debian.sources": DEB822}, {"sources.list": ONE_LINE}, {"sources.list.d/debian.list": ONE_LINE},
                                     {"sources.list": "", "sources.list.d/debian.sources": DEB822, "sources.list.d/a.list.disabled": "deb x:y z"}])
def test_the_mirror_is_found_in_whatever_files_there_are(sources: dict[str, str], tmp_path: Path) -> None:
    result = debian(sources, tmp_path)
    assert (result.returncode, result.stdout.split()[-1:]) == (0, ["http://mirror.example/debian"]), result.stdout


def test_no_source_at_all_is_said(tmp_path: Path) -> None:
    result = debian({}, tmp_path)
    assert result.returncode == 1
    assert result.stdout == f"no mirror in {tmp_path / 'apt'}: is this a Debian?\n"


def debian(sources: dict[str, str], tmp_path: Path):
    for name, text in sources.items():
        (tmp_path / "apt" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "apt" / name).write_text(text)
    stand_in(tmp_path / "bin", "debootstrap", 'echo "$@"')
    settings = {"APT_FOLDER": str(tmp_path / "apt"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    return run([str(SCRIPT), str(tmp_path / "root")], settings)
