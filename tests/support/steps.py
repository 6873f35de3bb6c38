"""What a person does in a window, as the browser stories tell it."""

import re
import time

from playwright.sync_api import Page, expect

from tests.support.server import Portal
from tests.support.smtp import Received

PASSWORD = "demo portal 2026"


def go_to(page: Page, section: str) -> None:
    """By the main navigation; on a phone what does not fit stands under *More*."""
    main = page.get_by_role("navigation", name="Main")
    expect(main).to_be_visible()
    if not main.get_by_role("link", name=section).count():
        main.locator("summary").click()
    main.get_by_role("link", name=section).click()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def said(page: Page, text: str) -> None:
    expect(page.locator("#flash")).to_contain_text(text)


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Home")


def look_for(page: Page, words: str) -> None:
    """Type in the list's search; the results follow in place."""
    go_to(page, "Customers")
    page.evaluate("window.stayed = true")
    page.get_by_role("searchbox", name="Name or domain").press_sequentially(words, delay=20)
    expect(page).to_have_url(re.compile(r"q="))
    assert page.evaluate("window.stayed"), "the page was loaded anew"


def mailed(portal: Portal, recipient: str, words: str, number: int = 1) -> Received:
    """The so-manyth message to this address whose text has the words, once it has come."""
    until = time.monotonic() + 30
    while len(found := [message for message in portal.mail.to(recipient) if re.search(words, message.text)]) < number:
        assert time.monotonic() < until, portal.log
        time.sleep(0.05)
    return found[number - 1]


def fill(page: Page, fields: dict[str, str]) -> None:
    for label, text in fields.items():
        page.get_by_role("textbox", name=label).fill(text)
