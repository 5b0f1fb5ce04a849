"""The dashboard as people see it: drawn, narrowed, empty, and after ClickHouse was away."""

import os
import re
from pathlib import Path

import yaml
from playwright.sync_api import Page

from dashboards.live import SIZE, LiveDashboard
from dashboards.traffic import empty, fill, totals
from stack import Database, Engine, wait_until
from stack.process import CHECKOUT
from stack.superset import Superset

CHARTS = {yaml.safe_load(path.read_text())["slice_name"] for path in (CHECKOUT / "superset/assets/charts").glob("*.yaml")}
IMAGES = CHECKOUT / "docs/images"


def keep_screenshots(live: LiveDashboard) -> None:
    """The whole and each chart, for the documents; only when asked, since no two are alike to the byte."""
    if os.environ.get("UPDATE_SCREENSHOTS") != "1":
        return
    IMAGES.mkdir(parents=True, exist_ok=True)
    boxes = [box for chart in live.page.locator("[data-test-chart-name]").all() if (box := chart.bounding_box())]
    end = max(box["y"] + box["height"] for box in boxes) + 16
    live.page.screenshot(path=IMAGES / "dashboard.png", clip={"x": 0, "y": 0, "width": SIZE["width"], "height": end})
    for name in sorted(CHARTS):
        file = Path(f"dashboard-{re.sub('[^a-z]+', '-', name.lower())}.png")
        live.page.locator(f'[data-test-chart-name="{name}"]').screenshot(path=IMAGES / file)


def test_every_chart_is_drawn_and_the_product_filter_narrows_each(superset: Superset, data: Database, page: Page) -> None:
    fill(data)
    live = LiveDashboard(page, superset.url).open()
    live.wait_until_drawn(CHARTS)
    assert live.errors() == []
    keep_screenshots(live)

    live.choose_product("product2")
    wait_until(lambda: page.wait_for_timeout(200) or set(live.answers()) == CHARTS, 120, "every chart asks again")
    answers = live.answers()
    for name, answer in answers.items():
        assert "product_id" in {applied["column"] for applied in answer["applied_filters"]}, name
        assert {row.get("product_id", "product2") for row in answer["data"]} == {"product2"}, name
        assert not any(re.search(r"product[13-5]", column) for column in answer["colnames"]), name
    impressions, clicks = totals(data)["product2"]
    assert sum(row["impressions_total"] for row in answers["Traffic"]["data"]) == impressions
    assert sum(row["clicks_total"] for row in answers["Traffic"]["data"]) == clicks
    live.wait_until_drawn(CHARTS)
    assert live.errors() == []


def test_charts_follow_without_a_click(superset: Superset, own_engine: Engine, data: Database, page: Page) -> None:
    """Empty tables are no data, not errors; data appears; ClickHouse goes and comes back, and so do the charts."""
    empty(data)
    live = LiveDashboard(page, superset.url).open()
    live.wait_for(lambda states: set(states) == CHARTS and set(states.values()) == {"no data"}, "every chart says that there is nothing")
    assert live.errors() == []
    fill(data)
    live.wait_until_drawn(CHARTS)
    assert live.errors() == []

    assert own_engine.stop() == 0
    live.wait_for(lambda states: any(state.startswith("error") for state in states.values()), "a chart tells that ClickHouse is away")
    own_engine.start()
    live.wait_until_drawn(CHARTS)
