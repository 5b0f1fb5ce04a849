"""ARCHITECTURE.md names files, functions and places that exist, and its invariants hold."""

import re
from pathlib import Path

import pytest

from stack.process import CHECKOUT

PAGE = (CHECKOUT / "ARCHITECTURE.md").read_text()
CRATES = CHECKOUT / "crates"
PIPELINE = CRATES / "ctr-pipeline/src"
NAMED = re.compile(r"`(?:(\w+)::)?(\w+)(!?)`")
LINK = re.compile(r"\[[\w.]+\]\((crates/[^)]+\.rs)\)")
QUESTIONS = ["Where is a late event decided?", "Where is a commit made?", "Where is a row written?", "Where is a setting defined?"]


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def answers(text: str) -> dict[str, str]:
    """The answer to each of the four questions."""
    found = re.findall(r"^- \*\*(.+?)\*\*(.*?)(?=^- |\Z)", section(text, "Four questions"), re.MULTILINE | re.DOTALL)
    return dict(found)


def is_defined(owner: str, name: str, bang: str, source: str) -> bool:
    if bang:
        return re.search(rf"\bmacro_rules! {name}\b|^{name}! \{{", source, re.MULTILINE) is not None
    body = source
    if owner:
        blocks = re.findall(rf"^impl(?:<[^{{]*?>)? {owner}\b.*?^\}}", source, re.MULTILINE | re.DOTALL)
        body = "\n".join(blocks)
    return re.search(rf"\bfn {name}\b", body) is not None


def mistakes(answer: str) -> list[str]:
    """Functions that the files named after them do not define. A function's file is the next one that is linked."""
    found = []
    for part in re.split(r"(?<=\.rs\))", answer):
        link = LINK.search(part)
        names = [(owner, name, bang) for owner, name, bang in NAMED.findall(part) if owner or bang]
        if link is None:
            found += [f"{name} has no file" for _, name, _ in names]
        elif not (CHECKOUT / link[1]).exists():
            found.append(f"no file {link[1]}")
        else:
            source = (CHECKOUT / link[1]).read_text()
            found += [f"{owner}::{name}{bang} is not in {link[1]}" for owner, name, bang in names if not is_defined(owner, name, bang, source)]
    return found


def test_the_four_questions_are_answered() -> None:
    assert list(answers(PAGE)) == QUESTIONS
    for answer in answers(PAGE).values():
        assert len(LINK.findall(answer)) >= 2, "an answer names a file"


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_answer_names_functions_that_are_there(question: str) -> None:
    assert mistakes(answers(PAGE)[question]) == []


def test_a_function_that_moved_is_found() -> None:
    link = "[task.rs](crates/ctr-domain/src/task.rs)"
    assert mistakes(f"`Task::judge` in {link}") == []
    assert mistakes(f"`Task::judged` in {link}") and mistakes(f"`Rules::judge` in {link}") and mistakes("`settings!` alone")
    assert mistakes("`Task::judge` in [task.rs](crates/ctr-domain/src/tasks.rs)")


def test_every_file_and_folder_named_is_there() -> None:
    places = set(re.findall(r"`([a-z_/-]+(?:\.rs|/))`", PAGE))
    assert len(places) > 25
    everything = [f"/{path.relative_to(CHECKOUT)}{'/' if path.is_dir() else ''}" for path in [*CRATES.rglob("*"), *CHECKOUT.iterdir()]]
    for place in places:
        assert any(path.endswith(f"/{place}") or f"/{place}" in path for path in everything), place


def table_of_invariants() -> list[tuple[str, list[str]]]:
    rows = re.findall(r"^\| `(rdkafka|hyper|axum|unsafe)`[^|]*\| (.+) \|$", PAGE, re.MULTILINE)
    return [(name, re.findall(r"`([^`]+)`", places)) for name, places in rows]


def uses(name: str, path: Path) -> bool:
    code = re.sub(r"//[^\n]*", "", path.read_text())
    return re.search(rf"\b{name} \{{|\b{name} fn|\b{name} impl" if name == "unsafe" else rf"(?<!::)\b{name}(?:_\w+)?::", code) is not None


@pytest.mark.parametrize(("name", "places"), table_of_invariants(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_library_is_used_only_where_the_page_says(name: str, places: list[str]) -> None:
    using = {str(path.relative_to(PIPELINE)) for path in PIPELINE.rglob("*.rs") if uses(name, path)}
    assert len(table_of_invariants()) == 4
    for file in using:
        assert any(file == place or (place.endswith("/") and file.startswith(place)) for place in places), f"{file} uses {name}"
    for place in places:
        assert any(file == place or file.startswith(place) for file in using), f"nothing in {place} uses {name}"
