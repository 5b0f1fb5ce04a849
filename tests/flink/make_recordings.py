#!/usr/bin/env python3
"""Writes the recorded logs that Flink's answers are about. The same script writes the same files, byte by byte.

usage: make_recordings.py [FOLDER]     (default: the folder of this script; recordings go to its agree/ and differ/)

Afterwards run make_answers.sh: an answer belongs to its recording.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

START = 1_700_000_000_000  # 2023-11-14T22:13:20Z, where a window begins
WINDOW, LATENESS = 10_000, 5_000
REACH = 2_001  # a maximum so far beyond a moment puts the watermark on it: 2 s of disorder and 1 ms
IMPRESSIONS, CLICKS = "impressions", "clicks"
PRODUCTS = ("shoe", "hat", "coat", "bag", "Uhr & Glück")


class Recording:
    """A log in the order of reading. Times are milliseconds after START."""

    def __init__(self, name: str, header: dict):
        self.lines = [header]
        self.dice = random.Random(name)
        self.next_offset = dict.fromkeys(header["partitions"], 0)

    def event(self, at: int, product: str = "shoe", kind: str = "impression", partition: str = IMPRESSIONS, stamp: int | None = None):
        offset = self.next_offset[partition]
        self.next_offset[partition] += 1
        line = {"partition": partition, "offset": offset, "timestamp": START + at, "product": product, "kind": kind}
        # The record's Kafka timestamp, where it is not simply later than the event.
        self.lines.append(line if stamp is None else line | {"kafka_timestamp": START + stamp})

    def events(self, *times: int, **rest):
        for at in times:
            self.event(at, **rest)

    def hole(self, offsets: int, partition: str = IMPRESSIONS):
        """Offsets that no reader sees: transaction markers, compaction."""
        self.next_offset[partition] += offsets

    def idle(self, partition: str):
        """The source finds that nothing has come for the idle timeout."""
        self.lines.append({"idle": partition})

    def anything(self, at: int, products: int = 5):
        self.event(at, self.dice.choice(PRODUCTS[:products]), self.dice.choice(["impression", "impression", "click"]))


RECORDINGS: dict[str, tuple[dict, Callable[[Recording], None]]] = {}


def recording(about: str, partitions: tuple[str, ...] = (IMPRESSIONS,), **header):
    """Registers a recording; the function's name, folder__name, is its file's."""

    def register(write: Callable[[Recording], None]) -> Callable[[Recording], None]:
        RECORDINGS[write.__name__] = ({"about": about, "partitions": list(partitions), **header}, write)
        return write

    return register


@recording("One event: its window fires at the end of the input.")
def agree__one_event(log: Recording):
    log.event(1_000)


@recording("Event time only grows, in three windows and a bit.")
def agree__in_order(log: Recording):
    for at in range(0, 33_000, 300):
        log.anything(at, products=3)


@recording("Disorder of up to 2 s, the most that is waited for: nothing is late.")
def agree__disorder_within_the_bound(log: Recording):
    for at in range(2_000, 45_000, 200):
        log.anything(at - log.dice.randint(0, 2_000))


@recording("The first and the last millisecond of windows.")
def agree__edges_of_windows(log: Recording):
    log.events(0, 9_999, 10_000, 9_999, 19_999, 20_000, 10_000, 29_999, 30_000, 50_000)


@recording("The watermark stops 1 ms before a window's last millisecond, on it and after it; each time the window gets an event.")
def agree__moment_of_firing(log: Recording):
    for step in (-1, 0, 1):
        log.event(WINDOW - 1 + REACH + step)
        log.event(5_000 + step, kind="click")


@recording("The watermark stops 1 ms before the end of the allowed lateness, on it and after it; each time the window gets an event.")
def agree__end_of_lateness(log: Recording):
    log.event(1_000)
    for step in (-1, 0, 1):
        log.event(WINDOW - 1 + LATENESS + REACH + step, "hat")
        log.event(2_000 + step)
        log.event(WINDOW - 1, "coat")


@recording("The same watermarks on the edge of the lateness, reached by records of the window's neighbours.")
def agree__late_beside_its_neighbours(log: Recording):
    log.events(9_999, 10_000, 17_000, 9_999, 10_000, 17_001, 9_999, 10_000, 26_999, 10_000, 27_000, 10_000, 19_999, 20_000, 27_001, 19_999)


@recording("Late updates: every event of a window that has fired shows its row again, and only its product's.")
def agree__late_updates(log: Recording):
    log.events(1_000, 2_000)
    log.events(3_000, 4_000, product="hat", kind="click")
    log.event(12_000)
    for at in range(0, 10_000, 800):
        log.anything(at, products=3)
    log.events(13_000, 9_999, 14_000, 9_998)


@recording("Late within the lateness, most of the time: what fired shows again and again.")
def agree__late_at_random(log: Recording):
    for at in range(20_000, 80_000, 400):
        log.anything(at)
        log.anything(at - log.dice.randint(2_000, 6_999))


@recording("A window, and products in one, that only late events begin: they show at once.")
def agree__begun_late(log: Recording):
    log.event(25_000)
    log.events(11_000, 12_000, product="hat")
    log.events(19_999, product="coat", kind="click")
    log.events(9_999, 10_000, 20_000, product="bag")


@recording("Too late, again and again, between events that count.")
def agree__too_late(log: Recording):
    log.events(5_000, 40_000, 5_000, 6_000, 39_000, 19_999, 20_000, 29_999, 30_000, 9_999, 41_000, 22_000)


@recording("An hour without events: all windows before it are over at the first record after it. Offsets have holes.")
def agree__long_gap(log: Recording):
    log.events(1_000, 8_000, 11_000, 9_000)
    log.hole(7)
    log.events(3_600_000, 12_000, 1_800_000, 3_598_000, 3_594_999, 3_590_000, 3_589_999)
    log.hole(1)
    log.events(7_200_000, 3_600_000, 7_199_000)


@recording("One record makes two windows fire, the older one first, with all their products. More cannot be open on one partition.")
def agree__two_windows_at_once(log: Recording):
    for product in PRODUCTS:
        log.events(19_500, 21_000, product=product)
    log.events(11_000, 21_900, 90_000)
    log.events(89_000, 98_000, product="hat")
    log.events(100_000, 101_900, 130_000)


@recording("Clicks alone, clicks before their impressions, and products whose names are odd.")
def agree__clicks_and_products(log: Recording):
    log.events(1_000, 2_000, product="only clicked", kind="click")
    log.event(3_000, "hat", "click")
    log.events(3_500, 3_600, product="hat")
    for product in ("Hat", "hat ", " hat", "帽子", "a\"b\\c", "x" * 200):
        log.event(4_000, product)
    log.events(25_000, 10_000)


@recording("A thousandth of a second holds many events, also the one that makes windows fire.")
def agree__equal_times(log: Recording):
    for at in (9_999, 9_999 + REACH, 10_000, 12_000, 9_999, 17_000, 9_999, 10_000):
        for _ in range(4):
            log.anything(at, products=2)


@recording("Event time goes back by a minute, as after a clock was set back: all is too late until it has caught up.")
def agree__clock_set_back(log: Recording):
    log.events(*range(60_000, 70_000, 700))
    log.events(*range(5_000, 75_000, 1_100))


@recording("Six minutes of all there is: 80 % in order, 15 % late, 5 % too late. Offsets have holes.")
def agree__mixed(log: Recording):
    for at in range(30_000, 390_000, 1_200):
        luck = log.dice.random()
        back = log.dice.randint(0, 2_000) if luck < 0.8 else log.dice.randint(2_000, 7_000) if luck < 0.95 else log.dice.randint(7_000, 29_000)
        log.anything(at - back)
        if log.dice.random() < 0.1:
            log.hole(log.dice.randint(1, 3))


@recording("Event times at random within 25 s: most windows are updated, many events are too late.")
def agree__wild(log: Recording):
    for at in range(25_000, 95_000, 250):
        log.anything(at - log.dice.randint(0, 25_000), products=2)


@recording("Only times within 1 ms of an edge: of a window, of its firing, of its lateness. At random.")
def agree__edges_at_random(log: Recording):
    for at in range(20_000, 170_000, 500):
        edge = log.dice.choice([0, WINDOW - 1, REACH, LATENESS, LATENESS + REACH])
        log.anything(at // WINDOW * WINDOW - log.dice.choice([0, 0, 0, WINDOW]) + edge + log.dice.choice([-1, 0, 1]), products=2)


@recording("A few events, seconds to minutes apart.")
def agree__sparse(log: Recording):
    at = 0
    for _ in range(120):
        at += int(log.dice.expovariate(1 / 6_000)) - 1_000
        log.anything(max(at, 0), products=2)


BOTH = (IMPRESSIONS, CLICKS)


@recording("Impressions are read far ahead of clicks; some are late by their own partition's time only.", BOTH)
def differ__own_watermark(log: Recording):
    log.events(1_000, 12_000, 20_000, 40_000)
    log.event(3_000, kind="click", partition=CLICKS)
    log.events(5_000, 31_000, product="hat")
    log.event(6_000, "hat", "click", CLICKS)
    log.event(40_000, kind="click", partition=CLICKS)
    log.event(7_000, "coat")
    log.events(8_000, product="coat", kind="click", partition=CLICKS)


def two_logs(log: Recording) -> list[list[Callable[[], None]]]:
    """The same two logs whatever the order in which they are read: late and too-late events in both."""
    dice = random.Random("two logs")

    def of(partition: str, kind: str) -> list[Callable[[], None]]:
        times = [at - dice.choice([0, 500, 6_000, 15_000]) for at in range(15_000, 75_000, 1_500)]
        products = [dice.choice(PRODUCTS[:3]) for _ in times]
        return [lambda at=at, product=product: log.event(at, product, kind, partition) for at, product in zip(times, products, strict=True)]

    return [of(IMPRESSIONS, "impression"), of(CLICKS, "click")]


@recording("Two logs, read in turns. Those of same_logs_one_after_the_other.", BOTH)
def differ__same_logs_in_turns(log: Recording):
    for impression, click in zip(*two_logs(log), strict=True):
        impression()
        click()


@recording("Two logs, read one after the other. Those of same_logs_in_turns.", BOTH)
def differ__same_logs_one_after_the_other(log: Recording):
    for events in two_logs(log):
        for event in events:
            event()


@recording("Clicks are silent while impressions go on; then the clicks of that time come.", BOTH)
def differ__idle_and_back(log: Recording):
    log.event(1_000)
    log.event(1_500, kind="click", partition=CLICKS)
    log.events(4_000, 12_000)
    log.idle(CLICKS)
    log.events(25_000, 40_000)
    log.events(2_000, 8_000, kind="click", partition=CLICKS)
    log.event(41_000, kind="click", partition=CLICKS)
    log.event(3_000, "hat", "click", CLICKS)


@recording("Both topics fall silent in the middle of a window.", BOTH)
def differ__silence(log: Recording):
    log.event(4_000)
    log.event(3_000, kind="click", partition=CLICKS)
    log.idle(CLICKS)
    log.idle(IMPRESSIONS)


@recording("An event ten days ahead, between honest ones.")
def differ__far_future(log: Recording):
    log.event(1_000, stamp=1_000)
    log.event(10 * 86_400_000, "ahead", stamp=2_000)
    log.event(3_000, stamp=3_000)
    log.event(13_000, stamp=13_000)


@recording("One producer's clock is a minute ahead, the others are right.")
def differ__clock_ahead(log: Recording):
    for at in range(0, 24_000, 3_000):
        log.event(at, stamp=at)
        log.event(at + 60_000, "ahead", stamp=at)


@recording("Sources emit their watermarks after every fourth event only, as the timer of a running job does now and then.", emit_every=4)
def differ__periodic_watermarks(log: Recording):
    log.events(1_000, 12_000, 2_000, 13_000)
    log.events(17_000, 3_000, 30_000, 4_000)
    log.events(5_000, 11_000, 31_000, 32_000)


def main(folder: Path):
    for name, (header, write) in RECORDINGS.items():
        log = Recording(name, header)
        write(log)
        path = folder / (name.replace("__", "/") + ".events.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in log.lines), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]) or len(sys.argv) > 2:
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) == 2 else 2)
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else Path(__file__).parent)
