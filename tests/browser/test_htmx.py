"""What pages gain from the script, and what it must not lose: places in a page, focus, what was typed, the way back."""

import re
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from portal.accounts import queries, service, signing_in
from portal.core import clock
from portal.core.access import Role
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.queries import record
from portal.relationships import ending
from tests.support import make
from tests.support.browser import DESK
from tests.support.server import Portal

pytestmark = pytest.mark.browser
ADMIN, SALES, PASSWORD = "admin@atelier-nuage.example", "sales@atelier-nuage.example", "demo portal 2026"


def customer(portal: Portal, name: str) -> UUID:
    """The ID of a new customer of Atelier Nuage."""
    with portal.inside():
        return UUID(str(make.customer(name, f"{name.lower().replace(' ', '-')}.example").public_id))


def end_sessions(portal: Portal, email: str) -> None:
    with portal.inside(), writing(), scoped(EVERYTHING):
        user = queries.user_by_email(email)
        assert user is not None
        signing_in.end_sessions(user.id, at=clock.now())
        db.session.commit()


def mark(page: Page) -> None:
    page.evaluate("window.stayed = true")


def stayed(page: Page) -> bool:
    """Whether the page is still the one that was marked, only changed in places."""
    return bool(page.evaluate("window.stayed === true"))


def sign_in_again(page: Page, email: str) -> None:
    box = page.get_by_role("dialog", name="Sign in again")
    box.get_by_label("E-mail address").fill(email)
    box.get_by_label("Password", exact=True).fill(PASSWORD)
    box.get_by_role("button", name="Sign in").click()
    expect(box).to_be_hidden()


# --- in place


def test_a_section_is_edited_where_it_stands(window, portal):
    page = window(SALES)
    page.goto(f"/customers/{customer(portal, 'Editing Ltd')}/account")
    mark(page)
    page.get_by_role("link", name="Edit: Billing").click()
    name = page.get_by_label("Billing company name")
    expect(name).to_be_focused()
    name.fill("")
    page.get_by_label("Billing contact").fill("Rosa Bloch")
    page.keyboard.press("Enter")

    expect(page.locator("#errors")).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Billing contact")).to_have_value("Rosa Bloch")
    page.get_by_role("link", name="Billing company name: Fill this in.").click()
    expect(name).to_be_focused()
    name.fill("Editing and Sons")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#billing")).to_contain_text("Editing and Sons")
    expect(page.locator("#billing").get_by_role("link", name="Edit: Billing")).to_be_visible()
    assert stayed(page)
    assert page.evaluate("document.activeElement !== document.body")


def test_cancelling_an_edit_shows_the_section_again(window, portal):
    page = window(SALES)
    page.goto(f"/customers/{customer(portal, 'Cancelling Ltd')}/account")
    mark(page)
    page.get_by_role("link", name="Edit: Primary contact").click()
    page.get_by_label("First name").fill("Nobody")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("link", name="Edit: Primary contact")).to_be_visible()
    expect(page.locator("#contact")).not_to_contain_text("Nobody")
    assert stayed(page)


def test_a_second_editor_is_told_and_keeps_what_was_typed(window, portal):
    """R104."""
    url = f"/customers/{customer(portal, 'Contested Ltd')}/account"
    first, second = window(SALES), window(ADMIN)
    for page, name in ((first, "First Name Ltd"), (second, "Second Name Ltd")):
        page.goto(url)
        page.get_by_role("link", name="Edit: Billing").click()
        page.get_by_label("Billing company name").fill(name)
    first.get_by_role("button", name="Save").click()
    expect(first.locator("#billing")).to_contain_text("First Name Ltd")
    second.get_by_role("button", name="Save").click()
    expect(second.locator("#errors")).to_be_focused()
    expect(second.locator("#errors")).to_contain_text("First Name Ltd")
    expect(second.get_by_label("Billing company name")).to_have_value("Second Name Ltd")


def test_the_country_brings_its_own_address_fields(window):
    page = window(SALES)
    page.goto("/customers/new")
    page.get_by_label("Legal company name").fill("Torrefazione Alba")
    page.get_by_label("Country").focus()
    page.get_by_label("Country").select_option("IT")
    expect(page.get_by_label("Province")).to_be_visible()
    expect(page.get_by_label("Legal company name")).to_have_value("Torrefazione Alba")
    expect(page.get_by_label("Country")).to_be_focused()


# --- once


def test_a_double_click_sends_once(window, portal):
    """S29: by a form that the browser sends itself, and by one that htmx sends."""
    page = window(SALES)
    with portal.inside():
        made = make.request("once@double-click.example", draft=True)
        url = f"/relationship-requests/{made.public_id}"
    page.goto(url)
    page.get_by_role("button", name="Send from the portal").dblclick()
    expect(page.locator("#flash")).to_contain_text("Sent to once@double-click.example")
    portal.mail.wait_for("once@double-click.example")
    page.goto(url)
    expect(page.get_by_role("main")).to_contain_text("Send again")

    admin = window(ADMIN)
    admin.goto("/users/new")
    admin.get_by_label("Name").fill("Double Click")
    admin.get_by_label("E-mail address").fill("double@atelier-nuage.example")
    admin.get_by_label("Helpdesk agent").check()
    admin.get_by_role("button", name="Send the invitation").dblclick()
    expect(admin.get_by_role("heading", level=1)).not_to_have_text("Invite a colleague")
    portal.mail.wait_for("double@atelier-nuage.example")
    admin.goto("/users?q=double")
    expect(admin.locator("td.title")).to_have_count(1)
    assert len(portal.mail.to("once@double-click.example")) == len(portal.mail.to("double@atelier-nuage.example")) == 1


# --- a session that ends


