"""What retention does, when a test wants it."""

from confluent_kafka import TopicPartition

from stack import Kafka


def cut(kafka: Kafka, topic: str, partition: int, before: int) -> None:
    """Takes the beginning of a log away, as retention does."""
    admin = kafka.admin()
    admin.list_topics(timeout=10)
    for done in admin.delete_records([TopicPartition(topic, partition, before)]).values():
        done.result()
