"""Request bodies: received completely before anything runs, and passed to the engine as a file.

Completely, because a partial body (of a client that died) must not insert any row. As a file, because of two pitfalls of chdb 26.9,
both seen in tests: data after the text of an INSERT ends at the first blank line, which truncates binary formats;
and the streaming insert reports success when a materialized view throws.
"""

import os
import tempfile
from collections.abc import Callable
from typing import BinaryIO

from .errors import EngineError, error

_CHUNK = 1 << 20
# Up to this size a body stays in memory; larger ones go to an unnamed file, which a crash cannot leave behind.
_IN_MEMORY_LIMIT = 64 << 20

# Content-Encoding -> the name of the compression in the engine's INFILE.
CODECS = {"": "none", "identity": "none", "gzip": "gz", "x-gzip": "gz", "deflate": "deflate", "br": "br", "xz": "xz",
          "zstd": "zst", "lz4": "lz4", "bz2": "bz2", "snappy": "snappy"}


class Body:
    """Bytes that the engine opens by path. Close it, or use it in a `with`."""

    def __init__(self, spill_directory: str):
        self._spill_directory = spill_directory
        self._file: BinaryIO = os.fdopen(os.memfd_create("body"), "w+b")
        self._in_memory = True
        self.size = 0
        self.codec = "none"

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def path(self) -> str:
        """A path that opens the content from its beginning, in this process only."""
        self._file.flush()
        return f"/proc/self/fd/{self._file.fileno()}"

    def write(self, data: bytes) -> None:
        if self._in_memory and self.size + len(data) > _IN_MEMORY_LIMIT:
            self._spill()
        self._file.write(data)
        self.size += len(data)

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `start` on, by default all; further writes are appended."""
        self._file.seek(start)
        data = self._file.read(-1 if size is None else size)
        self._file.seek(0, os.SEEK_END)
        return data

    def derive(self, codec: str = "none") -> "Body":
        """An empty body that spills to the same folder."""
        other = Body(self._spill_directory)
        other.codec = codec
        return other

    def tail(self, start: int) -> "Body":
        """Everything after `start`, as a separate body."""
        rest = self.derive(self.codec)
        while start < self.size:
            data = self.read(start, _CHUNK)
            rest.write(data)
            start += len(data)
        return rest

    def _spill(self) -> None:
        content = self.read()
        self._file.close()
        self._file = tempfile.TemporaryFile(dir=self._spill_directory)  # closed with the body
        self._file.write(content)
        self._in_memory = False


def receive(source: BinaryIO, length: int | None, chunked: bool, body: Body, progress: Callable[[], None]) -> None:
    """Reads a request's body into `body`. Raises ConnectionError if it ends early, ValueError if it is malformed."""
    if not chunked:
        _receive_exactly(source, length or 0, body, progress)
        return
    while True:
        size = int(source.readline(64).split(b";")[0], 16)
        if size == 0:
            while source.readline(8192).strip():  # trailers
                pass
            return
        _receive_exactly(source, size, body, progress)
        source.readline(8)


def _receive_exactly(source: BinaryIO, size: int, body: Body, progress: Callable[[], None]) -> None:
    while size > 0:
        data = source.read(min(size, _CHUNK))
        if not data:
            raise ConnectionError("the body ended early")
        body.write(data)
        size -= len(data)
        progress()


# The native protocol's block: checksum (16 bytes), method (1), size with this header of 9 (4), size of the data (4).
_CHECKSUM, _HEADER = 16, 9
_LZ4, _UNCOMPRESSED, _ZSTD = 0x82, 0x02, 0x90
# An LZ4 frame of independent blocks of at most 4 MiB without checksums; the last byte is the header's own checksum.
_LZ4_FRAME_START = bytes.fromhex("04224d18607073")
_LZ4_FRAME_END = bytes(4)
_LZ4_BLOCK_LIMIT = 4 << 20
_LZ4_STORED = 0x8000_0000


def unwrap_native_blocks(body: Body) -> Body:
    """`decompress=1`: ClickHouse's own compressed blocks as one LZ4 frame (or Zstandard frames).

    Nothing is decompressed here: the payloads are put into a frame that the engine reads. The blocks' own
    checksums (CityHash) are not verified; TCP and the decoder detect corruption instead.
    """
    unwrapped, position = body.derive(), 0
    while position < body.size:
        head = body.read(position, _CHECKSUM + _HEADER)
        if len(head) < _CHECKSUM + _HEADER:
            raise _damaged("truncated block")
        method = head[_CHECKSUM]
        size = int.from_bytes(head[_CHECKSUM + 1:_CHECKSUM + 5], "little") - _HEADER
        plain_size = int.from_bytes(head[_CHECKSUM + 5:], "little")
        payload = body.read(position + _CHECKSUM + _HEADER, max(size, 0))
        if size < 0 or len(payload) != size:
            raise _damaged("truncated block")
        _append_block(unwrapped, method, plain_size, payload)
        position += _CHECKSUM + _HEADER + size
    if unwrapped.codec == "lz4":
        unwrapped.write(_LZ4_FRAME_END)
    return unwrapped


def _append_block(unwrapped: Body, method: int, plain_size: int, payload: bytes) -> None:
    codec = {_LZ4: "lz4", _UNCOMPRESSED: "lz4", _ZSTD: "zst"}.get(method)
    if codec is None or unwrapped.codec not in ("none", codec) or plain_size > _LZ4_BLOCK_LIMIT:
        raise _damaged(f"method {method:#x} here, or a block of {plain_size} bytes, is not supported")
    if codec == "lz4":
        if unwrapped.codec == "none":
            unwrapped.write(_LZ4_FRAME_START)
        stored = _LZ4_STORED if method == _UNCOMPRESSED else 0
        unwrapped.write((len(payload) | stored).to_bytes(4, "little"))
    unwrapped.codec = codec
    unwrapped.write(payload)


def _damaged(what: str) -> EngineError:
    return error(271, "CANNOT_DECOMPRESS", f"Cannot decompress the body: {what}")
