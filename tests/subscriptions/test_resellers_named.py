"""The reseller and the support contact of a subscription, what the end of a partnership does to them, and what follows a record (R11, R41, R42, R85)."""

import pytest
import sqlalchemy as sa

from portal.accounts import service as accounts
from portal.core import clock
from portal.core.db import db, writing
from portal.core.events import emit
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.permissions.models import BuyingPermission, Category
from portal.subscriptions.models import Cart, Charge, Order, OrderLine, Subscription, SubscriptionOwner
from tests.onboarding.test_adding import COMPANY
from tests.onboarding.test_subscriptions_step import begin, choose
from tests.onboarding.test_subscriptions_step import review as reviewed
from tests.subscriptions import world
from tests.subscriptions.test_cart import cart, offers, order, put
from tests.subscriptions.test_reseller_orders import (
    PROVIDER,
    RESELLER,
    RESELLERS_SALES,
    SALES,
    catalogued,
    end_partnership,
    names,
    one,
    shared,
    told,
)
from tests.support import mail, make

BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def sold(people, name="Suite"):
    """The address of a subscription that Grossiste Azur ordered for the shared customer itself."""
    customer = shared()
    provider = people(SALES)
    put(provider, catalogued(name), 2, customer=customer)
    order(provider, customer=customer)
    return f"{customer}/subscriptions/{one(Subscription).public_id}"


def organization_id(domain):
    return make.organization(domain).id


def key(domain):
    return str(make.organization(domain).public_id)


def test_an_order_of_the_provider_names_the_reseller_of_its_record(people):
    """R41, R85"""
    url = sold(people)
    assert one(Subscription).reseller_id == one().reseller_id == organization_id("relais-breton.example")
    assert "Relais Breton" in people(SALES).get(url).text
    end_partnership()
    customer = url.partition("/subscriptions")[0]
    provider = people(SALES)
    put(provider, catalogued("Plan"), 1, customer=customer)
    order(provider, customer=customer)

    assert one(Subscription).reseller_id is None


@BOTH_SHAPES
def test_the_provider_names_another_reseller_or_none(people, htmx):
    """R41, R85: neither hears of the other."""
    (public_id,) = world.sold("Office")
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    make.partnership("admin@escale.example", accepted_by="admin@escale.example")
    url = sold(people)
    provider, reseller = people(SALES), people(RESELLERS_SALES)
    page = provider.get(next(a["href"] for a in provider.get(url).soup.select("a") if a.get_text(strip=True) == "Change the reseller"))
    assert [option.get_text(strip=True) for option in page.soup.select("[name=reseller] option")] == ["No reseller", "Escale Numérique", "Relais Breton"]
    assert page.soup.select_one("[name=reseller] option[selected]").get_text(strip=True) == "Relais Breton"
    before = len(mail.all_to())
    provider.submit(page, f"{url}/reseller", htmx=htmx)
    assert len(mail.all_to()) == before

    provider.submit(page, f"{url}/reseller", htmx=htmx, reseller=key("escale.example"))

    assert one(Subscription).reseller_id == organization_id("escale.example")
    gone, come = mail.latest(RESELLER), mail.latest("admin@escale.example")
    assert gone.subject == "You are no longer the reseller of a subscription of Grossiste Azur"
    assert "Crêperie Marec" in gone.text
    assert come.subject == "Grossiste Azur names you as reseller of a subscription"
    assert "Marec" not in come.text  # it does not serve that customer (R2)
    assert "Suite" not in come.text
    reseller.get(url, 404)
    assert told("escale.example", "subscription.reseller_named") == []
    (entry,) = told("relais-breton.example", "subscription.reseller_named")
    assert "Escale" not in str(entry)
    assert "Reseller of a subscription changed" in provider.get(url).text
    provider.submit(provider.get(f"{url}/reseller"), f"{url}/reseller", reseller="")
    assert one(Subscription).reseller_id is None
    provider.post(f"{url}/reseller", {"reseller": key("atelier-nuage.example")}, 422)
    for who, status in (("sales@atelier-nuage.example", 404), ("helpdesk@atelier-nuage.example", 403)):  # a direct-bill partner has no resellers
        people(who).get(f"{world.tellier()}/subscriptions/{public_id}/reseller", status)


