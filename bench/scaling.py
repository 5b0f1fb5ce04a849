"""The cost per event as events, products, partitions, threads, instances and late events grow.

Started by `./scripts/bench.sh scaling`. Each point is one reading of a log by the pipeline, as in the throughput benchmark, until the
last row is in the table, with counts compared with the truth; and one by the bare consumer, which shows how much of a change
is due to the client. A log is deleted when no later point reads it.
"""

import sys
from collections.abc import Sequence

from curves import Task, options, tasks_of
from filled_log import FilledLog, LogShape, fill
from ground import Ground, on_new_ground
from plot import draw_curves
from points import Curve, Point
from readers import BareConsumer, PipelineReader
from report import say, write


class Scaling:
    """Measures one point after the other."""

    def __init__(self, ground: Ground):
        self._ground = ground
        self._logs: dict[LogShape, FilledLog] = {}

    def measure(self, curves: dict[str, Sequence[float]]) -> list[Curve]:
        measured = {name: Curve(name, []) for name in curves}
        tasks = tasks_of(curves)
        for number, task in enumerate(tasks, 1):
            measured[task.curve].points.append(self._point(task))
            self._keep_only({later.shape for later in tasks[number:]})
        return list(measured.values())

    def _point(self, task: Task) -> Point:
        log = self._log(task.shape)
        settings = {"ctr.job.parallelism": task.threads}
        # Instances are compared with one bare consumer of two threads.
        [bare] = BareConsumer(self._ground, settings).read(log)
        [pipeline] = PipelineReader(self._ground, settings, task.instances).read(log)
        point = Point(task.value, pipeline, bare)
        say(f"{task.curve} {point.row()}")
        return point

    def _log(self, shape: LogShape) -> FilledLog:
        if shape not in self._logs:
            self._logs[shape] = fill(self._ground, shape)
        return self._logs[shape]

    def _keep_only(self, shapes: set[LogShape]) -> None:
        for shape in self._logs.keys() - shapes:
            self._ground.kafka.delete_topics(self._logs.pop(shape).topics)


def main() -> int:
    chosen = options(sys.argv[1:], __doc__)

    def measure(ground: Ground) -> str:
        curves = Scaling(ground).measure(chosen.curves)
        return write(chosen.results, "scaling", curves, draw=lambda file: draw_curves(curves, file))

    return on_new_ground(measure)


if __name__ == "__main__":
    sys.exit(main())
