"""A headless Chromium of this machine, to test pages as people see them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Playwright, sync_playwright

# As in scripts/lib/prerequisites.sh.
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Wide enough to avoid the phone layout.
VIEWPORT = {"width": 1500, "height": 1200}


def executable() -> str:
    """The browser's path; if there is none, the test is skipped, which CI counts as a failure."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium on this machine: ./scripts/test.sh installs it, or names the command")


class Browser:
    """One Chromium; every visitor has separate cookies."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None

    def start(self) -> None:
        path = executable()
        self._playwright = sync_playwright().start()
        # Root has no sandbox (CI often runs as root); pages of this machine are requested without a proxy.
        # Containers have a small /dev/shm.
        self._chromium = self._playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage"])

    def kill(self) -> None:
        if self._chromium is not None:
            self._chromium.close()
        if self._playwright is not None:
            self._playwright.stop()

    @contextmanager
    def visitor(self, **options: Any) -> Iterator[Page]:
        """A page of a new visitor: English, UTC; `options` are those of a browser context, for another screen. An
        exception that its scripts did not catch is an AssertionError."""
        assert self._chromium is not None, "the browser was not started"
        context = self._chromium.new_context(
            **{"viewport": VIEWPORT, "locale": "en-US", "timezone_id": "UTC", "reduced_motion": "reduce", **options})
        thrown: list[str] = []
        try:
            page = context.new_page()
            page.on("pageerror", lambda error: thrown.append(str(error)))
            yield page
        finally:
            context.close()
        assert not thrown, f"scripts of the page threw: {thrown}"
