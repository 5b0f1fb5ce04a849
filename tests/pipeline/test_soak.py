"""Half an hour of traffic that nobody wants: the job stays ready, its memory within the container's limit, and every record is counted or a letter."""

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest

from pipeline.events import click, impression
from stack import Kafka, Pipeline, Topics, wait_until
from verify.verify import reconcile

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
# What docker-compose.yml grants the pipeline.
LIMIT = 256 << 20

pytestmark = [pytest.mark.long, pytest.mark.timeout(int(MINUTES * 120) + 1800)]

Record = tuple[bytes | None, bytes | None]


def now() -> int:
    return time.time_ns() // 1_000_000


def all_bad(_: int) -> Record:
    return None, b'{"event_type": "view"'


def all_huge(number: int) -> Record:
    """Every second one is an event, with a field of 900,000 bytes that nobody reads."""
    event = impression(f"p{number % 10}", now())[1]
    return None, event[:-1] + b', "page": "' + b"x" * 900_000 + (b'"}' if number % 2 else b'"')


def all_new_products(number: int) -> Record:
    return impression(f"product-that-is-new-{number}", now())


def all_late(number: int) -> Record:
    return impression(f"p{number % 10}", now() - 3_600_000)


def all_in_one_partition(number: int) -> Record:
    return (impression if number % 3 else click)(f"p{number % 10}", now())


# The kind, its records a second, and the partition they go to.
KINDS: list[tuple[Callable[[int], Record], int, int | None]] = [
    (all_bad, 1_000, None), (all_huge, 4, None), (all_new_products, 3_000, None), (all_late, 1_000, None), (all_in_one_partition, 10_000, 3),
]


def of_a_second(kind: Callable[[int], Record], numbers: Iterator[int], rate: int) -> list[Record]:
    return [kind(number) for number in itertools.islice(numbers, rate)]


def test_half_an_hour_of_traffic_that_nobody_wants(pipeline: Pipeline, kafka: Kafka, topics: Topics) -> None:
    pipeline.start_ready()
    sent, largest = 0, {}
    for kind, rate, partition in KINDS:
        numbers, name = itertools.count(), kind.__name__
        # Event time moves on in both topics, so that whatever is late is late.
        kafka.produce(topics.impressions, [impression("clock", now()) for _ in range(60)])
        kafka.produce(topics.clicks, [click("clock", now()) for _ in range(60)])
        sent += 120
        end = time.monotonic() + MINUTES * 60 / len(KINDS)
        while time.monotonic() < end:
            begun = time.monotonic()
            sent += len(kafka.produce(topics.impressions, of_a_second(kind, numbers, rate), partition=partition))
            assert pipeline.status_code("/readyz") == 200, f"{name}: it waits\n{pipeline.process.tail()}"
            largest[name] = max(largest.get(name, 0), pipeline.process.resident_bytes())
            time.sleep(max(0.0, begun + 1 - time.monotonic()))
    wait_until(lambda: pipeline.records_accounted() >= sent, 120, f"{sent} records in the ledger")
    answer = reconcile(pipeline, "--wait", "120", seconds=1_200)
    assert answer.code == 0 and answer.report["records"] == sent, answer.text
    said = ", ".join(f"{name} {size >> 20} MiB" for name, size in largest.items())
    print(f"{sent} records in {MINUTES:g} minutes, {answer.report['letters']} letters; resident at most: {said}")
    assert max(largest.values()) < LIMIT, said
    log = pipeline.process.log.read_text()
    assert "panic" not in log and "worker failed" not in log
