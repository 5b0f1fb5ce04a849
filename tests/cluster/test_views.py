"""The same rows on one server and on two shards: every table and view says the same."""

import random

import pytest

from .conftest import Shards

T = 1_795_300_800
PRODUCTS = [f"product{number}" for number in range(20)]
TABLES = ["ctr_results_raw", "ctr_ml", "ctr_latest", "ctr_window_history"]
READ = [*TABLES, "ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_by_minute", "ctr_by_hour", "ctr_by_day",
        "ctr_top_movers", "ctr_orphan_clicks", "ctr_window_revisions"]
# When something was written differs between two writings of the same.
TIMES = "inserted_at|updated_at|first_written_at|revised_at"


def rows(seed):
    """Rows of three hours: some sent again, some grown, some a state that is over; products in several source partitions."""
    source = random.Random(seed)
    sent = []
    for _ in range(600):
        impressions = source.randrange(1, 60)
        sent.append((source.choice(PRODUCTS), T + 10 * source.randrange(1080), impressions, source.randrange(impressions + 4), source.randrange(3)))
    return sent + source.choices(sent, k=100)


def content(database, table):
    """Its rows, in an order of their own, without when they were written. States of aggregates are finished: two of equal meaning may differ."""
    columns = database.rows(f"SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
                            f" AND NOT match(name, '^({TIMES})$')")
    shown = [f"finalizeAggregation({name})" if kind.startswith("AggregateFunction") else name for name, kind in columns]
    return sorted(database.rows(f"SELECT {', '.join(shown)} FROM {table} {'FINAL' if table in TABLES else ''}"))


@pytest.fixture
def both(single, shards):
    for seed in range(3):
        sent = rows(seed)
        single.insert(*sent)
        shards.insert(*sent[::-1])
    return single, shards


def test_every_table_and_view_says_the_same(both):
    single, shards = both
    for table in READ:
        expected = content(single, table)
        assert expected, f"{table} has nothing to compare"
        assert content(shards, table) == expected, table


def test_all_rows_of_a_product_are_on_one_shard(both):
    _, shards = both
    for table in ("ctr_results_raw_local", "ctr_ml_local", "ctr_latest_local", "ctr_window_history_local"):
        found = [{row[0] for row in shards.engine.rows(f"SELECT DISTINCT product_id FROM {table}", database=name)} for name in shards.names]
        assert all(found) and not set.intersection(*found), table
        assert set.union(*found) == set(PRODUCTS), table


def test_the_other_node_says_the_same(both):
    """Whichever node is asked: the balancer may take any."""
    _, shards = both
    before = content(shards, "ctr_windows")
    shards.name = shards.names[1]
    assert content(shards, "ctr_windows") == before


def test_days_that_rows_stay_are_set_on_the_tables_that_hold_them(schema_engine):
    made = Shards(schema_engine, "cluster_ttl_1", "cluster_ttl_2", RAW_TTL_DAYS="30", HISTORY_TTL_DAYS="7")
    ttl = schema_engine.rows("SELECT database, name, extract(engine_full, 'toIntervalDay.*?([0-9]+)') FROM system.tables"
                             " WHERE database LIKE 'cluster_ttl%' AND engine_full LIKE '% TTL %' ORDER BY ALL", database="system")
    made.drop()
    assert ttl == [[name, table, days] for name in made.names for table, days in (("ctr_results_raw_local", "30"), ("ctr_window_history_local", "7"))]
