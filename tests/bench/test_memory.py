"""The sizes of queues that are compared. Nothing is measured here."""

import re
from itertools import pairwise

from measure import Usage
from memory import ALL, SHIPPED, Memory
from report import Rounds
from stack.process import CHECKOUT


def test_what_is_called_shipped_is_what_ships():
    source = (CHECKOUT / "crates/ctr-pipeline/src/source/consumer.rs").read_text()
    ships = dict(re.findall(r'\.set\("((?:queued|max\.partition)[a-z.]+)", "(\d+)"\)', source))
    assert ships == dict(pair.split("=") for pair in SHIPPED.properties.split(","))


def test_sizes_grow_together():
    assert [queues.messages / SHIPPED.messages for queues in ALL[:-1]] == [0.25, 0.5, 1, 2, 4]
    for smaller, larger in pairwise(ALL):
        assert smaller.messages < larger.messages and smaller.kbytes < larger.kbytes and smaller.fetch_bytes < larger.fetch_bytes


def test_the_report_has_a_line_for_each_size_and_what_it_stands_for():
    usages = [Usage(queues.name, 1_000_000, 1.0, 0.5, 50 << 20) for queues in ALL]
    text = Memory(Rounds("a title", SHIPPED.name, [usages])).markdown()
    for queues in ALL:
        assert text.count(f"| {queues.name} |") == 2
    assert "| half | 3,750 | 1,024 | 32,768 |" in text
