"""A reseller orders through its provider, which places what was asked for or declines it; what a reseller reads of it (R2, R17, R41, R81)."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.agreements.service import AttestationEntry, attest
from portal.core import clock
from portal.core.audit import LogEntry
from portal.core.db import db, find, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships import partnerships
from portal.subscriptions import catalog, reselling
from portal.subscriptions.models import Cart, Charge, Order, OrderLine, OrderState, Subscription
from tests.relationships.rows import active
from tests.relationships.test_shared import provided, share
from tests.subscriptions import rows
from tests.subscriptions.test_cart import cart, lines, offers, order, put, totals
from tests.support import mail, make
from tests.test_surface import Counted

PROVIDER, SALES = "admin@grossiste-azur.example", "sales@grossiste-azur.example"
RESELLER, RESELLERS_SALES = "admin@relais-breton.example", "sales@relais-breton.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
MAREC = "creperie-marec.example"


def shared(name="Crêperie Marec", domain=MAREC, *, billing="Marec (Azur)", agreed=True):
    """The address of a customer that Relais Breton and Grossiste Azur share, with the provider's attestation."""
    share(name, domain, billing=billing)
    who = make.actor(SALES)
    db.session.rollback()
    if agreed:
        with writing(), scoped(Scope(partner_id=who.organization_id)):
            attest(make.organization(domain), AttestationEntry("Yann", "Marec", "yann@marec.example", "", clock.today()), by=who, at=clock.now())
            db.session.commit()
    return f"/customers/{make.organization(domain).public_id}"


def catalogued(*names, **details):
    return offers(*names, by=SALES, **{"price": 1200, **details})


def asked(people, *names, customer=None, quantity=3, **details):
    """An order of the reseller that waits: its page's address."""
    customer = customer or shared()
    made = catalogued(*(names or ("Suite",)), **details)
    reseller = people(RESELLERS_SALES)
    for offer in made if isinstance(made, list) else [made]:
        put(reseller, offer, quantity, customer=customer)
    return order(reseller, customer=customer).response.request.path


def one(model=Order):
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalars(sa.select(model).order_by(model.id.desc()).limit(1)).one()


def counts():
    db.session.rollback()
    with scoped(EVERYTHING):
        return tuple(db.session.scalar(sa.select(sa.func.count(model.id))) for model in (Order, OrderLine, Subscription, Charge))


def told(domain, action):
    """What this organization's log has of it: the customer's name and the details."""
    organization = make.organization(domain).id
    db.session.rollback()
    return [(entry.customer_name, entry.details) for entry in db.session.query(LogEntry).filter_by(organization_id=organization, action=action)]


def end_partnership(by=PROVIDER):
    who, row = make.actor(by), active()
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        partnerships.end(find(type(row), row.public_id, lock=True), reason="", by=who, at=clock.now())
        db.session.commit()


def provider_row(domain=MAREC, **values):
    owner = make.organization("grossiste-azur.example").id
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=owner)):
        for name, value in values.items():
            setattr(db.session.scalars(sa.select(Customer).where(Customer.domain == domain)).one(), name, value)
        db.session.commit()


# --- the story


