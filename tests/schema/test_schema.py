"""The schema itself: applied again, changed by settings, documented, and quick to read."""

import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from .conftest import CHECKOUT

T = 1_795_300_800
TABLES = ["ctr_latest", "ctr_ml", "ctr_recounts", "ctr_results_raw", "ctr_window_history"]
VIEWS = ["ctr_by_day", "ctr_by_hour", "ctr_by_minute", "ctr_latest_view", "ctr_ml_view", "ctr_orphan_clicks", "ctr_top_movers", "ctr_window_revisions",
         "ctr_windows"]
FEEDS = ["ctr_latest_mv", "ctr_ml_mv", "ctr_window_history_mv"]
MUTATIONS = "SELECT count() FROM system.mutations WHERE database = currentDatabase()"
FILES = sorted(path.name for path in (CHECKOUT / "clickhouse/schema").glob("*.sql"))


def definitions(database):
    return database.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name")


def test_files_are_numbered_without_gaps():
    assert [name[:4] for name in FILES] == [f"{number:04}" for number in range(1, len(FILES) + 1)]


def test_init_prints_a_line_a_file_and_may_run_again(database):
    database.insert(("p", T, 1, 1, 0))
    before = definitions(database)
    mutations = database.query(MUTATIONS)
    again = database.init(RAW_TTL_DAYS="0", HISTORY_TTL_DAYS="0")
    assert again.returncode == 0 and again.stderr == ""
    assert [line.split()[-1] for line in again.stdout.splitlines() if line.startswith("applied")] == FILES
    assert definitions(database) == before
    assert [name for name, _ in before] == sorted(TABLES + VIEWS + FEEDS)
    assert database.query(MUTATIONS) == mutations, "nothing was rewritten"
    assert database.query("SELECT count() FROM ctr_windows") == "1"


def test_the_ttl_of_raw_rows_is_a_setting(database):
    database.query("""INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end)
        SELECT p, 1, 1, 1, now64(3, 'UTC') - toIntervalDay(d) AS start, start + 10 FROM (SELECT 'old' AS p, 20 AS d UNION ALL SELECT 'new', 1)""")
    assert database.init(RAW_TTL_DAYS="10", HISTORY_TTL_DAYS="0").returncode == 0
    deadline = time.monotonic() + 30
    while database.query("SELECT groupArray(product_id) FROM ctr_results_raw") != "['new']":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert database.rows("SELECT product_id FROM ctr_latest_view ORDER BY 1") == [["new"], ["old"]], "the latest result outlives the raw row"
    assert database.query("SELECT count() FROM ctr_window_history FINAL") == "2"
    assert database.query("SELECT uniqExact(product_id) FROM ctr_ml_view") == "2"


def test_history_has_a_ttl_and_default_values(database):
    assert database.init().returncode == 0
    ttl = {name: re.search(r"toIntervalDay\(_CAST\((\d+)", sql) for name, sql in definitions(database)}
    assert {name: found.group(1) for name, found in ttl.items() if found} == {"ctr_results_raw": "30", "ctr_window_history": "7"}
    assert database.init(RAW_TTL_DAYS="0", HISTORY_TTL_DAYS="0").returncode == 0
    assert not any(" TTL " in sql for _, sql in definitions(database))


@pytest.mark.parametrize("settings, words", [
    ({"RAW_TTL_DAYS": "-1"}, "RAW_TTL_DAYS is '-1'"), ({"RAW_TTL_DAYS": "13001"}, "RAW_TTL_DAYS"), ({"HISTORY_TTL_DAYS": "7d"}, "HISTORY_TTL_DAYS is '7d'"),
])
def test_a_wrong_setting_is_named(database, settings, words):
    done = database.init(**settings)
    assert done.returncode == 2 and words in done.stderr


def test_running_again_with_the_same_ttl_rewrites_nothing(database):
    database.insert(("p", T, 1, 1, 0))
    assert database.init(RAW_TTL_DAYS="5000").returncode == 0
    mutations = database.query(MUTATIONS)
    assert database.init(RAW_TTL_DAYS="5000").returncode == 0
    assert database.query(MUTATIONS) == mutations


def test_a_refusal_names_the_file_and_gives_the_engines_words(database):
    database.query("DROP TABLE ctr_latest")
    database.query("DROP TABLE ctr_latest_mv")
    database.query("CREATE TABLE ctr_latest (product_id String) ENGINE = MergeTree ORDER BY product_id")
    done = database.init()
    assert done.returncode == 1
    assert "clickhouse/schema/0006_ctr_latest_mv.sql" in done.stderr and "DB::Exception" in done.stderr


def test_init_waits_and_then_says_where_it_looked(database):
    done = database.run_script("init-clickhouse.sh", CLICKHOUSE_WAIT_SECONDS="1", CLICKHOUSE_HOST="127.0.0.2")
    assert done.returncode == 1 and "127.0.0.2" in done.stderr and "CLICKHOUSE_HOST" in done.stderr


