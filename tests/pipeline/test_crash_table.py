"""The rows of the crash table (docs/delivery.md) on real Kafka, each on topics of one partition with a few known events.

Before each: two windows are closed, and the window at `T + 60 s` is held with one impression and one click when the pipeline leaves.
"""

import json
import subprocess
from collections.abc import Callable

import pytest

from pipeline.events import T, click, impression
from stack import Database, Kafka, Pipeline, Topics, wait_until
from stack.process import CHECKOUT, LOCAL_DIR, clean_environment

HELD = T + 60_000
# Event time goes on with the clock when all is silent: near its end, a window fires soon.
END = HELD + 9_900
BEFORE = {("p", T): (1, 0), ("p", T + 30_000): (1, 0), ("p", HELD): (1, 1)}
Commits = dict[tuple[str, int], tuple[int, str]]


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    return kafka.fresh_topics(partitions=1)


@pytest.fixture
def left(make_pipeline: Callable[..., Pipeline], database: Database, kafka: Kafka, topics: Topics) -> Pipeline:
    """An instance that has counted what BEFORE says and has left the group, with the newest window held."""
    pipeline = make_pipeline(settings={"ctr.job.parallelism": "1"}).start_ready()
    kafka.produce(topics.impressions, [impression("p", T), impression("p", T + 30_000), impression("p", END)])
    kafka.produce(topics.clicks, [click("q", T + 1), click("p", END)])
    wait_until(lambda: {**BEFORE, ("q", T): (0, 1)}.items() <= database.windows().items(), 60, "the beginning is counted")
    assert pipeline.leave() == 0
    commits = {topic: (offset, json.loads(metadata)) for (topic, _), (offset, metadata) in kafka.committed(topics).items()}
    assert commits[topics.impressions][0] == 2 and commits[topics.impressions][1]["pos"] == 3, commits
    assert commits[topics.clicks][0] == 1 and commits[topics.clicks][1]["pos"] == 2, commits
    return pipeline


def lost_at_most(pipeline: Pipeline) -> int:
    return pipeline.get_json("/api/v1/status")["recordsLostAtMost"]


def later(kafka: Kafka, topics: Topics) -> None:
    """One more of each kind for the held window, and the next window."""
    kafka.produce(topics.impressions, [impression("p", END + 1), impression("p", END + 20_000)])
    kafka.produce(topics.clicks, [click("p", END + 1), click("p", END + 20_000)])