@BOTH_SHAPES
def test_a_reseller_asks_and_its_provider_places(people, htmx):
    """R17, R41, R81"""
    customer = shared()
    suite, room = catalogued("Suite"), catalogued("Room", add_on_of="Suite", price=500)
    offers("Atelier only")
    of_azur(suite, catalog.set_price, price=Money(1200, "EUR"), cost=Money(777, "EUR"))
    reseller = people(RESELLERS_SALES)
    page = reseller.get(customer)
    page = reseller.get(next(a["href"] for a in page.soup.select("a") if a.get_text(strip=True) == "Sell"))
    assert "From the catalog of Grossiste Azur" in page.text
    assert "7.77" not in page.text
    assert "Atelier only" not in page.text
    assert [option.get_text() for option in page.soup.select("[name=publisher] option")] == ["All", "Nordlicht"]
    put(reseller, suite, 3, customer=customer)
    put(reseller, room, 3, customer=customer)
    review = reseller.get(f"{customer}/cart/review")
    assert totals(review) == ["Charged today, without tax €51.00", "Then each month €51.00"]
    assert "Nothing is charged, and nothing begins, before Grossiste Azur places the order" in review.text
    assert review.soup.find("button", string=lambda text: text and "Send to Grossiste Azur" in text) or "Send to Grossiste Azur" in review.text

    sent = order(reseller, review, customer=customer)

    assert sent.flashes[0].endswith("is sent. You are told by e-mail when your provider has answered.")
    assert "Grossiste Azur has not answered yet" in sent.text
    for shown in ("Requested", "Crêperie Marec", "€12.00 a month", "€36.00 a month"):
        assert shown in sent.text
    assert counts() == (1, 2, 0, 0)
    assert lines(cart(reseller, customer)) == {}
    message = mail.latest(SALES)
    assert message.subject == "Relais Breton asks you to order for Marec (Azur)"
    assert "3 × Suite" in message.text
    assert mail.all_to(PROVIDER)
    assert [item for item in mail.all_to() if item.mail.kind == "orders/placed"] == []

    provider = people(SALES)
    assert "1 order of a reseller waits for you" in provider.get("/orders").text
    assert provider.get("/").has_link("/orders?state=requested")
    waiting = provider.get("/orders?state=requested")
    assert "Relais Breton" in waiting.text
    url = waiting.soup.select_one("td.title a")["href"]
    assert url in message.text
    page = provider.get(url)
    assert "What Relais Breton asks for" in page.text
    answer = provider.submit(page, f"{url}/placement", htmx=htmx)
    done = provider.get(url)

    assert htmx or answer.flashes[0].endswith("The reseller and the customer hear of it.")
    assert "Placed" in done.text
    assert counts() == (1, 2, 2, 2)
    with scoped(EVERYTHING):
        found = db.session.scalars(sa.select(Subscription)).all()
        assert {row.reseller_id for row in found} == {make.organization("relais-breton.example").id}
        assert {row.partner_id for row in found} == {row.support_contact_id for row in found} == {make.organization("grossiste-azur.example").id}
        assert {row.base_id is None for row in found} == {True, False}
        assert sum(row.amount_minor for row in db.session.scalars(sa.select(Charge))) == 5100 == one().total_minor
    answered = mail.latest(RESELLERS_SALES)
    assert answered.subject.startswith("Grossiste Azur has placed your order")
    assert "Crêperie Marec" in answered.text
    assert "Azur)" not in answered.text
    page = reseller.get(f"{customer}/orders")
    assert "Placed" in page.text
    mine = reseller.get(page.soup.select_one("td.title a")["href"])
    assert reseller.get(mine.soup.select_one("td.title a")["href"]).h1.startswith("Suite: Crêperie Marec")
    assert [name for name, _details in told("relais-breton.example", "order.placed")] == ["Crêperie Marec"]


def of_azur(public_id, what, **options):
    who = make.actor(PROVIDER)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        item = db.session.scalars(sa.select(rows.Offer).where(rows.Offer.public_id == sa.type_coerce(public_id, sa.Uuid(as_uuid=False)))).one()
        extra = {"from_on": clock.today()} if what is catalog.set_price else {}
        what(item, **options, **extra, by=who, at=clock.now())
        db.session.commit()


def test_a_double_click_sends_once_and_places_once(people):
    """R81"""
    customer = shared()
    put(people(RESELLERS_SALES), catalogued("Suite"), 3, customer=customer)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    review = reseller.get(f"{customer}/cart/review")
    first, second = order(reseller, review, customer=customer), order(reseller, review, customer=customer)
    assert first.h1 == second.h1
    assert counts() == (1, 1, 0, 0)
    assert len([item for item in mail.all_to(SALES) if item.mail.kind == "orders/requested"]) == 1
    url = first.response.request.path
    page = provider.get(url)

    assert provider.submit(page, f"{url}/placement").h1 == provider.submit(page, f"{url}/placement").h1

    assert counts() == (1, 1, 1, 1)
    assert len([item for item in mail.all_to(RESELLERS_SALES) if item.mail.kind == "orders/answered"]) == 1