def test_nothing_typed_is_lost_when_the_session_ends(window, portal):
    """The dialog opens over the page; after it the same button works."""
    page = window(SALES)
    page.goto("/relationship-requests/new")
    mark(page)
    page.get_by_label("E-mail address").fill("kept@typed-words.example")
    page.get_by_label("Company name").fill("Typed Words")
    end_sessions(portal, SALES)
    page.get_by_role("button", name="Continue to review").click()
    sign_in_again(page, SALES)
    assert stayed(page)
    expect(page.get_by_label("E-mail address")).to_have_value("kept@typed-words.example")
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request to Typed Words")


def test_a_wrong_password_in_the_dialog_is_said_there(window, portal):
    page = window(SALES)
    page.goto("/relationship-requests/new")
    end_sessions(portal, SALES)
    page.get_by_role("button", name="Continue to review").click()
    box = page.get_by_role("dialog", name="Sign in again")
    box.get_by_label("E-mail address").fill(SALES)
    box.get_by_label("Password", exact=True).fill("not it")
    box.get_by_role("button", name="Sign in").click()
    expect(box).to_contain_text("do not fit together")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_a_plain_form_asks_before_it_sends_what_was_typed(window, portal):
    page = window(SALES)
    page.goto("/relationship-requests/several")
    page.get_by_label("E-mail addresses").fill("one@plain-form.example")
    end_sessions(portal, SALES)
    page.get_by_role("button", name="Send now").click()
    page.get_by_label("E-mail address").fill(SALES)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("main")).to_contain_text("one@plain-form.example")
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_role("main")).to_contain_text("1 of 1 sent.")


# --- back


def test_back_after_a_search_restores_the_whole_page(window):
    page = window(SALES, size=DESK)
    page.goto("/customers")
    rows = page.locator("td.title")
    all_rows = rows.count()
    search = page.get_by_role("searchbox")
    search.fill("tellier")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/customers\?q=tellier$"))
    page.get_by_role("link", name="maison-tellier.example").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Maison Tellier")

    page.go_back()
    expect(rows).to_have_count(1)
    expect(search).to_have_value("tellier")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.go_back()
    expect(rows).to_have_count(all_rows)
    expect(search).to_have_value("")
    expect(page.get_by_role("heading", level=1)).to_have_text("Customers")
    expect(page.get_by_role("navigation", name="Main")).to_have_count(1)
    search.fill("odile")
    expect(page.locator("#results")).to_contain_text("No customer fits")


def test_results_of_a_search_are_announced(window):
    page = window(SALES)
    page.goto("/customers")
    page.get_by_role("searchbox").fill("tellier")
    expect(page.locator("#announce")).to_have_text("1 in all")


# --- refusals


def test_a_record_that_is_gone_is_said_on_top_and_the_page_stays(window, portal):
    public_id = customer(portal, "Vanishing Ltd")
    page = window(SALES)
    page.goto(f"/customers/{public_id}/account")
    mark(page)
    with portal.inside(), writing():
        admin = make.actor(ADMIN)
        with scoped(Scope(partner_id=admin.organization_id)):
            ending.end_relationship(record(public_id), typed_name="Vanishing Ltd", reason="Gone.", by=admin, at=clock.now())
            db.session.commit()
    page.get_by_role("link", name="Edit: Billing").click()
    expect(page.locator("#flash")).to_contain_text("There is nothing here.")
    expect(page.get_by_role("link", name="Edit: Billing")).to_be_visible()
    assert stayed(page)


def test_a_permission_that_is_gone_is_said_on_top_and_the_page_stays(window, portal):
    email = "sales@relais-breton.example"
    page = window(email)
    page.goto("/customers")
    page.locator("summary", has_text="Pêcherie Marec").click()
    page.get_by_role("link", name="Account").click()
    edit = page.get_by_role("link", name="Edit: Billing")
    expect(edit).to_be_visible()
    mark(page)
    with portal.inside(), writing(), scoped(EVERYTHING):
        user = queries.user_by_email(email)
        assert user is not None
        service.change_roles(user, frozenset({Role.USER_ADMIN}), version=None, by=make.actor("admin@relais-breton.example"), at=clock.now())
        db.session.commit()
    edit.click()
    expect(page.locator("#flash")).to_contain_text("Your roles do not include this.")
    expect(edit).to_be_visible()
    assert stayed(page)


def test_a_network_that_is_down_is_said_and_nothing_is_lost(window):
    page = window(SALES)
    page.goto("/relationship-requests/new")
    page.get_by_label("E-mail address").fill("offline@mobile.example")
    window.offline = True
    page.context.set_offline(True)
    page.get_by_role("button", name="Continue to review").click()
    expect(page.locator("#flash")).to_contain_text("The portal cannot be reached.")
    expect(page.get_by_label("E-mail address")).to_have_value("offline@mobile.example")
    page.context.set_offline(False)
    page.get_by_role("button", name="Continue to review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request to offline@mobile.example")


# --- by keyboard


def test_the_list_works_by_keyboard_alone(window):
    page = window(SALES, size=DESK)
    page.goto("/customers")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for name in ("Request a relationship", "Add a customer"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()

    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("tellier")
    expect(page.locator("td.title")).to_have_count(1)
    expect(search).to_be_focused()
    for label in ("Relationship", "Agreement", "Tag"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("combobox", name=label)).to_be_focused()
    for name in ("Company", "Primary domain"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("columnheader").get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("summary", has_text="Maison Tellier")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Overview")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Maison Tellier")


def test_the_menu_opens_and_closes_by_keyboard(window):
    page = window(SALES, size=DESK)
    page.goto("/customers/former")
    summary = page.locator("details.menu > summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Your account")).to_be_focused()
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.get_by_role("link", name="Your account")).to_be_hidden()
