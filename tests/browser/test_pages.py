"""The main pages of each role, in states that matter, on a phone and at a desk, light and dark: axe finds nothing, nothing scrolls sideways, no errors.

PORTAL_PICTURES=folder keeps a picture of each.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support import make
from tests.support.browser import DESK, PHONE

pytestmark = pytest.mark.browser
ADMIN, SALES, USERS = "admin@atelier-nuage.example", "sales@atelier-nuage.example", "users@atelier-nuage.example"
AGENT, BUYER = "agent@atelier-nuage.example", "buyer@maison-tellier.example"
TELLIER, STAFF, NOBODY = "admin@maison-tellier.example", "staff@maison-tellier.example", None
PICTURES = os.environ.get("PORTAL_PICTURES")
Steps = Callable[[Page], None]


def press(name: str, role: str = "button") -> Steps:
    return lambda page: page.get_by_role("main").get_by_role(role, name=name).first.click()  # type: ignore[arg-type]


def fill(fields: dict[str, str]) -> Steps:
    def steps(page: Page) -> None:
        for label, text in fields.items():
            page.get_by_role("textbox", name=label).fill(text)

    return steps


def fill_number(label: str, text: str) -> Steps:
    return lambda page: page.get_by_role("spinbutton", name=label).first.fill(text)


def unfold(page: Page) -> None:
    page.locator("details.unfold > summary").first.click()


def first_in_list(page: Page) -> None:
    page.locator("details.unfold > summary").first.click()
    page.get_by_role("link", name="Overview").first.click()


def menu(page: Page) -> None:
    page.locator("details.menu > summary").click()


def opened(page: Page) -> None:
    """As a stranger, through the link of a request that asks for delegated administration."""
    page.goto(make.link_of(make.request("direction@chai-arnaud.example", roles=("user_administrator", "global_administrator"))))


def registering(page: Page) -> None:
    opened(page)
    page.get_by_role("link", name="Create an account").click()


def enter_code(page: Page) -> None:
    registering(page)
    fill({
        "Legal company name": "Chai Arnaud", "Street": "2 route des Vignes", "Postal code": "33000", "City": "Bordeaux", "Primary domain": "chai-arnaud.example",
        "Your name": "Lise Arnaud", "Your e-mail address": "direction@chai-arnaud.example",
    })(page)  # fmt: skip
    page.get_by_role("button", name="Send me the code").click()
    fill({"Choose a password": "password"})(page)
    page.get_by_role("button", name="Open the account").click()
    page.locator("#errors").wait_for()


def tellier_accepts(page: Page) -> None:
    page.goto(make.link_of(make.request(TELLIER, roles=("directory_reader",), named="maison-tellier.example", purpose="extend")))


def reviewing(page: Page) -> None:
    fill({
        "Legal company name": "TEST", "Street": "Chemin vert", "Postal code": "33000", "City": "Bordeaux", "Primary domain": "chemin-vert.example",
        "First name": "Jean", "Last name": "Vert", "E-mail address": "jean@chemin-vert.example",
    })(page)  # fmt: skip
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Go on without subscriptions").click()
    page.get_by_role("button", name="Submit").click()
    page.locator("#errors").wait_for()


def more_filters(page: Page) -> None:
    for name in ("More filters", "Industries"):
        page.locator("summary", has_text=name).click()


def a_profile(page: Page) -> None:
    page.locator(".hit h2 a").first.click()


def tab(name: str) -> Steps:
    """Of Maison Tellier's account."""

    def steps(page: Page) -> None:
        first_in_list(page)
        press(name, "link")(page)

    return steps


def chosen(page: Page) -> None:
    page.goto(f"{page.url}/cart")
    page.locator("#shop").get_by_role("button", name="Add", exact=True).first.click()


def first_row(page: Page) -> None:
    page.locator("#results tbody a").first.click()


