"""Errors as a ClickHouse client expects them: a code, a text in a known format, an HTTP status."""

import re

# The HTTP status that a server returns for an exception code; 500 for all others.
_BAD_REQUEST = (6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 70, 72, 89, 117, 130, 131, 271, 321, 367, 372, 373, 386, 456, 457, 469)
_NOT_FOUND = (16, 46, 47, 50, 56, 60, 63, 73, 75, 81, 115, 511)
_HTTP_STATUS = dict.fromkeys(_BAD_REQUEST, 400)
_HTTP_STATUS.update(dict.fromkeys(_NOT_FOUND, 404))
_HTTP_STATUS.update({194: 401, 192: 403, 193: 403, 497: 403, 516: 403, 48: 501, 202: 503})

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_REPEATED_PREFIX = re.compile(r"^.*?(Code: \d+\. DB::Exception: )(?:Code: \d+\. DB::Exception: )+", re.DOTALL)
_UNKNOWN_EXCEPTION = 1002


class EngineError(Exception):
    """A failed query. `text` has the server's form: `Code: N. DB::Exception: what. (NAME)`."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def http_status(self) -> int:
        return _HTTP_STATUS.get(self.code, 500)


def error(code: int, name: str, message: str) -> EngineError:
    """An error of this server itself, in the format of the engine's."""
    return EngineError(code, f"Code: {code}. DB::Exception: {message}. ({name})")


def from_engine(raised: Exception) -> EngineError:
    """Converts chdb's exception (a RuntimeError with the engine's text) to an error with its code."""
    text = str(raised).strip()
    found = _CODE.search(text)
    if found is None:
        return EngineError(_UNKNOWN_EXCEPTION, f"Code: {_UNKNOWN_EXCEPTION}. DB::Exception: {text}. (UNKNOWN_EXCEPTION)")
    # Some code paths of chdb repeat the prefix.
    return EngineError(int(found.group(1)), _REPEATED_PREFIX.sub(r"\1", text))
