"""The customer's shop as its people use it: choosing, buying, waiting, taking back, and every refusal (R2, R70-R76)."""

import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from portal.accounts.models import User
from portal.core import clock
from portal.core.access import Side
from portal.core.db import db, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.permissions import service, shop
from portal.permissions.models import Category, Notice, Purchase, PurchaseState
from portal.subscriptions import catalog, naming
from portal.subscriptions import service as subscriptions
from portal.subscriptions.models import Offer, Order, Reservation, Subscription
from tests.subscriptions import reserved, rows
from tests.support import make
from tests.test_surface import Counted

SALES, AGENT, CUMULUS = "sales@atelier-nuage.example", "agent@atelier-nuage.example", "admin@studio-cumulus.example"
BUYER, ADMIN, STAFF, STRANGER = "buyer@maison-tellier.example", "admin@maison-tellier.example", "staff@maison-tellier.example", "admin@verrerie-odile.example"
C = Category.RESERVATIONS


def do(work, by=SALES):
    """Run this in the partner's scope, and commit it."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = work(who, clock.now())
        db.session.commit()
    return made


def reservation(sku="RES", by=SALES, price=100_000, **details):
    told = {"name": "D4 in France Central", "instance_type": "D4 (4 vCPU)", "region": "France Central", "category": "Reservations", **details}
    return do(lambda who, at: rows.offer(sku, by=who, at=at, price=price, **told).public_id, by)


def open_counter(by=SALES, owner=BUYER, name="Cloud plan", on=True):
    """The partner permits Maison Tellier to buy, and names this person owner of a usage subscription."""

    def work(who, at):
        usage = rows.offer(f"USAGE-{name}", by=who, at=at, billing="usage", term_months=1, name=name)
        rows.place({usage: 1}, by=who, at=at)
        person = db.session.scalars(sa.select(User).where(User.email_key == owner)).unique().one()
        naming.name_owner(rows.subscription_of(usage), person, by=who, at=at)
        if on:
            service.turn_on(rows.tellier(), C, by=who, at=at)
        return rows.subscription_of(usage).public_id

    return do(work, by)


def limits(month=None, above=None, by=SALES):
    amounts = {name: Money(value, "EUR") if value is not None else None for name, value in (("monthly_limit", month), ("approval_above", above))}
    do(lambda who, at: service.set_limits(rows.tellier(), C, **amounts, notice=Notice.NOBODY, version=None, by=who, at=at), by)


def everything(model):
    db.session.rollback()
    with scoped(EVERYTHING):
        found = db.session.scalars(sa.select(model).order_by(model.id)).all()
    db.session.expunge_all()
    return found


def second_partner():
    """Maison Tellier works with Studio Cumulus too."""
    who = make.actor(CUMULUS)
    tellier = make.organization("maison-tellier.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        from portal.customers.models import RelationshipState
        from portal.customers.service import enter_record

        enter_record(tellier, partner_id=who.organization_id or 0, state=RelationshipState.ACTIVE, by=who, at=clock.now(), email="c@maison-tellier.example")
        db.session.commit()


@pytest.fixture
def there(app):
    """An open counter of Atelier Nuage's with one reservation."""
    subscription, offer = open_counter(), reservation()
    partner = make.organization("atelier-nuage.example").public_id
    db.session.rollback()
    return SimpleNamespace(subscription=subscription, offer=offer, partner=partner, url=f"/my/shop/{partner}/{offer}")


def reviewed(visitor, there, **typed):
    return visitor.submit(visitor.get(there.url), "#form", **typed)


# --- buying


def test_a_purchaser_chooses_reviews_and_buys(people, there):
    """R73, R75: the whole way without JavaScript."""
    buyer = people(BUYER)
    listed = buyer.get("/my/shop")
    assert "Atelier Nuage" in listed.text and "€1,000.00" in listed.text
    assert listed.has_link(there.url)

    review = reviewed(buyer, there, quantity="3", scope="single")
    assert "€3,000.00" in review.text and "Cloud plan" in review.text
    bought = buyer.submit(review, there.url)

    assert bought.flashes == ["You have bought it."]
    assert "Bought" in bought.text and "Hugo Vasseur" in bought.text
    order, made = everything(Order)[-1], everything(Reservation)[0]
    assert (order.side, made.quantity, made.paid, made.bought_by) == (Side.CUSTOMER, 3, Money(300_000, "EUR"), "Hugo Vasseur")
    assert made.subscription_id is not None
    assert bought.has_link(f"/my/orders/{order.public_id}") and bought.has_link(f"/my/reservations/{made.public_id}")
    assert "D4 in France Central" in buyer.get("/my/shop/purchases").text
    assert "D4 in France Central" in buyer.get("/my/orders").text


