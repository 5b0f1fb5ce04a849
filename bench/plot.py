"""Plots of a run: bars for the medians with lines from minimum to maximum, or curves."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from points import Curve
from report import FIGURES, MIB, Rounds, Spread

SHOWN = ("events per CPU-second", "events/s, wall", "peak RSS", "start to first result")
# Text as text: a smaller, searchable file.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9}
OURS, OTHERS = "#c2410c", "#94a3b8"


def draw(rounds: Rounds, file: Path) -> None:
    """Writes an SVG with a panel for each figure and a bar for each reader."""
    with pyplot.rc_context(STYLE):
        picture, panels = pyplot.subplots(2, 2, figsize=(10, 2 + 0.8 * len(rounds.readers)), layout="constrained")
        picture.suptitle(f"{rounds.title}; median of {len(rounds.rounds)} rounds")
        for panel, title in zip(panels.flat, SHOWN, strict=True):
            draw_figure(panel, rounds, title)
        picture.savefig(file, metadata={"Date": None})
        pyplot.close(picture)


def draw_curves(curves: Sequence[Curve], file: Path) -> None:
    """Writes an SVG with a panel for each curve: events per CPU-second of the pipeline and of the bare consumer."""
    with pyplot.rc_context(STYLE):
        rows = (len(curves) + 1) // 2
        picture, panels = pyplot.subplots(rows, 2, figsize=(10, 3 * rows), layout="constrained", squeeze=False)
        picture.suptitle("millions of events per CPU-second")
        for panel in panels.flat[len(curves):]:
            panel.set_visible(False)
        for panel, curve in zip(panels.flat, curves, strict=False):
            places, labels = range(len(curve.points)), [f"{point.value:,.12g}" for point in curve.points]
            panel.plot(places, [point.pipeline.events_per_cpu_second / 1e6 for point in curve.points], marker="o", color=OURS, label="ctr-pipeline")
            panel.plot(places, [point.bare.events_per_cpu_second / 1e6 for point in curve.points], marker="o", color=OTHERS, label="bare consumer")
            panel.set_xticks(places, labels)
            panel.set_title(curve.name, loc="left")
            panel.set_ylim(bottom=0)
            panel.spines[["top", "right"]].set_visible(False)
        panels.flat[0].legend(frameon=False)
        picture.savefig(file, metadata={"Date": None})
        pyplot.close(picture)


def draw_memory(rounds: Rounds, file: Path) -> None:
    """Writes an SVG of speed over memory: a panel for CPU time and one for wall time, a point for each reader."""
    with pyplot.rc_context(STYLE):
        picture, panels = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
        picture.suptitle(f"{rounds.title}; median of {len(rounds.rounds)} rounds")
        memory = [median_of(rounds, reader, "peak RSS") / MIB for reader in rounds.readers]
        for panel, title in zip(panels, ("events per CPU-second", "events/s, wall"), strict=True):
            speed = [median_of(rounds, reader, title) / 1e6 for reader in rounds.readers]
            panel.plot(memory, speed, color=OTHERS, zorder=1)
            panel.scatter(memory, speed, color=[OURS if reader == rounds.subject else OTHERS for reader in rounds.readers], zorder=2)
            for number, (reader, x, y) in enumerate(zip(rounds.readers, memory, speed, strict=True)):
                # Alternately above and below: neighbors are close together.
                panel.annotate(reader, (x, y), ha="center", textcoords="offset points", xytext=(0, -16 if number % 2 else 8))
            panel.set_title(f"{title}, millions", loc="left")
            panel.set_xlabel("peak RSS, MiB")
            panel.set_ylim(0, max(speed) * 1.2)
            panel.set_xlim(0, max(memory) * 1.2)
            panel.spines[["top", "right"]].set_visible(False)
        picture.savefig(file, metadata={"Date": None})
        pyplot.close(picture)


def median_of(rounds: Rounds, reader: str, title: str) -> float:
    """The median of a figure that every reader has."""
    spread = rounds.spread(reader, title)
    assert spread, f"{reader} has no {title}"
    return spread.median


def draw_figure(panel: pyplot.Axes, rounds: Rounds, title: str) -> None:
    """Bars of the readers that have the figure, the first one at the top."""
    form = next(form for name, _, form in FIGURES if name == title)
    spreads = {reader: spread for reader in reversed(rounds.readers) if (spread := rounds.spread(reader, title))}
    medians = [spread.median for spread in spreads.values()]
    bars = panel.barh(list(spreads), medians, xerr=whiskers(list(spreads.values())), capsize=3,
                      color=[OURS if reader == rounds.subject else OTHERS for reader in spreads])
    panel.bar_label(bars, [f" {form(median)}" for median in medians], padding=4)
    panel.set_title(title, loc="left")
    panel.margins(x=0.25)
    panel.xaxis.set_visible(False)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


def whiskers(spreads: list[Spread]) -> list[list[float]]:
    """Distances from the median to the minimum and to the maximum."""
    return [[spread.median - spread.least for spread in spreads], [spread.most - spread.median for spread in spreads]]
