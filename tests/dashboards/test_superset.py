"""Superset behind the dashboard: what an import leaves, and who may do what."""

import pytest

from dashboards.traffic import fill
from stack import Database
from stack.sockets import group_of, listening
from stack.superset import Api, Refused, Superset

KINDS = ("database", "dataset", "chart", "dashboard", "saved_query")


def test_it_listens_on_the_loopback_alone(superset: Superset) -> None:
    assert listening(group_of(superset.process.pid)) == {("127.0.0.1", superset.port)}


def counts(api: Api) -> dict[str, int]:
    return {kind: api.get(f"/api/v1/{kind}/")["count"] for kind in KINDS}


def names(api: Api) -> list[str]:
    return sorted(chart["slice_name"] for chart in api.get("/api/v1/chart/?q=(page_size:100)")["result"])


def test_a_second_import_adds_nothing_and_undoes_changes(superset: Superset) -> None:
    admin = superset.admin()
    before, charts = counts(admin), names(admin)
    assert before == {"database": 1, "dataset": 4, "chart": 9, "dashboard": 1, "saved_query": 4}
    changed = admin.get("/api/v1/chart/")["result"][0]["id"]
    admin.change("PUT", f"/api/v1/chart/{changed}", {"slice_name": "changed by hand"})
    assert "changed by hand" in names(admin)
    assert superset.provision() == "19 assets imported, users admin and viewer exist"
    assert counts(admin) == before and names(admin) == charts


def test_another_key_has_two_ways_out_and_no_traceback(superset: Superset) -> None:
    before = counts(superset.admin())
    done = superset.try_to_provision(SUPERSET_SECRET_KEY="the-key-of-another-env-file-long-enough")
    assert done.returncode == 1
    assert "SUPERSET_SECRET_KEY is not the one" in done.stderr and "put the old .env" in done.stderr and "remove the metadata" in done.stderr
    assert "Traceback" not in done.stderr.rpartition("SUPERSET_SECRET_KEY is not the one")[2]
    assert counts(superset.admin()) == before


def sql_lab(api: Api, database: int, schema: str, sql: str) -> list[dict]:
    return api.change("POST", "/api/v1/sqllab/execute/", {"database_id": database, "schema": schema, "sql": sql, "runAsync": False, "queryLimit": 10})["data"]


def test_sql_lab_reads_every_table_and_view_and_writes_none(superset: Superset, data: Database) -> None:
    fill(data)
    admin = superset.admin()
    (database,) = (found["id"] for found in admin.get("/api/v1/database/")["result"])
    for table in ("ctr_results_raw", "ctr_windows", "ctr_latest_view", "ctr_ml_view", "ctr_window_history"):
        assert sql_lab(admin, database, data.name, f"SELECT product_id FROM {table} LIMIT 3"), table
    for query in admin.get("/api/v1/saved_query/")["result"]:
        assert sql_lab(admin, database, data.name, query["sql"]), query["label"]
    for sql in ("INSERT INTO ctr_results_raw (product_id) VALUES ('x')", "TRUNCATE TABLE ctr_results_raw", "DROP VIEW ctr_windows"):
        with pytest.raises(Refused):
            sql_lab(admin, database, data.name, sql)
    assert data.query("SELECT count() AS n FROM ctr_results_raw WHERE product_id = 'x'") == [{"n": 0}]


def test_the_viewer_looks_and_changes_nothing(superset: Superset, data: Database) -> None:
    admin, viewer = superset.admin(), superset.viewer()
    assert viewer.get("/api/v1/dashboard/")["count"] == 1 and names(viewer) == names(admin)
    dashboard, chart = (admin.get(f"/api/v1/{kind}/")["result"][0]["id"] for kind in ("dashboard", "chart"))
    dataset, database = (admin.get(f"/api/v1/{kind}/")["result"][0]["id"] for kind in ("dataset", "database"))
    attempts = [
        ("PUT", f"/api/v1/dashboard/{dashboard}", {"dashboard_title": "mine"}), ("DELETE", f"/api/v1/dashboard/{dashboard}", None),
        ("PUT", f"/api/v1/chart/{chart}", {"slice_name": "mine"}), ("DELETE", f"/api/v1/chart/{chart}", None),
        ("PUT", f"/api/v1/dataset/{dataset}", {"description": "mine"}), ("DELETE", f"/api/v1/database/{database}", None),
        ("POST", "/api/v1/database/", {"database_name": "mine", "sqlalchemy_uri": "sqlite://"}),
        ("POST", "/api/v1/sqllab/execute/", {"database_id": database, "schema": data.name, "sql": "SELECT 1", "runAsync": False}),
    ]
    for method, path, body in attempts:
        with pytest.raises(Refused) as refused:
            viewer.change(method, path, body)
        assert refused.value.status in (401, 403, 404), (method, path, str(refused.value))
    with pytest.raises(Refused):
        superset.login("viewer", "a wrong password")
