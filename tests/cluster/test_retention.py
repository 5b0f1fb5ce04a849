"""Rows beyond the retention are known on a cluster, where it is set on the local tables."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.events import T, impression
from stack import Kafka, Pipeline, Topics, wait_until
from verify.verify import reconcile

from .conftest import Shards


@pytest.fixture
def limited(schema_engine) -> Iterator[Shards]:
    """Shards that keep rows for 30 days. The job inserts into the first one's local table, through a table without a TTL as a Distributed one is."""
    shards = Shards(schema_engine, "limited_1", "limited_2", RAW_TTL_DAYS="30", HISTORY_TTL_DAYS="7")
    shards.engine.query("DROP TABLE ctr_results_raw SYNC", database=shards.name)
    shards.engine.query("CREATE TABLE ctr_results_raw AS ctr_results_raw_local ENGINE = Buffer(currentDatabase(), ctr_results_raw_local, 1, 0, 0, 1, 1, 1, 1)",
                        database=shards.name)
    yield shards
    shards.drop()


def test_rows_beyond_the_retention_of_the_local_tables_are_counted(kafka: Kafka, topics: Topics, limited: Shards, tmp_path: Path) -> None:
    place = SimpleNamespace(engine=SimpleNamespace(url=f"http://127.0.0.1:{limited.engine.port}"), name=limited.name)
    job = Pipeline(kafka, topics, place, tmp_path, {"clickhouse.user": "default", "clickhouse.password": "", "ctr.job.instance-id": "the-job"})
    job.start_ready()
    kafka.produce(topics.impressions, [impression("p", T)])
    wait_until(lambda: "ctr_rows_beyond_retention_total 1" in job.get("/metrics"), 60, "the row is counted as beyond the retention")
    answer = reconcile(job, "--wait", "60")
    assert answer.code == 0 and answer.report["beyondRetention"] == 1, answer.text + answer.errors
    assert job.stop() == 0