def test_a_reseller_is_support_contact_until_the_partnership_ends(people):
    """R42, R85"""
    url = sold(people)
    provider = people(PROVIDER)
    page = provider.get(f"{url}/support-contact")
    assert [option.get_text(strip=True) for option in page.soup.select("[name=contact] option")] == ["Grossiste Azur", "Relais Breton"]
    done = provider.submit(page, f"{url}/support-contact", contact=key("relais-breton.example"))
    assert done.flashes == ["Relais Breton is the support contact of this subscription now."]
    assert mail.latest(RESELLER).subject == "Grossiste Azur names you as support contact of a subscription"
    assert "Relais Breton" in provider.get(url).text
    assert provider.submit(page, f"{url}/support-contact", contact=key("relais-breton.example")).flashes
    assert len([item for item in mail.all_to(RESELLER) if item.mail.kind == "subscriptions/named"]) == 1

    end_partnership()

    assert one(Subscription).support_contact_id == organization_id("grossiste-azur.example")
    assert one(Subscription).reseller_id == organization_id("relais-breton.example")
    (entry,) = told("grossiste-azur.example", "subscription.support_contacts_returned")
    assert entry[1]["after"] == {"reseller": "Relais Breton", "subscriptions": 1}
    assert "You are their support contact again" in mail.latest(PROVIDER).text
    assert "you no longer see them" in mail.latest(RESELLER).text
    page = provider.get(f"{url}/reseller")
    assert "Relais Breton (former)" in page.text
    provider.post(f"{url}/support-contact", {"contact": key("relais-breton.example")}, 422)
    people(SALES).get(f"{url}/support-contact", 403)


def test_everybody_leaves_the_support_contacts_with_the_relationship(people):
    """R36"""
    url = sold(people)
    provider = people(PROVIDER)
    provider.submit(provider.get(f"{url}/support-contact"), f"{url}/support-contact", contact=key("relais-breton.example"))
    ending = f"{url.partition('/subscriptions')[0]}/ending"
    provider.submit(provider.get(ending), f"{ending}/clearing")
    page = provider.get(ending)
    provider.submit(page, ending, typed_name="Marec (Azur)", reason="Moved.", **({"notice": True} if page.soup.select_one("[name=notice]") else {}))

    assert one(Subscription).support_contact_id is None


# --- adding a customer


def test_a_reseller_adds_a_customer_and_learns_how_it_orders(people):
    """R16, R41: nothing ends blind."""
    catalogued("Suite")
    reseller = people(RESELLERS_SALES)
    page = begin(reseller)
    assert "none has a relationship with Scierie des Vosges yet" in page.text
    checked = reseller.get(next(a["href"] for a in page.soup.select("main a.primary")))
    assert checked.h1 == "Review"
    assert "cart" not in checked.text

    done = reseller.submit(checked, checked.form("#form")["action"] if checked.soup.select_one("#form form") is None else None)

    assert "First customer admin" in done.h1
    customer = f"/customers/{make.organization(COMPANY['domain']).public_id}"
    assert "Invite the customer for Grossiste Azur too" in cart(reseller, customer).text


def test_a_provider_sells_in_the_steps_on_behalf_of_a_reseller(people):
    """R16, R41"""
    suite = catalogued("Suite")
    sales = people(SALES)
    checked = reviewed(sales, choose(sales, begin(sales, reseller=key("relais-breton.example")), suite, 2))

    sales.submit(checked, checked.form("#form")["action"] if checked.soup.select_one("#form form") is None else None, attested=True)

    assert one(Subscription).reseller_id == organization_id("relais-breton.example")
    assert names(people(RESELLERS_SALES).get("/subscriptions")) == []  # it does not serve that customer yet


# --- a record that becomes one of another company (R11)


