"""What users of the seed project type must work, word for word."""

import pytest

SEED_COLUMNS = ["product_id", "ctr", "impressions", "clicks", "window_start", "window_end", "inserted_at"]
COUNT = "SELECT count() FROM default.ctr_results_raw"
LATEST = "SELECT * FROM default.ctr_latest_view ORDER BY window_end DESC LIMIT 10"
MINUTES = ("SELECT product_id, window_minute, avgMerge(avg_ctr) AS avg_ctr FROM default.ctr_ml_view WHERE window_minute >= now64(3) - INTERVAL 10 MINUTE"
           " GROUP BY product_id, window_minute ORDER BY product_id, window_minute LIMIT 20")


@pytest.fixture
def seed(database):
    """The seed's queries name the database `default`."""
    database.name = "default"
    assert database.init().returncode == 0
    for table in ("ctr_results_raw", "ctr_ml", "ctr_latest", "ctr_window_history"):
        database.query(f"TRUNCATE TABLE {table}")
    return database


@pytest.fixture(autouse=True)
def keep_name(database):
    """The database fixture drops what it made, not `default`."""
    name = database.name
    yield
    database.name = name


def by_hand(database):
    """Rows with the six columns of the seed's own insert; windows of this and the minute before."""
    database.query("""INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end)
        WITH toDateTime64(toStartOfMinute(now('UTC')), 3, 'UTC') AS minute
        SELECT * FROM (
            SELECT 'product1', 0.1, 10, 1, minute, minute + 10
            UNION ALL SELECT 'product1', 0.3, 10, 3, minute + 10, minute + 20
            UNION ALL SELECT 'product1', 0.9, 10, 9, minute - 60, minute - 50
            UNION ALL SELECT 'product2', 0.5, 2, 1, minute, minute + 10)""")


def test_the_three_queries_on_rows_put_in_by_hand(seed):
    by_hand(seed)
    by_hand(seed)
    assert seed.query(COUNT) == "4"
    minute = seed.query("SELECT toStartOfMinute(max(window_start)) FROM ctr_results_raw")
    latest = seed.rows(LATEST)
    assert [row[:4] for row in latest] == [["product1", "0.3", "10", "3"], ["product2", "0.5", "2", "1"]]
    rows = seed.rows(MINUTES)
    assert [row[0] for row in rows] == ["product1", "product1", "product2"]
    assert [float(row[2]) for row in rows] == pytest.approx([0.9, 0.2, 0.5])
    assert rows[1][1] == rows[2][1] == minute


def test_the_three_queries_on_empty_tables(seed):
    assert [seed.query(sql) for sql in (COUNT, LATEST, MINUTES)] == ["0", "", ""]


def test_the_queries_through_the_client_script(seed):
    by_hand(seed)
    for sql, lines in ((COUNT, 1), (LATEST, 2), (MINUTES, 3)):
        done = seed.run_script("clickhouse-client.sh", "--query", sql)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, lines), done.stderr


def test_columns_come_in_the_seeds_order(database):
    columns = [row[0] for row in database.rows("DESCRIBE TABLE ctr_results_raw")]
    assert columns[:7] == SEED_COLUMNS
    assert [row[0] for row in database.rows("DESCRIBE TABLE ctr_latest_view")] == [
        "product_id", "latest_ctr", "latest_impressions", "latest_clicks", "window_end"]
    assert [row[0] for row in database.rows("DESCRIBE TABLE ctr_ml_view")] == [
        "product_id", "window_minute", "avg_ctr", "total_impressions", "total_clicks", "latest_window"]
    database.insert(("p", 1_795_300_800, 1, 1, 0))
    assert database.query("SELECT * FROM ctr_results_raw FORMAT TSVWithNames").split("\n")[0].split("\t") == [*SEED_COLUMNS, "source_partition"]
