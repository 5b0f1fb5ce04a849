"""TLS and passwords to Kafka (SASL_SSL, SCRAM) and to ClickHouse (https): pipeline and producer speak them, and check whom they speak to."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from pipeline.comparison import assert_exact
from stack import Database, Engine, Kafka, Pipeline, Producer, Topics, free_ports, started
from stack.certificates import Certificates

USER, PASSWORD = "ctr", "a-password-for-kafka"


@dataclass
class Secure:
    """A broker whose clients come in encrypted and with a password, and an engine that serves https."""

    kafka: Kafka
    database: Database
    certificates: Certificates
    bootstrap_servers: str

    def properties(self, **changes: str) -> dict[str, str]:
        """What librdkafka needs; a change is named with _ for the dots."""
        return {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": USER, "sasl.password": PASSWORD,
                "ssl.ca.location": str(self.certificates.authority), **{name.replace("_", "."): value for name, value in changes.items()}}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    certificates = Certificates.make(tmp_path_factory.mktemp("certificates"))
    (port,) = free_ports(1)
    cluster = Kafka(tmp_path_factory.mktemp("secure-kafka"), brokers=1, further_properties={
        "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},CLIENTS://127.0.0.1:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}},CLIENTS://localhost:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:SASL_SSL",
        "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.clients.scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "listener.name.clients.ssl.keystore.type": "PEM",
        "listener.name.clients.ssl.keystore.location": str(certificates.both),
    })
    data = tmp_path_factory.mktemp("secure-clickhouse")
    with started(cluster) as kafka:
        scram = UserScramCredentialUpsertion(USER, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), PASSWORD.encode())
        admin = kafka.admin()
        for change in admin.alter_user_scram_credentials([scram]).values():
            change.result(30)
        with started(Engine(data)) as unencrypted:
            name = unencrypted.fresh_database().name
            assert unencrypted.stop() == 0
        with started(Engine(data, certificates=certificates)) as engine:
            yield Secure(kafka, Database(engine, name), certificates, f"localhost:{port}")


@pytest.fixture
def secure_topics(secure: Secure) -> Topics:
    return secure.kafka.fresh_topics(partitions=2)


@pytest.fixture
def make_secure_pipeline(secure: Secure, secure_topics: Topics, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """A pipeline that trusts the authority, unless told otherwise; `properties` are changes of what it says to Kafka."""
    made: list[Pipeline] = []

    def make(trusts_clickhouse: bool = True, **properties: str) -> Pipeline:
        settings = {"kafka.bootstrap-servers": secure.bootstrap_servers,
                    "kafka.properties": ",".join(f"{name}={value}" for name, value in secure.properties(**properties).items() if value)}
        if trusts_clickhouse:
            # Not a setting of ours: the variable by which OpenSSL finds authorities.
            settings["ssl.cert.file"] = str(secure.certificates.authority)
        made.append(Pipeline(secure.kafka, secure_topics, secure.database, tmp_path, settings))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.kill()


def test_counts_are_exact_over_encrypted_connections(secure: Secure, secure_topics: Topics, make_secure_pipeline: Callable[..., Pipeline],
                                                     tmp_path: Path) -> None:
    pipeline = make_secure_pipeline()
    code, said = pipeline.check()
    assert code == 0, said
    assert PASSWORD not in said
    pipeline.start_ready()
    options = [word for name, value in secure.properties().items() for word in ("--property", f"{name}={value}")]
    producer = Producer(secure.kafka, secure_topics, tmp_path)
    truth = producer.run("both", "--bootstrap-servers", secure.bootstrap_servers, *options, count=5000, rate=0, seed=3, bad=0.01,
                         start_time="2026-01-01T00:00:00Z", span="1m")
    assert_exact(truth, secure.database, secure.kafka, secure_topics)
    assert pipeline.stop() == 0
    assert PASSWORD not in pipeline.process.log.read_text()


@pytest.mark.parametrize(("change", "says"), [
    ({"ssl_ca_location": "/etc/ssl/certs/ca-certificates.crt"}, r"brokers: .*certificate"), ({"sasl_password": "wrong"}, r"brokers: .*uthentication"),
    ({"trusts_clickhouse": False}, r"clickhouse: .*certificate"),
])
def test_who_is_not_trusted_is_named(make_secure_pipeline: Callable[..., Pipeline], change: dict[str, object], says: str) -> None:
    code, said = make_secure_pipeline(**change).check()
    assert code != 0
    assert re.search(says, said), said
    assert PASSWORD not in said
