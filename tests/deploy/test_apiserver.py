"""What the chart makes, sent to a real kube-apiserver as a dry run: every default, validation and admission of Kubernetes, no node.

    .local/venv/bin/python -m pytest -m long tests/deploy/test_apiserver.py

The server is built from Go modules (tests/deploy/apiserver). The first time that takes a quarter of an hour on two cores, which is why these
tests are long ones; then they take half a minute.
"""

import copy

import pytest

from stack import started, wait_until

from .apiserver.server import ApiServer, Refused, programs
from .conftest import CHART, EXAMPLES, had
from .test_chart import OF_OPERATORS, only

pytestmark = [pytest.mark.long, pytest.mark.timeout(3 * 3600)]
NAMESPACE = "ads"
# Operators' kinds: the server knows their names, and takes whatever fields they have.
OPERATORS = {"ServiceMonitor": ("monitoring.coreos.com", "v1", "servicemonitors"), "PrometheusRule": ("monitoring.coreos.com", "v1", "prometheusrules"),
             "ScaledObject": ("keda.sh", "v1alpha1", "scaledobjects")}


def definition(kind: str) -> dict:
    group, version, plural = OPERATORS[kind]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                     "versions": [{"name": version, "served": True, "storage": True, "schema": schema}]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with started(ApiServer(had(programs), tmp_path_factory.mktemp("apiserver"))) as running:
        running.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "", dry_run=False)
        yield running


@pytest.fixture(scope="module")
def server_with_operators(server):
    def served(kind: str) -> bool:
        group, version, plural = OPERATORS[kind]
        try:
            server.ask("GET", f"/apis/{group}/{version}/namespaces/{NAMESPACE}/{plural}")
            return True
        except Refused:
            return False

    assert OPERATORS.keys() == OF_OPERATORS
    for kind in OPERATORS:
        server.create(definition(kind), "", dry_run=False)
    for kind in OPERATORS:
        wait_until(lambda kind=kind: served(kind), 60, f"{kind} is served")
    return server


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_a_server_admits_everything_that_is_made(helm, server_with_operators, values):
    documents = helm.template("-f", values)
    for document in documents:
        admitted = server_with_operators.create(document, NAMESPACE)
        assert admitted["metadata"]["uid"] and admitted["metadata"]["namespace"] == NAMESPACE, document["kind"]
    assert {"StatefulSet", "Service", "ConfigMap"} <= {document["kind"] for document in documents}


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_helm_installs_on_it_as_a_dry_run(helm, server_with_operators, values):
    done = helm.run("install", "ctr", CHART, "--namespace", NAMESPACE, "-f", values, "--dry-run=server", "--kubeconfig", server_with_operators.kubeconfig())
    assert done.returncode == 0, done.stderr
    assert "STATUS: pending-install" in done.stdout


def test_a_server_refuses_what_a_schema_cannot(helm, server):
    """Or these tests would show nothing: a schema takes all of these."""
    stateful = only(helm.template("-f", CHART / "examples/smallest.yaml"), "StatefulSet")

    def refusal(change) -> str:
        wrong = copy.deepcopy(stateful)
        change(wrong["spec"]["template"])
        with pytest.raises(Refused) as refused:
            server.create(wrong, NAMESPACE)
        return refused.value.text

    assert "selector" in refusal(lambda pod: pod["metadata"]["labels"].update({"app.kubernetes.io/name": "another"}))
    assert "httpGet.port" in refusal(lambda pod: pod["spec"]["containers"][0]["readinessProbe"]["httpGet"].update(port="no port"))
    assert "config" in refusal(lambda pod: pod["spec"].update(volumes=[]))
    assert "unknown field" in refusal(lambda pod: pod["spec"].update(terminationGracePeriod=40))
