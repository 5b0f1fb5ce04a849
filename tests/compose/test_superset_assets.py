"""Dashboards as code: everything they name is there, and every query of theirs runs on the engine, with data and without."""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from compose.model import CHECKOUT
from stack import Database

ASSETS = CHECKOUT / "superset/assets"


@cache
def assets(kind: str) -> dict[str, dict[str, Any]]:
    """The files of one kind, by uuid."""
    read = [yaml.safe_load(path.read_text()) for path in sorted((ASSETS / kind).rglob("*.yaml"))]
    assert len({asset["uuid"] for asset in read}) == len(read), f"two {kind} have one uuid"
    return {asset["uuid"]: asset for asset in read}


def dashboard() -> dict[str, Any]:
    (only,) = assets("dashboards").values()
    return only


def metrics_of(chart: dict[str, Any]) -> list[str]:
    params = chart["params"]
    return params.get("metrics") or ([params["metric"]] if "metric" in params else [])


def columns_of(chart: dict[str, Any]) -> list[str]:
    params = chart["params"]
    grouped = params.get("groupby", [])
    named = [*params.get("all_columns", []), *(grouped if isinstance(grouped, list) else [grouped])]
    return [*named, params["x_axis"]] if "x_axis" in params else named


CHARTS = [pytest.param(chart, id=chart["slice_name"]) for chart in assets("charts").values()]
DATASETS = [pytest.param(dataset, id=dataset["table_name"]) for dataset in assets("datasets").values()]
QUERIES = [pytest.param(query, id=query["label"]) for query in assets("queries").values()]


@pytest.fixture
def filled(database: Database) -> Database:
    """Two windows of two products in two partitions, one of them revised."""
    for counts in ((100, 40), (110, 44)):
        database.execute(f"""INSERT INTO ctr_results_raw (product_id, ctr, impressions, clicks, window_start, window_end, source_partition)
            SELECT concat('product', toString(number % 2)), 0, {counts[0]}, {counts[1]}, toStartOfMinute(now()) - 10, toStartOfMinute(now()), intDiv(number, 2)
            FROM numbers(4)""")
    return database


def source(dataset: dict[str, Any]) -> str:
    return f"({dataset['sql']})" if dataset.get("sql") else dataset["table_name"]


# --- what is named is there ---

