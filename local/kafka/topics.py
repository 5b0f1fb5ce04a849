#!/usr/bin/env python3
"""Creates the pipeline's topics, applies the settings to existing ones, and checks them.

It uses one client and starts no JVM, so it takes a fraction of a second. The settings come from the environment
(scripts/lib/env.sh has the defaults): KAFKA_BOOTSTRAP_SERVERS, IMPRESSION_TOPIC, CLICK_TOPIC, DLQ_TOPIC,
TOPIC_PARTITIONS, DLQ_PARTITIONS, TOPIC_REPLICATION_FACTOR, TOPIC_MIN_INSYNC_REPLICAS, TOPIC_RETENTION_MS,
TOPIC_RETENTION_BYTES, DLQ_RETENTION_MS.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType,
)


class TopicError(Exception):
    """An error with its remedy, for the user at the terminal."""


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    replication: int
    config: dict[str, str]


def setting(name: str, low: int) -> int:
    """An integer from the environment, at least `low`."""
    text = os.environ.get(name, "")
    if not text.lstrip("-").isdigit() or int(text) < low:
        raise TopicError(f"{name}={text!r}: must be an integer of at least {low}. Correct it in .env or the environment.")
    return int(text)


def wanted_topics() -> list[Topic]:
    replication = setting("TOPIC_REPLICATION_FACTOR", 1)
    in_sync = setting("TOPIC_MIN_INSYNC_REPLICAS", 1)
    if in_sync > replication:
        raise TopicError(f"TOPIC_MIN_INSYNC_REPLICAS={in_sync} exceeds TOPIC_REPLICATION_FACTOR={replication}: all writes would fail.")

    def topic(name: str, partitions: int, retention_ms: int) -> Topic:
        return Topic(os.environ[name], partitions, replication, {
            "min.insync.replicas": str(in_sync),
            "retention.ms": str(retention_ms),
            "retention.bytes": str(setting("TOPIC_RETENTION_BYTES", -1)),
            # Events from the future are detected with the broker's clock, not the producer's.
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "delete",
        })

    # An impression and its click must be in partitions with the same number: one count for both topics.
    events = setting("TOPIC_PARTITIONS", 1)
    return [
        topic("IMPRESSION_TOPIC", events, setting("TOPIC_RETENTION_MS", -1)),
        topic("CLICK_TOPIC", events, setting("TOPIC_RETENTION_MS", -1)),
        topic("DLQ_TOPIC", setting("DLQ_PARTITIONS", 1), setting("DLQ_RETENTION_MS", -1)),
    ]


def connect(servers: str) -> AdminClient:
    return AdminClient({
        "bootstrap.servers": servers,
        "client.id": "create-topics",
        # Refused connections while brokers start are expected; errors are reported at the deadline.
        "log_level": 0,
        "reconnect.backoff.max.ms": 250,
        "socket.connection.setup.timeout.ms": 2000,
    })


def wait_for_brokers(admin: AdminClient, count: int, timeout: float):
    """Waits until `count` brokers are in the cluster; returns its metadata."""
    deadline = time.monotonic() + timeout
    alive = 0
    while True:
        try:
            metadata = admin.list_topics(timeout=1.0)
            alive = len(metadata.brokers)
            if alive >= count:
                return metadata
        except KafkaException:
            alive = 0
        if time.monotonic() >= deadline:
            raise TopicError(f"{alive} of {count} brokers respond at {os.environ['KAFKA_BOOTSTRAP_SERVERS']} after {timeout:.0f} s. "
                             "Start them with ./scripts/setup.sh, or check ./scripts/logs.sh kafka1.")
        time.sleep(0.1)


def finish(futures: dict, doing: str) -> None:
    for key, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            raise TopicError(f"{doing} {getattr(key, 'name', key)}: {error.args[0].str()}") from error


# A cluster that is still forming, a replaced connection, or a topic that our own earlier request created.
PASSING = {
    KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_CONTROLLER, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.TOPIC_ALREADY_EXISTS, KafkaError.BROKER_NOT_AVAILABLE, KafkaError.NETWORK_EXCEPTION,
}


# After these it is unknown whether the request was executed.
UNANSWERED = {
    KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION,
}


def create_missing(admin: AdminClient, topics: list[Topic], timeout: float) -> tuple[list[Topic], dict]:
    """Retries until all topics exist; a permanent error ends it. Returns the topics it created, and all that it found.

    A broker may not know an existing topic yet, so a topic that is missing in one response and present in the next was not
    necessarily created by us: it was, if Kafka confirmed it, or did not respond to our request.
    """
    deadline = time.monotonic() + timeout
    made: list[Topic] = []
    while True:
        known = admin.list_topics(timeout=10).topics
        missing = {topic.name: topic for topic in topics if topic.name not in known}
        if not missing:
            return made, known
        requests = admin.create_topics([NewTopic(t.name, t.partitions, t.replication, config=t.config) for t in missing.values()],
                                       operation_timeout=10)
        for name, future in requests.items():
            try:
                future.result()
                made.append(missing[name])
            except KafkaException as error:
                fault = error.args[0]
                if fault.code() not in PASSING or time.monotonic() >= deadline:
                    raise TopicError(f"creating topic {name}: {fault.str()}") from error
                if fault.code() in UNANSWERED:
                    made.append(missing[name])
        time.sleep(0.1)


def create_or_alter(admin: AdminClient, topics: list[Topic], timeout: float) -> None:
    wait_for_brokers(admin, max(topic.replication for topic in topics), timeout)
    made, found = create_missing(admin, topics, timeout)
    for topic in topics:
        adjust(admin, topic, len(found[topic.name].partitions))
    wait_until_known(topics, timeout)
    for topic in topics:
        print(f"{topic.name}: {'created,' if topic in made else 'exists, set to'} {describe(topic)}")


def adjust(admin: AdminClient, topic: Topic, partitions: int) -> None:
    """Sets the configuration of an existing topic; partitions can be added, but not removed."""
    if partitions > topic.partitions:
        raise TopicError(f"{topic.name} has {partitions} partitions, but {topic.partitions} are configured: Kafka cannot remove partitions. "
                         f"Set {partitions} in .env, or delete the topics with their data (./scripts/down.sh --volumes).")
    if partitions < topic.partitions:
        finish(admin.create_partitions([NewPartitions(topic.name, topic.partitions)]), "adding partitions to")
    resource = ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in topic.config.items()
    ])
    finish(admin.incremental_alter_configs([resource]), "setting the configuration of")


def wait_until_known(topics: list[Topic], timeout: float) -> None:
    """Brokers learn of a change one by one: this waits until every broker has it, whichever is asked next.

    A new client knows only the one broker it was given, so a new client for each broker queries exactly that one.
    """
    deadline = time.monotonic() + timeout
    for server in os.environ["KAFKA_BOOTSTRAP_SERVERS"].split(","):
        while unknown := unknown_topics(server, topics):
            if time.monotonic() >= deadline:
                raise TopicError(f"the broker at {server} still lacks these topics or partitions after {timeout:.0f} s: {', '.join(unknown)}. "
                                 "Check ./scripts/logs.sh kafka1, and run ./scripts/create-topics.sh again.")
            time.sleep(0.1)


def unknown_topics(server: str, topics: list[Topic]) -> list[str]:
    """Topics that this broker does not list with all their partitions and leaders. A broker that is down is skipped."""
    try:
        known = connect(server).list_topics(timeout=2.0).topics
    except KafkaException:
        return []

    def is_known(topic: Topic) -> bool:
        partitions = known[topic.name].partitions.values() if topic.name in known else []
        return len(partitions) == topic.partitions and all(partition.leader >= 0 for partition in partitions)

    return [topic.name for topic in topics if not is_known(topic)]


def describe(topic: Topic) -> str:
    return (f"{topic.partitions} partitions, replication {topic.replication}, in sync at least {topic.config['min.insync.replicas']}, "
            f"kept {topic.config['retention.ms']} ms or {topic.config['retention.bytes']} bytes per partition")


def show_status(admin: AdminClient, topics: list[Topic]) -> bool:
    """Two lines, `brokers|STATE|detail` and `topics|STATE|detail`, for status.sh. False if something is wrong."""
    expected = topics[0].replication
    try:
        metadata = admin.list_topics(timeout=3.0)
    except KafkaException:
        print(f"brokers|down|no response from {os.environ['KAFKA_BOOTSTRAP_SERVERS']}")
        print("topics|unknown|")
        return False
    alive = len(metadata.brokers)
    print(f"brokers|{'up' if alive >= expected else 'degraded'}|{alive} of {expected} respond")

    faults, partitions, thin = [], 0, 0
    for topic in topics:
        found = metadata.topics.get(topic.name)
        if found is None:
            faults.append(f"{topic.name} is missing (./scripts/create-topics.sh)")
            continue
        partitions += len(found.partitions)
        thin += sum(1 for p in found.partitions.values() if p.leader < 0 or len(p.isrs) < len(p.replicas))
    if thin:
        faults.append(f"{thin} of {partitions} partitions lack a leader or a replica")
    print(f"topics|{'degraded' if faults else 'up'}|{'; '.join(faults) or f'{len(topics)} topics, {partitions} partitions'}")
    return alive >= expected and not faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["create", "wait", "status"],
                        help="create topics (and update the configuration of existing ones), wait for all brokers, or show the state")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the brokers (default 60)")
    arguments = parser.parse_args()
    try:
        topics = wanted_topics()
        admin = connect(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        if arguments.verb == "create":
            create_or_alter(admin, topics, arguments.timeout)
        elif arguments.verb == "wait":
            wait_for_brokers(admin, topics[0].replication, arguments.timeout)
        elif not show_status(admin, topics):
            return 1
    except TopicError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
