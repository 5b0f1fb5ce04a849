"""How long nothing is read, computed from positions that were seen from time to time. Nothing is started here."""

import statistics
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from report import Spread


@dataclass(frozen=True)
class Look:
    """A response of one instance: when it arrived, and how far the instance has read each pair of partitions (records of both topics)."""

    instance: str
    at: float
    read: Mapping[int, int]


class Advances:
    """When each pair was seen to have been read further than ever before.

    A replay does not count: it reads again what was read before. Threads that look at different instances share one.
    """

    def __init__(self, pairs: int):
        self._furthest = dict.fromkeys(range(pairs), 0)
        self._times: dict[int, list[float]] = {pair: [] for pair in range(pairs)}
        self._latest: dict[str, Look] = {}
        self._lock = threading.Lock()

    def add(self, look: Look) -> None:
        with self._lock:
            self._latest[look.instance] = look
            for pair, read in look.read.items():
                if read > self._furthest[pair]:
                    self._furthest[pair] = read
                    self._times[pair].append(look.at)

    def forget(self, instance: str) -> None:
        """Its process has ended: what it said last says nothing about the present."""
        with self._lock:
            self._latest.pop(instance, None)

    def times(self) -> dict[int, list[float]]:
        """By pair, in order: threads may have added them out of order."""
        with self._lock:
            return {pair: sorted(times) for pair, times in self._times.items()}

    def is_shared_out(self, instances: Iterable[str], since: float) -> bool:
        """Whether each of these instances, and no other, has said since then that it reads pairs, and each pair has one reader."""
        with self._lock:
            looks = dict(self._latest)
        if looks.keys() != set(instances) or any(look.at < since or not look.read for look in looks.values()):
            return False
        return sorted(pair for look in looks.values() for pair in look.read) == sorted(self._furthest)

    def have_all_advanced(self, since: float) -> bool:
        return all(times and times[-1] > since for times in self.times().values())


def longest_pause(times: Iterable[float], since: float) -> float:
    """The longest time between two advances of which the second came after `since`, in seconds. Before the first one there was one at `since`."""
    ordered = sorted(times)
    before = [at for at in ordered if at <= since]
    steps = [before[-1] if before else since, *(at for at in ordered if at > since)]
    return max((later - earlier for earlier, later in zip(steps, steps[1:], strict=False)), default=0.0)


@dataclass(frozen=True)
class Pause:
    """What one change of the group cost, in seconds."""

    of_all: float
    """No record of any pair was read."""
    of_pairs: list[float]
    """No new record of a pair was read: one value for each pair."""

    @classmethod
    def of(cls, times: Mapping[int, Iterable[float]], since: float) -> "Pause":
        every = [at for of_pair in times.values() for at in of_pair]
        return cls(longest_pause(every, since), [longest_pause(of_pair, since) for of_pair in times.values()])


@dataclass
class Pauses:
    """Several changes of one kind."""

    kind: str
    rounds: list[Pause] = field(default_factory=list)

    def row(self) -> str:
        figures = [[pause.of_all for pause in self.rounds], [statistics.median(pause.of_pairs) for pause in self.rounds],
                   [max(pause.of_pairs) for pause in self.rounds]]
        return f"| {self.kind} | {len(self.rounds)} | " + " | ".join(Spread.of(values).text(lambda value: f"{value:.2f} s") for values in figures) + " |"
