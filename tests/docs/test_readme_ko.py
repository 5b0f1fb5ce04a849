"""README.ko.md says what README.md says: the same headings in the same order, the same commands, tables, links."""

import re
from collections import Counter

from stack.process import CHECKOUT

ENGLISH, KOREAN = ((CHECKOUT / name).read_text() for name in ("README.md", "README.ko.md"))
IN_STEP = "change README.ko.md with README.md"


def code_blocks(text: str) -> list[str]:
    """What stands in them, without the comments, which are in the reader's language."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+# .*", "", block) for block in blocks]


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def tables(text: str) -> list[list[tuple[int, Counter[str]]]]:
    """For each table its rows: how many cells, and the names in code style in each row."""
    blocks = re.findall(r"(?:^\|.*\n)+", prose(text), re.MULTILINE)
    return [[(row.count("|"), Counter(re.findall(r"`[^`]+`", row))) for row in block.splitlines()] for block in blocks]


def by_section(text: str, pattern: str) -> list[Counter[str]]:
    return [Counter(re.findall(pattern, section)) for section in re.split(r"^#+ ", prose(text), flags=re.MULTILINE)]


def test_headings() -> None:
    levels = [[len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.MULTILINE)] for text in (ENGLISH, KOREAN)]
    assert levels[0] == levels[1], IN_STEP


def test_commands() -> None:
    assert code_blocks(ENGLISH) == code_blocks(KOREAN), IN_STEP


def test_tables() -> None:
    assert tables(ENGLISH) == tables(KOREAN), IN_STEP


def test_links_and_images() -> None:
    english, korean = (by_section(text.replace("(README.ko.md)", "(README.md)"), r"\]\(([^)]+)\)") for text in (ENGLISH, KOREAN))
    assert english == korean, IN_STEP


def test_names_and_list_items_of_each_section() -> None:
    for pattern in (r"`[^`\n]+`", r"(?m)^(-) "):
        assert by_section(ENGLISH, pattern) == by_section(KOREAN, pattern), IN_STEP


def test_it_is_korean() -> None:
    for heading in re.findall(r"^#+ (.*)", prose(KOREAN), re.MULTILINE):
        assert re.search("[가-힣]", heading), heading
    assert len(re.findall("[가-힣]", KOREAN)) > len(prose(ENGLISH)) / 5


def test_the_two_lead_to_each_other() -> None:
    assert "README.ko.md" in ENGLISH.split("\n## ", 1)[0] and "(README.md)" in KOREAN.split("\n## ", 1)[0]
