"""The system's Chromium, and windows of it that notice what nobody should see: errors, other hosts, sideways scrolling."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.support.databases import REQUIRED
from tests.support.server import Portal

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 15_000  # milliseconds: the machine may be busy
PHONE, DESK = (360, 740), (1280, 800)
# Runs in every page before its own scripts. Playwright's scripts stand outside the page's CSP.
WATCH = """
addEventListener('securitypolicyviolation', event => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
const sideways = () => requestAnimationFrame(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) console.error(`sideways: ${scrollWidth} of ${clientWidth} at ${location.pathname}`);
});
addEventListener('load', sideways);
addEventListener('htmx:after:settle', sideways);
addEventListener('toggle', sideways, true);
"""
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")  # Chromium's remark on every 4xx


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium; a missing one skips, or fails where it is required."""
    if shutil.which(CHROMIUM) is None:
        if "browser" in REQUIRED:
            pytest.fail("Chromium is required and not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Windows:
    """Opens windows, each of one person; when all is over, nothing in them may have gone wrong."""

    def __init__(self, browser: Browser, portal: Portal) -> None:
        self.browser = browser
        self.portal = portal
        self.contexts: list[BrowserContext] = []
        self.troubles: list[str] = []
        self.offline = False

    def __call__(self, email: str | None = None, *, size: tuple[int, int] = PHONE, language: str = "en-GB", phone: bool = False, **options: Any) -> Page:
        """A window of a browser of its own, signed in as this person when one is named."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, base_url=self.portal.url, locale=language, timezone_id="Europe/Paris", reduced_motion="reduce",
            is_mobile=phone, has_touch=phone, **options,
        )  # fmt: skip
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(WATCH)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.troubles.append(f"script: {error.error}"))
        context.on("request", self._asked)
        if email:
            context.add_cookies([self.portal.cookie(email)])  # type: ignore[list-item]
        return context.new_page()

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        assert not self.troubles, "\n".join(self.troubles)

    def _said(self, message: ConsoleMessage) -> None:
        expected = ANSWERED.match(message.text) or (self.offline and ("net::ERR" in message.text or "Failed to fetch" in message.text))
        if message.type in ("error", "warning") and not expected:
            self.troubles.append(f"console: {message.text} at {message.page.url if message.page else ''}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.portal.url, "data:", "blob:")):
            self.troubles.append(f"another host: {request.url}")
