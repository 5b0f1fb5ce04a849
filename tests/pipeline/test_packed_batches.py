"""Batches that unpack to far more than they weigh: what the topic's limit lets through is read, or stops its partition alone."""

from collections.abc import Callable

import pytest

from pipeline.events import T, impression
from stack import Database, Kafka, Pipeline, Topics, wait_until

MIB = 1 << 20


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    return kafka.fresh_topics(partitions=8)


def test_a_batch_beyond_the_clients_limit_stops_its_partition_alone(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                                                    topics: Topics):
    """59 MB in a batch of a megabyte (field report F20). The way past is that of docs/operations.md."""
    pipeline = make_pipeline().start_ready()
    count = 760_000
    kafka.produce_batch(topics.impressions, 0, impression("packed", T)[1], count, "zstd")
    assert kafka.end_offsets(topics.impressions)[0] == count

    def partition(number: int) -> dict:
        return next(row for row in pipeline.get_json("/api/v1/status")["partitions"]
                    if (row["topic"], row["partition"]) == (topics.impressions, number))

    wait_until(lambda: partition(0)["wait"] == "unreadable", 60, "the page says that the partition cannot be read")
    kafka.produce(topics.impressions, [impression("beside", T)], partition=1)
    wait_until(lambda: database.windows() == {("beside", T): (1, 0)}, 60, "another partition counts")
    said = pipeline.process.log.read_text()
    assert "reading of this partition has stopped" in said and "worker failed" not in said and pipeline.process.runs()
    assert pipeline.stop() == 0

    accepting = make_pipeline(settings={"kafka.properties": "receive.message.max.bytes=1000000000"}).start_ready()
    wait_until(lambda: database.windows() == {("beside", T): (1, 0), ("packed", T): (count, 0)}, 90, "the batch is counted")
    assert accepting.stop() == 0


def test_batches_of_all_partitions_take_the_memory_that_the_rule_says(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka,
                                                            topics: Topics):
    """Field report F19: a batch of 1 MB in each of eight partitions, 14 to 16 MB unpacked."""
    value, count = impression("packed", T)[1], 200_000
    for number in range(8):
        kafka.produce_batch(topics.impressions, number, value, count, "lz4")
    pipeline = make_pipeline(settings={"ctr.job.parallelism": 2}).start_ready()
    largest = 0

    def counted() -> bool:
        nonlocal largest
        largest = max(largest, pipeline.process.resident_bytes())
        return database.windows() == {("packed", T): (8 * count, 0)}

    wait_until(counted, 90, "all batches are counted")
    # The rule of docs/bounds.md: the process, 3 MiB a partition, and for each batch what it unpacks to and 0.3 KiB a record. That is more
    # than the container's 256 MiB: its known limit.
    rule = 35 * MIB + 16 * 3 * MIB + 8 * count * (len(value) + 0.3 * 1024)
    print(f"{largest / MIB:.0f} MiB at most, {rule / MIB:.0f} by the rule")
    assert largest < rule, f"{largest / MIB:.0f} MiB"