# name → who, address, what is done there
PAGES: dict[str, tuple[str | None, str, list[Steps]]] = {
    "home": (SALES, "/", []),
    "customers": (SALES, "/customers?q=atelier", [unfold]),
    "customers-none": (SALES, "/customers?q=zzzz", []),
    "menu": (ADMIN, "/customers/former", [menu]),
    "former": (SALES, "/customers/former", []),
    "customer": (ADMIN, "/customers?q=tellier", [first_in_list]),
    "account-error": (
        SALES,
        "/customers?q=tellier",
        [first_in_list, press("Account", "link"), press("Edit: Billing", "link"), fill({"Billing company name": ""}), press("Save")],
    ),
    "agreement": (SALES, "/customers?q=tellier", [first_in_list, press("Agreement", "link")]),
    "customer-activity": (SALES, "/customers?q=tellier", [first_in_list, press("Activity", "link"), unfold]),
    "ending": (ADMIN, "/customers?q=apotheke+lindner", [first_in_list, press("End the relationship", "link"), press("End the relationship")]),
    "ending-obstacles": (ADMIN, "/customers?q=tellier", [first_in_list, press("End the relationship", "link")]),
    "customer-new": (SALES, "/customers/new", [fill({"Primary domain": "https://x", "Postal code": "1"}), press("Go on")]),
    "customer-review": (SALES, "/customers/new", [reviewing]),
    "requests": (SALES, "/relationship-requests", []),
    "request-new": (SALES, "/relationship-requests/new", [fill({"E-mail address": "nobody"}), press("Continue to review")]),
    "request-draft": (SALES, "/relationship-requests?state=draft", [press("Cave Saint-Paul", "link")]),
    "request-sent": (SALES, "/relationship-requests?state=sent", [press("Moulin Bleu", "link")]),
    "request-declined": (SALES, "/relationship-requests?state=declined", [press("Papeterie", "link")]),
    "request-several": (SALES, "/relationship-requests/several", [press("Send now")]),
    "coming-up": (SALES, "/coming-up", []),
    "activity": (ADMIN, "/activity", [unfold]),
    "users": (ADMIN, "/users", []),
    "user": (ADMIN, "/users", [press("Théo Marchand", "link")]),
    "user-new": (USERS, "/users/new", [press("Send the invitation")]),
    "outbox": (ADMIN, "/outbox", []),
    "outbox-mail": (ADMIN, "/outbox", [press("Atelier Nuage", "link")]),
    "settings": (ADMIN, "/settings", [fill({"Postal code": "1"}), press("Save")]),
    "own-account": (SALES, "/account", []),
    "own-password": (SALES, "/account/password", [press("Change the password")]),
    "own-sessions": (SALES, "/account/sessions", []),
    "not-found": (SALES, "/customers/nothing", []),
    "my": (TELLIER, "/my", []),
    "my-partner": (TELLIER, "/my/partners", [press("Atelier Nuage", "link")]),
    "my-removal": (TELLIER, "/my/partners", [press("Atelier Nuage", "link"), press("Remove it", "link")]),
    "my-agreement": (TELLIER, "/my/agreement", []),
    "my-member": (STAFF, "/my", []),
    "accepting": (TELLIER, "/my", [tellier_accepts]),
    "connect": (NOBODY, "/sign-in", [opened]),
    "connect-account": (NOBODY, "/sign-in", [registering, press("Send me the code")]),
    "connect-code": (NOBODY, "/sign-in", [enter_code]),
    "connect-declining": (NOBODY, "/sign-in", [opened, press("Decline", "link")]),
    "connect-unknown": (NOBODY, "/connect/nothing-of-ours", []),
    "directory": (NOBODY, "/directory?q=cloud&near=Paris&tag=industry/retail", [more_filters]),
    "directory-none": (NOBODY, "/directory?q=zzzz", []),
    "directory-profile": (NOBODY, "/directory", [a_profile]),
    "directory-inquiry": (NOBODY, "/directory", [a_profile, press("Ask this partner", "link"), fill({"What do you need?": "Short"}), press("Send")]),
    "catalog": (ADMIN, "/catalog", []),
    "offer": (ADMIN, "/catalog?q=forecast", [unfold, first_row]),
    "offer-new": (ADMIN, "/catalog/new", [press("Add")]),
    "catalog-import": (ADMIN, "/catalog/import", []),
    "cart": (SALES, "/customers?q=tellier", [first_in_list, chosen]),
    "cart-review": (SALES, "/customers?q=tellier", [first_in_list, chosen, press("Review the order", "link")]),
    "orders": (ADMIN, "/orders", []),
    "order": (ADMIN, "/orders", [first_row]),
    "subscriptions": (SALES, "/subscriptions", []),
    "subscription": (SALES, "/customers?q=tellier", [tab("Subscriptions"), first_row]),
    "subscription-quantity": (SALES, "/subscriptions?state=active&q=shield", [first_row, press("Change the quantity", "link")]),
    "permissions": (AGENT, "/customers?q=tellier", [tab("Permissions")]),
    "permissions-missing": (AGENT, "/customers?q=apotheke+lindner", [tab("Permissions")]),
    "permissions-off": (AGENT, "/customers?q=tellier", [tab("Permissions"), press("Turn off", "link")]),
    "purchases": (SALES, "/purchases", []),
    "purchase": (SALES, "/purchases", [first_row, press("Decline")]),
    "reservations": (SALES, "/reservations", []),
    "reservation": (SALES, "/customers?q=tellier", [tab("Reservations"), first_row]),
    "reservation-cancel": (SALES, "/reservations?state=active", [first_row, press("Cancel the reservation…", "link")]),
    "reservation-exchange": (SALES, "/reservations?state=active", [first_row, press("Exchange", "link")]),
    "shop": (BUYER, "/my/shop", []),
    "shop-offer": (BUYER, "/my/shop?q=b2", [first_row, fill_number("Quantity", "0"), press("Review")]),
    "shop-review": (BUYER, "/my/shop?q=b2", [first_row, press("Review")]),
    "shop-purchases": (BUYER, "/my/shop/purchases", []),
    "shop-purchase": (BUYER, "/my/shop/purchases", [first_row]),
    "shop-nothing": (TELLIER, "/my/shop", []),
    "my-orders": (BUYER, "/my/orders", []),
    "my-subscription": (BUYER, "/my/subscriptions", [first_row]),
    "my-reservations": (BUYER, "/my/reservations", []),
    "my-reservation": (BUYER, "/my/reservations", [first_row]),
    "sign-in": (NOBODY, "/sign-in", [fill({"E-mail address": SALES, "Password": "wrong"}), press("Sign in")]),
    "forgotten": (NOBODY, "/forgotten-password", []),
}
AXE = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_sound(window, portal, name):
    who, url, steps = PAGES[name]
    page = window(who, size=PHONE)
    page.goto(url)
    with portal.inside():
        for step in steps:
            step(page)
    page.wait_for_load_state("networkidle")

    found = {}
    for width, size in (("phone", PHONE), ("desk", DESK)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme, options in (("light", AXE), ("dark", COLOURS)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            result = Axe().run(page, options=options)
            if result.violations_count:
                found[width, scheme] = result.generate_report()
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{name}-{width}-{scheme}.png", full_page=width == "phone")
    assert not found, "\n".join(f"{state}: {report}" for state, report in found.items())

    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
