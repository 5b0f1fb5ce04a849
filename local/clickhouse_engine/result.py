"""Results: their formats, and how a stream of separately formatted pieces becomes one response.

chdb's streaming query formats every block of rows as if it were a complete result. For formats of plain rows the
pieces are simply concatenated; if a header comes first (names, types) it is removed from all pieces but the first. Formats
with a frame around the rows (JSON, Pretty, Parquet, Arrow, XML ..) cannot be joined like that: those results are completed
first, and then sent.
"""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field

_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=UTF-8"
_CONTENT_TYPE_BY_PREFIX = (
    ("jsoneachrow", "application/x-ndjson; charset=UTF-8"),
    ("jsoncompacteachrow", "application/x-ndjson; charset=UTF-8"),
    ("json", "application/json; charset=UTF-8"),
    ("csvwithnames", "text/csv; charset=UTF-8; header=present"),
    ("csv", "text/csv; charset=UTF-8; header=absent"),
    ("tabseparated", "text/tab-separated-values; charset=UTF-8"),
    ("tsv", "text/tab-separated-values; charset=UTF-8"),
    ("native", _BINARY), ("rowbinary", _BINARY), ("parquet", _BINARY), ("arrow", _BINARY),
)

HeaderLength = Callable[[bytes], int]


@dataclass
class Result:
    """The result of a statement: the format, the bytes piece by piece, and the counters of a finished query."""

    format: str
    pieces: Generator[bytes, None, None]
    summary: dict[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        name = self.format.lower()
        return next((kind for prefix, kind in _CONTENT_TYPE_BY_PREFIX if name.startswith(prefix)), _TEXT)


def _lines(count: int, quoted: bool = False) -> HeaderLength:
    """The length of `count` lines; line breaks inside double quotes do not count."""

    def length(data: bytes) -> int:
        position, in_quotes, left = 0, False, count
        while position < len(data) and left:
            byte = data[position]
            in_quotes ^= quoted and byte == ord('"')
            left -= byte == ord("\n") and not in_quotes
            position += 1
        return position

    return length


def _row_binary(strings_per_column: int) -> HeaderLength:
    """The number of columns, then their names (and types), each as a length and bytes; numbers are LEB128."""

    def length(data: bytes) -> int:
        columns, position = _leb128(data, 0)
        for _ in range(columns * strings_per_column):
            size, position = _leb128(data, position)
            position += size
        return position

    return length


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _no_header(_: bytes) -> int:
    return 0


_PLAIN_ROWS = ("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "TSKV", "JSONEachRow", "JSONLines", "NDJSON",
               "JSONStringsEachRow", "JSONCompactEachRow", "JSONCompactStringsEachRow", "RowBinary", "Native", "LineAsString")
_STREAMED: dict[str, HeaderLength] = {name.lower(): _no_header for name in _PLAIN_ROWS}
for _name in ("TabSeparated", "TSV", "JSONCompactEachRow", "JSONCompactStringsEachRow"):
    _STREAMED[f"{_name}WithNames".lower()] = _lines(1)
    _STREAMED[f"{_name}WithNamesAndTypes".lower()] = _lines(2)
_STREAMED["csvwithnames"] = _lines(1, quoted=True)
_STREAMED["csvwithnamesandtypes"] = _lines(2, quoted=True)
_STREAMED["rowbinarywithnames"] = _row_binary(1)
_STREAMED["rowbinarywithnamesandtypes"] = _row_binary(2)


def header_length(output_format: str) -> HeaderLength | None:
    """Returns the function that finds the header in a piece of this format; None if the format cannot be streamed."""
    return _STREAMED.get(output_format.lower())


def joined(pieces: Generator[bytes, None, None], header: HeaderLength) -> Generator[bytes, None, None]:
    """Yields the pieces with only the first header. Closing it closes `pieces`."""
    with closing(pieces):
        for number, piece in enumerate(pieces):
            rest = piece[header(piece):] if number else piece
            if rest:
                yield rest


def in_pieces(data: bytes, size: int) -> Generator[bytes, None, None]:
    """A whole result in pieces of at most `size` bytes."""
    for start in range(0, len(data), size):
        yield data[start:start + size]