def test_what_it_costs_shows_while_one_chooses(people, there):
    """R105: the same address as a page and as a block of it."""
    limits(month=500_000, above=150_000)
    typed = f"{there.url}?subscription={there.subscription}&scope=shared&quantity="

    small = people(BUYER).get(f"{typed}1", htmx=True, target="preview")
    large = people(BUYER).get(f"{typed}2", htmx=True, target="preview")

    assert small.soup.select_one("#preview") and not small.soup.select_one("#form")
    assert "€1,000.00" in small.text and "bought at once" in small.text
    assert "€2,000.00" in large.text and "Atelier Nuage is asked first" in large.text and "€5,000.00 now, €3,000.00 after this" in large.text
    assert "limit" in people(BUYER).get(f"{typed}6", htmx=True, target="preview").text
    assert "Give a quantity" in people(BUYER).get(f"{typed}many", htmx=True, target="preview").text
    assert "Give a number from 1 to 10,000." in people(BUYER).get(f"{typed}20000").text


def test_above_the_threshold_it_waits_and_can_be_taken_back(people, there):
    """R76"""
    limits(above=150_000)
    buyer = people(BUYER)

    waiting = buyer.submit(reviewed(buyer, there, quantity="2"), there.url)

    assert waiting.flashes == ["Atelier Nuage has been asked and decides. Nothing is charged before."]
    assert everything(Reservation) == []
    assert "Waits for approval" in buyer.get("/my/shop/purchases?state=waiting").text

    taken_back = buyer.submit(buyer.open(f"{waiting.url}/withdrawal"), status=200)

    assert "Taken back" in taken_back.text
    assert everything(Purchase)[0].state is PurchaseState.WITHDRAWN
    again = buyer.open(f"{waiting.url}/withdrawal")
    assert "does not wait any more" in again.flashes[0]
    assert "does not wait any more" in buyer._followed(buyer.post(f"{waiting.url}/withdrawal").response, waiting.url).flashes[0]


def test_the_first_page_names_what_partners_are_to_answer(people, there):
    """R74, R76: for those who see purchases and reservations, within the budget of a page."""
    limits(above=150_000)
    buyer = people(BUYER)
    assert "Waiting for your partners" not in buyer.get("/my").text
    waiting = buyer.submit(reviewed(buyer, there, quantity="2"), there.url)
    small = reserved.reserved("Small server")
    reserved.asked(small, "renew")

    for who in (BUYER, ADMIN):
        person = people(who)
        person.get("/my")
        with Counted(db.engine) as counted:
            home = person.get("/my")
        assert len(counted.statements) <= 6, "\n".join(counted.statements)
        assert home.has_link(waiting.url) and "Waits for approval" in home.text
        assert home.has_link(f"/my/reservations/{small}") and "Renew the reservation" in home.text
    assert "Waiting for your partners" not in people(STAFF).get("/my").text

    buyer.submit(buyer.open(f"{waiting.url}/withdrawal"), status=200)

    assert not buyer.get("/my").has_link(waiting.url)


def test_a_declined_purchase_tells_why(people, there):
    """R75, R76"""
    limits(above=0)
    buyer = people(BUYER)
    waiting = buyer.submit(reviewed(buyer, there), there.url)
    do(lambda who, at: service.decline(db.session.scalars(sa.select(Purchase)).one(), rows.tellier(), reason="Wait for the new model.", by=who, at=at))

    declined = buyer.get(waiting.url)

    assert "Wait for the new model." in declined.text and "Nothing was bought." in declined.text
    assert not declined.has_link(f"{waiting.url}/withdrawal")


def test_a_form_buys_once(people, there):
    """S29: a double click, and the way back to the review."""
    buyer = people(BUYER)
    review = reviewed(buyer, there, quantity="2")
    first = buyer.submit(review, there.url)

    second = buyer.submit(review, there.url)
    back = buyer.open(review.url + "?" + str(urlsplit(review.soup.select_one("a.back")["href"]).query))

    assert first.url == second.url == back.url
    assert "already" in second.flashes[0] and "already" in back.flashes[0]
    assert len(everything(Purchase)) == len(everything(Reservation)) == 1


