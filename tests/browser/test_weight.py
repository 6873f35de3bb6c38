"""What a page weighs over the wire, from one host only."""

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SALES = "sales@atelier-nuage.example"


def weighed(page: Page, url: str) -> int:
    """Bytes over the wire, headers included, until the page has come to rest."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url, wait_until="networkidle")
    devtools.detach()
    assert len(sizes) > 0
    return int(sum(sizes))


def test_first_load_of_the_list_weighs_little(window):
    page = window(SALES)
    assert weighed(page, "/customers") <= 60_000


def test_a_later_page_weighs_less(window):
    page = window(SALES)
    weighed(page, "/customers")
    for url in ("/customers", "/relationship-requests", "/customers/new", "/activity"):
        assert weighed(page, url) <= 15_000, url
