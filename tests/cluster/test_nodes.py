"""The statements for a cluster on engine processes that share a ZooKeeper: what they make, and what they refuse."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from clickhouse_engine.tests.engine_process import QueryFailed
from schema.conftest import Database
from schema.test_schema import FEEDS, FILES, TABLES, VIEWS
from stack.process import CHECKOUT

from .conftest import CLUSTER, printed


@pytest.fixture(scope="module")
def made(nodes):
    """The schema in `ctr`, made on each node by itself."""
    for node in nodes:
        done = node.init("ctr")
        assert done.returncode == 0, done.stderr
    return nodes


def test_every_file_is_applied_and_again_changes_nothing(made):
    sql = "SELECT name, create_table_query FROM system.tables WHERE database = 'ctr' ORDER BY name"
    before = made[0].rows(sql)
    again = made[0].init("ctr")
    assert (again.returncode, again.stderr) == (0, "")
    assert [line.split()[-1] for line in again.stdout.splitlines() if line.startswith("applied")] == FILES
    assert made[0].rows(sql) == before
    assert [name for name, _ in before] == sorted([*TABLES, *(f"{name}_local" for name in TABLES), *VIEWS, *FEEDS])


def test_tables_are_replicated_within_their_shard_and_distributed_over_all(made):
    engines = dict(made[0].rows("SELECT name, engine FROM system.tables WHERE database = 'ctr'"))
    assert {engines[name] for name in TABLES} == {"Distributed"}
    assert {engines[f"{name}_local"] for name in TABLES} == {"ReplicatedReplacingMergeTree", "ReplicatedAggregatingMergeTree"}
    replicas = "SELECT table, zookeeper_path, replica_name, total_replicas FROM system.replicas WHERE database = 'ctr' ORDER BY table"
    for node, shard, name, total in zip(made, "112", "aba", "221", strict=True):
        assert node.rows(replicas) == [[f"{table}_local", f"/clickhouse/tables/{shard}/ctr/{table}", name, total] for table in sorted(TABLES)]


def test_blocks_sent_before_are_not_swallowed(made):
    for name in TABLES:
        assert "replicated_deduplication_window = 0" in made[0].query(f"SELECT create_table_query FROM system.tables WHERE database = 'ctr' AND name = '{name}_local'")


def test_comments_and_definers_are_those_of_one_server(made):
    assert made[0].rows("SELECT name FROM system.tables WHERE database = 'ctr' AND comment = ''") == []
    assert made[0].rows("SELECT table, name FROM system.columns WHERE database = 'ctr' AND comment = '' AND table NOT LIKE '%_mv'") == []
    for name in VIEWS + FEEDS:
        assert "SQL SECURITY DEFINER" in made[0].query(f"SELECT create_table_query FROM system.tables WHERE database = 'ctr' AND name = '{name}'")


def test_columns_are_those_of_one_server(made, single):
    sql = "SELECT name, type, default_kind, default_expression, comment FROM system.columns WHERE database = '{}' AND table = '{}' ORDER BY position"
    for name in TABLES + VIEWS:
        expected = single.rows(sql.format(single.name, name))
        assert expected and made[0].rows(sql.format("ctr", name)) == expected, name


def test_a_query_for_one_product_asks_one_shard(made):
    """The key of the shards is found through the views, or this setting would refuse the query."""
    strict = {"database": "ctr", "optimize_skip_unused_shards": "1", "force_optimize_skip_unused_shards": "2"}
    for view in ("ctr_windows", "ctr_latest_view", "ctr_by_minute"):
        made[0].query(f"EXPLAIN SELECT * FROM {view} WHERE product_id = 'product1'", **strict)
    with pytest.raises(QueryFailed, match="UNABLE_TO_SKIP_UNUSED_SHARDS"):
        made[0].query("EXPLAIN SELECT * FROM ctr_windows", **strict)


def test_a_replica_with_another_schema_is_refused(made):
    made[1].query("CREATE DATABASE IF NOT EXISTS other")
    with pytest.raises(QueryFailed, match="INCOMPATIBLE_COLUMNS|METADATA_MISMATCH"):
        made[1].query("CREATE TABLE other.t (product_id String) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/ctr/ctr_ml', 'c') ORDER BY product_id")


def test_what_the_library_cannot_do(made):
    """Held here so that what docs/cluster.md says of it stays true: no inserts, no ALTER, no other shard, no ON CLUSTER."""
    with pytest.raises(QueryFailed, match="TABLE_IS_READ_ONLY"):
        made[0].query("INSERT INTO ctr.ctr_ml_local (product_id) VALUES ('p')", insert_keeper_max_retries="0")
    with pytest.raises(QueryFailed, match="TABLE_IS_READ_ONLY"):
        made[0].query("ALTER TABLE ctr.ctr_ml_local MODIFY TTL toDateTime(window_end)")
    with pytest.raises(QueryFailed, match="ALL_CONNECTION_TRIES_FAILED|NETWORK_ERROR"):
        made[0].query("SELECT count() FROM ctr.ctr_results_raw")
    done = Database(made[0], "by_queue").run_script("init-clickhouse.sh", "--cluster", CLUSTER)
    assert done.returncode == 1 and "ClickHouse refused clickhouse/database.sql" in done.stderr


def test_every_statement_on_cluster_is_understood(made):
    statements = printed("ctr", RAW_TTL_DAYS="30", HISTORY_TTL_DAYS="7")
    assert len(statements) == 1 + len(FILES) + len(TABLES) + 2
    for statement in statements:
        assert len(re.findall(rf"ON CLUSTER '{CLUSTER}'", statement)) == 1, statement
        assert "ctr" in made[0].query(f"EXPLAIN AST {statement}")
    alter = [statement for statement in statements if "ALTER TABLE" in statement]
    assert ["_local ON CLUSTER" in statement for statement in alter] == [True, True]


def test_an_unknown_cluster_and_a_node_without_a_place_are_named(made, single):
    done = Database(made[0], "ctr").run_script("init-clickhouse.sh", "--cluster", "nowhere")
    assert done.returncode == 1 and "has no cluster 'nowhere'" in done.stderr
    done = single.run_script("init-clickhouse.sh", "--cluster", "default")
    assert done.returncode == 1 and ("macros shard and replica" in done.stderr or "has no cluster" in done.stderr)


def test_a_user_whose_inserts_may_be_lost_is_told(made):
    """What clickhouse/cluster/users.d sets is not what a server does by itself."""
    assert "distributed_foreground_insert = 0, insert_quorum = 0: the pipeline's user must have" in made[0].init("ctr").stdout


def test_the_writers_profile_sets_what_an_acknowledgement_rests_on(made):
    profiles = ElementTree.parse(CHECKOUT / "clickhouse/cluster/users.d/ctr-cluster.xml").find("profiles")
    assert {setting.tag: setting.text for setting in profiles.find("writer")} == {
        "distributed_foreground_insert": "1", "insert_quorum": "auto", "insert_deduplicate": "0"}
    for setting in [*profiles.find("writer"), *profiles.find("default")]:
        made[0].query(f"SELECT 1 SETTINGS {setting.tag} = '{setting.text}'")


@pytest.mark.parametrize("arguments", [["--cluster"], ["--print"], ["--this-node"], ["--cluster", "a'b"], ["--cluster", "c", "--wrong"]])
def test_wrong_usage(arguments):
    done = subprocess.run([CHECKOUT / "scripts/init-clickhouse.sh", *arguments], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "ENV_FILE": "/nonexistent"})
    assert done.returncode == 2 and done.stderr