def test_a_change_after_the_review_keeps_what_was_typed(people, there):
    buyer = people(BUYER)
    review = reviewed(buyer, there, quantity="7", scope="single")

    change = buyer.get(review.soup.select_one("a.back")["href"])

    assert change.soup.select_one("#quantity")["value"] == "7"
    assert change.soup.select_one("#scope option[selected]")["value"] == "single"
    assert change.soup.select_one("[name=key]")["value"] == review.soup.select_one("[name=key]")["value"]


def test_another_price_than_the_reviewed_one_is_not_paid(people, there):
    buyer = people(BUYER)
    review = reviewed(buyer, there, quantity="2")
    do(lambda who, at: catalog.set_price(offer_row(there.offer), Money(120_000, "EUR"), cost=None, from_on=at.date(), by=who, at=at))

    now = buyer.submit(review, there.url, status=409)

    assert "has changed since you reviewed this" in now.errors[""]
    assert "€2,400.00" in now.text
    assert everything(Purchase) == []
    assert buyer.submit(now, there.url).flashes == ["You have bought it."]
    assert everything(Purchase)[0].total == Money(240_000, "EUR")


def offer_row(public_id):
    return db.session.scalars(sa.select(Offer).where(Offer.public_id == public_id)).one()


# --- refusals


def _off(there):
    do(lambda who, at: service.turn_off(rows.tellier(), C, by=who, at=at))


def _suspended(there):
    do(lambda who, at: subscriptions.suspend(the_subscription(there), by=who, at=at))


def _no_owner(there):
    do(
        lambda who, at: naming.take_owner(
            the_subscription(there), db.session.scalars(sa.select(User).where(User.email_key == BUYER)).unique().one(), by=who, at=at
        )
    )


def _withdrawn(there):
    do(lambda who, at: catalog.withdraw(offer_row(there.offer), reason="Our supplier is late with paying.", by=who, at=at))


def _limited(there):
    limits(month=150_000)


def _fewer(there):
    def work(who, at):
        offer_row(there.offer).maximum = 1

    do(work)


def _without_agreement(there):
    from portal.agreements.models import Acceptance, Attestation

    def work(who, at):
        for kind in (Acceptance, Attestation):
            for row in db.session.scalars(sa.select(kind)).all():
                row.version = 0

    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        work(None, None)
        db.session.commit()


def the_subscription(there):
    return db.session.scalars(sa.select(Subscription).where(Subscription.public_id == there.subscription)).one()


@pytest.mark.parametrize(
    ("happens", "field", "said"),
    [
        (_off, "", "Atelier Nuage does not let your company buy for itself."),
        (_suspended, "", "Your subscription from Atelier Nuage is suspended."),
        (_no_owner, "", "Ask Atelier Nuage to name you"),
        (_withdrawn, "", "This is no longer sold."),
        (_limited, "quantity", "€1,500.00 is left for this month"),
        (_fewer, "quantity", "Give 1: no other number can be ordered."),
        (_without_agreement, "", "has not accepted the current customer agreement"),
    ],
)
def test_what_changed_between_review_and_purchase_is_said_and_nothing_is_bought(people, there, happens, field, said):
    """R74: each refusal tells why, keeps what was typed and changes nothing."""
    buyer = people(BUYER)
    review = reviewed(buyer, there, quantity="2", scope="single")
    happens(there)

    refused = buyer.submit(review, there.url, status=422)

    assert said in refused.errors[field], refused.errors
    assert refused.soup.select_one("#quantity")["value"] == "2"
    assert refused.soup.select_one("#scope option[selected]")["value"] == "single"
    assert everything(Purchase) == everything(Reservation) == []
    assert "supplier" not in refused.text  # the partner's own reason


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Fill this in."), ("many", "Give a whole number."), *((number, "Give a number from 1 to 10,000.") for number in ("0", "-5", "10001", "9" * 30))],
)
def test_a_bad_quantity_is_said_beside_the_field(people, there, typed, said):
    refused = people(BUYER).get(f"{there.url}/review?subscription={there.subscription}&scope=shared&quantity={typed}", 422)

    assert refused.errors["quantity"] == said


