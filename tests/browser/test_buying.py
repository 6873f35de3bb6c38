"""Customers buy, by their partner or by themselves, all on a phone: R16, R17, R70-R76, R81, R84."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.smtp import Received
from tests.support.steps import fill, go_to, heading, mailed, said, sign_in

pytestmark = pytest.mark.browser
SALES, AGENT = "sales@atelier-nuage.example", "agent@atelier-nuage.example"
LOUIS, COMPANY = "louis@tonnellerie-marchand.example", "Tonnellerie Marchand"


def choose(page: Page, words: str, offer: str) -> None:
    """Look for an offer as one types, and put it into the cart in place."""
    page.get_by_role("searchbox").fill("")
    page.get_by_role("searchbox").press_sequentially(words, delay=20)
    row = page.locator("#shop tr", has_text=offer)
    expect(page.locator("#shop table[aria-label=Offers] tbody tr, #shop table tbody tr")).to_have_count(1)
    row.get_by_role("button", name="Add").click()
    expect(page.locator("#cart")).to_contain_text(offer)


def test_from_the_first_order_to_a_customer_that_buys_for_itself(window, portal):
    """Issue 4."""
    # a sales agent adds a customer, sells in the same steps, and attests the agreement
    sales = window()
    sign_in(sales, SALES)
    go_to(sales, "Customers")
    sales.get_by_role("link", name="Add a customer").click()
    fill(sales, {
        "Legal company name": COMPANY, "Street address": "11 quai des Chartrons", "Postal code": "33000", "City": "Bordeaux", "Primary domain": "tonnellerie-marchand.example",
        "First name": "Louis", "Last name": "Marchand", "E-mail address": LOUIS,
    })  # fmt: skip
    sales.get_by_role("button", name="Go on").click()
    heading(sales, "Subscriptions")
    choose(sales, "cloud plan", "Cloud plan")
    choose(sales, "shield month", "Shield (monthly)")
    sales.get_by_role("link", name="Review").click()
    heading(sales, "Review")
    expect(sales.get_by_role("main")).to_contain_text("€3.40")
    sales.get_by_label("attest").check()
    sales.get_by_role("button", name="Submit").click()
    expect(sales.get_by_role("main")).to_contain_text("The subscriptions are ordered")
    account = re.search(r"/customers/[\w-]{36}", sales.url)
    assert account

    # an admin agent wants to let it buy, sees at once why not, and mends what is missing
    agent = window(AGENT)
    agent.goto(f"{account[0]}/permissions")
    expect(agent.locator("#checklist")).to_contain_text("2 of 3 things are there")
    expect(agent.locator("#checklist")).to_contain_text("it has no active admin and no purchaser")

    louis = window(phone=True)
    louis.goto(portal.mail.wait_for(LOUIS).link)
    louis.get_by_role("button", name="Send me the code").click()
    fill(louis, {"Code": mailed(portal, LOUIS, r"(?m)^\d{6}$").code, "Choose a password": "amber canoe hums quietly"})
    louis.get_by_role("button", name="Activate").click()
    heading(louis, COMPANY)
    go_to(louis, "Shop")
    expect(louis.get_by_role("main")).to_contain_text("There is nothing that you can buy now")

    agent.get_by_role("link", name="Check again").click()
    agent.locator("#checklist").get_by_role("link", name="Name an owner").click()
    agent.get_by_role("combobox", name="Owner").select_option(index=1)
    agent.get_by_role("button", name="Name as owner").click()
    expect(agent.get_by_role("button", name="Remove Louis Marchand")).to_be_visible()
    agent.goto(f"{account[0]}/permissions")
    expect(agent.locator("#checklist")).to_contain_text("Everything that it needs is there")
    fill(agent, {"Monthly limit": "2,500", "Approval above": "500"})
    agent.get_by_label("Who is told of each purchase").select_option(label="Whoever turned the permission on")
    agent.get_by_role("button", name="Save").click()
    said(agent, "Saved.")
    agent.get_by_role("link", name="Turn on…").click()
    expect(agent.get_by_role("main")).to_contain_text("You pay for what they buy")
    expect(agent.get_by_role("main")).to_contain_text("€2,500.00")
    agent.get_by_role("button", name="Turn on").click()
    expect(agent.locator("#checklist")).to_contain_text("On")

    # the customer buys at the partner's price, within the limit; the partner is told
    buy(louis, 1)
    louis.get_by_role("button", name=re.compile("^Buy for")).click()
    expect(louis.get_by_role("main")).to_contain_text("Bought")
    assert mailed(portal, AGENT, "You pay for it and bill the customer")
    go_to(louis, "Orders")
    expect(louis.locator("#results")).to_contain_text("Atelier Nuage")

    # too many at once pass the limit: said next to the field, nothing lost, nothing bought
    buy(louis, 9, refused=True)
    expect(louis.locator("#quantity-error")).to_contain_text("limit")
    expect(louis.get_by_label("Quantity")).to_have_value("9")

    # above the threshold it waits; the mail leads to the page, and only a button decides
    buy(louis, 2)
    louis.get_by_role("button", name="Ask to buy").click()
    expect(louis.get_by_role("main")).to_contain_text("Atelier Nuage decides about this")
    request = mailed(portal, SALES, f"(?s){COMPANY} wants to buy.*wait for your approval")
    sales.goto(address(request, "purchases"))
    expect(sales.get_by_role("main")).to_contain_text("Waits for approval")
    louis.reload()
    expect(louis.get_by_role("main")).to_contain_text("Waits for approval")
    sales.get_by_role("button", name="Approve").click()
    expect(sales.get_by_role("main")).to_contain_text("Bought")
    louis.goto(address(mailed(portal, LOUIS, "has approved your purchase"), "my"))
    expect(louis.get_by_role("main")).to_contain_text("B2 in France Central")

    # what it cannot do itself it asks for, and the partner does it, with the full refund of the first days
    go_to(louis, "Reservations")
    expect(louis.locator("#results tbody tr")).to_have_count(2)
    louis.locator("#results tbody").get_by_role("link").first.click()
    louis.get_by_role("combobox", name="What your partner is to do").select_option(label="Cancel the reservation")
    fill(louis, {"Message": "One machine less than planned."})
    louis.get_by_role("button", name="Ask").click()
    expect(louis.get_by_role("main")).to_contain_text("Atelier Nuage is asked")
    sales.goto(address(mailed(portal, SALES, "One machine less"), "customers"))
    expect(sales.get_by_role("main")).to_contain_text("Louis Marchand asks")
    sales.get_by_role("link", name="Cancel the reservation", exact=True).click()
    expect(sales.get_by_role("main")).to_contain_text("All that was paid is refunded")
    sales.get_by_role("button", name="Cancel the reservation").click()
    expect(sales.get_by_role("main")).to_contain_text("Cancelled")
    louis.reload()
    expect(louis.get_by_role("main")).to_contain_text("Done")


def address(message: Received, under: str) -> str:
    """Of the page that the message leads to."""
    found = re.search(rf"https?://\S+/{under}/\S+", message.text)
    assert found, message.text
    return found[0]


def buy(page: Page, quantity: int, *, refused: bool = False) -> None:
    """From the shop to the review of a small reservation."""
    go_to(page, "Shop")
    page.get_by_role("searchbox").press_sequentially("B2", delay=20)
    expect(page).to_have_url(re.compile("q=B2"))
    page.locator("#results").get_by_role("link", name=re.compile("B2")).first.click()
    page.get_by_label("Quantity").fill(str(quantity))
    if refused:
        page.get_by_role("button", name="Review").click()
        return
    expect(page.locator("#preview")).to_contain_text("Left this month")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Review")
