"""Topics that are filled once: the same log for every reader and every round."""

import time
from dataclasses import dataclass

from ground import Ground
from measure import patience_seconds
from report import say
from stack import Producer, Topics, Truth, wait_until

SEED = 7
DISORDER = "1500ms"

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the beginning of a window."""

CLOSING_GAP_MS = 12_000
"""Event time between the log and its closing events: more than a window's 10 s end + 2 s that a watermark stays behind."""
CLOSING_EVENTS = 2_400

PROGRESS_SECONDS = 15
"""How often filling says how far it is."""


@dataclass(frozen=True)
class LogShape:
    """Contents of the log. Event times are spread evenly over the span, each up to 1.5 s early."""

    events: int
    products: int
    span_seconds: int
    partitions: int = 6
    late: float = 0
    """The share of events that come behind their watermark; most of them still count."""

    @property
    def end_ms(self) -> int:
        return START_MS + self.span_seconds * 1000


@dataclass(frozen=True)
class FilledLog:
    """Two topics with the log, the expected counts, and how long filling took."""

    shape: LogShape
    topics: Topics
    truth: Truth
    filled_in_seconds: float

    @property
    def records(self) -> int:
        """Number of records in both topics, including closing events."""
        return self.shape.events + CLOSING_EVENTS

    @property
    def windows_of_the_span(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Expected counts of the windows that end within the span: all those that the closing events make fire."""
        return {key: counts for key, counts in self.truth.windows.items() if key[1] < self.shape.end_ms}

    @property
    def counted_by_the_end(self) -> int:
        """The events in these windows."""
        return sum(sum(counts) for (_, start), counts in self.truth.windows.items() if start < self.shape.end_ms)


def fill(ground: Ground, shape: LogShape) -> FilledLog:
    """Fills new topics.

    The closing events, a few per partition, are far enough ahead to make the last window fire. So the moment at which
    every window is in the table is the moment at which every event was counted, and no idle timeout is part of it.
    """
    begun = time.monotonic()
    topics = ground.kafka.fresh_topics(shape.partitions)
    producer = Producer(ground.kafka, topics, ground.folder)
    truth = send(producer, count=shape.events, products=shape.products, disorder=DISORDER, start_time=START_MS,
                 span=f"{shape.span_seconds}s", late=shape.late)
    closing = send(producer, "--unkeyed", count=CLOSING_EVENTS, start_time=shape.end_ms + CLOSING_GAP_MS, span="1s")
    for part, events in ((truth, shape.events), (closing, CLOSING_EVENTS)):
        counted = sum(sum(counts) for counts in part.windows.values())
        letters = len(part.dead_letters)
        assert counted + letters == events and (shape.late or not letters), f"{counted} of {events} events count: this is no healthy log"
    assert not truth.windows.keys() & closing.windows.keys(), "the closing events must have windows of their own"
    truth.windows.update(closing.windows)
    return FilledLog(shape, topics, truth, time.monotonic() - begun)


def send(producer: Producer, *flags: str, count: int, **options: object) -> Truth:
    """Sends that many events at full speed, reports progress, and returns the truth."""
    process = producer.start("both", *flags, count=count, rate=0, seed=SEED, **options)
    said = time.monotonic()

    def has_ended() -> bool:
        nonlocal said
        if time.monotonic() - said > PROGRESS_SECONDS:
            said = time.monotonic()
            say(f"filling, {count:,} events: {process.tail(1)}")
        return not process.runs()

    wait_until(has_ended, patience_seconds(count), f"{count:,} events are sent")
    assert process.wait(1) == 0, f"the producer failed:\n{process.tail()}"
    return producer.truth_of(process)
