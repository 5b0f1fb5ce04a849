"""Child processes with a log; they are waited for, and never outlive the tests."""

import ctypes
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Protocol, TypeVar

CHECKOUT = Path(__file__).resolve().parents[2]
LOCAL_DIR = Path(os.environ.get("LOCAL_DIR", CHECKOUT / ".local"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target"))
BINARIES = TARGET / "release"

Settings = Mapping[str, str]
T = TypeVar("T")


class Server(Protocol):
    """Something that is started, runs for a while, and must then be gone."""

    def start(self) -> object: ...

    def kill(self) -> None: ...


S = TypeVar("S", bound=Server)


@contextmanager
def started(server: S) -> Iterator[S]:
    """The started server; it is killed however the block is left, and if the start fails."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


def clean_environment(settings: Settings | None = None) -> dict[str, str]:
    """The environment of a child: none of the user's settings, and no `.env`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, "TZ": "UTC", "ENV_FILE": "/dev/null", "RUST_BACKTRACE": "1", **(settings or {})}


def port_range() -> tuple[int, int]:
    """Below the ephemeral range. Parallel test processes have one each (pytest-xdist numbers them from gw0), so that none takes a port
    that another has found free but not used yet."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    width = 12_000 // processes
    return 20_000 + width * worker, 20_000 + width * (worker + 1) - 1


def free_ports(count: int) -> list[int]:
    """Ports without a listener."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", random.randint(*port_range())))
                held.append(candidate)
            except OSError:
                candidate.close()
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


def wait_until(condition: Callable[[], T], seconds: float, what: str, every: float = 0.05) -> T:
    """The first true value of `condition`; at the deadline an AssertionError that names the condition."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {seconds:g} s still not: {what} (last seen: {value!r})")
        time.sleep(every)


def _die_with_the_tests() -> None:
    """In the child: SIGKILL whenever the test run ends. On systems other than Linux the fixtures must do it."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, SIGKILL)


class Process:
    """One program with its log file. `Process.started` holds all started ones, for reports of failed tests."""

    started: list["Process"] = []

    def __init__(self, name: str, command: list[str], environment: Settings, log: Path):
        self.name, self.log = name, log
        self._command, self._environment = command, dict(environment)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, more: Settings | None = None) -> None:
        """Starts it, with `more` added to its environment."""
        assert not self.runs(), f"{self.name} runs already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command, env={**self._environment, **(more or {})}, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_the_tests,
            )
        if self not in Process.started:
            Process.started.append(self)

    def runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    def send(self, number: Signals) -> None:
        if self.runs():
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """The exit code (negative: the signal that ended it); an AssertionError if it does not end in time."""
        assert self._child is not None, f"{self.name} was never started"
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds:g} s\n{self.tail()}") from None

    def stop(self, number: Signals = SIGTERM, seconds: float = 30) -> int:
        """Requests a stop. The exit code shows whether it was clean."""
        self.send(number)
        return self.wait(seconds)

    def kill(self) -> None:
        """kill -9 of the process and all its children; waits for its end."""
        # After its end has been seen, its number may belong to another process.
        if self._child is None or self._child.returncode is not None:
            return
        os.killpg(self.pid, SIGKILL)
        self._child.wait(10)

    def suspend(self) -> None:
        """Suspends it (SIGSTOP), like a machine put to sleep."""
        self.send(SIGSTOP)

    def resume(self) -> None:
        self.send(SIGCONT)

    def resident_bytes(self) -> int:
        """Resident memory (Linux)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"{self.name} has no VmRSS: it ended")

    def cpu_seconds_by_thread(self) -> dict[str, float]:
        """CPU time of its current threads, by name (Linux)."""
        found: dict[str, float] = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            found[name] = found.get(name, 0.0) + int((task / "schedstat").read_text().split()[0]) / 1e9
        return found

    def tail(self, lines: int = 40) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
