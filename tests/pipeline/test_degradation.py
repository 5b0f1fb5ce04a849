"""Servers that refuse, and brokers that are gone: the pipeline waits, says why, and goes on by itself with nothing lost."""

from collections.abc import Callable

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from pipeline.comparison import assert_exact
from pipeline.events import T, click, impression
from stack import Database, Engine, Kafka, Pipeline, Producer, Topics, wait_until

FLOW = {"rate": 4_000, "count": 50_000, "products": 20, "bad": 0.01, "late": 0.05, "start_time": "2026-01-01T00:00:00Z", "span": "5m"}


def wait_for_complaint(pipeline: Pipeline, what: str) -> None:
    """Until the pipeline says that it is not ready and why; it must stay alive."""
    wait_until(lambda: pipeline.status_code("/readyz") == 503, 60, f"not ready: {what}")
    wait_until(lambda: what in str(pipeline.get_json("/api/v1/status")["sink"]["lastError"]), 60, f"the reason is shown: {what}")
    assert pipeline.status_code("/healthz") == 200


def test_clickhouse_refuses_for_three_reasons(producer: Producer, pipeline: Pipeline, engine: Engine, database: Database, kafka: Kafka,
                                              topics: Topics):
    pipeline.start_ready()
    flow = producer.start("both", **FLOW)
    wait_until(lambda: database.windows(), 60, "the first window")
    # The engine's own refusal where the disk is full: it is asked to keep more free than there is.
    database.execute("ALTER TABLE ctr_results_raw MODIFY SETTING min_free_disk_bytes_to_perform_insert = 1000000000000000")
    wait_for_complaint(pipeline, "NOT_ENOUGH_SPACE")
    database.execute("ALTER TABLE ctr_results_raw RESET SETTING min_free_disk_bytes_to_perform_insert")
    pipeline.wait_ready()
    try:
        engine.stop()
        engine.process.start({"CLICKHOUSE_ENGINE_PASSWORD": "another-one"})
        wait_for_complaint(pipeline, "AUTHENTICATION_FAILED")
    finally:
        engine.kill()
        engine.start()
    pipeline.wait_ready()
    assert flow.wait(60) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics)
    assert pipeline.process.log.read_text().count("partitions taken over") == 2, "no member was lost, no worker started again"


def test_a_table_dropped_and_made_again(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka, topics: Topics):
    pipeline = make_pipeline().start_ready()
    kafka.produce(topics.impressions, [impression("before", T)])
    wait_until(lambda: ("before", T) in database.windows(), 60, "a row that is acknowledged")
    database.execute("DROP TABLE ctr_results_raw SYNC")
    kafka.produce(topics.impressions, [impression("meanwhile", T + 60_000)])
    kafka.produce(topics.clicks, [click("meanwhile", T + 60_000)])
    wait_for_complaint(pipeline, "ctr_results_raw: does not exist")
    database.apply_schema()
    pipeline.wait_ready()
    wait_until(lambda: database.windows().get(("meanwhile", T + 60_000)) == (1, 1), 60, "what was not acknowledged is there")
    minutes = database.query("SELECT product_id FROM ctr_ml_view GROUP BY product_id ORDER BY product_id")
    assert [row["product_id"] for row in minutes] == ["before", "meanwhile"], "what is fed by the table goes on"


def test_one_broker_gone_and_then_two(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                      topics: Topics):
    pipeline = make_pipeline().start_ready()
    flow = producer.start("both", **{**FLOW, "count": 80_000})
    try:
        wait_until(lambda: database.windows(), 60, "the first window")
        kafka.kill_broker(1)
        consumed = pipeline.get_json("/api/v1/status")["ledger"]["consumed"]
        wait_until(lambda: pipeline.get_json("/api/v1/status")["ledger"]["consumed"] > consumed + 5_000, 60, "one broker less is no stop")
        kafka.kill_broker(2)
        wait_until(lambda: pipeline.process.runs() and pipeline.status_code("/healthz") == 200, 10, "it waits")
    finally:
        for number in (1, 2):
            kafka.start_broker(number)
        kafka.wait_for_brokers(3, 120)
        for topic in (topics.impressions, topics.clicks, topics.dead_letters):
            kafka.wait_for_replicas(topic, 120)
    assert flow.wait(120) == 0
    assert_exact(producer.truth_of(flow), database, kafka, topics, seconds=120)
    assert pipeline.process.runs()


def test_dead_letters_that_are_refused_hold_up_reading_and_nothing_else(make_pipeline: Callable[..., Pipeline], database: Database,
                                                                        kafka: Kafka, topics: Topics):
    pipeline = make_pipeline(settings={"kafka.properties": "topic.metadata.propagation.max.ms=500,message.max.bytes=900000"}).start_ready()

    def offsets_of_letters() -> set[int]:
        return {letter["offset"] for letter in kafka.dead_letters(topics) if letter["rawTopic"] == topics.impressions}

    sent: list[int] = []

    def letters_fail_in_the_end() -> bool:
        """One more bad record, as brokers learn one by one that letters are to be refused; whether that shows."""
        sent.append(kafka.produce(topics.impressions, [(b"p", b"no event")], partition=0)[0][1])
        return pipeline.get_json("/api/v1/status")["deadLetters"]["failing"]

    set_largest_message(kafka, topics.dead_letters, 1)
    wait_until(letters_fail_in_the_end, 60, "a broker that refuses letters is seen", every=0.5)
    wait_until(lambda: pipeline.status_code("/readyz") == 503, 10, "not ready")
    assert pipeline.status_code("/healthz") == 200
    kafka.produce(topics.impressions, [impression("p", T)], partition=0)
    set_largest_message(kafka, topics.dead_letters, 1_000_000)
    wait_until(lambda: offsets_of_letters() == set(sent), 60, "every letter is written as soon as it is taken")
    pipeline.wait_ready()

    kafka.delete_topic(topics.dead_letters)
    wait_until(letters_fail_in_the_end, 90, "a topic that is missing is seen", every=0.5)
    kafka.produce(topics.clicks, [click("p", T)], partition=0)
    kafka.create_topic(topics.dead_letters, 3)
    wait_until(lambda: sent[-1] in offsets_of_letters(), 90, "what could not be written is, when the topic is there again")
    wait_until(lambda: database.windows() == {("p", T): (1, 1)}, 60, "reading has gone on")
    assert "create-topics.sh" in pipeline.process.log.read_text()


def set_largest_message(kafka: Kafka, topic: str, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    admin = kafka.admin()
    for future in admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]).values():
        future.result(30)
