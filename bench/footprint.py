"""Resource usage of the demonstration: CPU and memory of each process of the stack running without Docker.

Started by `./scripts/bench.sh footprint`, beside a stack that `./scripts/setup.sh --local` has started. It changes nothing.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from report import MIB, arguments_of, say, write
from stack.process import LOCAL_DIR

SERVICES = ["kafka1", "kafka2", "kafka3", "clickhouse", "ctr-pipeline", "impression-producer", "click-producer", "superset"]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """Resource usage of a process and its children so far."""

    cpu_seconds: float
    resident_bytes: int


@dataclass(frozen=True)
class Use:
    """Resource usage of one service over a period."""

    service: str
    cores: float
    """CPU seconds a second, of all its processes and threads."""
    resident_bytes: int
    """At the end of the time. Pages that processes share are counted once for each."""


@dataclass(frozen=True)
class Footprint:
    """All services over the same period."""

    seconds: float
    uses: list[Use]

    @property
    def cores(self) -> float:
        return sum(use.cores for use in self.uses)

    @property
    def resident_bytes(self) -> int:
        return sum(use.resident_bytes for use in self.uses)

    def markdown(self) -> str:
        rows = [f"| {use.service} | {use.cores:.3f} | {use.resident_bytes / MIB:.0f} MiB |" for use in self.uses]
        all_of_it = f"| **all** | **{self.cores:.3f}** | **{self.resident_bytes / MIB:.0f} MiB** |"
        return "\n".join([f"Over {self.seconds:.0f} s:", "", "| service | cores | resident |", "|---|---|---|", *rows, all_of_it])

    def as_json(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "uses": [asdict(use) for use in self.uses]}


def process_of(service: str, folder: Path = LOCAL_DIR) -> int | None:
    """The supervisor's process of this service; None if it is not running."""
    file = folder / "run" / ("supervisord.pid" if service == "supervisor" else f"{service}.pid")
    try:
        pid = int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if Path(f"/proc/{pid}").exists() else None


def children_of(pid: int) -> list[int]:
    """The running child processes of a process, recursively."""
    direct = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [descendant for child in direct for descendant in [child, *children_of(child)]]


def moment_of(pids: Sequence[int]) -> Moment:
    ticks, resident = 0, 0
    for pid in pids:
        # The name, in parentheses, may contain spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Moment(ticks / TICKS_PER_SECOND, resident)


def measure(seconds: float) -> Footprint:
    """Waits that long, and returns what each service used meanwhile."""
    running = {service: pid for service in SERVICES if (pid := process_of(service))}
    assert running, f"no service of {LOCAL_DIR} runs: start it with ./scripts/setup.sh --local"
    groups = {service: [pid, *children_of(pid)] for service, pid in running.items()}
    if (supervisor := process_of("supervisor")) is not None:
        groups["supervisor"] = [supervisor]
    before, begun = {service: moment_of(pids) for service, pids in groups.items()}, time.monotonic()
    time.sleep(seconds)
    after, took = {service: moment_of(pids) for service, pids in groups.items()}, time.monotonic() - begun
    return Footprint(took, [Use(service, (after[service].cpu_seconds - before[service].cpu_seconds) / took, after[service].resident_bytes)
                            for service in groups])


def main() -> int:
    parser = arguments_of("footprint", __doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to observe it (60)")
    arguments = parser.parse_args()
    try:
        footprint = measure(arguments.seconds)
    except AssertionError as nothing:
        print(f"error: {nothing}", file=sys.stderr)
        return 1
    say("\n" + write(arguments.results, "footprint", [footprint]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