def test_one_database_that_only_reads() -> None:
    (database,) = assets("databases").values()
    assert not any(database[right] for right in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload"))
    assert "@" not in database["sqlalchemy_uri"], "no password in a file"
    for kind in ("datasets", "queries"):
        assert {asset["database_uuid"] for asset in assets(kind).values()} == {database["uuid"]}


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_uses_what_its_dataset_has(chart: dict[str, Any]) -> None:
    dataset = assets("datasets")[chart["dataset_uuid"]]
    assert set(metrics_of(chart)) <= {metric["metric_name"] for metric in dataset["metrics"]}
    columns = {column["column_name"]: column for column in dataset["columns"]}
    assert set(columns_of(chart)) <= set(columns)
    for condition in chart["params"].get("adhoc_filters", []):
        assert columns[condition["subject"]]["is_dttm"]
    assert chart["viz_type"] == chart["params"]["viz_type"] and chart["description"]


def test_the_dashboard_shows_every_chart_and_refreshes_every_ten_seconds() -> None:
    shown = [item["meta"] for item in dashboard()["position"].values() if isinstance(item, dict) and item["type"] == "CHART"]
    assert {item["uuid"]: item["sliceName"] for item in shown} == {uuid: chart["slice_name"] for uuid, chart in assets("charts").items()}
    assert dashboard()["metadata"]["refresh_frequency"] == 10
    assert dashboard()["slug"] == "ctr-live"
    for item in dashboard()["position"].values():
        if isinstance(item, dict) and item["type"] == "ROW":
            assert sum(dashboard()["position"][child]["meta"]["width"] for child in item["children"]) == 12, item["id"]


def test_the_product_filter_reaches_every_chart() -> None:
    product, _time = dashboard()["metadata"]["native_filter_configuration"]
    assert product["scope"]["excluded"] == []
    column = product["targets"][0]["column"]["name"]
    for dataset in [*assets("datasets").values()]:
        assert column in {c["column_name"] for c in dataset["columns"]}, dataset["table_name"]


def test_ctr_is_a_sum_over_a_sum_everywhere() -> None:
    ratios = 0
    for dataset in assets("datasets").values():
        for metric in dataset["metrics"]:
            assert not re.search(r"\bavg|\bctr\b", metric["expression"]), metric["metric_name"]
            if "clicks" in metric["expression"] and "impressions" in metric["expression"]:
                assert re.fullmatch(r"sum\(\w*clicks\) / nullIf\(sum\(\w*impressions\), 0\)", metric["expression"])
                ratios += 1
    assert ratios == 3
    for chart in assets("charts").values():
        assert "ctr" not in columns_of(chart), chart["slice_name"]
        assert assets("datasets")[chart["dataset_uuid"]]["table_name"] != "ctr_results_raw"


def test_datasets_and_columns_are_described() -> None:
    for dataset in assets("datasets").values():
        assert dataset["description"] and all(column["description"] for column in dataset["columns"])


# --- the engine ---

@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_has_the_columns_it_names(filled: Database, dataset: dict[str, Any]) -> None:
    found = {row["name"]: row["type"] for row in filled.query(f"DESCRIBE TABLE (SELECT * FROM {source(dataset)})")}
    named = {column["column_name"]: column["type"] for column in dataset["columns"]}
    assert {name: kind.replace(", 'UTC'", "") for name, kind in found.items()} == named


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("full", [True, False], ids=["data", "empty"])
def test_the_query_of_a_chart_runs(request: pytest.FixtureRequest, full: bool, chart: dict[str, Any]) -> None:
    database: Database = request.getfixturevalue("filled" if full else "database")
    dataset = assets("datasets")[chart["dataset_uuid"]]
    expressions = {metric["metric_name"]: metric["expression"] for metric in dataset["metrics"]}
    columns = sorted(set(columns_of(chart)))
    selected = ", ".join([*columns, *(f"{expressions[name]} AS {name}" for name in metrics_of(chart))])
    conditions = [f"{c['subject']} >= now() - INTERVAL 30 MINUTE" for c in chart["params"].get("adhoc_filters", [])]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    grouped = f"GROUP BY {', '.join(columns)}" if columns and metrics_of(chart) else ""
    rows = database.query(f"SELECT {selected} FROM {source(dataset)} {where} {grouped}")
    if full:
        assert rows
        assert all(row[name] == pytest.approx(0.4) for row in rows for name in metrics_of(chart) if name.startswith("ctr_"))
        narrowed = database.query(f"SELECT {selected} FROM {source(dataset)} {where or 'WHERE 1'} AND product_id = 'product1' {grouped}")
        assert 0 < len(narrowed) <= len(rows) and all(row.get("product_id", "product1") == "product1" for row in narrowed)
    else:
        # An aggregate without groups is one row of nothing, not an error.
        assert rows == [] or all(value is None or value == 0 for row in rows for value in row.values())


def test_revisions_are_counted_over_partitions(filled: Database) -> None:
    (dataset,) = (d for d in assets("datasets").values() if d["table_name"] == "ctr_revisions")
    rows = filled.query(f"SELECT product_id, revisions, late_impressions, late_clicks FROM {source(dataset)} ORDER BY product_id")
    assert [(row["product_id"], int(row["revisions"]), int(row["late_impressions"]), int(row["late_clicks"])) for row in rows] == [
        ("product0", 2, 20, 8), ("product1", 2, 20, 8)]


@pytest.mark.parametrize("query", QUERIES)
def test_a_saved_query_runs_and_finds_rows(filled: Database, query: dict[str, Any]) -> None:
    assert query["description"]
    assert filled.query(query["sql"])


# --- what provision.py makes of the files ---

def test_address_and_database_are_put_in(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("provision", CHECKOUT / "superset/provision.py")
    assert spec and spec.loader
    provision = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(provision)
    uri = "clickhousedb://ctr_reader:secret@clickhouse:8123/ads"
    contents = {name: yaml.safe_load(text) for name, text in provision.assets(ASSETS, uri).items()}
    assert {c["sqlalchemy_uri"] for name, c in contents.items() if name.startswith("databases/")} == {uri}
    assert {c["schema"] for name, c in contents.items() if name.startswith(("datasets/", "queries/"))} == {"ads"}
    assert json.dumps(contents).count("secret") == 1
    assert len(contents) == 1 + sum(len(assets(kind)) for kind in ("databases", "datasets", "charts", "dashboards", "queries"))


@pytest.mark.parametrize("password", ["plain", "a@b/c:d%e", "p#q?r s&t=u+v", "ä€"])
def test_any_password_gets_into_the_address_of_the_database(password: str) -> None:
    import sqlalchemy

    specification = importlib.util.spec_from_file_location("provision", CHECKOUT / "superset/provision.py")
    assert specification and specification.loader
    provision = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(provision)
    url = sqlalchemy.engine.make_url(provision.with_password("clickhousedb://ctr_reader@clickhouse:8123/ads", password))
    assert (url.username, url.password, url.host, url.port, url.database) == ("ctr_reader", password, "clickhouse", 8123, "ads")
