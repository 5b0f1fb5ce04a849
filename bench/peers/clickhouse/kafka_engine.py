"""ClickHouse's Kafka engine as a peer: reads the whole log once for each reading, and says where its rows are.

The engine library that stands in for a server has it; bench/peers.py starts this with the environment of the other peers. Its table is
written and merged in the same process, and that is part of what is measured.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

LOOK_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 900


def load_engine() -> Any:
    """The extension without its package: that one opens an engine and closes it again, after which no Kafka table can be made."""
    package = importlib.util.find_spec("chdb")
    assert package and package.submodule_search_locations, "chdb is not installed: scripts/bench.sh installs it"
    file = next(Path(package.submodule_search_locations[0]).glob("_chdb.*.so"))
    extension = importlib.util.spec_from_file_location("_chdb", file)
    assert extension and extension.loader
    engine = importlib.util.module_from_spec(extension)
    extension.loader.exec_module(engine)
    return engine


class Reading:
    """One pass over the log, by a group and into a database of its own."""

    def __init__(self, connection: Any, number: int):
        self._connection = connection
        self._database = f"reading_{number}"
        self._group = f"clickhouse-{os.getpid()}-{number}"

    def run(self, records: int, rows: Path) -> float:
        """Counts that many records and writes the rows to a file; returns the time of the first one in epoch seconds."""
        self._make_tables()
        first_row_at, deadline = 0.0, time.monotonic() + PATIENCE_SECONDS
        while (counted := self._counted()) < records:
            if counted and not first_row_at:
                first_row_at = time.time()
            if time.monotonic() > deadline:
                sys.exit(f"{counted} of {records} records are counted after {PATIENCE_SECONDS} s")
            time.sleep(LOOK_EVERY_SECONDS)
        rows.write_bytes(self._ask("SELECT product_id, toUnixTimestamp64Milli(window_start), sum(impressions), sum(clicks) FROM counts "
                                   "GROUP BY product_id, window_start"))
        for table in ("impressions", "clicks"):
            self._ask(f"DETACH TABLE {table}")
        return first_row_at or time.time()

    def _make_tables(self) -> None:
        self._ask(f"CREATE DATABASE {self._database} ENGINE = Atomic")
        self._ask(f"USE {self._database}")
        text = Path(__file__).with_suffix(".sql").read_text().format(
            brokers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], impression_topic=os.environ["IMPRESSION_TOPIC"],
            click_topic=os.environ["CLICK_TOPIC"], group=self._group, parallelism=os.environ["PARALLELISM"],
        )
        for statement in text.split(";\n"):
            if statement.strip():
                self._ask(statement)

    def _counted(self) -> int:
        return int(self._ask("SELECT sum(impressions + clicks) FROM counts"))

    def _ask(self, sql: str) -> bytes:
        return self._connection.query(sql, "TabSeparated").bytes() or b""


def main() -> None:
    folder = Path(os.environ["FOLDER"])
    connection = load_engine().connect(str(folder / "data"))
    for number in range(int(os.environ["READINGS"])):
        rows = folder / f"rows-{number}.tsv"
        first_row_at = Reading(connection, number).run(int(os.environ["RECORDS"]), rows)
        print(json.dumps({"rows": str(rows), "firstRowAt": round(first_row_at * 1000)}), flush=True)
    connection.close()


if __name__ == "__main__":
    main()
