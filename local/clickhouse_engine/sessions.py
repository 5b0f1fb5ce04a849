"""Sessions of the HTTP interface: named connections that are kept with their settings and temporary tables."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .access import User
from .errors import error

_DEFAULT_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0
# How long a request waits for the previous one in the same session.
_LOCK_SECONDS = 30.0


@dataclass
class _Session:
    connection: Any
    expires: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Sessions:
    """Provides connections: a new one for each request, or the session's. `open_connection` opens one for a user."""

    def __init__(self, open_connection: Callable[[User], Any]):
        self._open_connection = open_connection
        self._lock = threading.Lock()
        self._sessions: dict[tuple[User, str], _Session] = {}

    @contextmanager
    def connection(self, user: User, parameters: Mapping[str, str]) -> Iterator[Any]:
        """The connection for a request. A session belongs to the user who started it."""
        name = parameters.get("session_id")
        if not name:
            connection = self._open_connection(user)
            try:
                yield connection
            finally:
                connection.close()
            return
        seconds = _seconds(parameters.get("session_timeout"))
        session = self._find_or_open(user, name, parameters.get("session_check") == "1", seconds)
        try:
            yield session.connection
        finally:
            session.expires = time.monotonic() + seconds
            session.lock.release()

    def close(self) -> None:
        """Closes all sessions. None may be in use."""
        with self._lock:
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()

    def _find_or_open(self, user: User, name: str, must_exist: bool, seconds: float) -> _Session:
        """The session, locked for this request."""
        with self._lock:
            self._close_expired()
            session = self._sessions.get((user, name))
            if session is None:
                if must_exist:
                    raise error(372, "SESSION_NOT_FOUND", f"Session {name} not found")
                session = _Session(self._open_connection(user), time.monotonic() + seconds)
                self._sessions[user, name] = session
            if session.lock.acquire(blocking=False):
                return session
        if not session.lock.acquire(timeout=_LOCK_SECONDS):
            raise error(373, "SESSION_IS_LOCKED", f"Session {name} is locked by a concurrent client")
        return session

    def _close_expired(self) -> None:
        now = time.monotonic()
        for key, session in list(self._sessions.items()):
            if now > session.expires and session.lock.acquire(blocking=False):
                del self._sessions[key]
                session.connection.close()


def _seconds(text: Any) -> float:
    try:
        seconds = float(text or _DEFAULT_SECONDS)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise error(36, "BAD_ARGUMENTS", f"session_timeout is not a number of seconds: {text}")
    return min(seconds, _LONGEST_SECONDS)
