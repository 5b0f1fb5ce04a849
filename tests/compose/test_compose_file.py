"""docker-compose.yml by the real Compose: it is valid, closed to the outside, small enough, and agrees with scripts and settings."""

import re

import pytest

from compose.model import CHECKOUT, PASSWORDS, SECRETS, config, docker_compose, one_shots, profiles, services, source, variables
from stack.process import clean_environment

MIB = 1 << 20
ORIGINAL_NAMES = {"kafka1", "kafka2", "kafka3", "clickhouse", "kafka-ui", "superset"}
ORIGINAL_PORTS = {19092, 19093, 19094, 8123, 8080, 8081, 8088}
DOCUMENT = (CHECKOUT / "docs/containers.md").read_text()


def seconds(duration: str) -> float:
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def test_compose_accepts_the_file_with_every_profile() -> None:
    for chosen in ([], *([name] for name in profiles()), profiles()):
        arguments = [argument for name in chosen for argument in ("--profile", name)]
        result = docker_compose(*arguments, "config", "--quiet", settings=PASSWORDS)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), chosen


def test_it_asks_for_nothing_newer_than_compose_2_20() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    assert "version" not in source()
    # !reset and !override came with 2.24, start_interval with 2.20 but Engine 25, env_file's `required` with 2.24.
    for newer in ("!reset", "!override", "start_interval", "required:"):
        assert newer not in text, newer


@pytest.mark.parametrize("missing", SECRETS)
def test_without_a_password_it_says_what_makes_one(missing: str) -> None:
    result = docker_compose("config", "--quiet", settings={name: value for name, value in PASSWORDS.items() if name != missing})
    assert result.returncode != 0
    assert missing in result.stderr and "./scripts/setup.sh --docker" in result.stderr


def test_the_names_and_ports_of_the_original_are_there() -> None:
    assert ORIGINAL_NAMES <= set(services())
    assert ORIGINAL_PORTS <= {int(port["published"]) for service in services().values() for port in service.get("ports", [])}


def test_only_the_loopback_is_published() -> None:
    published = [(name, port) for name, service in services().items() for port in service.get("ports", [])]
    assert published
    assert [(name, port) for name, port in published if port.get("host_ip") != "127.0.0.1"] == []
    assert [name for name, service in services().items() if service.get("network_mode") or service.get("privileged")] == []


