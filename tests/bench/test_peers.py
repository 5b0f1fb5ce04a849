"""What is looked at in ClickHouse of a peer that writes there. The peer is a script in the place of Java."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import peers
from filled_log import START_MS, FilledLog, LogShape
from ground import Ground
from peers import DatabasePeerReader, JavaProgram
from stack import Engine, Topics, Truth

WRITES_ROWS = """#!{python}
import base64, json, os, urllib.request

login = base64.b64encode(":".join(map(os.environ.get, ("CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"))).encode()).decode()
for url, clicks in zip(os.environ["JDBC_URLS"].split(" "), {clicks}):
    server, _, database = url.removeprefix("jdbc:ch://").removesuffix("?compress=0").partition("/")
    for number in range(clicks + 1):
        row = f"('product1', {{number / 2}}, 2, {{number}}, {start_seconds}, {end_seconds})"
        insert = "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) VALUES " + row
        address = f"http://{{server}}/?database={{database}}"
        urllib.request.urlopen(urllib.request.Request(address, insert.encode(), {{"Authorization": "Basic " + login}})).close()
    print(json.dumps({{"rows": "none here", "firstRowAt": 0}}), flush=True)
"""


@pytest.fixture
def log() -> FilledLog:
    """One window, of two impressions and a click."""
    return FilledLog(LogShape(events=3, products=1, span_seconds=10), Topics("i", "c", "d", "g", 1), Truth({("product1", START_MS): (2, 1)}), 0.0)


@pytest.fixture
def ground(engine: Engine, tmp_path: Path) -> Ground:
    """With brokers that nobody asks."""
    return Ground(tmp_path, SimpleNamespace(bootstrap_servers="127.0.0.1:1"), engine)


def reader_of(ground: Ground, monkeypatch: pytest.MonkeyPatch, clicks: tuple[int, int]) -> DatabasePeerReader:
    """Of a program that writes rows up to so many clicks in each of its readings."""
    java, built = ground.folder / "bin/java", ground.folder / "peers/flink"
    for folder in (java.parent, built):
        folder.mkdir(parents=True)
    java.write_text(WRITES_ROWS.format(python=sys.executable, clicks=clicks, start_seconds=START_MS // 1000, end_seconds=START_MS // 1000 + 10))
    java.chmod(0o755)
    (built / "classpath").write_text("")
    monkeypatch.setenv("JAVA_HOME", str(ground.folder))
    monkeypatch.setattr(peers, "TARGET", ground.folder)
    return DatabasePeerReader(JavaProgram("Flink", "flink", "Main", ()), ground, 2)


def test_of_each_reading_the_last_rows_in_its_own_database_count(ground: Ground, log: FilledLog, monkeypatch: pytest.MonkeyPatch):
    before = ground.engine.request("SHOW DATABASES", "default")
    fresh, warm = reader_of(ground, monkeypatch, (1, 1)).read(log)
    assert (fresh.reader, warm.reader) == ("Flink, fresh", "Flink, warm")
    assert 0 < fresh.first_row_seconds <= fresh.wall_seconds
    # The script begins its second reading before anybody has seen the end of the first one.
    assert -fresh.wall_seconds < warm.first_row_seconds <= warm.wall_seconds
    assert ground.engine.request("SHOW DATABASES", "default") == before, "a database was left behind"


def test_a_peer_that_writes_wrong_counts_fails_the_run(ground: Ground, log: FilledLog, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(AssertionError, match="Flink, warm: 1 of 1 windows differ"):
        reader_of(ground, monkeypatch, (1, 2)).read(log)
