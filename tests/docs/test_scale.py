"""The costs in docs/scale.md are what its own prices, counts and rates make."""

import re

import pytest

from stack.process import CHECKOUT

HOURS, COPIES_IN_KAFKA, BYTES = 730, 3, 25
SECTION = (CHECKOUT / "docs/scale.md").read_text().split("\n## What it costs\n")[1].split("\n## ")[0]
RATES = [10e3, 1e6, 50e6]
TABLES = [[[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line.startswith("| ")]
          for block in SECTION.split("\n\n") if block.startswith("|")]


def prices():
    found = {name: float(row[1]) for row in TABLES[0][1:] for name in re.findall(r"`([a-z0-9]+\.[a-z0-9]+)`", row[0])}
    assert len(found) == 7
    return found


def row(name):
    return next(cells[1:] for cells in TABLES[1] if cells[0].strip("*").startswith(name))


def dollars(cell):
    return float(re.search(r"\$([\d,]+)", cell)[1].replace(",", ""))


INSTANCES = ["pipeline", "brokers", "controllers", "ClickHouse, two nodes", "ClickHouse Keeper"]
ALL = [*INSTANCES, "Kafka's disk", "ClickHouse's disk", "Kafka's traffic"]


@pytest.mark.parametrize("name", INSTANCES)
def test_instances_cost_their_price(name):
    for cell in row(name):
        counted = re.search(r"(\d+) x `([^`]+)`", cell)
        expected = int(counted[1]) * prices()[counted[2]] * HOURS if counted else 0
        assert dollars(cell) == round(expected), cell


@pytest.mark.parametrize("name", ["Kafka's disk", "ClickHouse's disk"])
def test_disks_cost_their_size(name):
    for cell, brokers in zip(row(name), row("brokers"), strict=True):
        size = float(re.search(r"([\d,]+) GB", cell)[1].replace(",", ""))
        faster = re.search(r"(\d+) MB/s more", cell)
        throughput = int(faster[1]) * int(brokers.split()[0]) * 0.04 if faster else 0
        assert dollars(cell) == pytest.approx(size * 0.08 + throughput, abs=1), cell


def test_traffic_costs_what_crosses_zones():
    for cell, rate in zip(row("Kafka's traffic"), RATES, strict=True):
        gigabytes = rate * BYTES * (COPIES_IN_KAFKA - 1 + 4 / 3) * HOURS * 3600 / 1e9
        assert dollars(cell) == round(gigabytes * 0.02), cell
        assert float(re.search(r"([\d,.]+) TB", cell)[1].replace(",", "")) == pytest.approx(gigabytes / 1000, rel=0.02), cell


def test_sums_and_what_a_million_events_cost():
    for place, rate in enumerate(RATES):
        million = rate * HOURS * 3600 / 1e6
        assert float(row("events")[place].replace(",", "")) == million
        everything = sum(dollars(row(name)[place]) for name in ALL)
        assert dollars(row("all")[place]) == everything
        for name, cost in [("a million", everything), ("of it the pipeline", dollars(row("pipeline")[place])),
                           ("the same in one zone", everything - dollars(row("Kafka's traffic")[place]))]:
            cents = row(name)[place].strip("*").split()[0]
            digits = len(cents.partition(".")[2])
            assert round(cost / million * 100, digits) == float(cents), (name, place)
