"""From one server to shards: the statements of docs/cluster.md, while rows come, and again."""

import re

from stack.process import CHECKOUT

from .test_views import READ, content, rows


def statements():
    section = (CHECKOUT / "docs/cluster.md").read_text().split("## From one server")[1]
    block = re.search(r"```sql\n(.*?)```", section, re.DOTALL)[1]
    return [statement.strip() for statement in block.split(";") if statement.strip()]


def copy(single, shards):
    """Onto the shards, each row to its own: what Distributed does with the insert."""
    for statement in statements():
        table = re.match(r"INSERT INTO (\w+)", statement)[1]
        statement = re.sub(r"remote\('OLD', 'DATABASE', '(\w+)'\)", rf"{single.name}.\1", statement)
        for number, name in enumerate(shards.names):
            local = statement.replace(f"INSERT INTO {table}", f"INSERT INTO {name}.{table}_local", 1)
            shards.engine.query(f"{local} WHERE {shards.keys[table]} % {len(shards.names)} = {number}", max_partitions_per_insert_block="0", final="0")


def test_every_table_is_copied(single):
    assert {re.match(r"INSERT INTO (\w+)", statement)[1] for statement in statements()} == {
        row[0] for row in single.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")}


def test_a_copy_loses_nothing_and_may_be_repeated_while_rows_come(single, shards):
    before, during = rows(1), rows(2)
    single.insert(*before)
    # Raw rows that their time has ended: what they fed must arrive all the same.
    single.query("ALTER TABLE ctr_results_raw DELETE WHERE window_end < toDateTime64(1795300800 + 3600, 3, 'UTC') SETTINGS mutations_sync = 1")
    # The job writes to the cluster already, and the old job had sent some of it too.
    single.insert(*during[:300])
    shards.insert(*during)
    copy(single, shards)
    copy(single, shards)
    single.insert(*during[300:])
    for table in READ:
        expected = content(single, table)
        assert expected, table
        assert content(shards, table) == expected, table
