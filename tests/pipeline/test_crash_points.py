"""The process ends with `abort` at each place where it hurts most, is started again, and nothing is lost or counted twice.

The places are those of `crates/ctr-pipeline/src/crash_point.rs`; the binary is the one of `test.sh --unit`, with the feature `crash-points`.
"""

import json
import re
from collections.abc import Callable
from signal import SIGABRT, SIGTERM

import pytest

from pipeline.comparison import assert_exact
from stack import Database, Kafka, Pipeline, Process, Producer, Topics, Truth, wait_until
from stack.process import CHECKOUT, TARGET

CRASHING = TARGET / "tests" / "release" / "ctr-pipeline"
# Four minutes of events, so that they flow for as long as there are lives, on a slow machine too: a life that finds nothing new
# to read never passes its place. The last life is followed by the end of the flow.
HISTORY = {"count": 1_000_000, "rate": 4_000, "products": 20, "seed": 7, "start_time": "2026-01-01T00:00:00Z", "span": "2h",
           "late": 0.05, "too_late": 0.01, "bad": 0.01, "future": 0.01, "duplicates": 0.01}

# The place, and at which of its passings each life ends.
LIVES = {
    "after-read": [0, 3, 40], "before-row-send": [0, 2], "before-row-acknowledgement": [0, 2], "before-letter-acknowledgement": [0, 25],
    "before-commit": [0, 2], "after-commit": [0, 2],
}


def crash(pipeline: Pipeline, place: str, passings: int, before_end: Callable[[], None] = lambda: None) -> None:
    """One life that ends at the place, after it has been passed so many times."""
    pipeline.start({"FAILPOINTS": f"{place}={passings}*off->return" if passings else f"{place}=return"})
    before_end()
    code = pipeline.process.wait(60)
    assert code == -SIGABRT, f"{place} was not met: the pipeline ended with {code}\n{pipeline.process.tail()}"


def end_of(flow: Process, producer: Producer) -> Truth:
    """Ends the events, which have flowed until now, and says what they were."""
    assert flow.runs(), f"the events ended before the last life did\n{flow.tail()}"
    assert flow.stop() == 0, flow.tail()
    return producer.truth_of(flow)


def test_every_place_is_met_by_a_test():
    source = (CHECKOUT / "crates/ctr-pipeline/src/crash_point.rs").read_text()
    places = set(re.findall(r"^//! \| `([a-z-]+)` \|", source, re.MULTILINE))
    assert places == LIVES.keys() | {"in-replay", "in-rebalance", "in-shutdown"}


@pytest.mark.parametrize("place", LIVES)
def test_abort_while_events_flow(place: str, producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                 topics: Topics):
    pipeline = make_pipeline(binary=CRASHING)
    flow = producer.start("both", **HISTORY)
    for passings in LIVES[place]:
        crash(pipeline, place, passings)
    pipeline.start()
    assert_exact(end_of(flow, producer), database, kafka, topics)


def test_abort_in_replay_in_a_rebalance_and_in_a_stop(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database,
                                                      kafka: Kafka, topics: Topics):
    pipeline = make_pipeline(binary=CRASHING)
    flow = producer.start("both", **HISTORY)
    crash(pipeline, "in-rebalance", 0)

    def stop_after_a_commit() -> None:
        # The first commits pin the start; later ones trail the positions by the windows held.
        wait_until(lambda: any(json.loads(metadata)["pos"] > offset + 500 for offset, metadata in kafka.committed(topics).values()), 60,
                   "a commit that holds windows")
        pipeline.process.send(SIGTERM)

    crash(pipeline, "in-shutdown", 0, stop_after_a_commit)
    for passings in (0, 100):
        crash(pipeline, "in-replay", passings)

    def another_joins() -> None:
        pipeline.wait_ready()
        other.start()

    # The second time the group calls back is when the partitions are taken away again.
    other = make_pipeline()
    crash(pipeline, "in-rebalance", 2, another_joins)
    pipeline.start()
    assert_exact(end_of(flow, producer), database, kafka, topics)
