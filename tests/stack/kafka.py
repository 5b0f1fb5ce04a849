"""Real brokers for tests: those of `local/kafka`, on free ports, with data in a temporary folder."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
import kafka
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from stack.process import CHECKOUT, LOCAL_DIR, Process, clean_environment, free_ports, wait_until

# What a client says of a broker that went while it was asked; it also lets go of the one it asked first once it knows them all.
CONNECTION_LOST = {KafkaError._DESTROY_BROKER, KafkaError._TRANSPORT}


@dataclass(frozen=True)
class Topics:
    """The topics and the consumer group of one test."""

    impressions: str
    clicks: str
    dead_letters: str
    group: str
    partitions: int


# Key, value, and headers with their values.
HeadedRecord = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


class Kafka:
    """A cluster of one or three KRaft nodes. Broker numbers start with 1."""

    def __init__(self, folder: Path, brokers: int = 3, further_properties: Mapping[str, str] | None = None):
        """`further_properties` are the brokers' own words; `{port}` and `{controller_port}` in a value are filled in (of broker 1)."""
        assert brokers in (1, 3)
        self.folder, self.brokers = folder, brokers
        free = free_ports(brokers * 2)
        ports, controllers = free[:brokers], free[brokers:]
        self.ports = free
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        folder.mkdir(parents=True, exist_ok=True)
        further = folder / "further.properties"
        further.write_text("".join(f"{name}={value.format(port=ports[0], controller_port=controllers[0])}\n"
                                   for name, value in (further_properties or {}).items()))
        settings = {
            "KAFKA_FURTHER_PROPERTIES": str(further),
            "LOCAL_DIR": str(folder), "KAFKA_LIB": str(LOCAL_DIR / "kafka" / "lib"), "KAFKA_NODES": str(brokers), "KAFKA_HEAP_MB": "256",
            **{f"KAFKA{n}_PORT": str(port) for n, port in enumerate(ports, 1)},
            **{f"KAFKA_CONTROLLER{n}_PORT": str(port) for n, port in enumerate(controllers, 1)},
        }
        self._processes = {
            n: Process(f"kafka{n}", [str(CHECKOUT / "local/kafka/run-broker.sh"), str(n)], clean_environment(settings),
                       folder / f"kafka{n}.console.log")
            for n in range(1, brokers + 1)
        }

    def processes(self) -> list[Process]:
        return list(self._processes.values())

    # --- lifecycle ---

    def start(self) -> None:
        assert (LOCAL_DIR / "kafka" / "lib").is_dir(), f"no jars in {LOCAL_DIR}/kafka/lib: run local/kafka/fetch.sh (test.sh does)"
        for process in self._processes.values():
            process.start()
        self.wait_for_brokers(self.brokers)

    def start_broker(self, number: int) -> None:
        self._processes[number].start()

    def kill_broker(self, number: int) -> None:
        self._processes[number].kill()

    def suspend_broker(self, number: int) -> None:
        self._processes[number].suspend()

    def resume_broker(self, number: int) -> None:
        self._processes[number].resume()

    def kill(self) -> None:
        """At the end of the tests: the data is deleted with the folder, so a clean stop is unnecessary."""
        for process in self._processes.values():
            process.kill()

    def admin(self) -> AdminClient:
        """An unanswered request ends after 15 s, so that there is time to ask again: a cluster that has just started may lose one."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 250,
                            "socket.timeout.ms": 15_000})

    def wait_for_brokers(self, count: int, seconds: float = 60) -> None:
        admin = self.admin()

        def alive() -> bool:
            ended = [p for p in self._processes.values() if not p.runs()]
            assert len(self._processes) - len(ended) >= count, "\n".join(f"{p.name} ended:\n{p.tail()}" for p in ended)
            try:
                return len(admin.list_topics(timeout=1).brokers) >= count
            except KafkaException:
                return False

        wait_until(alive, seconds, f"{count} brokers answer")

    def wait_for_replicas(self, topic: str, seconds: float = 60) -> None:
        """All replicas of all partitions in sync again, for instance after a broker came back."""
        admin = self.admin()

        def in_sync() -> bool:
            partitions = admin.list_topics(topic, timeout=5).topics[topic].partitions.values()
            return bool(partitions) and all(p.leader >= 0 and len(p.isrs) == len(p.replicas) for p in partitions)

        wait_until(in_sync, seconds, f"all replicas of {topic} in sync")

    # --- topics ---

    def create_topic(self, name: str, partitions: int, config: dict[str, str] | None = None) -> None:
        """Like those of create-topics.sh: every broker has a replica, LogAppendTime. `config` overrides."""
        settings = {"min.insync.replicas": str(max(1, self.brokers - 1)), "message.timestamp.type": "LogAppendTime", **(config or {})}
        topic = NewTopic(name, partitions, self.brokers, config=settings)
        self._ask(lambda admin: admin.create_topics([topic], operation_timeout=10)[name], done=KafkaError.TOPIC_ALREADY_EXISTS)
        self._wait_until_known(name, partitions)

    def _wait_until_known(self, name: str, partitions: int) -> None:
        """Brokers learn of a change one by one: waits until each lists all partitions with their leaders."""
        def shows(server: str) -> bool:
            # A new client knows only one broker, and queries that one.
            asked = AdminClient({"bootstrap.servers": server, "log_level": 0})
            try:
                found = asked.list_topics(name, timeout=10).topics[name].partitions
            except KafkaException:
                return False
            return len(found) == partitions and all(p.leader >= 0 for p in found.values())

        for server in self.bootstrap_servers.split(","):
            wait_until(lambda server=server: shows(server), 30, f"{server} shows {name} with {partitions} partitions")

    def add_partitions(self, name: str, total: int) -> None:
        more = NewPartitions(name, total)
        self._ask(lambda admin: admin.create_partitions([more])[name], done=KafkaError.INVALID_PARTITIONS)
        self._wait_until_known(name, total)

    def delete_topic(self, name: str) -> None:
        self._ask(lambda admin: admin.delete_topics([name], operation_timeout=10)[name], done=KafkaError.UNKNOWN_TOPIC_OR_PART)

    def _ask(self, request: Callable[[AdminClient], Future], done: int) -> None:
        """Asks until there is an answer: a client that learns the cluster's brokers may lose the one it has just asked.

        `done`: what Kafka says when an earlier request, whose answer was lost, did it.
        """
        admin = self.admin()
        unanswered = CONNECTION_LOST | {KafkaError._TIMED_OUT}
        asked_before = False

        def answered() -> bool:
            nonlocal asked_before
            try:
                request(admin).result()
                return True
            except KafkaException as error:
                code = error.args[0].code()
                if code in unanswered:
                    asked_before = True
                    return False
                if asked_before and code == done:
                    return True
                raise

        wait_until(answered, 60, "the cluster answers")

    def fresh_topics(self, partitions: int = 6, config: dict[str, str] | None = None) -> Topics:
        """Topics and a group used by no other test."""
        mark = uuid.uuid4().hex[:8]
        topics = Topics(f"impressions-{mark}", f"clicks-{mark}", f"dlq-{mark}", f"group-{mark}", partitions)
        self.create_topic(topics.impressions, partitions, config)
        self.create_topic(topics.clicks, partitions, config)
        self.create_topic(topics.dead_letters, 3)
        return topics

    def delete_topics(self, topics: Topics) -> None:
        """Their logs are removed from the disks after the brokers' `log.segment.delete.delay.ms`."""
        for name in (topics.impressions, topics.clicks, topics.dead_letters):
            self.delete_topic(name)

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        """Like retention: removes the records of each partition before an offset."""
        cut = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
        admin = self.admin()
        for future in admin.delete_records(cut).values():
            future.result(30)
        wait_until(lambda: all(self.bounds(topic)[p][0] >= offset for p, offset in before.items()), 30, f"{topic} is cut")

    # --- records ---

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None] | HeadedRecord],
                partition: int | None = None, codec: str = "none") -> list[tuple[int, int]]:
        """Sends (key, value) pairs, or (key, value, headers), in order and returns the position of each: (partition, offset)."""
        places: list[tuple[int, int]] = []

        def delivered(error: object, message: Message) -> None:
            assert error is None, f"{topic}: {error}"
            places.append((message.partition(), message.offset()))

        # One request at a time keeps the order; idempotence would too, but takes a second to start.
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "partitioner": "murmur2_random", "acks": "all",
                             "max.in.flight.requests.per.connection": 1, "linger.ms": 1, "log_level": 0, "compression.type": codec,
                             # A topic's default maximum, so that the broker decides.
                             "message.max.bytes": 1_048_588})
        if partition is not None:
            # A newly added partition is not known to every broker immediately, nor to this client before a request.
            wait_until(lambda: partition in producer.list_topics(topic, timeout=10).topics[topic].partitions, 30, f"{topic} has {partition}")
        for key, value, *headers in records:
            target: dict = {} if partition is None else {"partition": partition}
            if headers:
                target["headers"] = headers[0]
            while True:
                try:
                    producer.produce(topic, value=value, key=key, on_delivery=delivered, **target)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0, f"{topic}: not all records were delivered"
        return places

    def produce_batch(self, topic: str, partition: int, value: bytes, count: int, codec: str) -> None:
        """Sends a value `count` times, at most a million times, in one compressed batch."""
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "compression.type": codec, "acks": "all", "log_level": 0,
                             # All of it waits for one batch, which the broker judges by its compressed size.
                             "linger.ms": 60_000, "batch.num.messages": 1_000_000, "queue.buffering.max.messages": 1_000_001,
                             "batch.size": 1_000_000_000, "message.max.bytes": 1_000_000_000, "queue.buffering.max.kbytes": 2_000_000})
        for _ in range(count):
            producer.produce(topic, value=value, partition=partition, on_delivery=lambda error, _message: error and failed.append(error))
        assert producer.flush(90) == 0 and not failed, f"{topic}: {failed[:1]}"

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset of each partition's next record."""
        return {p: end for p, (_, end) in self.bounds(topic).items()}

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """The first offset and the next one of each partition."""
        with self._consumer() as consumer:
            return self._bounds(consumer, topic)

    def records(self, topic: str) -> list[Message]:
        """The current contents of the topic, partition by partition in order."""
        found: list[Message] = []
        with self._consumer() as consumer:
            bounds = self._bounds(consumer, topic)
            unread = {p for p, (begin, end) in bounds.items() if end > begin}
            consumer.assign([TopicPartition(topic, p, bounds[p][0]) for p in unread])

            def drained() -> bool:
                for message in consumer.consume(10_000, timeout=0.2) if unread else []:
                    if message.error() is None:
                        found.append(message)
                    else:
                        # The broker reports the end of a partition: counting records would be wrong because of markers and gaps.
                        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                        unread.discard(message.partition())
                return not unread

            wait_until(drained, 60, f"all of {topic} read")
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def dead_letters(self, topics: Topics) -> list[dict]:
        """The dead letters as JSON objects."""
        return [json.loads(message.value()) for message in self.records(topics.dead_letters)]

    def committed(self, topics: Topics) -> dict[tuple[str, int], tuple[int, str]]:
        """The group's commits: (topic, partition) -> (offset, metadata); partitions without a commit are omitted."""
        found: dict = {}

        def answered() -> bool:
            # The first request to a new cluster makes it choose coordinators, which takes a moment.
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers.split(","))
            try:
                found.update(admin.list_consumer_group_offsets(topics.group))
                return True
            except (CoordinatorNotAvailableError, NotCoordinatorError, CoordinatorLoadInProgressError):
                return False
            finally:
                admin.close()

        wait_until(answered, 60, f"the coordinator of {topics.group} answers", every=0.2)
        return {(place.topic, place.partition): (commit.offset, commit.metadata) for place, commit in found.items() if commit.offset >= 0}

    def commit(self, topics: Topics, commits: dict[tuple[str, int], tuple[int, str]]) -> None:
        """Sets a group's commits, like Kafka's tool; the group must have no members."""
        # A consumer that has not joined may commit for an empty group. (With Confluent's client, metadata ends in a zero byte.)
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap_servers.split(","), group_id=topics.group, enable_auto_commit=False)
        try:
            places = {kafka.TopicPartition(*place): kafka.OffsetAndMetadata(offset, metadata, -1)
                      for place, (offset, metadata) in commits.items()}
            consumer.assign(list(places))
            consumer.commit(places)
        finally:
            consumer.close(autocommit=False)
        assert self.committed(topics) == commits

    @staticmethod
    def _bounds(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
        """The first offset and the next one of each partition."""
        found: dict[int, tuple[int, int]] = {}

        def answered() -> bool:
            try:
                partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
                found.update({p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions})
            except KafkaException as error:
                # A newly created topic may not be known to the queried broker, nor its leadership to the leader itself.
                if error.args[0].code() not in CONNECTION_LOST | {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.NOT_LEADER_FOR_PARTITION,
                                                                  KafkaError.LEADER_NOT_AVAILABLE}:
                    raise
                return False
            return bool(partitions)

        wait_until(answered, 30, f"the bounds of {topic}", every=0.1)
        return found

    def _consumer(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "reader-of-the-tests", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "enable.partition.eof": True, "fetch.wait.max.ms": 10, "log_level": 0})
