"""Users and privileges.

If the writer has a password, the users are those of the server's own configuration: the writer, with all privileges;
`default`, without a password, read-only and only from this machine; and `ctr_reader`, if it has a
password, read-only with limits. Otherwise everyone has all privileges. The privileges are roles of the
engine (`access.xml`), so refusals come from the engine.
"""

import base64
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import EngineError, error

DEFAULT_USER = "default"
READER_USER = "ctr_reader"
# Those of the profile `reader` (clickhouse/users.d/ctr.xml): one chart must not use up all memory. Unlike the server,
# the engine allows a request to override them.
_READER_LIMITS = ["max_execution_time = 60", "max_memory_usage = 536870912"]

ROLES_CONFIGURATION = """<clickhouse>
  <users_config>{path}</users_config>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <owner><grants><query>GRANT ALL ON *.*</query></grants></owner>
    <reader><grants>
      <query>GRANT SELECT ON *.*</query>
      <query>GRANT SHOW DATABASES, SHOW TABLES, SHOW COLUMNS, SHOW DICTIONARIES ON *.*</query>
    </grants></reader>
  </roles>
  <users><default>
    <password></password>
    <networks><ip>::/0</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <grants><query>GRANT owner, reader</query></grants>
  </default></users>
</clickhouse>
"""


@dataclass(frozen=True)
class User:
    """An authenticated user."""

    name: str
    read_only: bool

    def opening_statements(self) -> list[str]:
        """The statements that switch a new engine connection to this user."""
        statements = ["SET ROLE reader"] if self.read_only else []
        # A reader's plain SELECT is exact: replacing tables are read as if all merges were done.
        settings = ["final = 1"] if self.name in (DEFAULT_USER, READER_USER) else []
        if self.name == READER_USER:
            settings += _READER_LIMITS
        if self.read_only:
            settings.append("readonly = 2")
        return statements + ([f"SET {', '.join(settings)}"] if settings else [])


@dataclass(frozen=True)
class Access:
    """The authentication rules."""

    writer: str
    password: str | None
    reader_password: str | None = None
    """Of `ctr_reader`, who is not let in without one."""

    def admit(self, parameters: Mapping[str, str], headers: Mapping[str, str], address: str) -> User:
        """The user of a request from `address`. Raises `EngineError` (516) if authentication fails."""
        name, password = _credentials(parameters, headers)
        if self.password is None:
            return User(name, read_only=False)
        if name == self.writer and _is(password, self.password):
            return User(name, read_only=False)
        if name == READER_USER and self.reader_password and _is(password, self.reader_password):
            return User(name, read_only=True)
        if name == DEFAULT_USER and not password and _is_loopback(address):
            return User(name, read_only=True)
        raise error(516, "AUTHENTICATION_FAILED",
                    f"{name}: Authentication failed: password is incorrect, or there is no user with such name")


def _is(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _credentials(parameters: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:  # not base64, not ASCII, or not UTF-8 within
            raise error(516, "AUTHENTICATION_FAILED", "The Authorization header is not valid Basic authentication") from None
    else:
        name = parameters.get("user") or headers.get("X-ClickHouse-User") or ""
        password = parameters.get("password") or headers.get("X-ClickHouse-Key") or ""
    return name or DEFAULT_USER, password


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


_NAMES_FILE = re.compile(r"^\s*(?:Function|Identifier) (?:\S+\.)?file\b", re.IGNORECASE | re.MULTILINE)


def refuse_beyond_reading(query_class: str, syntax_tree: str) -> None:
    """Raises `EngineError` for statements that are forbidden to readers but not blocked by roles and `readonly`.

    Of the control statements, SET and USE are allowed (not SET ROLE, KILL, BACKUP ..). The scalar
    function `file` needs no grant in this engine and is not bound to a directory.
    """
    if query_class == "CONTROL" and not re.match(r"(Set|UseQuery)\b", syntax_tree):
        raise _denied("this statement")
    if _NAMES_FILE.search(syntax_tree) or "ColumnsApplyTransformer" in syntax_tree:
        raise _denied("the function file, or APPLY")


def _denied(what: str) -> EngineError:
    return error(497, "ACCESS_DENIED", f"default: Not enough privileges: {what} is for the writer")