def test_a_relationship_that_ended_meanwhile_sells_nothing(people, there):
    """R36"""
    buyer = people(BUYER)
    review = reviewed(buyer, there)

    def end(who, at):
        from portal.customers.models import RelationshipState

        rows.tellier().state = RelationshipState.ENDED

    do(end)

    assert "does not work with Atelier Nuage any more" in buyer.submit(review, there.url, status=409).text
    assert "does not work with Atelier Nuage any more" in buyer.open(there.url).flashes[0]
    assert everything(Purchase) == []


# --- who may, and from whom


def test_an_empty_shop_says_why_and_what_to_do(people, there):
    """R70, R71"""
    assert "You are not an owner of a usage-based subscription from Atelier Nuage" in people(ADMIN).get("/my/shop").text
    assert "You are not an owner" in people(ADMIN).open(there.url).flashes[0]
    _suspended(there)
    assert "is suspended" in people(BUYER).get("/my/shop").text
    _off(there)
    assert "does not let your company buy for itself" in people(BUYER).get("/my/shop").text
    assert "nothing that you can buy now" in people(STRANGER).get("/my/shop").text


def test_only_who_may_buy_sees_the_shop(people, there):
    """The table of roles."""
    staff = people(STAFF)
    assert not staff.get("/my").has_link("/my/shop")
    assert people(BUYER).get("/my").has_link("/my/shop")
    for url in ("/my/shop", there.url, f"{there.url}/review", "/my/shop/purchases"):
        staff.get(url, 403)
        people(SALES).get(url, 403)
    staff.post(there.url, status=403)


def test_nobody_else_finds_the_offer_or_the_purchase(people, there):
    """R2, S24: not another customer, nor by mixing partners; nor what is no reservation."""
    buyer = people(BUYER)
    made = buyer.submit(reviewed(buyer, there), there.url).url
    second_partner()
    foreign = reservation("FOREIGN", by=CUMULUS)
    licence = do(lambda who, at: rows.offer("LICENCE", by=who, at=at).public_id)
    stranger = people(STRANGER)

    for url in (there.url, f"{there.url}/review", made, f"{made}/withdrawal"):
        stranger.get(url, 404)
    stranger.post(there.url, status=404)
    stranger.post(f"{made}/withdrawal", status=404)
    for offer in (foreign, licence):
        buyer.get(f"/my/shop/{there.partner}/{offer}", 404)
        buyer.post(f"/my/shop/{there.partner}/{offer}", status=404)


def test_each_partner_sells_at_its_own_prices(people, there):
    """R26: with two partners one chooses first, and nothing mixes."""
    second_partner()
    cumulus = make.organization("studio-cumulus.example").public_id
    buyer = people(BUYER)
    assert "Studio Cumulus does not let your company buy" in buyer.get("/my/shop").text
    with_agreement()
    open_counter(by=CUMULUS, name="Cumulus plan")
    reservation("CHEAP", by=CUMULUS, price=90_000, name="D4 from Cumulus")

    choice = buyer.get("/my/shop")
    assert choice.has_link(f"/my/shop?partner={there.partner}") and choice.has_link(f"/my/shop?partner={cumulus}")
    assert "€" not in choice.text
    theirs, ours = buyer.get(f"/my/shop?partner={cumulus}").text, buyer.get(f"/my/shop?partner={there.partner}").text
    assert "€900.00" in theirs and "€1,000.00" not in theirs and "Cumulus plan" in theirs
    assert "€1,000.00" in ours and "€900.00" not in ours and "Cumulus plan" not in ours

    page = buyer.get(there.url)
    assert [option.get_text() for option in page.soup.select("#subscription option")] == ["Cloud plan"]


def with_agreement():
    """Maison Tellier accepts for all its partners."""
    from portal.accounts import queries as accounts
    from portal.agreements import service as agreements

    who = make.actor(ADMIN)
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        agreements.accept(accounts.organization(who.organization_id), language="en", by=who, at=clock.now(), partners=())
        db.session.commit()


def test_a_foreign_subscription_cannot_be_bought_for(people, there):
    """S25"""
    other = open_counter(owner=ADMIN, name="Another plan", on=False)
    buyer = people(BUYER)

    review = buyer.get(f"{there.url}/review?subscription={other}&scope=shared&quantity=1", 422)

    assert "subscription" in review.errors


