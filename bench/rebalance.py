"""How long nothing is read when instances come and go.

Started by `./scripts/bench.sh rebalance`. As many instances as the topics have partitions, with one worker each and shipped settings, read a
slow flow of events while one joins, leaves, is restarted, killed, or all are. Measured are the longest time in which no record
was read at all, and the longest one in which no new record of a pair of partitions was read, by the positions that
instances publish four times a second: the row of a group that nothing happens to shows what that alone makes.
At the end the tables must be as the log says.
"""

import argparse
import dataclasses
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ground import Ground, on_new_ground
from instances import Instances
from pauses import Pause, Pauses
from report import arguments_of, say, write
from stack import Process, Producer
from stack.pipeline import variable
from stack.process import BINARIES, CHECKOUT, clean_environment

PRODUCTS = 1_000
"""Enough that every partition has events several times a second."""

QUIET_SECONDS = 10
RECONCILE_SECONDS = 120


@dataclass(frozen=True)
class Rebalances:
    """Results of all kinds of changes."""

    instances: int
    session_timeout_ms: int
    kinds: list[Pauses]
    verdict: str

    def markdown(self) -> str:
        head = [f"{self.instances} instances, session timeout {self.session_timeout_ms / 1000:g} s", "",
                "| what happens | times | no record read at all | no new record of a partition: median of all | of the slowest |", "|---|---|---|---|---|"]
        return "\n".join([*head, *(pauses.row() for pauses in self.kinds), "", self.verdict])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Rebalance:
    """Measures one kind of change after the other, most of them on one group."""

    def __init__(self, ground: Ground, chosen: argparse.Namespace):
        self._ground, self._chosen = ground, chosen
        self._topics = ground.kafka.fresh_topics(chosen.instances)
        self.kinds: list[Pauses] = []

    def run(self) -> Rebalances:
        events = Producer(self._ground.kafka, self._topics, self._ground.folder).start("both", rate=self._chosen.rate, products=PRODUCTS, seed=1)
        try:
            # The very first group makes the brokers create the topic for group commits.
            for kind, rounds in [("", 1), ("all start at once, as a new group", self._chosen.rounds)]:
                pauses = self._kind(kind) if kind else Pauses("not counted")
                for _ in range(rounds):
                    with self._new_group() as group:
                        self._change(pauses, group, lambda group=group: start_all(group))
            with self._new_group() as group:
                start_all(group)
                group.settle(time.time())
                self._changes(group)
                assert events.runs(), f"the producer ended:\n{events.tail()}"
                assert events.stop() == 0, f"the producer did not stop cleanly:\n{events.tail()}"
                verdict = self._reconcile(group)
        finally:
            events.kill()
        return Rebalances(self._chosen.instances, self._chosen.session_timeout_ms, self.kinds, verdict)

    def _new_group(self) -> Instances:
        topics = dataclasses.replace(self._topics, group=f"bench-{uuid.uuid4().hex[:8]}")
        return Instances(self._ground, topics, self._ground.engine.fresh_database(), self._chosen.session_timeout_ms)

    def _kind(self, kind: str) -> Pauses:
        self.kinds.append(Pauses(kind))
        return self.kinds[-1]

    def _change(self, pauses: Pauses, group: Instances, change: Callable[[], object], missing: Sequence = ()) -> None:
        """Makes the change, waits until it is over, and notes what it cost."""
        since = time.time()
        change()
        group.settle(since, missing)
        pauses.rounds.append(Pause.of(group.advances.times(), since))
        pause = pauses.rounds[-1]
        say(f"{pauses.kind}: nothing read for {pause.of_all:.2f} s; of a partition for {min(pause.of_pairs):.2f} to {max(pause.of_pairs):.2f} s")

    def _changes(self, group: Instances) -> None:
        rounds = range(self._chosen.rounds)
        nothing = self._kind("nothing")
        for _ in rounds:
            self._change(nothing, group, lambda: time.sleep(QUIET_SECONDS))
        self._leaving_and_joining(group)
        for how, kind in [("stop", "one is restarted (SIGTERM)"), ("kill", "one is killed, and restarted at once")]:
            pauses = self._kind(kind)
            for number in rounds:
                self._change(pauses, group, lambda how=how, number=number: restart(group, number, how))
        self._lost(group)
        pauses = self._kind("all are killed, and started at once")
        for _ in rounds:
            self._change(pauses, group, lambda: (end_all(group), start_all(group)))
        pauses = self._kind("all are restarted (SIGTERM), one after the other")
        for _ in range(self._chosen.rolling):
            self._change(pauses, group, lambda: roll(group))

    def _leaving_and_joining(self, group: Instances) -> None:
        count = self._chosen.instances
        leaving, joining = self._kind(f"one leaves (SIGQUIT), {count} to {count - 1}"), self._kind(f"one joins, {count - 1} to {count}")
        for number in range(self._chosen.rounds):
            one = group.all[number % count]
            self._change(leaving, group, lambda one=one: group.end(one, "leave"), [one])
            self._change(joining, group, one.start)

    def _lost(self, group: Instances) -> None:
        """Killed for good: the session timeout passes before the others get its partitions. Then it comes back as a new member."""
        lost = self._kind("one is killed, and does not return")
        for number in range(self._chosen.rounds):
            one = group.all[-1 - number % self._chosen.instances]
            self._change(lost, group, lambda one=one: group.end(one, "kill"), [one])
            self._change(Pauses("it returns, not counted"), group, one.start)

    def _reconcile(self, group: Instances) -> str:
        environment = clean_environment({variable(key): value for key, value in group.all[0].settings.items()})
        command = [str(BINARIES / "ctr-verify"), "reconcile", "--config", str(CHECKOUT / "config/application.yml"), "--wait", str(RECONCILE_SECONDS)]
        process = Process("ctr-verify reconcile", command, environment, self._ground.folder / "reconcile.log")
        process.start()
        code = process.wait(2 * RECONCILE_SECONDS)
        assert code == 0, f"the tables are not as the log says:\n{process.tail()}"
        return "`ctr-verify reconcile` afterwards: no differences."


