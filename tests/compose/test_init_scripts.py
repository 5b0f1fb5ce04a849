"""The one-shots' scripts, run as they are: Kafka's own tools against real brokers, and the schema against a real engine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, ResourceType

from compose.model import CHECKOUT, services
from scripts.shell import run, stand_in
from stack import Database, Engine, Kafka
from stack.engine import PASSWORD, WRITER
from stack.process import LOCAL_DIR, wait_until

TOOLS = {"kafka-topics.sh": "org.apache.kafka.tools.TopicCommand", "kafka-configs.sh": "kafka.admin.ConfigCommand",
         "kafka-broker-api-versions.sh": "kafka.admin.BrokerApiVersionsCommand"}


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> dict[str, str]:
    """What compose gives kafka-init, with the image's tools as the same classes of the same version of Kafka."""
    for name, java_class in TOOLS.items():
        stand_in(tmp_path / "kafka-bin", name, f'exec java -Xmx128m -XX:TieredStopAtLevel=1 -cp "{LOCAL_DIR}/kafka/lib/*" '
                                               f'-Dlog4j.configuration=file:{CHECKOUT}/local/kafka/log4j-tools.properties {java_class} "$@"')
    environment = {name: value for name, value in services()["kafka-init"]["environment"].items() if name not in ("KAFKA_HEAP_OPTS", "_JAVA_OPTIONS")}
    topics = {name: f"{environment[name]}-{tmp_path.name}" for name in ("IMPRESSION_TOPIC", "CLICK_TOPIC", "DLQ_TOPIC")}
    return {**environment, **topics, "BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_BIN": str(tmp_path / "kafka-bin")}


def topic_config(kafka: Kafka, topic: str) -> dict[str, str]:
    """The settings of a topic that are its own, once the broker that is asked knows it."""
    resource, admin = ConfigResource(ResourceType.TOPIC, topic), kafka.admin()

    def own() -> dict[str, str]:
        try:
            entries = admin.describe_configs([resource])[resource].result(timeout=10).values()
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART, error
            return {}
        return {entry.name: entry.value for entry in entries if not entry.is_default}

    return wait_until(own, 20, f"a broker knows {topic}")


def kafka_init(settings: dict[str, str], **changes: str) -> subprocess.CompletedProcess[str]:
    return run([str(CHECKOUT / "containers/kafka-init.sh")], {**settings, **changes}, seconds=120)


