"""Superset in containers, and its dashboard in a browser."""

import pytest
import yaml
from playwright.sync_api import Page

from containers.stack import ContainerStack, seconds_of
from dashboards.live import LiveDashboard
from stack.process import CHECKOUT
from stack.superset import Api

CHARTS = {yaml.safe_load(path.read_text())["slice_name"] for path in (CHECKOUT / "superset/assets/charts").glob("*.yaml")}
# Characters that mean something in an address: they have to get through to ClickHouse.
READER_PASSWORD = "a@b/c:d%e"


def url(stack: ContainerStack) -> str:
    return f"http://127.0.0.1:{stack.ports['SUPERSET_PORT']}"


def test_setup_brings_superset_which_reads_clickhouse(stack: ContainerStack, request: pytest.FixtureRequest) -> None:
    kept = [line for line in stack.env.read_text().splitlines(keepends=True) if not line.startswith("CLICKHOUSE_READER_PASSWORD")]
    stack.env.write_text("".join(kept) + f"CLICKHOUSE_READER_PASSWORD={READER_PASSWORD}\n")
    request.getfixturevalue("stack_with_superset")
    assert stack.health("superset") == "healthy"
    answer = Api(url(stack), "").post("/api/v1/security/login", {"username": "admin", "password": stack.secret("SUPERSET_ADMIN_PASSWORD"), "provider": "db"})
    api = Api(url(stack), answer["access_token"])
    assert api.get("/api/v1/dashboard/ctr-live")["result"]["dashboard_title"]
    found = api.change("POST", "/api/v1/sqllab/execute/", {"database_id": 1, "sql": "SELECT count() AS n FROM ctr_results_raw", "client_id": "t1"})
    assert int(found["data"][0]["n"]) > 0


def test_every_chart_of_the_dashboard_is_drawn_in_a_browser(stack_with_superset: ContainerStack, page: Page) -> None:
    """By `viewer`, with what the pipeline counts at this moment."""
    live = LiveDashboard(page, url(stack_with_superset), stack_with_superset.secret("SUPERSET_VIEWER_PASSWORD")).open()
    live.wait_until_drawn(CHARTS)
    assert live.errors() == []


def test_a_stop_ends_superset_with_0(stack_with_superset: ContainerStack) -> None:
    stack = stack_with_superset
    took = seconds_of(lambda: stack.compose("stop", "superset"))
    assert stack.state("superset")["ExitCode"] == 0 and took < 30, f"{stack.state('superset')['ExitCode']} after {took:.0f} s"