def test_tables_views_and_columns_are_documented(database):
    assert database.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''") == []
    for name in TABLES + VIEWS:
        assert database.rows(f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{name}' AND comment = ''") == [], name


def test_tables_survive_a_power_cut_and_views_have_a_definer(database):
    sql = dict(definitions(database))
    for name in TABLES:
        assert "fsync_after_insert = 1, fsync_part_directory = 1" in sql[name]
    for name in VIEWS + FEEDS:
        assert "SQL SECURITY DEFINER" in sql[name]


def fill(database):
    """Three months of windows of 1000 products: 36 granules and more in each table, unmerged parts included."""
    for month in range(3):
        database.query(f"""INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end)
            SELECT concat('p', toString(number % 1000)), 0.5, 2, 1,
                toDateTime64({T} + {month} * 2700000 + intDiv(number, 1000) * 10, 3, 'UTC') AS start, start + 10
            FROM numbers(100000)""")


def granules(database, sql):
    """(read, all) granules of the primary key, and (read, all) parts after the partition's limits, as EXPLAIN tells."""
    text = database.query(f"EXPLAIN indexes = 1 {sql}")
    found = re.findall(r"Granules: (\d+)/(\d+)", text)
    assert found, text
    return int(found[-1][0]), int(found[0][1])


@pytest.mark.parametrize("sql", [
    f"SELECT * FROM ctr_windows WHERE window_end >= toDateTime64({T} + 900, 3, 'UTC') AND window_end < toDateTime64({T} + 960, 3, 'UTC')",
    f"SELECT * FROM ctr_windows WHERE product_id = 'p7' AND window_end BETWEEN toDateTime64({T}, 3, 'UTC') AND toDateTime64({T} + 60, 3, 'UTC')",
    f"SELECT avgMerge(avg_ctr) FROM ctr_ml_view WHERE window_minute >= toDateTime64({T} + 60, 3, 'UTC')"
    f" AND window_minute < toDateTime64({T} + 180, 3, 'UTC') GROUP BY product_id",
    f"SELECT avgMerge(avg_ctr) FROM ctr_ml_view WHERE product_id = 'p7' AND window_minute = toDateTime({T} + 60, 'UTC')",
    f"SELECT * FROM ctr_window_history FINAL WHERE window_end = toDateTime64({T} + 500, 3, 'UTC') AND product_id = 'p7'",
    f"SELECT * FROM ctr_results_raw WHERE window_end = toDateTime64({T} + 500, 3, 'UTC')",
])
def test_filters_reach_partition_and_primary_key(database, sql):
    fill(database)
    read, total = granules(database, sql)
    assert total >= 36
    assert read <= 6, f"{read} of {total} granules are read"


def test_a_filter_on_the_product_reaches_the_latest_table(database):
    database.query("""INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end)
        SELECT concat('p', toString(number)), 0.5, 2, 1, toDateTime64(1795300800, 3, 'UTC'), toDateTime64(1795300810, 3, 'UTC') FROM numbers(200000)""")
    read, total = granules(database, "SELECT * FROM ctr_latest_view WHERE product_id = 'p77'")
    assert total >= 20 and read <= 2
    assert database.query("SELECT count(), uniqExact(product_id) FROM ctr_latest_view") == "200000\t200000"


def test_a_filter_on_the_time_of_the_latest_view_comes_after_the_choice(database):
    """`WHERE window_end < x` must not dig up older windows of a product that has newer ones."""
    database.insert(("p", T, 1, 1, 0), ("p", T + 10, 5, 1, 1))
    assert database.rows(f"SELECT product_id FROM ctr_latest_view WHERE window_end <= toDateTime64({T} + 10, 3, 'UTC')") == []


@pytest.mark.parametrize("path", sorted((CHECKOUT / "clickhouse").rglob("*.xml")), ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_server_configuration_is_well_formed(path: Path):
    assert ElementTree.parse(path).getroot().tag == "clickhouse"


def test_the_default_user_is_exact_and_local():
    root = ElementTree.parse(CHECKOUT / "clickhouse/users.d/ctr.xml").getroot()
    assert (root.findtext("profiles/default/final"), root.findtext("profiles/default/async_insert")) == ("1", "0")
    assert {ip.text for ip in root.find("users/default/networks")} == {"127.0.0.1", "::1"}


CLIENT = [
    (["-q", "SELECT 1, 'a'"], "", 0, "1\ta\n"), (["--query=SELECT 1 AS x FORMAT JSONEachRow"], "", 0, '{"x":1}\n'), ([], "SELECT 2;\n", 0, "2\n"),
    (["--format", "CSV", "-q", "SELECT 'é', 'b'"], "", 0, '"é","b"\n'), (["-d", "system", "-q", "SELECT count() > 0 FROM tables"], "", 0, "1\n"),
    (["-q", "SELECT nothing"], "", 1, ""), (["--wrong"], "", 2, ""), (["-q"], "", 2, ""),
]


@pytest.mark.parametrize("arguments, stdin, code, out", CLIENT)
def test_the_client_script(database, arguments, stdin, code, out):
    done = database.run_script("clickhouse-client.sh", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    assert bool(done.stderr) == bool(code)
    assert code != 1 or "Code: 47. DB::Exception" in done.stderr


def test_the_client_script_inserts_from_standard_input(database):
    rows = '"p",0.5,2,1,"2026-11-22 00:00:00.000","2026-11-22 00:00:10.000"\n'
    insert = "INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end) FORMAT CSV"
    done = database.run_script("clickhouse-client.sh", "--query", insert, stdin=rows)
    assert done.returncode == 0, done.stderr
    assert database.query("SELECT product_id, impressions FROM ctr_windows") == "p\t2"


def test_nobody_listens(database):
    done = database.run_script("clickhouse-client.sh", "-q", "SELECT 1", CLICKHOUSE_HOST="127.0.0.2")
    assert done.returncode == 3 and "no response from http://127.0.0.2" in done.stderr


@pytest.mark.parametrize("script", ["init-clickhouse.sh", "clickhouse-client.sh"])
def test_scripts_explain_themselves(script):
    done = subprocess.run([CHECKOUT / "scripts" / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"Usage: scripts/{script}") and done.stderr == ""
