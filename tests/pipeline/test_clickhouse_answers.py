"""What ClickHouse, or something at its place, answers: nothing is taken for written that is not, and whose fault it is is said by name."""

import time
from collections.abc import Callable, Iterator

import pytest

from chaos.flaky_proxy import FlakyProxy, Mood
from pipeline.comparison import assert_exact
from stack import Database, Engine, Kafka, Pipeline, Producer, Topics, free_ports, wait_until

# Sixty windows in some seconds: with events of now, a test would wait for the end of each.
HISTORY = {"start_time": "2026-01-01T00:00:00Z", "span": "10m"}


@pytest.fixture
def proxy(engine: Engine) -> Iterator[FlakyProxy]:
    """Stands where the pipeline looks for ClickHouse, and passes everything on until it is told otherwise."""
    proxy = FlakyProxy(engine.port)
    yield proxy
    proxy.close()


def reasons(pipeline: Pipeline) -> str:
    return " | ".join(pipeline.get_json("/api/v1/status")["reasons"])


def wait_for_reason(pipeline: Pipeline, *words: str, seconds: float = 60) -> None:
    try:
        wait_until(lambda: all(word in reasons(pipeline) for word in words), seconds, "the reason")
    except AssertionError:
        raise AssertionError(f"{words} are not in: {reasons(pipeline)}") from None


def test_what_a_stranger_answers_is_no_acknowledgement(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline], producer: Producer,
                                                       database: Database, kafka: Kafka, topics: Topics):
    """F29: for a while something else answers 200 with an empty body on ClickHouse's port."""
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url}).start_ready()
    flow = producer.start("both", rate=5_000, count=75_000, products=20, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    proxy.mood = Mood.STRANGER
    wait_until(lambda: proxy.spoiled[Mood.STRANGER] > 3, 60, "the stranger was asked")
    try:
        wait_for_reason(pipeline, "not from ClickHouse", "clickhouse.url")
        assert pipeline.status_code("/readyz") == 503
        # Many windows go by; nothing of them may be taken for written.
        acknowledged = pipeline.get_json("/api/v1/status")["sink"]["rows"]
        assert flow.wait(120) == 0
        assert pipeline.get_json("/api/v1/status")["sink"]["rows"] == acknowledged
    finally:
        proxy.mood = Mood.PASS
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=120)
    assert pipeline.stop() == 0


def test_of_two_addresses_the_other_one_is_used_while_one_is_away(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline], producer: Producer,
                                                                  database: Database, engine: Engine, kafka: Kafka, topics: Topics):
    """Nobody listens at the first address; the second one takes rows and dies before it says so; the third one stays."""
    (nobody,) = free_ports(1)
    pipeline = make_pipeline(settings={"clickhouse.url": f"http://127.0.0.1:{nobody},{proxy.url},{engine.url}"}).start_ready()
    flow = producer.start("both", rate=2_500, count=30_000, products=20, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    proxy.mood = Mood.LOSE
    wait_until(lambda: proxy.spoiled[Mood.LOSE] > 0, 30, "rows that were not acknowledged")
    assert flow.wait(120) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=120)
    assert proxy.spoiled[Mood.LOSE] < 5, "the address that stays is used from then on"
    assert pipeline.status_code("/readyz") == 200
    assert pipeline.stop() == 0


def test_check_and_start_do_not_take_a_stranger_for_clickhouse(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline]):
    proxy.mood = Mood.STRANGER
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url})
    code, said = pipeline.check()
    assert code == 2 and "not from ClickHouse" in said and "clickhouse.url" in said, said
    pipeline.start()
    wait_until(lambda: "not from ClickHouse" in pipeline.process.tail(), 30, "a line that says so")
    proxy.mood = Mood.PASS
    pipeline.wait_ready()


EXCHANGE = "EXCHANGE TABLES other AND ctr_results_raw"


@pytest.mark.parametrize("change, back, words", [
    ("ALTER TABLE ctr_results_raw MODIFY COLUMN ctr Decimal(18,6)", "ALTER TABLE ctr_results_raw MODIFY COLUMN ctr Float64",
     ("ctr_results_raw", "`ctr`", "Decimal(18, 6)", "Float64")),
    ("ALTER TABLE ctr_results_raw MODIFY COLUMN ctr Float32", "ALTER TABLE ctr_results_raw MODIFY COLUMN ctr Float64",
     ("ctr_results_raw", "`ctr`", "Float32", "Float64")),
    (EXCHANGE, EXCHANGE, ("ctr_results_raw", "`clicks`", "missing")),
], ids=["decimal", "float32", "missing"])
def test_a_column_that_is_changed_meanwhile_is_named(change: str, back: str, words: tuple[str, ...], pipeline: Pipeline, producer: Producer,
                                                     database: Database, kafka: Kafka, topics: Topics):
    """F7: a neighbour alters the table under the running job."""
    for view in ("ctr_ml_mv", "ctr_latest_mv", "ctr_window_history_mv"):
        database.execute(f"DROP VIEW {view}")
    database.execute("CREATE TABLE other (product_id String, ctr Float64, impressions UInt64, window_start DateTime64(3, 'UTC'), "
                     "window_end DateTime64(3, 'UTC'), source_partition UInt32) ENGINE = MergeTree ORDER BY window_end")
    pipeline.start_ready()
    flow = producer.start("both", rate=1_250, count=25_000, products=10, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    database.execute(change)
    wait_for_reason(pipeline, *words)
    assert pipeline.status_code("/readyz") == 503
    database.execute(back)
    assert flow.wait(120) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=60)
    assert pipeline.stop() == 0