def test_topics_are_as_the_stack_without_docker_makes_them(kafka: Kafka, settings: dict[str, str]) -> None:
    first = kafka_init(settings)
    assert first.returncode == 0, first.stdout
    assert [line.split(",")[0] for line in first.stdout.splitlines()] == [
        f"{settings['IMPRESSION_TOPIC']}: created", f"{settings['CLICK_TOPIC']}: created", f"{settings['DLQ_TOPIC']}: created"]
    seen = {name: topic_config(kafka, settings[name]) for name in ("IMPRESSION_TOPIC", "CLICK_TOPIC", "DLQ_TOPIC")}

    # topics.py would change what differs; it must find the same numbers of partitions and set the same values.
    python = run([sys.executable, str(CHECKOUT / "local/kafka/topics.py"), "create"], {**settings, "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers})
    assert python.returncode == 0 and python.stdout.count(": exists, set to ") == 3, python.stdout
    assert seen == {name: topic_config(kafka, settings[name]) for name in seen}
    assert seen["CLICK_TOPIC"]["message.timestamp.type"] == "LogAppendTime"


def test_a_second_run_brings_topics_to_new_settings(kafka: Kafka, settings: dict[str, str]) -> None:
    assert kafka_init(settings).returncode == 0
    again = kafka_init(settings, TOPIC_PARTITIONS="8", TOPIC_RETENTION_MS="60000")
    assert again.returncode == 0, again.stdout
    assert again.stdout.count(": exists, set to ") == 3
    assert topic_config(kafka, settings["CLICK_TOPIC"])["retention.ms"] == "60000"
    assert len(kafka.admin().list_topics(timeout=10).topics[settings["CLICK_TOPIC"]].partitions) == 8
    fewer = kafka_init(settings, TOPIC_PARTITIONS="2")
    assert fewer.returncode == 1
    assert "has 8 partitions, but 2 are configured" in fewer.stdout and "Set 8 in .env" in fewer.stdout


def test_brokers_that_do_not_come_are_counted(settings: dict[str, str]) -> None:
    result = kafka_init(settings, BOOTSTRAP_SERVERS="127.0.0.1:1", WAIT_SECONDS="0")
    assert result.returncode == 1
    assert "0 of 3 brokers respond at 127.0.0.1:1" in result.stdout


# --- schema ---

# Takes what clickhouse-client is given, and sends it to the engine over HTTP.
CLIENT = r"""
import os, sys, urllib.parse, urllib.request, urllib.error
arguments = iter(sys.argv[1:])
parameters, sql = {}, None
for argument in arguments:
    name, _, value = argument.partition("=")
    if name.startswith("--param_"):
        parameters[name[2:]] = value
    elif name == "--database":
        parameters["database"] = next(arguments)
    elif name == "--host":
        assert next(arguments) == "clickhouse"
    elif name == "--queries-file":
        sql = open(next(arguments)).read()
    else:
        sys.exit(f"clickhouse-client has no {argument}")
headers = {"X-ClickHouse-User": os.environ["CLICKHOUSE_USER"], "X-ClickHouse-Key": os.environ["CLICKHOUSE_PASSWORD"]}
request = urllib.request.Request(f"{os.environ['ENGINE']}/?{urllib.parse.urlencode(parameters)}", sql.encode(), headers)
try:
    sys.stdout.write(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read().decode())
except urllib.error.HTTPError as refused:
    sys.exit(refused.read().decode())
"""


def clickhouse_init(engine: Engine, tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "client.py").write_text(CLIENT)
    stand_in(tmp_path / "bin", "clickhouse-client", f'exec {sys.executable} {tmp_path}/client.py "$@"')
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "ENGINE": engine.url, "SQL_DIR": str(CHECKOUT / "clickhouse"),
                   "CLICKHOUSE_USER": WRITER, "CLICKHOUSE_PASSWORD": PASSWORD}
    return run([str(CHECKOUT / "containers/clickhouse-init.sh")], {**environment, **settings})


def tables(engine: Engine, database: str) -> str:
    """Names and definitions; a database's own name is taken out."""
    sql = "SELECT name, engine_full, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name FORMAT TSV"
    return engine.request(sql, database).replace(f"{database}.", "")


def test_the_schema_is_the_one_that_the_scripts_make(engine: Engine, database: Database, tmp_path: Path) -> None:
    twin = f"{database.name}_container"
    for _ in range(2):
        result = clickhouse_init(engine, tmp_path, CLICKHOUSE_DB=twin)
        assert result.returncode == 0, result.stdout
    # The fixture's schema has no retention; the script applies it as init-clickhouse.sh does.
    http = run([str(CHECKOUT / "scripts/init-clickhouse.sh")], {"CLICKHOUSE_PORT": str(engine.port), "CLICKHOUSE_DB": database.name,
               "CLICKHOUSE_USER": WRITER, "CLICKHOUSE_PASSWORD": PASSWORD, "ENV_FILE": "/dev/null"})
    assert http.returncode == 0, http.stdout
    assert tables(engine, twin) == tables(engine, database.name)
    kept = [re.search(r" TTL .*?toIntervalDay\D*(\d+)", line) for line in tables(engine, twin).splitlines()]
    assert [found.group(1) for found in kept if found] == ["30", "7"]
    assert clickhouse_init(engine, tmp_path, CLICKHOUSE_DB=twin, RAW_TTL_DAYS="0", HISTORY_TTL_DAYS="0").returncode == 0
    assert "toIntervalDay" not in tables(engine, twin)


def test_a_refused_statement_is_named(engine: Engine, tmp_path: Path) -> None:
    result = clickhouse_init(engine, tmp_path, CLICKHOUSE_PASSWORD="wrong")
    assert result.returncode == 1
    assert "ClickHouse refused clickhouse/database.sql" in result.stdout
