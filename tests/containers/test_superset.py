"""Superset in containers: an image of a gigabyte, so only the long run has it."""

import json
import urllib.request
from pathlib import Path

import pytest

from containers.engine import CACHE
from containers.images import recipes
from containers.stack import ContainerStack, seconds_of

pytestmark = pytest.mark.long


def read(url: str, body: dict[str, object] | None = None, token: str = "") -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None,
                                     {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def test_setup_brings_superset_and_a_stop_ends_it_with_0(stack: ContainerStack, docker_folder: Path) -> None:
    if stack.engine.images == "packages":
        recipes.make(stack.engine, recipes.SUPERSET, recipes.make_base(stack.engine, CACHE), docker_folder / "images")
    # Characters that mean something in an address: they have to get through to ClickHouse (the stack's password is made again).
    text = "".join(line for line in stack.env.read_text().splitlines(keepends=True) if not line.startswith("CLICKHOUSE_READER_PASSWORD"))
    stack.env.write_text(text + "CLICKHOUSE_READER_PASSWORD=a@b/c:d%e\n")
    said = stack.must("setup.sh", "--docker")
    assert "Superset and Kafka UI healthy" in said and "dashboards imported" in said, said
    assert stack.health("superset") == "healthy"
    url = f"http://127.0.0.1:{stack.ports['SUPERSET_PORT']}"
    password = next(line.partition("=")[2] for line in stack.env.read_text().splitlines() if line.startswith("SUPERSET_ADMIN_PASSWORD="))
    token = str(read(f"{url}/api/v1/security/login", {"username": "admin", "password": password, "provider": "db"})["access_token"])
    assert read(f"{url}/api/v1/dashboard/ctr-live", token=token)["result"]["dashboard_title"]  # type: ignore[index]
    answer = read(f"{url}/api/v1/sqllab/execute/", {"database_id": 1, "sql": "SELECT count() AS n FROM ctr_results_raw", "client_id": "t1"}, token)
    assert int(answer["data"][0]["n"]) > 0  # type: ignore[index]
    took = seconds_of(lambda: stack.compose("stop", "superset"))
    assert stack.state("superset")["ExitCode"] == 0 and took < 30, f"{stack.state('superset')['ExitCode']} after {took:.0f} s"