def test_what_was_sold_follows_the_record_to_the_company_that_proves_the_domain(people):
    """R11, R2: it opens when that company consents, to both sides."""
    claim = make.customer("Atelier Brume", "atelier-brume.example")
    customer, former = f"/customers/{claim.public_id}", claim.customer_id
    sales = people("sales@atelier-nuage.example")
    sales.submit(sales.get(f"{customer}/agreement"), f"{customer}/agreement", first_name="A", last_name="B", email="a@atelier-brume.example")
    put(sales, offers("Suite"), 2, customer=customer)
    order(sales, customer=customer)
    put(sales, offers("Plan"), 1, customer=customer)
    who = make.actor("sales@atelier-nuage.example")
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        db.session.add(
            BuyingPermission(partner_id=who.organization_id, customer_id=former, category=Category.RESERVATIONS, changed_at=clock.now(), currency="EUR")
        )
        db.session.add(SubscriptionOwner(partner_id=who.organization_id, customer_id=former, subscription_id=one_id(Subscription), user_id=who.user_id))
        db.session.commit()
    from portal import demo
    from portal.core.access import PORTAL, Role, Side

    db.session.rollback()
    with writing():
        proven = accounts.create_organization(name="Brume", domain="atelier-brume.example", side=Side.CUSTOMER, country="FR", by=PORTAL, at=clock.now())
        demo._user(proven, "admin@atelier-brume.example", "Lise Brume", Role.CUSTOMER_ADMIN, "", at=clock.now())
        db.session.flush()
        proven.domain_proven_at = clock.now()
        emit(accounts.DomainProven(proven, clock.now()))
        db.session.commit()
        moved_to = proven.id
    db.session.rollback()

    with scoped(EVERYTHING):
        for model in (Cart, Order, OrderLine, Subscription, Charge, BuyingPermission):
            assert set(db.session.scalars(sa.select(model.customer_id))) == {moved_to}, model
        assert db.session.scalar(sa.select(sa.func.count(SubscriptionOwner.id))) == 0
        record = db.session.scalars(sa.select(Customer).where(Customer.domain == "atelier-brume.example")).one()
        assert record.state is RelationshipState.PENDING
        subscription, placed = (db.session.scalars(sa.select(model.public_id)).one() for model in (Subscription, Order))
        organization, record_id = record.public_id, record.id
    db.session.rollback()
    admin = people("admin@atelier-brume.example")
    assert names(admin.get("/my/subscriptions")) == names(admin.get("/my/orders")) == []
    admin.get(f"/my/subscriptions/{subscription}", 404)
    admin.get(f"/my/orders/{placed}", 404)
    sales.get(f"/customers/{organization}/subscriptions", 404)
    for kind, key in (("subscriptions", subscription), ("orders", placed)):  # what was sold is listed still, and leads nowhere meanwhile
        listed = sales.get(f"/{kind}")
        assert "Relationship pending" in listed.text and not listed.has_link(f"/customers/{organization}/{kind}/{key}")
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        db.session.scalars(sa.select(Customer).where(Customer.id == record_id)).one().state = RelationshipState.ACTIVE
        db.session.commit()
    assert names(admin.get("/my/subscriptions")) == names(sales.get(f"/customers/{organization}/subscriptions")) == ["Suite"]
    assert sales.get("/subscriptions").has_link(f"/customers/{organization}/subscriptions/{subscription}")
    assert "Plan" in cart(sales, f"/customers/{organization}").text


def one_id(model):
    return db.session.scalars(sa.select(model.id).limit(1)).one()


# --- the customer list


def test_a_row_leads_to_the_subscriptions_for_those_who_may_see_them(people):
    """R14"""
    for who, shown in (("sales@atelier-nuage.example", True), ("users@atelier-nuage.example", False)):
        page = people(who).get("/customers")
        assert page.has_link(f"{world.tellier()}/subscriptions") is shown
        assert not page.has_link(f"/customers/{make.organization('brasserie-pendante.example').public_id}/subscriptions")
