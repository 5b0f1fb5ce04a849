"""Analyzes what the server must know about a statement before it passes it to the engine.

Only the engine has a full parser. This one determines three things: the first keyword, where the data of an
INSERT begins, and the requested output format.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import error

_TOKEN = re.compile(
    rb"""\s+ | --[^\n]*(?:\n|$) | \#[!\ ][^\n]*(?:\n|$) | /\*.*?\*/
       | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
       | '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*`
       | [A-Za-z_]\w* | [0-9][\w.]* | .""",
    re.DOTALL | re.VERBOSE,
)
_NOT_CODE = (b"--", b"/*", b"#!", b"# ")
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")


@dataclass(frozen=True)
class Token:
    """One SQL token and its position in the text."""

    text: bytes
    start: int
    end: int

    @property
    def word(self) -> bytes:
        """The token in upper case, to compare with a keyword."""
        return self.text.upper()


@dataclass(frozen=True)
class Insert:
    """An INSERT whose data comes with the request: `head settings FORMAT format data`."""

    head: bytes
    """From INSERT to the end of the column list."""
    settings: bytes
    """The SETTINGS clause, or nothing."""
    format: str | None
    """The input format named in the statement."""
    data_at: int
    """Where data that follows in the same text begins."""


def tokens(sql: bytes) -> Iterator[Token]:
    """The tokens of `sql` without whitespace and comments."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:  # unreachable: the last alternative matches any byte
            return
        text = match.group()
        if not text[:1].isspace() and text[:2] not in _NOT_CODE:
            yield Token(text, match.start(), match.end())
        position = match.end()


def first_word(sql: bytes) -> bytes:
    """The first keyword of a statement, in upper case; opening parentheses are skipped."""
    for token in tokens(sql):
        if token.text != b"(":
            return token.word
    return b""


def output_format(sql: bytes, default: str) -> str:
    """The format of the result: that of the FORMAT clause, otherwise `default`."""
    named, depth, after_format = default, 0, False
    for token in tokens(sql):
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
        elif after_format and depth == 0 and re.fullmatch(rb"\w+", token.text):
            named = token.text.decode()
        after_format = token.word == b"FORMAT" and depth == 0
    return named


def parse_insert(sql: bytes) -> Insert | None:
    """The parts of an INSERT that reads its data from the request; None for every other statement.

    Raises `EngineError` for `FROM INFILE`: a client's statement must not name a file of this machine.
    """
    stream = tokens(sql)
    first = next(stream, None)
    if first is None or first.word != b"INSERT":
        return None
    depth, named_table, settings_at, previous = 0, False, None, b""
    for token in stream:
        word = token.word
        if word == b"FUNCTION" and not named_table:
            return None
        if not named_table:
            named_table = word not in (b"INTO", b"TABLE")
        elif token.text == b"(":
            depth += 1
        elif token.text == b")":
            depth -= 1
        elif word in (b"SELECT", b"WITH") and (depth == 0 or previous == b"("):
            return None
        elif depth == 0 and previous != b".":
            if word == b"FROM":
                raise error(1, "UNSUPPORTED_METHOD", "FROM INFILE is not possible over HTTP: send the data as the body of the request")
            if word == b"SETTINGS":
                settings_at = token.start
            elif word == b"VALUES":
                return _insert(sql, settings_at, token.start, "Values", token.end)
            elif word == b"FORMAT":
                return _insert_with_format(sql, settings_at, token, next(stream, None))
        previous = token.text
    end = len(sql.rstrip().rstrip(b";"))
    return _insert(sql, settings_at, end, None, len(sql))


def _insert_with_format(sql: bytes, settings_at: int | None, clause: Token, name: Token | None) -> Insert | None:
    if name is None:
        return None
    # Whitespace after the name and one line break belong to the statement; every byte after that is data.
    data_at = re.compile(rb"[ \t\f\r]*\n?").match(sql, name.end).end()
    return _insert(sql, settings_at, clause.start, name.text.decode("utf-8", "replace"), data_at)


def _insert(sql: bytes, settings_at: int | None, end: int, input_format: str | None, data_at: int) -> Insert:
    head_end = end if settings_at is None else settings_at
    return Insert(sql[:head_end], sql[head_end:end], input_format, data_at)


def literal(value: str) -> str:
    """`value` as a string literal of SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted identifier of SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
