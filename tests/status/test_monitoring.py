"""Rules, dashboard and documents of the monitoring agree with each other and with the metrics there are."""

import json
import re

import pytest
import yaml

from stack.process import CHECKOUT
from status.exposition import MONITORING, promtool

DASHBOARD = MONITORING / "grafana/dashboards/ctr_pipeline.json"
RUNBOOK = CHECKOUT / "docs/runbook.md"


def metrics() -> dict[str, str]:
    """The metrics that docs/metrics.md lists, with their types. A test in Rust holds that list to the code."""
    lines = (CHECKOUT / "docs/metrics.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", lines, re.MULTILINE))


def series() -> set[str]:
    parts = {name: [""] if kind != "histogram" else ["", "_bucket", "_sum", "_count"] for name, kind in metrics().items()}
    return {name + part for name, suffixes in parts.items() for part in suffixes}


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts.test.yml")])
def test_promtool_accepts_the_files_and_the_tests_of_the_rules_pass(arguments: tuple[str, ...]) -> None:
    result = promtool(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_that_is_named_anywhere_exists() -> None:
    assert len(metrics()) > 40
    places = [MONITORING / "alerts.yml", MONITORING / "alerts.test.yml", DASHBOARD, RUNBOOK, CHECKOUT / "README.md"]
    for place in places:
        named = set(re.findall(r"\b(?:ctr|process)_[a-z_]+_[a-z]+\b", place.read_text()))
        # Words of ours that are no metrics: tables, users, files.
        named = {name for name in named if not re.match(r"ctr_(results|latest|ml|windows?_history|by|top|orphan|revisions|recounts|writer|reader|pipeline|admin|movers)", name)}
        assert named <= series(), f"{place.name} names {sorted(named - series())}"


def test_every_alert_is_tested_and_links_its_section_of_the_runbook() -> None:
    sections = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    tested = (MONITORING / "alerts.test.yml").read_text()
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert f'alertname="{rule["alert"]}", alertstate="firing"' in tested, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
    assert sections == [rule["alert"] for rule in rules()], "one section an alert, in their order"


def test_every_section_of_the_runbook_has_a_check_and_says_when_to_wait() -> None:
    for section in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
        assert "```sh" in section, section.splitlines()[0]
        assert re.search(r"Safe to wait|Do not wait|by waiting", section), section.splitlines()[0]


def test_links_within_the_runbook_lead_somewhere() -> None:
    text = RUNBOOK.read_text()
    sections = {heading.lower() for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= sections


def test_the_dashboard_asks_the_data_source_that_is_provisioned() -> None:
    source = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len(panels) >= 12
    for panel in panels:
        assert panel["datasource"]["uid"] == source["uid"]
        assert all("$instance" in target["expr"] for target in panel["targets"]), panel["title"]
