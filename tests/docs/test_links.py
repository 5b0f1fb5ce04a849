"""Links, scripts and paths named in the documents lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from stack.process import CHECKOUT


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
    return [CHECKOUT / name for name in names if (CHECKOUT / name).exists()]


DOCUMENTS = tracked("*.md")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """The anchors a forge makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", without_code(document.read_text()), re.MULTILINE)
    plain = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_scripts_named_exist(document: Path) -> None:
    for name in set(re.findall(r"(?<![\w/])\./(scripts/[\w.-]+\.sh)", document.read_text())):
        assert (CHECKOUT / name).stat().st_mode & 0o111, name


def test_the_index_names_every_document() -> None:
    index = (CHECKOUT / "docs/index.md").read_text()
    missing = [path.name for path in (CHECKOUT / "docs").glob("*.md") if path.name != "index.md" and f"({path.name})" not in index]
    assert not missing, missing