def start_all(group: Instances) -> None:
    for pipeline in group.all:
        pipeline.start()


def end_all(group: Instances) -> None:
    for pipeline in group.all:
        group.end(pipeline, "kill")


def restart(group: Instances, number: int, how: str) -> None:
    one = group.all[number % len(group.all)]
    group.end(one, how)
    one.start()


def roll(group: Instances) -> None:
    """Like Kubernetes: the next one when the one before is ready."""
    for number, pipeline in enumerate(group.all):
        restart(group, number, "stop")
        pipeline.wait_ready()


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("rebalance", __doc__)
    parser.add_argument("--instances", type=int, default=12, help="instances, and partitions of each topic (12)")
    parser.add_argument("--rounds", type=int, default=5, help="changes of each kind (5)")
    parser.add_argument("--rolling", type=int, default=3, help="rolling restarts of all instances (3)")
    parser.add_argument("--rate", type=int, default=400, help="impressions per second (400)")
    parser.add_argument("--session-timeout-ms", type=int, default=15_000, help="kafka.session-timeout-ms (15000, as shipped; the chart sets 45000)")
    chosen = parser.parse_args(arguments)
    if min(chosen.rounds, chosen.rolling, chosen.rate) < 1 or chosen.instances < 2 or chosen.session_timeout_ms < 6_000:
        parser.error("there must be 2 instances, and a session timeout of 6000 ms, or more; other numbers must be above 0")
    return chosen


def main() -> int:
    chosen = options(sys.argv[1:])
    return on_new_ground(lambda ground: write(chosen.results, "rebalance", [Rebalance(ground, chosen).run()]))


if __name__ == "__main__":
    sys.exit(main())
