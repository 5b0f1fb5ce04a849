"""Who reads when. Nothing is read here."""

from dataclasses import dataclass

from filled_log import FilledLog, LogShape
from measure import Usage
from stack import Topics, Truth
from turns import read_in_turn


@dataclass
class Noted:
    """A reader that notes its turn, and reads once for each of its names."""

    names: list[str]
    turns: list[str]

    def read(self, log: FilledLog) -> list[Usage]:
        self.turns.extend(self.names)
        return [Usage(name, log.records, 1.0, 1.0, 1 << 20) for name in self.names]


def test_who_goes_first_alternates_and_the_figures_keep_their_order():
    turns: list[str] = []
    readers = [Noted(["bare"], turns), Noted(["pipeline"], turns), Noted(["peer, fresh", "peer, warm"], turns)]
    log = FilledLog(LogShape(1, 1, 10), Topics("i", "c", "d", "g", 1), Truth(), 0.0)
    rounds = read_in_turn(readers, log, 3)
    order = ["bare", "pipeline", "peer, fresh", "peer, warm"]
    assert [[usage.reader for usage in usages] for usages in rounds] == [order] * 3
    assert turns == [*order, "peer, fresh", "peer, warm", "pipeline", "bare", *order]
