"""What the kernel says of a container's memory, by control groups of either version."""

from dataclasses import dataclass, field
from pathlib import Path

from containers.stack import ContainerStack

ROOT = Path("/sys/fs/cgroup")
MIB = 1024 * 1024


def group_of(process: int) -> Path:
    """The folder of the group that limits this process's memory."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return ROOT / "memory" / path.lstrip("/")
    unified = next(line for line in Path(f"/proc/{process}/cgroup").read_text().splitlines() if line.startswith("0::"))
    return ROOT / unified.removeprefix("0::").lstrip("/")


def numbers(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


@dataclass
class Memory:
    """Of one container: samples of what its processes hold, and what the kernel has counted."""

    group: Path
    limit: int
    samples: list[int] = field(default_factory=list)

    def sample(self) -> None:
        """Without the files that the kernel keeps as long as nobody wants their room."""
        counted = numbers(self.group / "memory.stat")
        usage = self.group / "memory.usage_in_bytes"
        used = int((usage if usage.exists() else self.group / "memory.current").read_text())
        self.samples.append(used - counted.get("total_inactive_file", counted.get("inactive_file", 0)))

    @property
    def peak(self) -> int:
        return max(self.samples)

    def held_at_most(self) -> int:
        """Files that the kernel keeps included, which grow up to the limit; since the container began."""
        peak = self.group / "memory.max_usage_in_bytes"
        return int((peak if peak.exists() else self.group / "memory.peak").read_text())

    def killed(self) -> int:
        """Processes that the kernel ended for want of memory."""
        events = self.group / "memory.oom_control"
        return numbers(events if events.exists() else self.group / "memory.events")["oom_kill"]


def memory_of(stack: ContainerStack, service: str) -> Memory:
    found = stack.inspect(service)
    return Memory(group_of(found["State"]["Pid"]), found["HostConfig"]["Memory"])