def test_nothing_was_lost(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    later(kafka, topics)
    left.start_ready()
    wait_until(lambda: database.windows()[("p", HELD)] == (2, 2), 60, "the held window goes on")
    wait_until(lambda: database.windows().get(("p", HELD + 20_000)) == (1, 1), 60, "the next window")
    assert lost_at_most(left) == 0 and kafka.dead_letters(topics) == []


def test_log_cut_between_low_offset_and_position(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    later(kafka, topics)
    kafka.delete_records(topics.impressions, {0: 3})
    left.start_ready()
    wait_until(lambda: database.windows().get(("p", HELD + 20_000)) == (1, 1), 60, "a window that lost nothing is exact")
    wait_until(lambda: len(kafka.dead_letters(topics)) == 2, 60, "what comes for a window that lost records is a dead letter, on both sides")
    found = sorted((letter["source"], letter["offset"], letter["code"], letter["closedEarly"]) for letter in kafka.dead_letters(topics))
    assert found == [("Click", 2, "TOO_LATE", True), ("Impression", 3, "TOO_LATE", True)]
    assert database.windows()[("p", HELD)] == (1, 1), "the last complete row stays"
    assert "LogCutBelowPosition" in left.process.log.read_text()


def test_log_cut_beyond_the_position(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    later(kafka, topics)
    kafka.delete_records(topics.impressions, {0: 4})
    left.start_ready()
    wait_until(lambda: database.windows().get(("p", HELD + 20_000)) == (1, 1), 60, "reading goes on at the first record there is")
    log = left.process.log.read_text()
    assert "LogCutBeyondPosition" in log and "position: 3" in log and "log_start: 4" in log
    # Offsets 2 (held, its row may not have been written) and 3 (never read).
    assert lost_at_most(left) == 2
    assert database.windows()[("p", HELD)][0] == 1


@pytest.mark.parametrize("commits_are", ["removed by Kafka", "written again by an old owner"])
def test_topics_made_anew(commits_are: str, left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    older: Commits = kafka.committed(topics)
    for topic in (topics.impressions, topics.clicks):
        kafka.delete_topic(topic)
        kafka.create_topic(topic, 1)
    # As many impressions as there were, of other products; and more clicks in one window than the old log had.
    kafka.produce(topics.impressions, [impression("p", T), *(impression("new", T + n) for n in range(3))])
    kafka.produce(topics.clicks, [click("p", T + 30_000 + n) for n in range(3)])
    wait_until(lambda: kafka.committed(topics) == {}, 30, "Kafka removes the commits with the topics")
    if commits_are != "removed by Kafka":
        kafka.commit(topics, older)
    left.start_ready()
    wait_until(lambda: database.windows().get(("new", T)) == (3, 0), 60, "the new log is read from its beginning")
    wait_until(lambda: database.windows()[("p", T + 30_000)] in ((0, 3), (1, 3)), 60, "a window keeps its larger counts")
    assert {key: row for key, row in database.windows().items() if key not in {("new", T), ("p", T + 30_000)}} == {
        ("p", T): (1, 0), ("q", T): (0, 1), ("p", HELD): (1, 1)}
    notices = [line for line in left.process.log.read_text().splitlines() if "TopicMadeAnew" in line]
    # Each topic is found by reading it, which takes all partitions over again; what was found before is not forgotten by that.
    named = [topic for topic in (topics.impressions, topics.clicks) if any(topic in line for line in notices)]
    assert (len(named), len(notices)) in ({(0, 0)} if commits_are == "removed by Kafka" else {(2, 2), (2, 3)})


def reset_offsets(kafka: Kafka, topics: Topics, where: str) -> None:
    """As people do it: with Kafka's own tool."""
    names = [argument for topic in (topics.impressions, topics.clicks) for argument in ("--topic", topic)]
    environment = clean_environment({"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "LOCAL_DIR": str(LOCAL_DIR)})
    done = subprocess.run([str(CHECKOUT / "local/kafka/tool.sh"), "consumer.group.ConsumerGroupCommand", "--group", topics.group,
                           "--reset-offsets", where, "--execute", "--timeout", "60000", *names],
                          env=environment, capture_output=True, text=True, timeout=100)
    # Where a broker is too slow for the tool's own timeout, it says so and exits with 0.
    assert done.returncode == 0 and "Error" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_offsets_set_back_to_the_beginning_by_a_tool(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    reset_offsets(kafka, topics, "--to-earliest")
    later(kafka, topics)
    left.start_ready()
    expected = {**BEFORE, ("q", T): (0, 1), ("p", HELD): (2, 2), ("p", HELD + 20_000): (1, 1)}
    wait_until(lambda: database.windows() == expected, 60, "everything is read again, nothing is counted twice")
    assert "OffsetsSetByTool" in left.process.log.read_text() and kafka.dead_letters(topics) == []


def test_offsets_set_to_the_end_by_a_tool(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    kafka.produce(topics.impressions, [impression("skipped", HELD)])
    reset_offsets(kafka, topics, "--to-latest")
    left.start_ready()
    kafka.produce(topics.impressions, [impression("p", END + 20_000)])
    wait_until(lambda: database.windows().get(("p", HELD + 20_000)) == (1, 0), 60, "what comes from there is counted")
    assert not any(product == "skipped" for product, _ in database.windows())


def test_a_changed_window_size_is_refused(left: Pipeline, make_pipeline: Callable[..., Pipeline]):
    other = make_pipeline(settings={"ctr.job.parallelism": "1", "ctr.job.window-size-ms": "20000"}).start()
    assert other.process.wait(60) != 0
    said = other.process.tail()
    assert "ctr.job.window-size-ms" in said and "10000" in said and "20000" in said and "kafka.group-id" in said


def test_a_commit_overwritten_by_an_older_one(left: Pipeline, database: Database, kafka: Kafka, topics: Topics):
    older: Commits = kafka.committed(topics)
    later(kafka, topics)
    kafka.produce(topics.clicks, [(b"p", b"no event")])
    kafka.produce(topics.impressions, [impression("p", END + 60_000)])
    kafka.produce(topics.clicks, [click("p", END + 60_000)])
    left.start_ready()
    wait_until(lambda: database.windows().get(("p", HELD + 60_000)) == (1, 1), 60, "all is counted")
    assert left.leave() == 0
    newer = kafka.committed(topics)
    assert all(newer[place][0] > older[place][0] for place in older)
    before = database.windows()
    kafka.commit(topics, older)
    left.start_ready()
    wait_until(lambda: len(kafka.dead_letters(topics)) == 2, 60, "the dead letter is sent again")
    first, again = ({name: value for name, value in letter.items() if not name.startswith("createdAt")} for letter in kafka.dead_letters(topics))
    assert first == again
    assert left.stop() == 0
    assert database.windows() == before
