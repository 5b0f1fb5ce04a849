"""Results as the pipeline would have written them, of the last half hour: known numbers that look like traffic."""

from stack import Database

PRODUCTS = 5
# 25 minutes: charts of the last 30 show all of it, also some minutes later.
WINDOWS = 150

# Two windows of every seven have first been written with a part of their events, and then again with all: revisions.
_ROWS = """
INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end, source_partition)
SELECT concat('product', toString(p)), clicks / impressions, impressions, clicks, start, start + INTERVAL 10 SECOND, p
FROM
(
    SELECT p, start, toUInt64({part} * (2000 + 300 * sin(n / 25 + p) + 40 * sin(n * 7))) AS impressions,
        toUInt64(impressions * ([0.68, 0.51, 0.35, 0.26, 0.17][p] + 0.03 * sin(n / 18 + 2 * p) + 0.008 * cos(n * 5 + p))) AS clicks
    FROM
    (
        SELECT toDateTime64(intDiv(toUnixTimestamp(now()), 10) * 10 - 10 * (number + 1), 3, 'UTC') AS start, number AS n
        FROM numbers({windows}) WHERE {part} = 1 OR number % 7 IN (2, 3)
    ) AS windows
    CROSS JOIN (SELECT number + 1 AS p FROM numbers({products})) AS products
)
"""


def fill(database: Database) -> None:
    """Replaces what is there with windows of which the newest has just ended."""
    empty(database)
    for part in ("0.97", "1"):
        database.execute(_ROWS.format(part=part, windows=WINDOWS, products=PRODUCTS))


def empty(database: Database) -> None:
    for table in ("ctr_results_raw", "ctr_ml", "ctr_latest", "ctr_window_history"):
        database.execute(f"TRUNCATE TABLE {table}")


def totals(database: Database) -> dict[str, tuple[int, int]]:
    """Product -> (impressions, clicks)."""
    rows = database.query("SELECT product_id, sum(impressions) AS i, sum(clicks) AS c FROM ctr_windows GROUP BY product_id")
    return {row["product_id"]: (row["i"], row["c"]) for row in rows}
