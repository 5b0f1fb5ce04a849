"""The curves of the scaling benchmark: the values of each, and the log that each value is read from."""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from filled_log import LogShape
from report import arguments_of

USUAL = LogShape(events=2_000_000, products=100, span_seconds=600)

MANY_PRODUCTS = 10_000
"""With more products than this, each must have some events in every window, or windows would be small ones."""
EVENTS_OF_A_PRODUCT_IN_A_WINDOW = 3
MANY_PRODUCTS_SPAN_SECONDS, MOST_PRODUCTS_SPAN_SECONDS = 60, 20
"""Event time of logs with many products: all their windows are held at once. With a million products, two windows are held
(and 6 million events in them): as much as there is in any stream, since the third fires the first."""
MOST_PRODUCTS = 1_000_000

LOOK: dict[str, tuple[float, ...]] = {
    "events": (1_000_000, 2_000_000, 6_000_000),
    "products": (5, 1_000, 100_000),
    "partitions": (1, 6, 24, 48),
    "threads": (1, 2, 4),
    "instances": (1, 2, 4),
    "late share": (0, 0.2, 0.5),
}
"""A look of some minutes."""

WHOLE: dict[str, tuple[float, ...]] = {
    "events": (1_000_000, 10_000_000, 100_000_000),
    "products": (5, 1_000, 100_000, 1_000_000),
    "partitions": (1, 3, 6, 12, 24, 48),
    "threads": (1, 2, 3, 4),
    "instances": (1, 2, 3, 4),
    "late share": (0, 0.1, 0.2, 0.3, 0.4, 0.5),
}
"""What is published."""


@dataclass(frozen=True)
class Task:
    """One point to measure."""

    curve: str
    value: float

    @property
    def shape(self) -> LogShape:
        """Its log: the default one, unless the curve varies the log."""
        match self.curve:
            case "events":
                return dataclasses.replace(USUAL, events=int(self.value))
            case "products":
                return shape_with_products(int(self.value))
            case "partitions":
                return dataclasses.replace(USUAL, partitions=int(self.value))
            case "late share":
                return dataclasses.replace(USUAL, late=self.value)
            case _:
                return USUAL

    @property
    def threads(self) -> int:
        return int(self.value) if self.curve == "threads" else 2

    @property
    def instances(self) -> int:
        return int(self.value) if self.curve == "instances" else 1


def shape_with_products(products: int) -> LogShape:
    """The default log, or a short one in which every window has every product."""
    if products <= MANY_PRODUCTS:
        return dataclasses.replace(USUAL, products=products)
    span_seconds = MANY_PRODUCTS_SPAN_SECONDS if products < MOST_PRODUCTS else MOST_PRODUCTS_SPAN_SECONDS
    events = max(USUAL.events, EVENTS_OF_A_PRODUCT_IN_A_WINDOW * products * span_seconds // 10)
    return LogShape(events, products, span_seconds)


def options(arguments: Sequence[str], description: str | None) -> argparse.Namespace:
    """The command line options; `curves` include their values."""
    parser = arguments_of("scaling", description)
    parser.add_argument("--curves", type=lambda text: text.split(","), default=list(LOOK),
                        help=f"comma-separated names (all: {','.join(LOOK)})")
    several = parser.add_mutually_exclusive_group()
    several.add_argument("--whole", action="store_true",
                         help="up to 100 M events and 1 M products, as published (about half an hour on a quiet machine, and 10 GB)")
    several.add_argument("--values", type=lambda text: [float(value) for value in text.split(",")], help="custom values for one curve")
    chosen = parser.parse_args(arguments)
    chosen.curves = chosen_curves(parser, chosen)
    return chosen


def chosen_curves(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> dict[str, tuple[float, ...]]:
    """The requested curves with their values; invalid ones exit with an explanation."""
    if unknown := set(chosen.curves) - LOOK.keys():
        parser.error(f"--curves: there is no {', '.join(sorted(unknown))}; there are: {', '.join(LOOK)}")
    if chosen.values is None:
        return {name: (WHOLE if chosen.whole else LOOK)[name] for name in chosen.curves}
    if len(chosen.curves) != 1:
        parser.error("--values belong to one curve: name it with --curves")
    [name] = chosen.curves
    if wrong := [value for value in chosen.values if not is_possible(name, value)]:
        parser.error(f"--values: {', '.join(f'{value:g}' for value in wrong)} cannot be for {name}")
    return {name: tuple(chosen.values)}


def is_possible(curve: str, value: float) -> bool:
    return 0 <= value <= 0.5 if curve == "late share" else value >= 1 and value == int(value)


def tasks_of(curves: dict[str, Sequence[float]]) -> list[Task]:
    """All points, curve by curve."""
    return [Task(name, value) for name, values in curves.items() for value in values]
