"""`docker compose --profile monitoring up -d`, and an alert that fires and ends."""

import json

import pytest
import yaml

from containers.stack import ContainerStack
from stack.process import CHECKOUT, wait_until

ALERTS = {rule["alert"] for group in yaml.safe_load((CHECKOUT / "monitoring/alerts.yml").read_text())["groups"] for rule in group["rules"]}


def ask(stack: ContainerStack, path: str) -> dict:
    answer = json.loads(stack.read("PROMETHEUS_PORT", f"/api/v1/{path}"))
    assert answer["status"] == "success", answer
    return answer["data"]


def firing(stack: ContainerStack) -> set[str]:
    return {alert["labels"]["alertname"] for alert in ask(stack, "alerts")["alerts"] if alert["state"] == "firing"}


@pytest.fixture
def monitored(stack_with_superset: ContainerStack) -> ContainerStack:
    """The stack and the profile, by README's own command."""
    stack = stack_with_superset
    done = stack.compose("--profile", "monitoring", "up", "-d")
    assert done.returncode == 0, done.stderr
    for service in ("prometheus", "grafana"):
        stack.wait_for_health(service, "healthy", 120)
    return stack


def test_prometheus_scrapes_the_job_and_judges_every_rule(monitored: ContainerStack) -> None:
    wait_until(lambda: [target["health"] for target in ask(monitored, "targets")["activeTargets"]] == ["up"], 60, "the job is scraped", every=1)
    rules = [rule for group in ask(monitored, "rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == ALERTS
    wait_until(lambda: {rule["health"] for group in ask(monitored, "rules")["groups"] for rule in group["rules"]} == {"ok"}, 60, "every rule is judged", every=1)
    assert int(ask(monitored, "query?query=sum(ctr_records_consumed_total)")["result"][0]["value"][1]) > 0


def test_an_alert_fires_while_clickhouse_is_away_and_ends_with_it(monitored: ContainerStack) -> None:
    monitored.compose("stop", "clickhouse")
    try:
        wait_until(lambda: "CtrSinkFailing" in firing(monitored), 180, "CtrSinkFailing fires", every=2)
    finally:
        monitored.compose("start", "clickhouse")
    wait_until(lambda: "CtrSinkFailing" not in firing(monitored), 180, "CtrSinkFailing has ended", every=2)


def test_prometheus_keeps_to_its_image_and_to_the_loopback(monitored: ContainerStack) -> None:
    for service in ("prometheus", "grafana"):
        found = monitored.inspect(service)
        assert found["HostConfig"]["ReadonlyRootfs"] is True and found["HostConfig"]["CapDrop"] == ["ALL"]
        assert {binding["HostIp"] for bindings in found["NetworkSettings"]["Ports"].values() for binding in bindings or ()} == {"127.0.0.1"}