def test_many_placings_at_one_moment_place_once(app, people):
    """R81, S29"""
    asked(people)
    by, key = make.actor(SALES), one().public_id
    seals = [found["value"] for found in people(SALES).get(f"/customers/{make.organization(MAREC).public_id}/orders/{key}").soup.select("[name=line]")]
    db.session.rollback()
    barrier, states = threading.Barrier(4), []

    def place() -> None:
        with app.app_context(), writing(), scoped(Scope(partner_id=by.organization_id)):
            barrier.wait()
            record = db.session.scalars(sa.select(Customer).where(Customer.domain == MAREC).with_for_update()).one()
            waiting = reselling.to_decide(record, key)
            reselling.place(waiting, record, reviewed=seals, by=by, at=clock.now())
            db.session.commit()
            states.append(waiting.id)
            db.session.remove()

    threads = [threading.Thread(target=place) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(states) == 4
    assert len(set(states)) == 1
    assert counts() == (1, 1, 1, 1)


@BOTH_SHAPES
def test_a_provider_declines_with_a_reason_and_the_reseller_is_told(people, htmx):
    """R81"""
    url = asked(people)
    provider = people(SALES)
    form = provider.get(f"{url}/declining")
    assert provider.submit(form, f"{url}/declining", status=422, htmx=htmx, reason=" ").errors["reason"]

    provider.submit(form, f"{url}/declining", htmx=htmx, reason="We no longer sell it.")

    assert counts() == (1, 1, 0, 0)
    message = mail.latest(RESELLERS_SALES)
    assert message.subject.startswith("Grossiste Azur has declined")
    assert "Reason: We no longer sell it." in message.text
    page = people(RESELLERS_SALES).get(url)
    assert "Declined" in page.text
    assert "We no longer sell it." in page.text
    assert page.has_link(f"/customers/{make.organization(MAREC).public_id}/cart")
    provider.post(f"{url}/placement", {}, 409)
    assert provider.get(url).soup.select(f"form[action='{url}/placement']") == []
    provider.get(f"{url}/declining", 409)


def test_a_reseller_takes_back_what_still_waits(people):
    url = asked(people)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    page = provider.get(url)
    form = reseller.get(next(a["href"] for a in reseller.get(url).soup.select("a") if "Take the order back" in a.get_text()))

    done = reseller.submit(form, f"{url}/withdrawal")

    assert "Withdrawn" in done.text
    assert reseller.submit(form, f"{url}/withdrawal").h1 == done.h1
    assert mail.latest(SALES).subject.startswith("Relais Breton has taken back order")
    assert "changed meanwhile" in provider.submit(page, f"{url}/placement", status=409).text
    assert counts() == (1, 1, 0, 0)


def test_a_placed_order_cannot_be_taken_back_or_declined(people):
    url = asked(people)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    form, declining = reseller.get(f"{url}/withdrawal"), provider.get(f"{url}/declining")
    provider.submit(provider.get(url), f"{url}/placement")

    reseller.submit(form, f"{url}/withdrawal", status=409)
    provider.submit(declining, f"{url}/declining", status=409, reason="Too late.")

    assert one().state is OrderState.PLACED


# --- which provider


def test_without_a_provider_the_page_says_what_to_do(people):
    """R41"""
    make.customer("Crêperie Marec", MAREC, by=RESELLERS_SALES)
    customer = f"/customers/{make.organization(MAREC).public_id}"
    azur = make.organization("grossiste-azur.example").public_id
    reseller = people(RESELLERS_SALES)

    page = reseller.get(f"{customer}/cart")
    assert "You share this customer with none of your providers yet" in page.text
    invitation = f"/relationship-requests/new?customer={make.organization(MAREC).public_id}&provider={azur}"
    assert page.has_link(invitation)
    assert reseller.get(invitation).soup.select_one("[name=provider] option[selected]")["value"] == str(azur)
    provided("Crêperie Marec", MAREC, reseller=None)  # has a relationship, and names nobody: the page tells nothing of that (R10)
    assert reseller.get(f"{customer}/cart").text == page.text
    end_partnership()
    page = reseller.get(f"{customer}/cart")
    assert "You work with no indirect provider yet" in page.text
    assert reseller.open(f"{customer}/cart/review").text == page.text
    assert counts() == (0, 0, 0, 0)


def test_nothing_is_asked_of_a_provider_that_dropped_out_after_the_review(people):
    """R41"""
    customer = shared()
    reseller = people(RESELLERS_SALES)
    put(reseller, catalogued("Suite"), 3, customer=customer)
    review = reseller.get(f"{customer}/cart/review")
    provider_row(reseller_id=None)

    page = order(reseller, review, customer=customer)

    assert page.flashes == ["You order through a provider, and share this customer with none."]
    assert "share this customer with none of your providers yet" in page.text
    assert counts() == (0, 0, 0, 0)


def test_a_reseller_of_several_providers_chooses_one(people):
    """R41: each has a catalog of its own."""
    customer = shared()
    suite = catalogued("Suite")
    make.partner("Grossiste Bleu", "grossiste-bleu.example", "indirect_provider", people=(("admin", "global_admin"),))
    make.partnership(by="admin@grossiste-bleu.example", accepted_by=RESELLER)
    who = make.actor("admin@grossiste-bleu.example")
    reseller_id = make.organization("relais-breton.example").id
    company = make.organization(MAREC)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        from portal.customers.service import enter_record

        enter_record(company, partner_id=who.organization_id, state=RelationshipState.ACTIVE, by=who, at=clock.now(), reseller_id=reseller_id)
        db.session.commit()
    plan = offers("Plan", by="admin@grossiste-bleu.example")
    reseller = people(RESELLERS_SALES)
    page = reseller.get(f"{customer}/cart")
    assert [label.get_text() for label in page.soup.select(".choice label")] == ["Grossiste Azur", "Grossiste Bleu"]

    page = reseller.submit(page, f"{customer}/cart/provider", provider=str(make.organization("grossiste-azur.example").public_id))
    page = put(reseller, suite, 2, customer=customer)
    reseller.post(f"{customer}/cart/lines/{plan}", {"quantity": "1", "was": "0"}, 404)
    again = reseller.get(f"{customer}/cart/provider")
    assert "the cart begins anew" in again.text
    page = reseller.submit(again, f"{customer}/cart/provider", provider=str(make.organization("grossiste-bleu.example").public_id))

    assert lines(page) == {}
    assert "From the catalog of Grossiste Bleu" in page.text
    put(reseller, plan, 1, customer=customer)
    assert "Grossiste Bleu has no current customer agreement" in reseller.get(f"{customer}/cart/review").text
    reseller.post(f"{customer}/cart/provider", {"provider": str(make.organization("atelier-nuage.example").public_id)}, 404)
    people("sales@atelier-nuage.example").get(f"/customers/{make.organization('maison-tellier.example').public_id}/cart/provider", 404)


# --- refusals


@BOTH_SHAPES
def test_the_provider_needs_the_agreement_when_it_is_asked_and_when_it_places(people, htmx):
    """R17"""
    customer = shared(agreed=False)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    put(reseller, catalogued("Suite"), 3, customer=customer)
    review = reseller.get(f"{customer}/cart/review")
    assert "Grossiste Azur has no current customer agreement" in review.text
    assert "Grossiste Azur attests it, or the customer accepts it itself" in review.text
    with scoped(EVERYTHING):
        db.session.rollback()
        key = str(db.session.scalars(sa.select(Cart.public_id)).one())
    page = reseller.post(f"{customer}/orders", {"cart": key}, 409, htmx=htmx)
    assert "Crêperie Marec has no current customer agreement with Grossiste Azur" in page.text
    assert counts() == (0, 0, 0, 0)
    provider.submit(provider.get(f"{customer}/agreement"), f"{customer}/agreement", first_name="Yann", last_name="Marec", email="yann@marec.example")
    url = order(reseller, customer=customer).response.request.path
    page = provider.get(url)
    publish_agreement()

    assert "has not accepted the current customer agreement" in provider.submit(page, f"{url}/placement", status=409, htmx=htmx).text
    assert provider.get(url).has_link(f"{customer}/agreement")
    assert counts() == (1, 1, 0, 0)


def publish_agreement():
    from portal.agreements import service as agreements

    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        agreements.publish(country="FR", language="en", body="New.", version=99, at=clock.now())
        db.session.commit()


def test_what_cannot_be_had_any_more_is_not_placed(people):
    """R80, R81"""
    url = asked(people, "Suite", "Plan")
    provider = people(SALES)
    page = provider.get(url)
    with scoped(EVERYTHING):
        db.session.rollback()
        plan = str(db.session.scalars(sa.select(rows.Offer.public_id).where(rows.Offer.name == "Plan")).one())
    of_azur(plan, catalog.withdraw, reason="End of sale.")

    refused = provider.submit(page, f"{url}/placement", status=409)

    assert "This cannot be ordered as it stands: Plan." in refused.errors[""]
    assert "withdrawn from the catalog" in refused.text
    assert refused.soup.select(f"form[action='{url}/placement']") == []
    assert refused.has_link(f"{url}/declining")
    assert counts() == (1, 2, 0, 0)


def test_it_is_placed_at_the_price_that_was_asked_for(people):
    """R81: the provider sees that its price is another one today."""
    url = asked(people, price=1200)
    with scoped(EVERYTHING):
        db.session.rollback()
        suite = str(db.session.scalars(sa.select(rows.Offer.public_id)).one())
    of_azur(suite, catalog.set_price, price=Money(1500, "EUR"), cost=None)
    provider = people(SALES)
    page = provider.get(url)
    assert "Suite costs €15.00 today; €12.00 was asked for." in page.text

    provider.submit(page, f"{url}/placement")

    assert (one().total_minor, one(Subscription).unit_minor) == (3600, 1200)


def test_a_page_from_yesterday_is_shown_anew_when_what_it_charges_has_changed(people):
    """R84: an add-on is charged by day."""
    customer = shared()
    base = catalogued("Suite", price=3100)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    put(reseller, base, 1, customer=customer)
    url = order(reseller, customer=customer).response.request.path
    provider.submit(provider.get(url), f"{url}/placement")
    put(reseller, catalogued("Room", add_on_of="Suite", price=3000), 1, customer=customer)
    url = order(reseller, customer=customer).response.request.path
    seals = [found["value"] for found in provider.get(url).soup.select("[name=line]")]
    with clock.shifted(timedelta(days=3)):
        provider = people(SALES)
        refused = provider.post(f"{url}/placement", {"line": seals}, 409)
        assert "is charged today. You reviewed €30.00." in refused.errors[""]
        provider.submit(provider.get(url), f"{url}/placement")
    assert one().total_minor < 3000


@pytest.mark.parametrize("change", ["named", "partnership", "relationship"])
def test_what_was_shared_when_it_was_asked_for_must_be_so_when_it_is_placed(people, change):
    """R41, R42, R36"""
    url = asked(people)
    provider = people(PROVIDER)
    page = provider.get(url)
    if change == "named":
        provider_row(reseller_id=None)
    elif change == "partnership":
        end_partnership()
    else:
        ending = f"{url.partition('/orders')[0]}/ending"
        form = provider.get(ending)
        ticks = {"notice": True} if form.soup.select_one("[name=notice]") else {}
        provider.submit(form, ending, typed_name="Marec (Azur)", reason="Moved.", **ticks)

    assert "meanwhile" in provider.submit(page, f"{url}/placement", status=409).text or change == "named"

    assert counts()[2:] == (0, 0)
    assert one().state is (OrderState.REQUESTED if change == "named" else OrderState.DECLINED)
    assert (
        one().declined_reason
        == {"named": "", "partnership": "The partnership has ended.", "relationship": "The relationship with the customer has ended."}[change]
    )
    if change == "named":
        assert "You no longer share this customer with the reseller" in provider.get(url).text
    else:
        assert mail.latest(RESELLERS_SALES).subject.startswith("Grossiste Azur has declined")


# --- who reads what


def test_a_reseller_reads_what_names_it_and_nothing_else(people):
    """R2, R41"""
    customer = shared()
    suite = catalogued("Suite")
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    put(provider, catalogued("Unnamed"), 1, customer=customer)
    order(provider, customer=customer)
    update(one(Subscription), reseller_id=None)
    update(one(Order), reseller_id=None)
    hidden, hidden_order = one(Subscription).public_id, one(Order).public_id
    put(reseller, suite, 2, customer=customer)
    url = order(reseller, customer=customer).response.request.path
    provider.submit(provider.get(url), f"{url}/placement")
    shown = one(Subscription).public_id

    page = reseller.get("/subscriptions")
    assert names(page) == ["Suite"]
    assert "Crêperie Marec Grossiste Azur" in page.text
    assert names(reseller.get(f"{customer}/subscriptions")) == ["Suite"]
    assert reseller.get(customer).has_link(f"{customer}/subscriptions")
    assert len(names(reseller.get("/orders"))) == len(names(reseller.get(f"{customer}/orders"))) == 1
    detail = reseller.get(f"{customer}/subscriptions/{shown}")
    assert "Grossiste Azur sells this and names you as reseller" in detail.text
    assert detail.has_link(f"/partnerships/{active().public_id}")
    assert not detail.soup.select("main form[method=post], .panel.danger, #owners, #charges")
    for path in (f"/subscriptions/{hidden}", f"/orders/{hidden_order}"):
        reseller.get(customer + path, 404)
    for path in ("quantity", "suspension", "cancellation", "nickname", "reseller"):
        reseller.get(f"{customer}/subscriptions/{shown}/{path}", 404)
    reseller.post(f"{customer}/subscriptions/{shown}/suspension", {}, 404)
    for stranger in ("sales@atelier-nuage.example", "admin@studio-cumulus.example"):
        people(stranger).get(f"{customer}/subscriptions/{shown}", 404)
        people(stranger).get(url, 404)
    for text in (page.text, detail.text, reseller.get(url).text):
        assert "Azur)" not in text  # the provider's name for the customer (R13)
    assert "Azur)" not in str(told("relais-breton.example", "subscription.active"))
    assert names(reseller.get("/subscriptions?q=azur")) == []
    assert names(reseller.get("/subscriptions?q=marec")) == names(reseller.get("/subscriptions?q=su")) == ["Suite"]
    assert names(reseller.get("/subscriptions?state=suspended")) == []
    assert names(reseller.get(f"{customer}/subscriptions?q=suite&sort=name")) == ["Suite"]
    assert len(names(reseller.get("/orders?q=marec&state=placed"))) == 1

    end_partnership()

    assert names(reseller.get("/subscriptions")) == names(reseller.get("/orders")) == names(reseller.get(f"{customer}/subscriptions")) == []
    reseller.get(f"{customer}/subscriptions/{shown}", 404)
    reseller.get(url, 404)


def test_a_reseller_that_does_not_serve_the_customer_sees_nothing_of_it(people):
    """R2: naming it shares nothing by itself."""
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by=SALES, reseller_id=make.organization("relais-breton.example").id)
    who, company = make.actor(SALES), make.organization("comptoir-riviera.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        attest(company, AttestationEntry("A", "B", "a@comptoir-riviera.example", "", clock.today()), by=who, at=clock.now())
        db.session.commit()
    customer = f"/customers/{make.organization('comptoir-riviera.example').public_id}"
    provider, reseller = people(SALES), people(RESELLERS_SALES)
    put(provider, catalogued("Suite"), 1, customer=customer)
    order(provider, customer=customer)

    assert one(Subscription).reseller_id == make.organization("relais-breton.example").id
    assert names(reseller.get("/subscriptions")) == names(reseller.get("/orders")) == []
    reseller.get(f"{customer}/subscriptions/{one(Subscription).public_id}", 404)
    assert told("relais-breton.example", "subscription.active") == told("relais-breton.example", "order.placed") == []


def test_the_export_names_the_reseller_on_both_sides(people):
    """R15"""
    customer = shared()
    url = asked(people, customer=customer)
    provider, reseller = people(SALES), people(RESELLERS_SALES)
    provider.submit(provider.get(url), f"{url}/placement")
    key, line = one(Subscription).public_id, f"{one(Subscription).public_id},Suite,3,Active,Relais Breton"

    for visitor in (provider, reseller):
        assert csv(visitor, f"{customer}/subscriptions/export") == ["Subscription ID,Subscription,Quantity,State,Reseller", line]
    organization = make.organization(MAREC).public_id
    assert csv(provider, "/subscriptions/export")[1] == f"{organization},Marec (Azur),{line}"
    assert csv(reseller, "/subscriptions/export?state=active")[1:] == [f"{organization},Crêperie Marec,{line}"]
    assert csv(reseller, "/subscriptions/export?renewing=1&q=marec")[1:] == [f"{organization},Crêperie Marec,{line}"]
    assert csv(reseller, "/subscriptions/export?state=expired")[1:] == []
    assert key


def test_the_customer_hears_of_an_order_when_it_is_placed(people):
    """R75"""
    url = asked(people)
    visitor = customers_admin(people)
    assert "No orders yet" in visitor.get("/my/orders").text
    visitor.get(f"/my/orders/{one().public_id}", 404)

    provider = people(SALES)
    provider.submit(provider.get(url), f"{url}/placement")

    assert len(names(visitor.get("/my/orders"))) == 1
    assert mail.latest("chef@creperie-marec.example").subject == "Grossiste Azur has placed an order for you"


def customers_admin(people):
    """An admin of the shared customer, signed in."""
    from portal import demo
    from portal.core.access import Role

    db.session.rollback()
    with writing():
        demo._user(make.organization(MAREC), "chef@creperie-marec.example", "Chef Marec", Role.CUSTOMER_ADMIN, "", at=clock.now())
        db.session.commit()
    return people("chef@creperie-marec.example")


def test_pages_of_a_resellers_orders_cost_at_most_six_statements(people):
    customer = shared()
    url = asked(people, *[f"Offer {number}" for number in range(6)], customer=customer)
    reseller, provider = people(RESELLERS_SALES), people(SALES)
    put(reseller, catalogued("Further"), 1, customer=customer)
    pages = [(provider, "/orders"), (provider, "/orders?q=marec"), (provider, url), (reseller, url), (reseller, f"{customer}/cart/review")]
    for visitor, path in (
        *pages,
        (reseller, "/orders?q=marec"),
        (reseller, "/subscriptions?q=marec"),
        (reseller, f"{customer}/subscriptions"),
        (reseller, f"{customer}/cart"),
    ):
        with Counted(db.engine) as counting:
            visitor.get(path)
        assert len(counting.statements) <= 6, path + "\n" + "\n".join(counting.statements)
    provider.submit(provider.get(url), f"{url}/placement")
    detail = f"{customer}/subscriptions/{one(Subscription).public_id}"
    for visitor, path in ((reseller, detail), (provider, detail), (provider, url), (reseller, customer)):
        with Counted(db.engine) as counting:
            visitor.get(path)
        assert len(counting.statements) <= 6, path + "\n" + "\n".join(counting.statements)


def names(page):
    return [link.get_text(strip=True) for link in page.soup.select("#results td.title a")]


def csv(visitor, url):
    return visitor.get(url).response.get_data().decode("utf-8-sig").splitlines()


def update(row, **values):
    key, model = row.id, type(row)
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        found = db.session.scalars(sa.select(model).where(model.id == key)).one()
        for name, value in values.items():
            setattr(found, name, value)
        db.session.commit()
