"""`ctr-verify load`: all queries are answered by the schema, and they are those of the README and of the dashboard."""

import re
from pathlib import Path

import yaml

from stack import Pipeline
from stack.process import CHECKOUT
from verify.verify import verify

ASSETS = CHECKOUT / "superset" / "assets"


def test_every_query_is_answered(pipeline: Pipeline):
    answer = verify(pipeline, "load", "--clients", "3", "--seconds", "2", "--json")
    assert answer.code == 0, answer.text + answer.errors
    report = answer.report
    assert report["refused"] == 0 and report["answers"] >= len(report["queries"])
    assert all(query["count"] > 0 for query in report["queries"]), "a query was never asked"
    assert 0 < report["p50Ms"] <= report["p95Ms"] <= report["p99Ms"] <= report["maxMs"]
    charts = {yaml.safe_load(path.read_text())["slice_name"] for path in (ASSETS / "charts").glob("*.yaml")}
    assert {query["name"] for query in report["queries"] if query["group"] == "chart"} == charts

    text = verify(pipeline, "load", "--clients", "2", "--seconds", "1", "--group", "seed").text
    assert re.search(r"2 clients, 1 s: \d+ responses", text) and re.search(r"< \d+ ms #+ \d+", text), text


def test_saved_queries_and_the_readme_are_asked_word_for_word():
    source = re.sub(r"\\\n\s*", "", (CHECKOUT / "crates/ctr-verify/src/load/queries.rs").read_text())

    def plain(sql: str) -> str:
        return re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").strip()

    for path in (ASSETS / "queries").rglob("*.yaml"):
        assert f'"{plain(yaml.safe_load(path.read_text())["sql"])}"' in source, path.name
    readme = Path(CHECKOUT / "README.md").read_text()
    asked = re.findall(r'--query "(SELECT[^"]+)"', readme)
    assert len(asked) >= 3
    for sql in asked[:3]:
        assert f'"{sql.replace("default.", "")}"' in source, sql
