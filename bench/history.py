"""Query latency when the tables hold months of results: 1 M rows, then 10 M, up to 100 M.

Started by `./scripts/bench.sh history`. Rows are generated inside the engine and go through ctr_results_raw, so every view and table
behind it fills as with the pipeline. Then `ctr-verify load` queries with several concurrent clients, while more rows arrive
at the pace of the pipeline (every product once in 10 s) and nothing is merged.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from report import arguments_of, in_a_folder, numbers, say, write
from stack import Database, Engine, Process, started
from stack.engine import PASSWORD, WRITER
from stack.process import BINARIES, CHECKOUT, clean_environment

WINDOW_SECONDS = 10
PARTITIONS = 6
ROWS_PER_INSERT = 1_000_000
QUESTIONS = ("one product", "latest", "rows", "minutes")
"""Of `ctr-verify load`: the newest window of one product, and the three queries of the README."""

TABLES = ("ctr_results_raw", "ctr_ml", "ctr_latest", "ctr_window_history")


@dataclass(frozen=True)
class Answers:
    """Latencies measured at one size."""

    rows: int
    parts: int
    inserted_meanwhile: int
    questions: list[dict]
    """As `ctr-verify load --json` says them."""

    def row(self) -> str:
        cells = [f"{question['p50Ms']:.0f} / {question['p99Ms']:.0f} ms" for question in self.questions]
        return f"| {self.rows:,} | {self.parts} | " + " | ".join(cells) + " |"


def rows_of(products: int, first_window: int, windows: int) -> str:
    """A row for every product in each of that many windows; windows are numbered from the epoch."""
    length = WINDOW_SECONDS * 1000
    return f"""INSERT INTO ctr_results_raw (product_id, source_partition, window_start, window_end, impressions, clicks, ctr)
SELECT concat('product', toString(product)), product % {PARTITIONS}, fromUnixTimestamp64Milli(toInt64(begin)),
       fromUnixTimestamp64Milli(toInt64(begin + {length})), 100 + product % 50 AS shown, product % 40 AS clicked, clicked / shown
FROM (SELECT number % {products} AS product, ({first_window} + intDiv(number, {products})) * {length} AS begin FROM numbers({products * windows}))"""


class History:
    """Growing tables: into the past, and with every window that ends meanwhile."""

    def __init__(self, database: Database, products: int):
        self._database, self._products = database, products
        self._oldest = self._newest = int(time.time()) // WINDOW_SECONDS
        self.rows = 0

    def grow_to(self, rows: int) -> None:
        while self.rows < rows:
            windows = max(1, min(ROWS_PER_INSERT, rows - self.rows) // self._products)
            self._oldest -= windows
            self._insert(self._oldest, windows)
            print(f"\r{self.rows:,} rows", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)

    def _insert(self, first_window: int, windows: int) -> None:
        self._database.execute(rows_of(self._products, first_window, windows))
        self.rows += windows * self._products

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Inserts a row for every product every ten seconds, like the pipeline; nothing is merged."""
        ended = threading.Event()

        def grow() -> None:
            while not ended.is_set():
                begun = time.monotonic()
                self._insert(self._newest, 1)
                self._newest += 1
                ended.wait(max(0.0, WINDOW_SECONDS - (time.monotonic() - begun)))

        thread = threading.Thread(target=grow, daemon=True)
        for table in TABLES:
            self._database.execute(f"SYSTEM STOP MERGES {self._database.name}.{table}")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for table in TABLES:
                self._database.execute(f"SYSTEM START MERGES {self._database.name}.{table}")


def ask(database: Database, question: str, clients: int, seconds: int, folder: Path) -> list[dict]:
    """Runs `ctr-verify load` with one of its queries."""
    process = Process("ctr-verify load", [str(BINARIES / "ctr-verify"), "load", "--config", str(CHECKOUT / "config/application.yml"), "--query", question,
                                          "--clients", str(clients), "--seconds", str(seconds), "--json"],
                      clean_environment({"CLICKHOUSE_URL": database.engine.url, "CLICKHOUSE_DATABASE": database.name,
                                         "CLICKHOUSE_USER": WRITER, "CLICKHOUSE_PASSWORD": PASSWORD}), folder / f"load-{time.time_ns()}.log")
    process.start()
    assert process.wait(seconds + 120) == 0, process.tail()
    text = process.log.read_text()
    return json.loads(text[text.index("{"):])["queries"]


def measure(engine: Engine, chosen: argparse.Namespace, folder: Path) -> Iterator[Answers]:
    """One database that grows from size to size."""
    database = engine.fresh_database()
    history = History(database, chosen.products)
    for size in sorted(chosen.rows):
        history.grow_to(size)
        with history.growing():
            before = history.rows
            questions = [answer for question in QUESTIONS for answer in ask(database, question, chosen.clients, chosen.seconds, folder)]
            yield Answers(size, parts(database), history.rows - before, questions)


def parts(database: Database) -> int:
    """Active parts of the tables behind the views."""
    names = ", ".join(f"'{table}'" for table in TABLES)
    return database.query(f"SELECT count() AS parts FROM system.parts WHERE active AND database = '{database.name}' AND table IN ({names})")[0]["parts"]


@dataclass(frozen=True)
class Sizes:
    """One size after the other."""

    title: str
    answers: list[Answers]

    def markdown(self) -> str:
        names = [question["name"] for question in self.answers[0].questions]
        head = ["| raw rows | parts | " + " | ".join(f"{name}: p50 / p99" for name in names) + " |", "|---|---|" + "---|" * len(names)]
        return "\n".join([f"### {self.title}", "", *head, *(answers.row() for answers in self.answers)])

    def as_json(self) -> dict[str, Any]:
        return {"title": self.title, "sizes": [asdict(answers) for answers in self.answers]}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = arguments_of("history", __doc__)
    parser.add_argument("--rows", type=numbers, default=[1_000_000, 10_000_000],
                        help="raw rows, one size after the other (1000000,10000000; the published figures: up to 100000000, 15 GB)")
    parser.add_argument("--products", type=int, default=100_000, help="products, each with a row in every window (100000)")
    parser.add_argument("--clients", type=int, default=8, help="number of concurrent clients (8)")
    parser.add_argument("--seconds", type=int, default=20, help="duration of each query (20)")
    return parser.parse_args(arguments)


def main() -> int:
    chosen = options(sys.argv[1:])

    def measure_all(folder: Path) -> str:
        with started(Engine(folder)) as engine:
            answers = []
            for size in measure(engine, chosen, folder):
                answers.append(size)
                say(size.row())
            title = f"{chosen.products:,} products, {chosen.clients} clients"
            return write(chosen.results, "history", [Sizes(title, answers)])

    return in_a_folder(measure_all)


if __name__ == "__main__":
    sys.exit(main())
