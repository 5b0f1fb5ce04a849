"""The dashboard "CTR live" in a browser: what each chart shows, and the answers it was drawn from."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from stack import wait_until
from stack.superset import VIEWER_PASSWORD

# Everything is in view: what is not, is not drawn.
SIZE = {"width": 1500, "height": 2000}
# Two busy cores draw nine charts in software.
PATIENCE = 120

# For each chart: is it being loaded, does it show an error, does it say that there is nothing, is something drawn.
_STATES = """() => Object.fromEntries([...document.querySelectorAll('[data-test-chart-name]')].map(chart => {
    const inked = canvas => canvas.width > 0 && canvas.height > 0 &&
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value !== 0);
    const state = chart.querySelector('[data-test="loading-indicator"], .loading') ? 'loading'
        : chart.querySelector('.ant-alert-error, [data-test="error-alert"]') ? 'error: ' + chart.innerText
        : /No (results|data)/i.test(chart.innerText) ? 'no data'
        : [...chart.querySelectorAll('canvas')].some(inked) || /[0-9]/.test(chart.querySelector('.header-line')?.innerText ?? '')
            || chart.querySelector('table tbody td') ? 'drawn' : 'blank';
    return [chart.dataset.testChartName, state];
}))"""

# The page keeps each chart's newest answer: a browser soon forgets the bodies of what it has fetched.
_KEEP_ANSWERS = """
window.answersOfTest = {};
const fetchOfPage = window.fetch;
window.fetch = async (...request) => {
    const response = await fetchOfPage(...request);
    const url = new URL(response.url || location.href);
    if (response.ok && url.pathname === '/api/v1/chart/data') {
        const asked = JSON.parse(url.searchParams.get('form_data') ?? '{}');
        response.clone().json().then(answer => { window.answersOfTest[asked.slice_id] = answer.result[0]; })
            .catch(() => {});  // the page has called the request off
    }
    return response;
};"""


class LiveDashboard:
    """The page, opened by `viewer` from the login on."""

    def __init__(self, page: Page, url: str, password: str = VIEWER_PASSWORD):
        self.page, self._url, self._password = page, url, password
        page.set_viewport_size(SIZE)
        page.set_default_timeout(PATIENCE * 1000)
        page.add_init_script(_KEEP_ANSWERS)

    def open(self) -> "LiveDashboard":
        self.page.goto(f"{self._url}/login/?next=/superset/dashboard/ctr-live/")
        self.page.fill("#username", "viewer")
        self.page.fill("#password", self._password)
        self.page.press("#password", "Enter")
        self.page.wait_for_url("**/superset/dashboard/**")
        return self

    def states(self) -> dict[str, str]:
        """Chart -> "drawn", "no data", "loading", "blank", or "error: ..." with its text."""
        return self.page.evaluate(_STATES)

    def wait_for(self, condition: Callable[[dict[str, str]], bool], what: str) -> dict[str, str]:
        """The states once they are so. The page's own refresh must bring them about."""
        seen: dict[str, str] = {}

        def so() -> bool:
            self.page.wait_for_timeout(100)
            seen.clear()
            seen.update(self.states())
            return condition(seen)

        try:
            wait_until(so, PATIENCE, what, every=0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}; charts: {seen}") from None
        return seen

    def wait_until_drawn(self, names: set[str]) -> None:
        self.wait_for(lambda states: set(states) == names and set(states.values()) == {"drawn"}, f"all of {sorted(names)} drawn")

    def errors(self) -> list[str]:
        """Texts of banners and toasts that tell of an error, anywhere on the page."""
        return [place.inner_text() for place in self.page.query_selector_all('.ant-alert-error, [data-test="toast-container"] [role=alert]')]

    def choose_product(self, product: str) -> None:
        """Sets the filter and applies it; what was answered before is forgotten."""
        self.page.locator('[data-test="form-item-value"] .ant-select').first.click()
        self.page.keyboard.type(product)
        self.page.locator(f'.ant-select-item-option[title="{product}"]').click()
        self.page.keyboard.press("Escape")
        self.page.evaluate("window.answersOfTest = {}")
        self.page.locator('[data-test="filter-bar__apply-button"]').click()

    def answers(self) -> dict[str, dict[str, Any]]:
        """Chart -> its newest answer since the filter was applied."""
        return self.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('[data-test-chart-id]')]
            .map(chart => [chart.dataset.testChartName, window.answersOfTest[chart.dataset.testChartId]]).filter(([, answer]) => answer))""")
