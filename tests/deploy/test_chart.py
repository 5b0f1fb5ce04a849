"""The Helm chart: what it makes of five sets of values, and what it refuses."""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from .conftest import CHART, CHECKOUT, EXAMPLES, load

KUBERNETES = ["1.29", "1.33", "1.37"]
# Kinds of operators: the offline schemas do not know them.
OF_OPERATORS = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
by_name = pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)


def only(documents, kind, name="ctr-ctr"):
    found = [document for document in documents if document["kind"] == kind and document["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


@pytest.fixture(scope="module")
def everything(helm):
    return helm.template("-f", CHART / "examples/everything.yaml")


def test_there_are_five_sets_of_values():
    assert len(EXAMPLES) == 5


@by_name
def test_lint(helm, values):
    done = helm.run("lint", "--strict", CHART, "-f", values)
    assert done.returncode == 0, done.stdout + done.stderr


@by_name
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_what_is_made(helm, values, version):
    """By the schemas of Kubernetes, strict: an unknown field fails."""
    for document in helm.template("-f", values):
        if document["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_instance_id_is_the_pods_name(everything):
    pod = only(everything, "StatefulSet")["spec"]["template"]["spec"]
    variables = {variable["name"]: variable for variable in pod["containers"][0]["env"]}
    assert variables["CTR_JOB_INSTANCE_ID"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert variables["CLICKHOUSE_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "ctr-clickhouse", "key": "password"}
    assert variables["KAFKA_PROPERTIES"]["valueFrom"]["secretKeyRef"]["name"] == "ctr-kafka"


def test_no_secret_is_in_what_is_made(everything):
    assert not [document for document in everything if document["kind"] == "Secret"]
    assert "password" not in only(everything, "ConfigMap")["data"]["application.yml"]


def test_settings_are_those_of_the_application(everything):
    """Every key in the ConfigMap is one of config/application.yml, which refuses others."""
    known = yaml.safe_load((CHECKOUT / "config/application.yml").read_text())
    made = yaml.safe_load(only(everything, "ConfigMap")["data"]["application.yml"])

    def check(made, known, path=""):
        for key, value in made.items():
            assert key in known, f"{path}{key}"
            if isinstance(value, dict):
                check(value, known[key], f"{path}{key}.")

    check(made, known)
    assert made["ctr"]["job"] == {"parallelism": 2, "idle-hold-ms": 90000}
    assert made["kafka"]["session-timeout-ms"] == 45000


def test_pods_are_not_root_and_cannot_write(everything):
    pods = [document["spec"]["template"]["spec"] for document in everything if document["kind"] in ("StatefulSet", "Job", "Deployment")]
    assert len(pods) == 5
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"], security["capabilities"]) == (True, False, {"drop": ["ALL"]})
            assert container["resources"]["limits"]["memory"]


def test_a_stop_has_time(everything):
    shutdown = yaml.safe_load((CHECKOUT / "config/application.yml").read_text())["ctr"]["job"]["shutdown-timeout-ms"]
    assert only(everything, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] * 1000 >= shutdown + 5000


def test_probes_ask_what_they_mean(everything):
    container = only(everything, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness", "startup")] == ["/healthz", "/readyz", "/healthz"]


def test_alerts_are_those_of_monitoring(everything):
    assert only(everything, "PrometheusRule")["spec"] == yaml.safe_load((CHECKOUT / "monitoring/alerts.yml").read_text())


def test_the_job_label_is_what_alerts_ask_for(everything):
    relabelings = only(everything, "ServiceMonitor")["spec"]["endpoints"][0]["relabelings"]
    assert {"targetLabel": "job", "replacement": "ctr-pipeline"} in relabelings
    assert 'job="ctr-pipeline"' in (CHECKOUT / "monitoring/alerts.yml").read_text()


def test_scaling_asks_for_a_metric_there_is(everything):
    query = only(everything, "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    assert query.startswith("sum(ctr_partition_lag_records{") and "`ctr_partition_lag_records`" in (CHECKOUT / "docs/metrics.md").read_text()
    assert "replicas" not in only(everything, "StatefulSet")["spec"], "two would set them"


def test_the_schema_job_has_every_file_where_the_script_looks(everything):
    volumes = {volume["name"]: volume for volume in only(everything, "Job", "ctr-ctr-setup-schema")["spec"]["template"]["spec"]["volumes"]}
    data = only(everything, "ConfigMap", "ctr-ctr-setup")["data"]
    found = {item["path"]: data[item["key"]] for item in volumes["sql"]["configMap"]["items"]}
    source = CHECKOUT / "clickhouse"
    files = [source / "database.sql", *source.glob("schema/*.sql"), *source.glob("retention/*.sql")]
    assert {path: text.strip() for path, text in found.items()} == {str(file.relative_to(source)): file.read_text().strip() for file in files}
    assert data["kafka-init.sh"].strip() == (CHECKOUT / "containers/kafka-init.sh").read_text().strip()


def test_links_lead_into_the_repository():
    for link in CHART.glob("files/**/*"):
        assert Path(link).resolve().exists() and CHECKOUT in link.resolve().parents, link


@pytest.mark.parametrize("setting, words", [
    ("replicas=0", "replicas"), ("replicsa=3", "replicsa"), ('clickhouse.url="jdbc:clickhouse://x"', "url"), ('kafka.bootstrapServers="kafka"', "bootstrapServers"),
    ('kafka.bootstrapServers=""', "kafka.bootstrapServers is empty"), ("replicas=4", "4 instances of 2 workers for 6 partitions"),
    ("terminationGracePeriodSeconds=20", "terminationGracePeriodSeconds is 20"), ('config={"ctr":{"job":{"shutdown-timeout-ms":60000}}}', "60000 ms"),
    ('config={"clickhouse":{"password":"x"}}', "config has clickhouse.password"), ('config={"flink":{}}', "flink"),
    ('setup.schema="configmap"', "setup.schemaConfigMap"), ('monitoring.serviceMonitor="yes"', "serviceMonitor"),
    ("autoscaling={\"enabled\":true,\"maxReplicas\":1}", "maxReplicas is below"), ("networkPolicy.egressPorts=[70000]", "egressPorts"),
])
def test_nonsense_is_refused_by_name(helm, setting, words):
    assert words in helm.refusal(setting)


def test_every_value_has_its_schema():
    """A value without one could not be refused; one in the schema alone would do nothing."""
    def names(values, schema, path=""):
        assert set(values) == set(schema["properties"]) - {"global"}, path
        for key, value in values.items():
            if isinstance(value, dict) and "properties" in schema["properties"][key] and value:
                names(value, schema["properties"][key], f"{path}{key}.")

    names(yaml.safe_load((CHART / "values.yaml").read_text()), json.loads((CHART / "values.schema.json").read_text()))


def test_the_readme_is_made_from_the_values():
    assert load("document").readme() == (CHART / "README.md").read_text(), "python3 deploy/helm/document.py"


@pytest.mark.parametrize("path", sorted((CHECKOUT / "deploy/kubernetes").glob("*.yaml")), ids=lambda path: path.stem)
def test_operators_objects_are_well_formed(path):
    documents = list(yaml.safe_load_all(path.read_text()))
    assert documents and all({"apiVersion", "kind", "metadata", "spec"} <= set(document) for document in documents)


def test_strimzis_topics_are_what_the_pipeline_asks_for():
    topics = [document for document in yaml.safe_load_all((CHECKOUT / "deploy/kubernetes/strimzi.yaml").read_text()) if document["kind"] == "KafkaTopic"]
    assert {topic["spec"]["config"]["message.timestamp.type"] for topic in topics} == {"LogAppendTime"}
    partitions = {topic["metadata"]["name"]: topic["spec"]["partitions"] for topic in topics}
    assert partitions["impressions"] == partitions["clicks"] == yaml.safe_load((CHART / "examples/strimzi.yaml").read_text())["kafka"]["partitions"]
