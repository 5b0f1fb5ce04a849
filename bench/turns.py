"""Readers that read one log in turn, for several rounds."""

from collections.abc import Sequence
from typing import Protocol

from filled_log import FilledLog
from measure import Usage
from report import say


class Reader(Protocol):
    """Reads a whole log, once or several times, and is measured."""

    def read(self, log: FilledLog) -> list[Usage]: ...


def read_in_turn(readers: Sequence[Reader], log: FilledLog, times: int) -> list[list[Usage]]:
    """Runs that many rounds; each returns the usages of all readers, in the order of the readers."""
    rounds: list[list[Usage]] = []
    for number in range(1, times + 1):
        # The order alternates, so that other load on the machine favors no reader.
        forth = bool(number % 2)
        readings = [shown(reader.read(log), number) for reader in (readers if forth else readers[::-1])]
        rounds.append([usage for usages in (readings if forth else readings[::-1]) for usage in usages])
    return rounds


def shown(usages: list[Usage], number: int) -> list[Usage]:
    for usage in usages:
        say(f"round {number}: {usage.reader:29} {usage.events_per_cpu_second / 1e6:6.3f} M events/CPU-s, {usage.events_per_second / 1e6:6.3f} M/s, "
            f"{usage.cpu_seconds:.2f} s CPU, {usage.wall_seconds:.2f} s, peak {usage.peak_rss_bytes >> 20} MiB")
    return usages
