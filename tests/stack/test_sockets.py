"""Everything the stack starts listens on the loopback only. Its launchers and settings are those of setup.sh."""

import os
import socket

from stack import Engine, Kafka, Pipeline
from stack.sockets import group_of, listening


def test_a_listener_is_seen_wherever_it_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("0.0.0.0", 0)) as all_of_them:
        found = listening([os.getpid()])
        assert {one.getsockname(), all_of_them.getsockname()} <= found
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
            assert six.getsockname()[:2] in listening([os.getpid()])


def test_brokers_engine_and_pipeline(kafka: Kafka, engine: Engine, pipeline: Pipeline) -> None:
    pipeline.start_ready()
    brokers = listening(member for process in kafka.processes() for member in group_of(process.pid))
    assert brokers == {("127.0.0.1", port) for port in kafka.ports}, "clients' and controllers' ports, and no other"
    assert listening(group_of(engine.process.pid)) == {("127.0.0.1", engine.port)}
    assert listening(group_of(pipeline.process.pid)) == {("127.0.0.1", pipeline.port)}
