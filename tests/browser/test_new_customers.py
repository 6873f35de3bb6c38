"""New customers come: an inquiry on a phone becomes a customer, and a reseller invites for itself and its provider (R28, R40, R50-R57, R61)."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.steps import fill, go_to, heading, look_for, mailed, said, sign_in

pytestmark = pytest.mark.browser
SALES, RESELLER, PROVIDER = "sales@atelier-nuage.example", "sales@relais-breton.example", "admin@grossiste-azur.example"
AGNES, BAKERY = "agnes@fournil-des-halles.example", "Fournil des Halles"
MARC, BOATYARD = "marc@chantier-de-la-rance.example", "Chantier de la Rance"
NEED = "We are twelve people in two shops and need mail, files and somebody who answers the telephone."


def test_an_inquiry_on_a_phone_becomes_a_customer(window, portal):
    """Issue 3: R50-R52, R55, R56, R61."""
    # somebody looks for a partner nearby and asks
    agnes = window(phone=True)
    agnes.goto("/directory")
    heading(agnes, "Find a partner")
    agnes.get_by_role("searchbox").press_sequentially("nuage", delay=20)
    expect(agnes).to_have_url(re.compile("q=nuage"))
    agnes.get_by_role("main").get_by_role("link", name="Atelier Nuage", exact=True).first.click()
    heading(agnes, "Atelier Nuage")
    agnes.get_by_role("link", name="Ask this partner").click()
    agnes.get_by_role("button", name="Send").click()
    expect(agnes.locator("#errors")).to_be_focused()
    fill(
        agnes,
        {
            "What do you need?": NEED,
            "Company name": BAKERY,
            "First name": "Agnès",
            "Last name": "Roudaut",
            "E-mail address": AGNES,
            "Telephone": "02 40 11 22 33",
        },
    )
    agnes.get_by_label("Please contact me directly").check()
    agnes.wait_for_timeout(3100)  # nobody fills this in faster
    agnes.get_by_role("button", name="Send").click()
    heading(agnes, "Look into your mailbox")

    # nothing has happened yet: she confirms from her mailbox
    sales = window()
    sign_in(sales, SALES)
    go_to(sales, "Leads")
    expect(sales.get_by_role("main")).not_to_contain_text(BAKERY)
    agnes.goto(mailed(portal, AGNES, "48 hours").link)
    heading(agnes, "Send your message to Atelier Nuage")
    agnes.get_by_role("button", name="Send to Atelier Nuage").click()
    heading(agnes, "Your message is sent")

    # the lead is there, with its flame and its deadline; a sales agent takes it on
    go_to(sales, "Leads")
    expect(sales.locator("#results")).to_contain_text(BAKERY)
    expect(sales.locator("tr", has_text=BAKERY)).to_contain_text("Contact directly within")
    sales.get_by_role("link", name=BAKERY).click()
    heading(sales, BAKERY)
    expect(sales.get_by_role("main")).to_contain_text(NEED)
    sales.get_by_role("link", name="Accept…").click()
    fill(sales, {"Deal name": "Two shops online", "Estimated value": "3.600,50", "What the customer wants": "Mail and files for twelve."})
    sales.get_by_label("Estimated purchase date").fill("2027-02-01")
    sales.get_by_role("button", name="Accept the lead").click()
    heading(sales, BAKERY)
    expect(sales.get_by_role("main")).to_contain_text("€3,600.50")

    # wins it and makes it a customer, with nothing typed twice
    sales.get_by_role("link", name="Won…").click()
    sales.get_by_role("button", name="Archive as won").click()
    sales.get_by_role("link", name="Convert into a customer").click()
    sales.get_by_role("link", name="Write the request").click()
    expect(sales.get_by_role("textbox", name="E-mail address")).to_have_value(AGNES)
    expect(sales.get_by_role("textbox", name="Company name")).to_have_value(BAKERY)
    sales.get_by_role("button", name="Send the request").click()
    heading(sales, BAKERY)
    expect(sales.locator("#conversion")).to_contain_text("Sent")

    # the customer opens an account and accepts
    agnes.goto(mailed(portal, AGNES, r"/connect/[\w-]{16,}").link)
    agnes.get_by_role("link", name="Create an account").click()
    fill(agnes, {
        "Legal company name": BAKERY, "Street address": "2 place des Halles", "Postal code": "44000", "City": "Nantes", "Primary domain": "fournil-des-halles.example",
        "Your name": "Agnès Roudaut",
    })  # fmt: skip
    agnes.get_by_role("button", name="Send me the code").click()
    fill(agnes, {"Code": mailed(portal, AGNES, r"(?m)^\d{6}$").code, "Choose a password": "violet kayak sings softly"})
    agnes.get_by_role("button", name="Open the account").click()
    agnes.get_by_label("I have read the customer agreement").check()
    agnes.get_by_role("button", name="Accept").click()
    heading(agnes, "Receipt of acceptance")

    # linked both ways
    sales.reload()
    sales.locator("#conversion").get_by_role("link", name=BAKERY).click()
    heading(sales, BAKERY)
    expect(sales.locator("#origin")).to_contain_text(BAKERY)


def test_a_reseller_invites_for_itself_and_its_provider(window, portal):
    """Issue 3: R28, R41."""
    reseller = window()
    sign_in(reseller, RESELLER)
    go_to(reseller, "Customers")
    reseller.get_by_role("link", name="Request a relationship").click()
    fill(reseller, {"E-mail address": MARC, "Company name": BOATYARD})
    reseller.get_by_label("Also for your provider").select_option(label="Grossiste Azur")
    reseller.get_by_role("button", name="Continue to review").click()
    expect(reseller.get_by_role("main")).to_contain_text("Grossiste Azur")
    reseller.get_by_role("button", name="Send from the portal").click()
    said(reseller, f"Sent to {MARC}")

    marc = window(phone=True)
    marc.goto(mailed(portal, MARC, r"/connect/[\w-]{16,}").link)
    expect(marc.get_by_role("main")).to_contain_text("Grossiste Azur")
    expect(marc.get_by_role("main")).to_contain_text("Relais Breton")
    marc.get_by_role("link", name="Create an account").click()
    fill(marc, {
        "Legal company name": BOATYARD, "Street address": "4 quai Solidor", "Postal code": "35400", "City": "Saint-Malo", "Primary domain": "chantier-de-la-rance.example",
        "Your name": "Marc Le Bihan",
    })  # fmt: skip
    marc.get_by_role("button", name="Send me the code").click()
    fill(marc, {"Code": mailed(portal, MARC, r"(?m)^\d{6}$").code, "Choose a password": "amber canoe hums quietly"})
    marc.get_by_role("button", name="Open the account").click()
    marc.get_by_label("I have read the customer agreement").check()
    marc.get_by_role("button", name="Accept").click()
    heading(marc, "Receipt of acceptance")
    go_to(marc, "Partners")
    for partner in ("Relais Breton", "Grossiste Azur"):
        expect(marc.get_by_role("link", name=partner)).to_be_visible()

    # both have the customer; the provider's record names the reseller
    look_for(reseller, "rance")
    expect(reseller.locator("details.unfold")).to_have_count(1)
    provider = window(PROVIDER)
    provider.goto("/customers?q=rance")
    expect(provider.locator("tr", has_text=BOATYARD)).to_contain_text("Relais Breton")
    assert mailed(portal, PROVIDER, BOATYARD)
    provider.goto("/partnerships")
    provider.get_by_role("link", name="Relais Breton").click()
    expect(provider.get_by_role("main")).to_contain_text(BOATYARD)
