"""The chaos run: see ./scripts/chaos.sh --help."""

import argparse
import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from chaos.faults import FAULTS, Scene, one_fault
from chaos.flaky_proxy import FlakyProxy, Mood
from pipeline.comparison import differences, letters_by_identity
from stack import Database, Engine, Kafka, Pipeline, Process, Producer, Truth, wait_until
from verify.verify import verify

# The brokers' minimum, so that a dead instance's partitions are reassigned within the run.
SETTINGS = {"kafka.session-timeout-ms": "6000"}
LONGEST_PAUSE_SECONDS = 60.0
"""New rows must appear at least that often, whatever goes wrong: a fault takes 12 s at most, a window 10."""

TRAFFIC = {"products": 50, "late": 0.05, "too_late": 0.01, "bad": 0.01, "future": 0.01, "duplicates": 0.01}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos.sh")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


class Clock:
    """Prints lines with the time since the start."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def say(self, line: str) -> None:
        print(f"{self.seconds():7.1f} s  {line}", flush=True)


def build_scene(folder: Path, seed: int, clock: Clock) -> tuple[Scene, Producer]:
    kafka, engine = Kafka(folder / "kafka", brokers=3), Engine(folder / "clickhouse")
    kafka.start()
    engine.start()
    topics, database = kafka.fresh_topics(partitions=6), engine.fresh_database()
    proxy = FlakyProxy(engine.port)
    settings = {**SETTINGS, "clickhouse.url": proxy.url}
    instances = [Pipeline(kafka, topics, database, folder, settings=settings).start_ready() for _ in range(2)]
    scene = Scene(kafka, topics, engine, database, proxy, instances, random.Random(seed), clock.say)
    return scene, Producer(kafka, topics, folder)


def rage(scene: Scene, flow: Process) -> None:
    """Injects one fault after another, with calm periods in between, while events flow."""
    while flow.runs():
        one_fault(scene)
        scene.wait(0.1, 4)


def settle(scene: Scene, flow: Process) -> None:
    """After the last fault: all events are sent, and everything that fell behind catches up."""
    code = flow.wait(10)
    if code != 0:
        raise AssertionError(f"the producer ended with {code}:\n{flow.tail()}")
    for instance in scene.instances:
        instance.wait_ready(120)


def longest_pause(database: Database) -> float:
    """The longest time between two inserts that brought a new state of a window, in seconds."""
    rows = database.query("SELECT DISTINCT toUnixTimestamp64Milli(first_written_at) AS ms FROM ctr_window_history ORDER BY ms")
    return max((after["ms"] - before["ms"] for before, after in pairwise(rows)), default=0) / 1000


def compare(scene: Scene, truth: Truth, clock: Clock) -> int:
    """Waits for everything in flight, compares everything, prints the summary; returns the number of differences. A pause that is too
    long counts as one.
    """
    clock.say(f"comparing {len(truth.windows)} windows and {len(truth.dead_letters)} dead letters with what was sent")
    try:
        wait_until(lambda: not differences(truth, scene.database), 120, "the tables are as the log says", every=1)
        wait_until(lambda: letters_by_identity(scene.kafka, scene.topics).keys() >= truth.dead_letters, 60, "all dead letters", every=2)
    except AssertionError as error:
        clock.say(str(error).splitlines()[0][:200])
    windows = differences(truth, scene.database)
    letters = letters_by_identity(scene.kafka, scene.topics)
    wrong_letters = letters.keys() ^ truth.dead_letters
    for key, (must, found) in sorted(windows.items())[:20]:
        print(f"  window {key}: must be {must}, is {found}")
    for identity in sorted(wrong_letters)[:20]:
        print(f"  dead letter {identity}: {'not sent' if identity in truth.dead_letters else 'should not be'}")
    ledgers = [instance.get_json("/api/v1/status")["ledger"]["difference"] for instance in scene.instances]
    clock.say("counting the log again with code of its own (ctr-verify reconcile)")
    again = verify(scene.instances[0], "reconcile", "--wait", "60", seconds=600)
    print(again.text + again.errors)
    pause = longest_pause(scene.database)
    summary(scene, truth, {"windows that differ": len(windows), "dead letters that differ": len(wrong_letters),
                           "ledger difference": sum(map(abs, ledgers)), "reconcile": "equal" if again.code == 0 else "differs",
                           "dead letters sent again by replay": sum(len(copies) - 1 for copies in letters.values()),
                           "longest time without new rows, seconds": f"{pause:.1f}"}, clock)
    if pause > LONGEST_PAUSE_SECONDS:
        print(f"nothing was written for {pause:.1f} s, more than {LONGEST_PAUSE_SECONDS:g}: something waited after its fault had ended")
    return len(windows) + len(wrong_letters) + sum(map(abs, ledgers)) + (again.code != 0) + (pause > LONGEST_PAUSE_SECONDS)


def summary(scene: Scene, truth: Truth, results: dict[str, int | str], clock: Clock) -> None:
    rows = [("minutes", f"{clock.seconds() / 60:.1f}"), ("events sent", truth.total["sent"]), ("kill -9", scene.kills)]
    rows += [(fault.__name__.replace("_", " "), scene.done[fault.__name__]) for fault in FAULTS]
    rows += [(f"inserts {mood.value}", count) for mood, count in scene.proxy.spoiled.items()]
    rows += [("windows compared", len(truth.windows)), ("dead letters compared", len(truth.dead_letters)), *results.items()]
    width = max(len(name) for name, _ in rows)
    print("\n" + "\n".join(f"  {name:{width}}  {value:>10}" for name, value in rows), flush=True)


def run(options: argparse.Namespace, folder: Path) -> int:
    clock = Clock()
    clock.say(f"seed {options.seed}, {options.minutes:g} minutes, {options.rate} impressions/s, logs in {folder}")
    scene, producer = build_scene(folder, options.seed, clock)
    try:
        flow = producer.start("both", rate=options.rate, seed=options.seed, duration=f"{options.minutes * 60:.0f}s", **TRAFFIC)
        rage(scene, flow)
        settle(scene, flow)
        found = compare(scene, producer.truth_of(flow), clock)
    finally:
        scene.proxy.mood = Mood.PASS
        for process in reversed(Process.started):
            process.kill()
        scene.proxy.close()
    print(f"\n{found} differences; the seed was {options.seed}")
    return 1 if found else 0


def main() -> int:
    options = arguments()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        return run(options, options.folder)
    with tempfile.TemporaryDirectory(prefix="ctr-chaos-") as folder:
        return run(options, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
