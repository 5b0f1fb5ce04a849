"""docs/messages.md lists every log message, error, report line and --help text of the binaries, to be read in one sitting."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from stack.process import CHECKOUT

PAGE = CHECKOUT / "docs/messages.md"
CRATES = ["ctr-pipeline", "ctr-producer", "ctr-verify", "ctr-domain", "ctr-simulation"]
HEAD = """# Messages

Every log message, error, report line and `--help` text of the binaries, by source file, so that they can be reviewed in one
sitting. Generated from the sources: `UPDATE_REFERENCE=1 .local/venv/bin/python -m pytest tests/docs/test_messages.py`.
`docs/failures.md` says what each failure means and what to do.
"""

TOKEN = re.compile(
    r"""(?P<docs>(?:^[ ]*///[^\n]*\n)+)"""
    r"""|(?P<comment>//[^\n]*)"""
    r"""|(?P<raw>r(?P<fence>\#*)"(?P<raw_text>.*?)"(?P=fence))"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<character>'(?:[^'\\\n]|\\.[^']*)')""",
    re.DOTALL | re.MULTILINE,
)
LOGGED = re.compile(r"tracing::(\w+)!\(")
SENTENCE = re.compile(r"[A-Za-z]{2,}[^A-Za-z]* [^A-Za-z]*[A-Za-z]{2,}")
DERIVED = re.compile(r"#\[derive\([^)]*\b(?:Parser|Args|Subcommand|ValueEnum)\b")
STATEMENT = re.compile(r"\s*(?:SELECT|INSERT|CREATE|ALTER|DROP|WITH|SYSTEM|FORMAT|WHERE|AND|ORDER|GROUP|UNION|FROM|SETTINGS|application/|text/plain|#)\b")


def without_tests(source: str) -> str:
    """Test modules come last in every file."""
    return re.split(r"^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{", source, maxsplit=1, flags=re.MULTILINE)[0]


def plain(literal: str) -> str:
    """A literal's text on one line, with the escapes that a reader would see as characters."""
    joined = re.sub(r"\\\n\s*", "", literal)
    return re.sub(r"\s*(?:\\n|\n)\s*", " / ", joined.replace('\\"', '"').strip()).replace("\\\\", "\\").strip(" /")


def help_of(docs: str) -> str:
    return " ".join(line.strip().removeprefix("///").strip() or "¶" for line in docs.strip().splitlines())


def helped(source: str) -> list[tuple[int, bool]]:
    """Where the items of a file begin, each with whether clap derives its help from doc comments."""
    items = re.finditer(r"^((?:#\[[^\n]*\n)*)(?:pub(?:\([a-z]+\))? )?(?:struct|enum|fn|impl|const|static|mod|trait)\b", source, re.MULTILINE)
    return [(item.start(), bool(DERIVED.search(item[1]))) for item in items]


def is_help(items: list[tuple[int, bool]], docs: re.Match[str]) -> bool:
    """Whether a doc comment becomes help: it is indented and its item derives help, or it stands before such an item."""
    if docs[0].startswith(" "):
        return next((derived for start, derived in reversed(items) if start < docs.start()), False)
    return next((derived for start, derived in items if start >= docs.end()), False)


def level_of(code: str) -> str | None:
    """The level of the log line that is still open at the end of the code."""
    macro = next(reversed(list(LOGGED.finditer(code))), None)
    rest = code[macro.end() :] if macro else ""
    return macro[1] if macro and rest.count(")") <= rest.count("(") else None


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """What kind of text it is, and the text: level of a log line, `help`, or `text` for anything else."""
    source = without_tests(path.read_text())
    items = helped(source) if "clap" in source else []
    code = ""
    end = 0
    for token in TOKEN.finditer(source):
        # What belongs to a macro or an attribute stands shortly before.
        code = (code + source[end : token.start()])[-600:]
        end = token.end()
        if token["docs"]:
            if is_help(items, token):
                yield "help", help_of(token["docs"])
            continue
        literal = token["raw_text"] if token["raw"] else (token["text"] or "")[1:-1]
        attribute = re.search(r"#!?\[(?:doc|cfg|allow|expect|serde)\b[^\]]*$", code)
        if literal and not attribute and SENTENCE.search(re.sub(r"\{[^}]*\}", "{}", literal)) and not STATEMENT.match(literal):
            yield level_of(code) or "text", plain(literal)
        # A literal may hold what ends a statement: code goes on without it.
        code += '""' if literal else ""


def page() -> str:
    sections = [HEAD]
    for crate in CRATES:
        for path in sorted((CHECKOUT / "crates" / crate / "src").rglob("*.rs")):
            if path.name == "tests.rs":
                continue
            found = list(dict.fromkeys(messages(path)))
            if found:
                lines = "\n".join(f"{kind:<5} {text}" for kind, text in found)
                sections.append(f"\n## {path.relative_to(CHECKOUT / 'crates')}\n\n```text\n{lines}\n```\n")
    return "".join(sections)


def test_the_page_lists_what_the_sources_say() -> None:
    expected = page()
    if "UPDATE_REFERENCE" in os.environ:
        PAGE.write_text(expected)
    for kind in ["help", "info", "warn", "error", "text"]:
        assert re.search(rf"^{kind} +\w", expected, re.MULTILINE), f"no {kind}: the sources are not read as they are written"
    assert PAGE.read_text() == expected, (
        "docs/messages.md is not what the sources say: read what changed, after "
        "UPDATE_REFERENCE=1 .local/venv/bin/python -m pytest tests/docs/test_messages.py"
    )
