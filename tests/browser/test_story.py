"""The whole story of the main job, on a phone, over the real mail server: R11, R12, R16, R20–R25, R30, R35–R37."""

import pytest
from playwright.sync_api import expect

from tests.support import make
from tests.support.steps import fill, go_to, heading, look_for, mailed, said, sign_in
from tests.test_story import LOG

pytestmark = pytest.mark.browser
ADMIN, SALES = "admin@atelier-nuage.example", "sales@atelier-nuage.example"
JEANNE, COMPANY = "jeanne@verger-lointain.example", "Verger Lointain"
REQUEST = r"/connect/[\w-]{16,}"


def test_from_finding_a_customer_to_having_one_back(window, portal):
    """Issue 2."""
    sales = window()
    sign_in(sales, SALES)

    # finds a customer among many by typing
    look_for(sales, "TELLI")
    expect(sales.locator("details.unfold")).to_have_count(1)
    sales.get_by_text("Maison Tellier").click()
    sales.get_by_role("link", name="Overview").click()
    heading(sales, "Maison Tellier")

    # adds one in steps, with a warning that is looked at and overridden
    go_to(sales, "Customers")
    sales.get_by_role("link", name="Add a customer").click()
    sales.get_by_role("button", name="Go on").click()
    expect(sales.locator("#errors")).to_be_focused()
    fill(sales, {
        "Legal company name": "BCDX", "Street address": "Sentier du Lac", "Postal code": "74000", "City": "Annecy", "Primary domain": "https://www.BCDX-annecy.example/",
        "First name": "Paule", "Last name": "Dumas", "E-mail address": "paule@bcdx-annecy.example",
    })  # fmt: skip
    sales.get_by_role("button", name="Go on").click()
    heading(sales, "Subscriptions")
    sales.get_by_role("link", name="Go on without subscriptions").click()
    heading(sales, "Review")
    expect(sales.get_by_role("main")).to_contain_text("only an acronym")
    sales.get_by_role("button", name="Submit").click()
    expect(sales.locator("#errors")).to_contain_text("Look at the warnings first")
    sales.get_by_label("Yes, it is right so.").check()
    sales.get_by_role("button", name="Submit").click()
    said(sales, "BCDX was added.")
    assert "/activation/" in portal.mail.wait_for("paule@bcdx-annecy.example").link

    # asks another by e-mail: draft, edit, send
    go_to(sales, "Customers")
    sales.get_by_role("link", name="Request a relationship").click()
    fill(sales, {"E-mail address": JEANNE, "Company name": COMPANY})
    sales.get_by_label("Ask for delegated administration").check()
    sales.get_by_label("Directory reader").check()
    sales.get_by_role("spinbutton", name="For how many days").fill("60")
    sales.get_by_role("button", name="Continue to review").click()
    heading(sales, f"Request to {COMPANY}")
    sales.get_by_role("link", name="Change").click()
    text = sales.get_by_role("textbox", name="Text")
    text.fill(f"Hello Jeanne,\n\nas we said at the fair.\n\n{text.input_value()}")
    sales.get_by_role("button", name="Save and review").click()
    heading(sales, f"Request to {COMPANY}")
    sales.get_by_role("button", name="Send from the portal").click()
    said(sales, f"Sent to {JEANNE}")
    request = mailed(portal, JEANNE, REQUEST)
    assert "as we said at the fair" in request.text
    assert request.message["Reply-To"].addresses[0].addr_spec == SALES

    # the customer opens the link on a phone, opens an account and accepts
    jeanne = window(phone=True)
    jeanne.goto(request.link)
    heading(jeanne, "Atelier Nuage asks to be your partner")
    assert request.link.rsplit("/", 1)[1] not in jeanne.url
    jeanne.get_by_role("link", name="Create an account").click()
    fill(jeanne, {
        "Legal company name": COMPANY, "Street address": "7 chemin des Pommiers", "Postal code": "14100", "City": "Lisieux", "Primary domain": "verger-lointain.example",
        "Your name": "Jeanne Aubry",
    })  # fmt: skip
    expect(jeanne.get_by_label("Your e-mail address")).to_have_value(JEANNE)
    jeanne.get_by_role("button", name="Send me the code").click()
    heading(jeanne, "Enter the code")
    fill(jeanne, {"Code": mailed(portal, JEANNE, r"(?m)^\d{6}$").code, "Choose a password": "violet kayak sings softly"})
    jeanne.get_by_role("button", name="Open the account").click()
    said(jeanne, "Welcome, Jeanne Aubry.")
    jeanne.get_by_label("I have read the customer agreement").check()
    jeanne.get_by_role("button", name="Accept").click()
    heading(jeanne, "Receipt of acceptance")
    expect(jeanne.get_by_role("main")).to_contain_text("Directory reader")
    go_to(jeanne, "Partners")
    expect(jeanne.get_by_role("link", name="Atelier Nuage")).to_be_visible()

    # the customer stands in the partner's list
    mailed(portal, SALES, f"{COMPANY}.*accepted")
    look_for(sales, "verger")
    expect(sales.locator("details.unfold")).to_have_count(1)
    expect(sales.get_by_text(COMPANY)).to_be_visible()

    # a global admin ends the relationship
    admin = window()
    sign_in(admin, ADMIN)
    look_for(admin, "verger")
    admin.get_by_role("link", name="verger-lointain.example").click()
    admin.get_by_role("link", name="End the relationship…").click()
    fill(admin, {"Company name": "Verger", "Reason": "Moved to another partner."})
    admin.get_by_role("button", name="End the relationship").click()
    expect(admin.locator("#errors")).to_be_focused()
    fill(admin, {"Company name": COMPANY})
    admin.get_by_role("button", name="End the relationship").click()
    heading(admin, "Former customers")
    look_for(admin, "verger")
    expect(admin.locator("#results")).to_contain_text("No customer fits")

    # and asks to have it back, which the customer accepts
    admin.goto("/customers/former?q=verger")
    admin.get_by_role("link", name="Reinstate").click()
    expect(admin.get_by_label("Directory reader")).to_be_checked()
    fill(admin, {"E-mail address": JEANNE})
    admin.get_by_role("button", name="Continue to review").click()
    admin.get_by_role("button", name="Send from the portal").click()
    said(admin, f"Sent to {JEANNE}")
    jeanne.goto(mailed(portal, JEANNE, REQUEST, 2).link)
    heading(jeanne, "Atelier Nuage asks to be your partner again")
    jeanne.get_by_role("button", name="Accept").click()
    heading(jeanne, "Receipt of acceptance")
    look_for(sales, "verger")
    expect(sales.locator("details.unfold")).to_have_count(1)

    # every step stands in the log
    admin.get_by_role("navigation", name="Main").get_by_text("More").click()
    go_to(admin, "Activity")
    heading(admin, "Activity")
    assert admin.locator("td.title").all_inner_texts()[: len(LOG)] == LOG[::-1]
    admin.locator("summary", has_text="Relationship ended").first.click()
    expect(admin.locator("details[open]")).to_contain_text("Moved to another partner.")


def test_the_way_in_speaks_french(window, portal):
    """R22: in the visitor's language."""
    with portal.inside():
        link = make.link_of(make.request("gerant@brasserie-du-phare.example", roles=("directory_reader",), language="fr"))
    visitor = window(phone=True, language="fr-FR")
    visitor.goto(link)
    expect(visitor.locator("html")).to_have_attribute("lang", "fr")
    heading(visitor, "Atelier Nuage souhaite être votre partenaire")
    visitor.get_by_role("link", name="Créer un compte").click()
    visitor.get_by_role("button", name="M’envoyer le code").click()
    expect(visitor.locator("#errors")).to_be_focused()
    visitor.get_by_role("button", name="English").click()
    heading(visitor, "Create an account for your company")
