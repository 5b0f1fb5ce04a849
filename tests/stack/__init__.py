"""A stack for tests: real brokers, a real ClickHouse engine, the pipeline and the producer, on free ports in a temporary folder.

Nothing here reads `.env` or touches a stack that is up. Every process is the child of the test run and ends with it.
"""

from stack.engine import Database, Engine
from stack.kafka import Kafka, Topics
from stack.pipeline import Pipeline
from stack.process import Process, Settings, free_ports, started, wait_until
from stack.producer import Producer, Truth

__all__ = ["Database", "Engine", "Kafka", "Pipeline", "Process", "Producer", "Settings", "Topics", "Truth", "free_ports", "started", "wait_until"]