@pytest.mark.parametrize("settings, words", [
    ({"clickhouse.password": "wrong"}, ("`ctr_writer`", "clickhouse.user", "clickhouse.password")),
    ({"clickhouse.user": "nobody"}, ("`nobody`", "clickhouse.user", "clickhouse.password")),
    ({"clickhouse.user": "default", "clickhouse.password": ""}, ("`default`", "clickhouse.user", "lacks a privilege")),
    ({"clickhouse.database": "no_such_database"}, ("`no_such_database`", "clickhouse.database")),
])
def test_a_refused_login_names_its_settings(settings: dict[str, str], words: tuple[str, ...], make_pipeline: Callable[..., Pipeline]):
    """F12: at the start and in check; the start waits, for the user may be made later."""
    pipeline = make_pipeline(settings=settings)
    code, said = pipeline.check()
    assert code == 2 and all(word in said for word in words), said
    pipeline.start()
    wait_until(lambda: pipeline.status_code("/healthz") == 200, 30, "the page is up")
    wait_for_reason(pipeline, *words)
    assert pipeline.process.runs() and all(word in pipeline.process.tail() for word in words)
    assert pipeline.stop() == 0


def test_a_login_that_is_refused_while_it_runs(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline]):
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url}).start_ready()
    proxy.without = "X-ClickHouse-Key"
    wait_for_reason(pipeline, "`ctr_writer`", "clickhouse.password")
    proxy.without = None
    pipeline.wait_ready()


def test_an_insert_that_is_slower_than_its_timeout_ends_all_the_same(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline],
                                                                     producer: Producer, database: Database, kafka: Kafka, topics: Topics):
    """F13: the patience grows with the attempts, and the setting is named."""
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url, "clickhouse.request-timeout-ms": "1000"}).start_ready()
    flow = producer.start("both", rate=1_250, count=15_000, products=10, **HISTORY)
    wait_until(lambda: database.windows(), 60, "the first window")
    proxy.delay, proxy.mood = 3.0, Mood.SLOW
    wait_until(lambda: "clickhouse.request-timeout-ms" in pipeline.process.tail(), 60, "the setting is named")
    assert flow.wait(120) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=120)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["sink"]["bufferedBytes"] == 0, 60, "every insert is acknowledged, slow as they are")
    assert pipeline.stop(seconds=60) == 0


def test_a_clickhouse_that_is_too_slow_for_a_ping_is_written_to_all_the_same(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline],
                                                                             producer: Producer, database: Database, kafka: Kafka, topics: Topics):
    """While a ping fails nothing is read, so no insert could show that ClickHouse is only slow: pings grow patient too."""
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url, "clickhouse.request-timeout-ms": "1000"}).start_ready()
    proxy.delay, proxy.mood = 3.0, Mood.SLOW
    wait_until(lambda: pipeline.status_code("/readyz") == 503, 60, "a ping has failed")
    flow = producer.start("both", rate=2_500, count=5_000, products=10, **HISTORY)
    assert flow.wait(60) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=120)
    assert pipeline.stop(seconds=60) == 0


def test_a_job_starts_beside_a_clickhouse_that_is_slower_than_its_timeout(proxy: FlakyProxy, make_pipeline: Callable[..., Pipeline]):
    """The timeout of the startup checks grows like that of inserts: with a fixed one, the job would never start."""
    proxy.delay, proxy.mood = 3.0, Mood.SLOW
    pipeline = make_pipeline(settings={"clickhouse.url": proxy.url, "clickhouse.request-timeout-ms": "1000"}).start()
    wait_until(lambda: "clickhouse.request-timeout-ms" in pipeline.process.tail(), 60, "the setting is named")
    pipeline.wait_ready(120)
    assert pipeline.stop(seconds=60) == 0


def test_a_process_that_was_stopped_says_so(pipeline: Pipeline, producer: Producer):
    """F25: it does not blame ClickHouse for the time in which it did not run itself."""
    pipeline.start_ready()
    flow = producer.start("both", rate=1_000, count=60_000, **HISTORY)
    wait_until(lambda: pipeline.get_json("/api/v1/status")["sink"]["batches"] > 0, 60, "the first insert")
    pipeline.process.suspend()
    time.sleep(8)
    pipeline.process.resume()
    wait_until(lambda: "this process was suspended for" in pipeline.process.tail(200), 30, "it says so")
    pipeline.wait_ready()
    assert "no answer within" not in pipeline.process.tail(200)
    flow.kill()
