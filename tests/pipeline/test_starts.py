"""Where a start begins, and what a stop leaves."""

from collections.abc import Callable
from signal import SIGKILL, SIGTERM

from pipeline.comparison import assert_exact, differences
from stack import Database, Kafka, Pipeline, Producer, Topics, wait_until

HISTORY = {"count": 5_000, "rate": 0, "products": 5, "span": "1m"}


def test_latest_begins_behind_what_is_there_and_goes_on_where_it_was(producer: Producer, make_pipeline: Callable[..., Pipeline],
                                                                     database: Database, kafka: Kafka, topics: Topics):
    producer.run("both", seed=1, start_time="2026-01-01T00:00:00Z", **HISTORY)
    pipeline = make_pipeline(settings={"kafka.offset-strategy": "latest"}).start_ready()
    commits = kafka.committed(topics)
    ends = {(topic, p): end for topic in (topics.impressions, topics.clicks) for p, end in kafka.end_offsets(topic).items()}
    assert {place: offset for place, (offset, _) in commits.items()} == ends, "the start is pinned at once, for empty partitions too"

    after = producer.run("both", seed=2, start_time="2026-01-01T01:00:00Z", **HISTORY)
    wait_until(lambda: not differences(after, database), 60, "what came after the start is counted, and nothing else")
    assert pipeline.stop() == 0
    later = producer.run("both", seed=3, start_time="2026-01-01T02:00:00Z", **HISTORY)
    pipeline.start_ready()
    after.windows.update(later.windows)
    wait_until(lambda: not differences(after, database), 60, "a second start goes on where the first one stopped")


def test_a_partition_that_was_added_is_read_from_its_beginning(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                                               topics: Topics):
    pipeline = make_pipeline(settings={"kafka.offset-strategy": "latest"}).start_ready()
    assert pipeline.stop() == 0
    for topic in (topics.impressions, topics.clicks):
        kafka.add_partitions(topic, topics.partitions + 1)
    event = b'{"event_type":"click","product_id":"p","timestamp":1767225600000}'
    kafka.produce(topics.clicks, [(None, event)], partition=topics.partitions)
    pipeline.start_ready()
    wait_until(lambda: database.windows() == {("p", 1_767_225_600_000): (0, 1)}, 60, "the event in the new partition is counted")
    assert pipeline.process.log.read_text().count("first record counted") == 1, "said by the worker that has counted, and by no other"


def test_commits_are_removed_where_that_is_asked_for(producer: Producer, make_pipeline: Callable[..., Pipeline], database: Database,
                                                     kafka: Kafka, topics: Topics):
    pipeline = make_pipeline(settings={"ctr.job.externalized-checkpoint-cleanup": "DELETE_ON_CANCELLATION"}).start_ready()
    truth = producer.run("both", seed=1, start_time="2026-01-01T00:00:00Z", **HISTORY)
    assert_exact(truth, database, kafka, topics)
    wait_until(lambda: len(kafka.committed(topics)) == 2 * topics.partitions, 30, "all partitions are committed")
    assert pipeline.stop() == 0
    assert kafka.committed(topics) == {}
    pipeline.start_ready()
    assert_exact(truth, database, kafka, topics)


def test_a_second_signal_ends_it_at_once(pipeline: Pipeline, engine, producer: Producer, database: Database):
    pipeline.start_ready()
    flow = producer.start("both", rate=2_000)
    try:
        wait_until(lambda: database.windows(), 60, "the first window")
        engine.suspend()
        # Rows that nobody acknowledges: the first signal waits for them.
        wait_until(lambda: pipeline.get_json("/api/v1/status")["sink"]["bufferedBytes"] > 0, 60, "rows wait")
        pipeline.process.send(SIGTERM)
        wait_until(lambda: "stopping" in pipeline.process.tail(), 10, "the first signal is taken")
        assert pipeline.process.runs()
        assert pipeline.stop(SIGTERM, seconds=5) == 128 + SIGTERM
    finally:
        engine.resume()
        flow.send(SIGKILL)
