"""Resource usage of a process: CPU time and memory, read from outside (Linux)."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from stack import Process

PATIENCE_SECONDS = 600
"""How long one reading of a few million events may take."""

LEAST_EVENTS_PER_SECOND = 20_000
"""Whoever fills or reads a log more slowly than that hangs."""


def patience_seconds(events: int) -> float:
    """Time limit for filling or reading a log of that many events."""
    return PATIENCE_SECONDS + events / LEAST_EVENTS_PER_SECOND


@dataclass(frozen=True)
class Usage:
    """One pass of a reader over the whole log."""

    reader: str
    events: int
    wall_seconds: float
    """From the start of the process (or its last result) to its result: the last row in the table, or its end."""
    cpu_seconds: float
    """User and system time of all threads of the process, from its start (or its last result) to its result."""
    peak_rss_bytes: int
    first_row_seconds: float | None = None
    """From the start of the process (of a second reading: from the end of the first one) to the first row."""
    read_again_share: float | None = None
    """Records read more than once beside the records of the log: what one worker had read when the group gave its
    partitions to another one that joined a moment later."""
    firing_pause_seconds: float | None = None
    """Of the rounds in which a worker handed rows to the sink and read nothing: 99 % took at most this long, by the bounds of the
    pipeline's histogram."""
    idle_cpu_share: float | None = None
    """CPU seconds a second after the result, with nothing left to read."""

    @property
    def events_per_cpu_second(self) -> float:
        return self.events / self.cpu_seconds

    @property
    def events_per_second(self) -> float:
        return self.events / self.wall_seconds


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, including ended ones, in nanosecond resolution.

    Works until the process is waited for, including just after its end. The clock ID is computed as in the C library's
    clock_getcpuclockid(); /proc/PID/stat has the same value in steps of 10 ms.
    """
    every_thread_user_and_system = 2
    return time.clock_gettime(~pid << 3 | every_thread_user_and_system)


def peak_rss_bytes(pid: int) -> int:
    """Peak resident memory so far; 0 after the end of the process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def has_ended(pid: int) -> bool:
    """Whether a child has exited. It remains a zombie, so its times can still be read."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def run_measured(process: Process, events: int) -> Usage:
    """Starts a program that reads that many events, and measures it from start to exit, which must be successful."""
    begun, peak = time.time(), 0
    process.start()
    while not has_ended(process.pid):
        peak = max(peak, peak_rss_bytes(process.pid))
        assert time.time() - begun < patience_seconds(events), f"{process.name} does not end"
        time.sleep(0.005)
    usage = Usage(process.name, events, time.time() - begun, cpu_seconds(process.pid), peak)
    assert process.wait(1) == 0, f"{process.name} failed:\n{process.tail()}"
    return usage
