"""A run as a picture: bars for the medians, lines from the least to the most."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402 (the back end first)

from report import FIGURES, Rounds, Spread  # noqa: E402

SHOWN = ("events per CPU-second", "events/s, wall", "peak RSS", "start to first result")
OURS, OTHERS = "#c2410c", "#94a3b8"


def draw(rounds: Rounds, file: Path) -> None:
    """Writes an SVG with a panel for each figure and a bar for each reader."""
    # Letters as letters: a smaller file that can be searched.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9}):
        picture, panels = pyplot.subplots(2, 2, figsize=(10, 2 + 0.8 * len(rounds.readers)), layout="constrained")
        picture.suptitle(f"{rounds.title}; median of {len(rounds.rounds)} rounds")
        for panel, title in zip(panels.flat, SHOWN, strict=True):
            draw_figure(panel, rounds, title)
        picture.savefig(file, metadata={"Date": None})
        pyplot.close(picture)


def draw_figure(panel: pyplot.Axes, rounds: Rounds, title: str) -> None:
    """Bars of those readers that have the figure, the first one at the top."""
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
    """From the median down to the least and up to the most."""
    return [[spread.median - spread.least for spread in spreads], [spread.most - spread.median for spread in spreads]]
