"""A real job moves from one server to shards while events flow: docs/cluster.md, "From one server", and then `ctr-verify reconcile`."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from stack import Kafka, Pipeline, Producer, Topics, wait_until
from verify.verify import reconcile

from .conftest import Shards
from .test_copy import copy

FLOW = {"rate": 500, "products": 20, "late": 0.02, "too_late": 0.01, "bad": 0.01}


@pytest.fixture
def arrivals(shards: Shards) -> Iterator[str]:
    """The database that the job writes to: whatever it inserts goes to its product's shard, as into a Distributed table."""
    name = f"{shards.name}_arrivals"
    shards.engine.query(f"CREATE DATABASE {name}", database="system")
    shards.engine.query(f"CREATE TABLE {name}.ctr_results_raw AS {shards.name}.ctr_results_raw_local ENGINE = Null", database="system")
    shards.engine.query(f"CREATE MATERIALIZED VIEW {name}.onward TO {shards.name}.arrivals AS SELECT * FROM {name}.ctr_results_raw", database="system")
    for view in ("ctr_ml_view", "ctr_latest_view", "ctr_windows"):
        # The job checks that they exist.
        shards.engine.query(f"CREATE VIEW {name}.{view} AS SELECT * FROM {shards.name}.{view}", database="system")
    yield name
    shards.engine.query(f"DROP DATABASE {name} SYNC", database="system")


def test_a_job_moves_to_shards_while_events_flow(kafka: Kafka, topics: Topics, producer: Producer, single, shards: Shards, arrivals: str, tmp_path: Path):
    def job(database: str) -> Pipeline:
        place = SimpleNamespace(engine=SimpleNamespace(url=f"http://127.0.0.1:{shards.engine.port}"), name=database)
        settings = {"clickhouse.user": "default", "clickhouse.password": "", "ctr.job.instance-id": "the-job"}
        return Pipeline(kafka, topics, place, tmp_path, settings)

    def windows(database) -> int:
        return int(database.query("SELECT count() FROM ctr_windows"))

    old, new = job(single.name), job(arrivals)
    flow = producer.start("both", seed=16, **FLOW)
    old.start_ready()
    wait_until(lambda: windows(single) > 20, 120, "the old server has windows")
    assert old.stop() == 0
    new.start_ready()
    wait_until(lambda: windows(shards) > 0, 120, "the job writes to the shards")
    assert reconcile(new, clickhouse_database=shards.name).code == 1, "what only the old server has is missing"
    copy(single, shards)
    assert flow.runs(), "the copy must be made while events flow"
    assert flow.stop() == 0, flow.tail()
    answer = reconcile(new, "--wait", "90", clickhouse_database=shards.name)
    assert answer.code == 0, answer.text + answer.errors
    assert answer.report["equal"] and answer.report["records"] > 1_000 and windows(shards) > windows(single) > 20
    assert new.stop() == 0