@pytest.mark.parametrize("name", sorted(services()))
def test_containers_have_no_rights_and_limits(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"] and not service.get("cap_add")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["mem_limit"]) > 0
    assert service["logging"]["driver"] == "json-file" and set(service["logging"]["options"]) == {"max-size", "max-file"}


@pytest.mark.parametrize("name", ["ctr-pipeline", "impression-producer", "click-producer"])
def test_our_own_containers_cannot_write_to_their_image(name: str) -> None:
    assert services()[name]["read_only"] is True


def test_the_memory_fits_a_laptop_and_the_document_states_the_sum() -> None:
    sum_mib = sum(int(service["mem_limit"]) // MIB for name, service in services().items() if name not in one_shots())
    assert sum_mib <= 5632
    assert f"{sum_mib:,} MiB" in DOCUMENT
    for name, service in services().items():
        assert re.search(rf"\| [^|]*`{name}`.*\b{int(service['mem_limit']) // MIB:,} MiB", DOCUMENT), name


def test_a_broker_has_room_beside_its_heap() -> None:
    for name in ("kafka1", "kafka2", "kafka3"):
        heap = re.search(r"-Xmx(\d+)m", services()[name]["environment"]["KAFKA_HEAP_OPTS"])
        assert heap and int(services()[name]["mem_limit"]) // MIB >= int(heap.group(1)) + 200


def test_the_pipeline_is_never_killed_before_its_own_time_is_over() -> None:
    own = re.search(r"^ +shutdown-timeout-ms: (\d+)", (CHECKOUT / "config/application.yml").read_text(), re.MULTILINE)
    assert own and seconds(services()["ctr-pipeline"]["stop_grace_period"]) >= int(own.group(1)) / 1000 + 10


# --- order of the start ---

def test_up_wait_accepts_the_one_shots() -> None:
    """`up --wait` takes a container that ended for a failure, unless a service that stays depends on its completion."""
    for name in one_shots():
        waiting = [other for other, service in services().items() if other not in one_shots()
                   and service.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"]
        assert waiting, f"nothing that stays waits for {name}"


def test_everything_waits_for_health_or_completion() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in one_shots() else "service_healthy"
            assert how["condition"] == expected, f"{name} on {other}"
            assert other in one_shots() or services()[other].get("healthcheck"), f"{other} has no health check"


def test_health_checks_start_no_jvm_and_no_shell() -> None:
    checks = {name: service["healthcheck"]["test"] for name, service in services().items() if name not in one_shots() and "healthcheck" in service}
    assert set(checks) == {"kafka1", "kafka2", "kafka3", "clickhouse", "ctr-pipeline", "kafka-ui", "superset", "prometheus", "grafana"}
    assert checks["ctr-pipeline"] == ["CMD", "/usr/local/bin/ctr-pipeline", "probe"]
    for name, command in checks.items():
        assert command[0] == "CMD" and command[1] in ("nc", "wget", "curl", "/usr/local/bin/ctr-pipeline"), name
    for name in ("kafka1", "kafka2", "kafka3"):
        port = checks[name][-1]
        assert f"INTERNAL://:{port}" in services()[name]["environment"]["KAFKA_LISTENERS"]


def test_one_shots_are_never_unhealthy() -> None:
    """The image's health check is of its server, which a one-shot does not start."""
    assert {name for name in one_shots() if services()[name].get("healthcheck") == {"disable": True}} == one_shots()


def test_no_limit_of_a_process_asks_for_more_than_a_host_may_grant() -> None:
    assert [name for name, service in services().items() if service.get("ulimits")] == []


# Their `VOLUME` lines. What nothing is mounted on becomes a volume without a name, which `down` leaves.
VOLUMES_OF_IMAGES = {"apache/kafka": {"/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"}, "clickhouse/clickhouse-server": {"/var/lib/clickhouse"},
                     "prom/prometheus": {"/prometheus"}}


def test_every_volume_of_an_image_has_a_name_or_is_in_memory() -> None:
    for name, service in services().items():
        mounted = {mount["target"] for mount in service.get("volumes", [])} | set(service.get("tmpfs", []))
        assert VOLUMES_OF_IMAGES.get(service["image"].split(":")[0], set()) <= mounted, name


# --- agreement with scripts and settings ---

def example() -> dict[str, str]:
    return dict(re.findall(r"^#([A-Z0-9_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))


def test_every_variable_has_the_default_that_scripts_and_example_have() -> None:
    not_settings = {"KAFKA_JAVA_OPTIONS": "", "CTR_JOB_INSTANCE_ID": "compose", "CTR_REVISION": "unknown"}
    for name, defaults in variables().items():
        if name in SECRETS:
            assert defaults == {"?"}, name
        else:
            assert defaults == {{**example(), **not_settings}.get(name)}, f"{name}: {defaults}"
    assert not re.search(r"\$[A-Za-z_]", (CHECKOUT / "docker-compose.yml").read_text()), "variables are written ${NAME:-default}"


def test_every_image_has_a_tag_that_is_a_setting() -> None:
    for name, service in source()["services"].items():
        assert re.fullmatch(r"[a-z0-9./-]+:\$\{[A-Z_]+_TAG:-[^}]+\}", service["image"]), name
        assert "latest" not in service["image"]


def test_kafka_is_the_version_of_the_stack_without_docker() -> None:
    pom = (CHECKOUT / "local/kafka/pom.xml").read_text()
    assert f">{services()['kafka1']['image'].split(':')[1]}<" in pom


def test_settings_move_ports_topics_and_rates() -> None:
    moved = config({"KAFKA2_PORT": "29999", "CLICKHOUSE_PORT": "8124", "PIPELINE_PORT": "8082", "CLICK_TOPIC": "c2", "CLICK_RATE": "7",
                    "CLICKHOUSE_DB": "ads", "CTR_JOB_ALLOWED_LATENESS_MS": "9000"})["services"]
    assert moved["kafka2"]["ports"][0]["published"] == "29999"
    assert moved["kafka2"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].endswith("EXTERNAL://127.0.0.1:29999")
    assert {port["published"] for port in moved["clickhouse"]["ports"]} == {"8124", "9000"}
    assert moved["ctr-pipeline"]["ports"][0] | {"mode": "ingress"} == {"mode": "ingress", "host_ip": "127.0.0.1", "target": 8081, "published": "8082", "protocol": "tcp"}
    assert moved["click-producer"]["command"] == ["clicks", "--rate", "7"]
    assert moved["ctr-pipeline"]["environment"]["CTR_JOB_ALLOWED_LATENESS_MS"] == "9000"
    for name, variable in (("kafka-init", "CLICK_TOPIC"), ("ctr-pipeline", "KAFKA_TOPICS_CLICK"), ("click-producer", "CLICK_TOPIC")):
        assert moved[name]["environment"][variable] == "c2"
    assert moved["ctr-pipeline"]["environment"]["CLICKHOUSE_DATABASE"] == moved["clickhouse-init"]["environment"]["CLICKHOUSE_DB"] == "ads"
    assert moved["clickhouse"]["environment"]["CTR_WRITER_GRANT"] == "GRANT SELECT, INSERT ON ads.*"


def test_the_pipeline_takes_every_one_of_its_settings() -> None:
    settings = set(re.findall(r"^\| `[a-z.-]+` \| `([A-Z_]+)` \|", (CHECKOUT / "docs/configuration.md").read_text(), re.MULTILINE))
    assert len(settings) > 40
    environment = services()["ctr-pipeline"]["environment"]
    assert set(environment) == settings
    # What has no value here is not set in the container, so the file's value holds.
    assert all(value is None for name, value in environment.items() if name.startswith("CTR_JOB_") and name not in ("CTR_JOB_PARALLELISM", "CTR_JOB_INSTANCE_ID"))
    assert (environment["STATUS_HOST"], environment["STATUS_PORT"]) == ("0.0.0.0", "8081")
    assert environment["CTR_JOB_INSTANCE_ID"]


def test_brokers_have_the_settings_of_the_stack_without_docker() -> None:
    values = {"@REPLICATION_FACTOR@": "3", "@MIN_INSYNC_REPLICAS@": "2", "@RETENTION_MS@": "21600000", "@RETENTION_BYTES@": "1073741824"}
    own = {"node.id", "listeners", "advertised.listeners", "log.dirs", "controller.quorum.voters", "inter.broker.listener.name",
           "listener.security.protocol.map"}
    for number in (1, 2, 3):
        environment = services()[f"kafka{number}"]["environment"]
        for line in (CHECKOUT / "local/kafka/server.properties").read_text().splitlines():
            name, _, value = line.partition("=")
            if line and not line.startswith("#") and name not in own:
                assert environment["KAFKA_" + name.upper().replace(".", "_")] == values.get(value, value), name
        assert environment["KAFKA_NODE_ID"] == str(number)
        assert f"{number}@kafka{number}:9093" in environment["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
    assert len({services()[f"kafka{n}"]["environment"]["CLUSTER_ID"] for n in (1, 2, 3)}) == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", services()["kafka1"]["environment"]["CLUSTER_ID"])


def test_data_and_logs_are_in_named_volumes() -> None:
    mounts = {name: {(v["source"], v["target"]) for v in service.get("volumes", []) if v["type"] == "volume"} for name, service in services().items()}
    for number in (1, 2, 3):
        assert mounts[f"kafka{number}"] == {(f"kafka{number}-data", services()[f"kafka{number}"]["environment"]["KAFKA_LOG_DIRS"])}
    assert mounts["clickhouse"] == {("clickhouse-data", "/var/lib/clickhouse")}
    assert mounts["ctr-pipeline"] == {("ctr-pipeline-logs", services()["ctr-pipeline"]["environment"]["LOGGING_DIRECTORY"])}
    assert mounts["superset"] == mounts["superset-init"] == {("superset-home", "/app/superset_home")}
    assert set(config()["volumes"]) == {volume for pairs in mounts.values() for volume, _ in pairs}


def test_what_is_mounted_from_the_checkout_is_there_and_read_only() -> None:
    for name, service in services().items():
        for mount in service.get("volumes", []):
            if mount["type"] == "bind":
                path = CHECKOUT / mount["source"]
                assert path.exists() and mount["read_only"], f"{name}: {mount}"
                assert not (mount["target"].startswith("/etc/clickhouse-server") and path.is_dir()), "the image has files of its own there"


def test_nothing_of_the_environment_slips_into_clickhouse_client() -> None:
    """`docker compose exec clickhouse clickhouse-client` is to be `default`: the client takes user and password from these."""
    assert not {"CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"} & set(services()["clickhouse"]["environment"])
    assert "CLICKHOUSE_PASSWORD" not in clean_environment()