# --- the list


def test_the_list_is_searched_filtered_and_paged(people, there, monkeypatch):
    """R101: by instance type, region and term; what cannot be had is not there."""
    monkeypatch.setattr(shop, "OFFERS_A_PAGE", 2)
    shop._offers_statement.cache_clear()
    for number, (region, months) in enumerate([("West Europe", 12), ("West Europe", 36), ("North", 12)]):
        reservation(f"R{number}", name=f"E8 number {number}", instance_type="E8 (GPU)", region=region, term_months=months)
    reservation("FREE", name="Unpriced", price=None)
    reservation("EDU", name="For schools", segment="education")
    buyer = people(BUYER)

    def names(url):
        return [link.get_text() for link in buyer.get(url).soup.select("#results td.title a")]

    first = buyer.get("/my/shop")
    following = first.soup.select_one("#results a[rel=next]")["href"]
    assert names("/my/shop") + names(following) == ["D4 in France Central", "E8 number 0", "E8 number 1", "E8 number 2"]
    assert names("/my/shop?q=gpu&term=36") == ["E8 number 1"]
    assert names("/my/shop?region=North") == ["E8 number 2"]
    assert names("/my/shop?q=nothing") == []
    assert [option["value"] for option in first.soup.select("[name=region] option")] == ["", "France Central", "North", "West Europe"]
    shop._offers_statement.cache_clear()


def test_words_in_the_address_of_the_purchases_change_nothing(people, there):
    """The list has no search field; an address with words, typed or kept from another list, shows it whole."""
    buyer = people(BUYER)
    buyer.submit(reviewed(buyer, there), there.url)

    assert len(buyer.get("/my/shop/purchases?q=anything").soup.select("#results td.title")) == 1


def test_no_more_of_the_partner_shows_than_its_offers(people, there):
    """R2: no cost, no SKU, no name that the partner gave the customer."""

    def work(who, at):
        catalog.set_price(offer_row(there.offer), Money(100_000, "EUR"), cost=Money(61_234, "EUR"), from_on=at.date(), by=who, at=at)
        rows.tellier().name = "Tellier, pays late"

    do(work)
    buyer = people(BUYER)
    pages = [buyer.get("/my/shop"), buyer.get(there.url), reviewed(buyer, there)]
    pages += [buyer.submit(pages[-1], there.url), buyer.get("/my/shop/purchases")]

    for shown in pages:
        assert not [word for word in ("612", "RES", "pays late") if word in shown.text], shown.url


# --- at once


def test_two_buyers_at_once_stay_within_the_limit(app, people, there):
    """R76, S29: over HTTP, each with a form of its own; and one form sent four times buys once."""
    limits(month=300_000)
    buyer = people(BUYER)
    forms = [reviewed(buyer, there) for _ in range(5)]
    answers = at_once(app, people, there, forms)
    assert sorted(answers) == [303, 303, 303, 422, 422]

    limits()
    answers = at_once(app, people, there, [reviewed(buyer, there, quantity="9")] * 4)
    assert answers == [303] * 4
    assert sorted(row.quantity for row in everything(Purchase)) == [1, 1, 1, 9]
    assert len(everything(Reservation)) == 4


def at_once(app, people, there, forms) -> list[int]:
    visitors = [people(BUYER) for _ in forms]
    barrier, answers = threading.Barrier(len(forms)), []

    def send(visitor, page):
        data = {field["name"]: field["value"] for field in page.form(there.url).select("[name]")} | {"csrf_token": visitor.csrf_token()}
        barrier.wait()
        answers.append(visitor.client.post(there.url, data=data).status_code)

    db.session.rollback()
    threads = [threading.Thread(target=send, args=pair) for pair in zip(visitors, forms, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_the_shop_costs_at_most_six_statements_a_page(people, there):
    limits(month=500_000, above=150_000)
    buyer = people(BUYER)
    typed = f"subscription={there.subscription}&scope=shared&quantity=2"
    for url in ("/my/shop", "/my/shop?q=d4&region=France+Central", f"{there.url}?{typed}", f"{there.url}/review?{typed}&key={there.offer}"):
        buyer.get(url)
        with Counted(db.engine) as counted:
            buyer.get(url)

        assert len(counted.statements) <= 6, "\n".join(counted.statements)
