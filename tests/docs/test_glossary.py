"""docs/glossary.md and the code have the same words: what the glossary names is in the code, what it forbids is not."""

import re
from functools import cache

import pytest

from stack.process import CHECKOUT

GLOSSARY = CHECKOUT / "docs/glossary.md"
SOURCES = sorted(path for path in CHECKOUT.glob("crates/*/src/**/*.rs"))
NOT_CODE = re.compile(r"""//[^\n]*|r(\#*)".*?"\1|"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\[^'\n]+)'""", re.DOTALL)
ONLY_FOR_PEOPLE = "—"


def rows(text: str) -> list[tuple[str, str, str]]:
    """Word, names in the code, and what it is never called."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    assert cells[0] == ["word", "meaning", "in the code", "never"]
    return [(word, code, never) for word, _, code, never in cells[1:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def code() -> str:
    return "\n".join(NOT_CODE.sub(" ", path.read_text()) for path in SOURCES)


@cache
def identifiers() -> frozenset[str]:
    return frozenset(re.findall(r"\b[A-Za-z_]\w*\b", code()))


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def is_defined(name: str) -> bool:
    """A file, or a type, trait, variant, function, constant or field that some crate defines."""
    if name.endswith(".rs"):
        return any(path.name == name for path in SOURCES)
    definition = rf"\b(?:struct|enum|trait|type|fn|const) {name}\b|^\s*(?:pub(?:\([a-z]+\))? )?{name}(?:: |,$| \{{|\()"
    return re.search(definition, code(), re.MULTILINE) is not None


def is_the_same_word(word: str, name: str) -> bool:
    """`letting go` and `let_go`, `rejected` and `Rejection`: one has all the words of the other, by their beginnings."""
    beginnings = {part[:3] for part in snake(name.removesuffix(".rs")).split("_")}
    wanted = {part[:3] for part in word.split()} - {"in", "the"}
    return wanted <= beginnings or beginnings <= wanted


def is_used(name: str) -> bool:
    """Whether the name, or a longer one with it, is an identifier."""
    return any(re.search(rf"(?:^|_){name}s?(?:_|$)", snake(identifier)) for identifier in identifiers())


def mistakes(text: str) -> list[str]:
    found = []
    for word, names, never in rows(text):
        if not quoted(names) and names != ONLY_FOR_PEOPLE:
            found.append(f"{word}: names nothing in the code")
        found += [f"{word}: `{name}` is not in the code" for name in quoted(names) if not is_defined(name)]
        found += [f"{word}: `{name}` is another word" for name in quoted(names) if not is_the_same_word(word, name)]
        found += [f"{word}: the code has `{name}`" for name in quoted(never) if is_used(name)]
    return found


def test_the_words_of_the_glossary_are_those_of_the_code() -> None:
    assert mistakes(GLOSSARY.read_text()) == []


def test_each_word_has_one_entry() -> None:
    words = [word for word, _, _ in rows(GLOSSARY.read_text())]
    assert len(words) == len(set(words)) > 40


@pytest.mark.parametrize(("entry", "complaint"), [
    ("| frobnicator | made up | `Frobnicator`, `frobnicator.rs` | |", "`Frobnicator` is not in the code"),
    ("| late | another word for it | `Watermark` | |", "`Watermark` is another word"),
    ("| worker | has a synonym | `Worker` | `task` |", "the code has `task`"),
    ("| silence | names nothing | | |", "names nothing in the code"),
])
def test_an_entry_that_does_not_fit_is_found(entry: str, complaint: str) -> None:
    assert any(complaint in mistake for mistake in mistakes(GLOSSARY.read_text() + entry + "\n"))
