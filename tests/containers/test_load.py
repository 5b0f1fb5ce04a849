"""Seven times the ordinary rate: every container stays within its memory, and every event is counted."""

import os
import time
from collections.abc import Iterator

import pytest

from containers.engine import say
from containers.memory import MIB, memory_of
from containers.stack import STAYING, ContainerStack

# 10,000 events a second, in the proportion of the defaults.
RATES = {"IMPRESSION_RATE": "7150", "CLICK_RATE": "2850"}
# docs/containers.md has the figures of 600.
SECONDS = float(os.environ.get("CONTAINER_LOAD_SECONDS", "60"))


@pytest.fixture
def loaded(stack: ContainerStack) -> Iterator[ContainerStack]:
    """The stack with producers at these rates, and the usual ones afterwards."""
    before = stack.env.read_text()
    stack.env.write_text(before + "".join(f"{name}={rate}\n" for name, rate in RATES.items()))
    try:
        stack.must("start-producers.sh", "--docker")
        yield stack
    finally:
        stack.env.write_text(before)
        stack.must("start-producers.sh", "--docker")


def watch(stack: ContainerStack, seconds: float, services: tuple[str, ...]) -> None:
    memories = {name: memory_of(stack, name) for name in services}
    restarts = {name: stack.inspect(name)["RestartCount"] for name in services}
    identities = {name: stack.state(name)["StartedAt"] for name in services}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for memory in memories.values():
            memory.sample()
        time.sleep(1)
    for name, memory in memories.items():
        say(f"memory of {name}: {memory.peak / MIB:.0f} MiB at most in {seconds:.0f} s, {memory.held_at_most() / MIB:.0f} with files that the "
            f"kernel keeps, of {memory.limit / MIB:.0f}")
        assert memory.killed() == 0 and memory.peak < memory.limit, name
    assert {name: stack.inspect(name)["RestartCount"] for name in services} == restarts
    assert {name: stack.state(name)["StartedAt"] for name in services} == identities


def test_memory_stays_within_the_limits_and_every_event_is_counted(loaded: ContainerStack) -> None:
    before, begun = loaded.consumed(), time.monotonic()
    watch(loaded, SECONDS, STAYING)
    read = loaded.consumed() - before
    say(f"{read / (time.monotonic() - begun):.0f} events a second were read by the pipeline")
    assert read > 0
    loaded.reconcile(seconds=300)


def test_memory_stays_within_the_limits_while_clickhouse_is_away(loaded: ContainerStack) -> None:
    """What the pipeline keeps for ClickHouse has a limit of its own, after which it stops reading."""
    loaded.compose("stop", "clickhouse")
    try:
        watch(loaded, min(SECONDS, 60), tuple(name for name in STAYING if name != "clickhouse"))
    finally:
        loaded.compose("start", "clickhouse")
    loaded.wait_for_health("clickhouse", "healthy")
    loaded.wait_for_health("ctr-pipeline", "healthy", 180)
    loaded.reconcile(seconds=300)
