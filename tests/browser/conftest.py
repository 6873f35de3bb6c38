"""One server and one Chromium for all browser tests of a process; each test opens windows of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PATIENCE, Windows, chromium
from tests.support.server import Portal


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def portal(browser: Browser) -> Iterator[Portal]:
    running = Portal().start()
    yield running
    running.stop()


@pytest.fixture
def window(browser: Browser, portal: Portal) -> Iterator[Windows]:
    windows = Windows(browser, portal)
    yield windows
    windows.close()
