"""What is away comes back, and nothing was lost; what is wrong is named."""

import socket
import time
from collections.abc import Callable

import pytest

from pipeline.comparison import assert_exact
from pipeline.events import T, impression
from stack import Database, Engine, Kafka, Pipeline, Producer, Topics, free_ports, wait_until


@pytest.mark.parametrize("seconds", [10, pytest.param(600, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_clickhouse_away_for_a_while(seconds: int, producer: Producer, pipeline: Pipeline, engine: Engine, database: Database, kafka: Kafka,
                                     topics: Topics):
    pipeline.start_ready()
    flow = producer.start("both", rate=5_000, count=6_000 * seconds, products=20)
    wait_until(lambda: database.windows(), 60, "the first window")
    taken_over = pipeline.process.log.read_text().count("partitions taken over")
    engine.kill()
    try:
        wait_until(lambda: pipeline.status_code("/readyz") == 503, 60, "the pipeline says that it is not ready")
        assert "ClickHouse" in pipeline.process.tail()
        assert pipeline.status_code("/healthz") == 200
        assert flow.wait(120 + seconds) == 0
        print(f"after {seconds} s without ClickHouse: {pipeline.process.resident_bytes() >> 20} MiB")
        assert pipeline.process.resident_bytes() < 150 << 20
    finally:
        engine.start()
    back = time.monotonic()
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=180)
    print(f"every row was there {time.monotonic() - back:.1f} s after its return")
    pipeline.wait_ready()
    log = pipeline.process.log.read_text()
    assert log.count("partitions taken over") == taken_over, "the group has lost a member"
    assert "insert succeeded again" in log or "ClickHouse answers" in log
    assert pipeline.stop() == 0


def test_brokers_that_cannot_be_reached_at_start(make_pipeline: Callable[..., Pipeline]):
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    pipeline = make_pipeline(settings={"kafka.bootstrap-servers": nobody}).start()
    wait_until(lambda: nobody in pipeline.process.tail() and "KAFKA_BOOTSTRAP_SERVERS" in pipeline.process.tail(), 30, "a clear error line")
    assert pipeline.status_code("/readyz") == 503
    wait_until(lambda: pipeline.process.tail().count("no answer") >= 3, 60, "it tries again")
    seconds = cpu_seconds(pipeline)
    assert seconds < 2, f"{seconds} s of CPU: that is a busy loop"
    assert pipeline.stop() == 0


def cpu_seconds(pipeline: Pipeline) -> float:
    fields = open(f"/proc/{pipeline.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_what_is_wrong_is_named_before_anything_is_read(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics):
    kafka.create_topic(f"{topics.group}-clocks", 6, {"message.timestamp.type": "CreateTime"})
    pipeline = make_pipeline(settings={"kafka.topics.click": f"{topics.group}-clocks"})
    code, said = pipeline.check()
    assert code == 2 and f"{topics.group}-clocks" in said and "create-topics.sh" in said
    assert "ok       topic" in said and "ok       clickhouse" in said
    assert pipeline.start().process.wait(60) == 2
    assert f"{topics.group}-clocks" in pipeline.process.tail()
    assert kafka.committed(topics) == {}


def test_a_topic_that_is_missing_is_named_and_waited_for(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics):
    name = f"{topics.group}-later"
    pipeline = make_pipeline(settings={"kafka.dlq-topic": name})
    code, said = pipeline.check()
    assert code == 2 and name in said and "create-topics.sh" in said
    assert "ok       topic" in said and "ok       clickhouse" in said
    pipeline.start()
    wait_until(lambda: f"topic {name}: does not exist" in pipeline.process.tail(), 60, "the start names what it waits for")
    assert pipeline.status_code("/readyz") == 503 and kafka.committed(topics) == {}
    kafka.create_topic(name, 1)
    pipeline.wait_ready()
    assert pipeline.stop() == 0


def test_topics_that_do_not_fit(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics, database: Database):
    kafka.create_topic(f"{topics.group}-few", 4, {"message.timestamp.type": "LogAppendTime"})
    kafka.create_topic(f"{topics.group}-clocks", 6, {"message.timestamp.type": "CreateTime"})
    pipeline = make_pipeline(settings={"kafka.topics.click": f"{topics.group}-few"})
    code, said = pipeline.check()
    assert code == 0 and "has 6" in said and "has 4: 4 to 5 wait" in said, said
    # Those that both topics have are read; the others wait, by name, and are read from their beginning when both have them.
    for partition in range(6):
        kafka.produce(topics.impressions, [impression(f"p{partition}", T)], partition=partition)
    pipeline.start_ready()
    wait_until(lambda: database.windows() == {(f"p{partition}", T): (1, 0) for partition in range(4)}, 60, "the pairs that exist are read")
    status = pipeline.get_json("/api/v1/status")
    assert any("has 6 partitions" in reason and " 4: 4 to 5 wait" in reason for reason in status["reasons"]), status["reasons"]
    assert pipeline.process.runs() and "worker failed" not in pipeline.process.log.read_text()
    kafka.add_partitions(f"{topics.group}-few", 6)
    wait_until(lambda: database.windows() == {(f"p{partition}", T): (1, 0) for partition in range(6)}, 120, "the others are read when both topics have them")
    assert "worker failed" not in pipeline.process.log.read_text()
    wait_until(lambda: not any("wait" in reason for reason in pipeline.get_json("/api/v1/status")["reasons"]), 30, "no reason is left")
    assert pipeline.stop() == 0
    code, said = make_pipeline(settings={"kafka.topics.click": f"{topics.group}-clocks"}).check()
    assert code == 2 and "LogAppendTime" in said
    code, said = make_pipeline(settings={"kafka.topics.click": f"{topics.group}-clocks", "kafka.trust-producer-timestamps": "true"}).check()
    assert code == 0, said


def test_a_schema_that_is_missing_is_named(make_pipeline: Callable[..., Pipeline], engine: Engine, database: Database):
    database.execute("DROP TABLE ctr_latest_view")
    code, said = make_pipeline().check()
    assert code == 2 and "ctr_latest_view" in said and "init-clickhouse.sh" in said


def test_all_mistakes_of_the_settings_at_once(make_pipeline: Callable[..., Pipeline]):
    pipeline = make_pipeline(settings={"ctr.job.parallelism": "0", "kafka.offset-strategy": "yesterday", "status.port": "none"}).start()
    assert pipeline.process.wait(10) == 2
    said = pipeline.process.tail()
    assert "CTR_JOB_PARALLELISM" in said and "KAFKA_OFFSET_STRATEGY" in said and "STATUS_PORT" in said


def test_a_port_that_is_taken(make_pipeline: Callable[..., Pipeline]):
    pipeline = make_pipeline()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", pipeline.port))
        taken.listen()
        assert pipeline.start().process.wait(30) == 1
    assert "STATUS_PORT" in pipeline.process.tail()


def test_two_processes_with_one_instance_id(make_pipeline: Callable[..., Pipeline]):
    older = make_pipeline(settings={"ctr.job.instance-id": "twin"}).start_ready()
    newer = make_pipeline(settings={"ctr.job.instance-id": "twin"}).start()
    # Exit code 2: a supervisor that restarted it would have the two take the partitions from each other for ever.
    assert older.process.wait(60) == 2
    assert "ctr.job.instance-id" in older.process.tail()
    newer.wait_ready()
    # The one that stays was fenced too, before the other gave up, and says why it left the group for a moment.
    failures = [worker.get("lastFailure") or "" for worker in newer.get_json("/api/v1/status")["workers"]]
    assert any("ctr.job.instance-id" in failure for failure in failures), failures
    assert newer.stop() == 0


def test_the_probe_tells_readiness(make_pipeline: Callable[..., Pipeline]):
    pipeline = make_pipeline()
    code, said = pipeline.probe()
    assert code == 1 and "no pipeline answers" in said
    pipeline.start_ready()
    assert pipeline.probe() == (0, '{"status":"ready"}\n')


def test_a_killed_instance_has_its_place_back_at_once(producer: Producer, pipeline: Pipeline, database: Database):
    pipeline.start_ready()
    flow = producer.start("both", rate=500)
    wait_until(lambda: database.windows(), 60, "the first window")
    pipeline.kill()
    restarted = time.time()
    pipeline.start()
    # A window that ends after the restart: its first row is due when the watermark, 2 s behind, has passed its end.
    after = f"window_end > toDateTime64({restarted}, 3, 'UTC')"
    first = f"SELECT toUnixTimestamp64Milli(min(inserted_at)) AS seen, toUnixTimestamp64Milli(min(window_end)) AS ended FROM ctr_results_raw WHERE {after}"
    wait_until(lambda: database.query(first)[0]["seen"] > 0, 60, "a row of a window that ended after the restart")
    row = database.query(first)[0]
    waited = (row["seen"] - max(row["ended"] + 2_000, restarted * 1000)) / 1000
    print(f"first row {waited:.2f} s after the restart and its window's watermark")
    # The session of the killed process lasts 15 s: whoever had to wait for its end would be later than this.
    assert waited < 10
    flow.kill()
