"""What changes between asking and buying: the customer's currency, the buyer, the relationship, and whose record it is (R11, R19, R36, R70-R76)."""

import pytest
import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserState
from portal.accounts.service import OrganizationChanged
from portal.core import audit, clock
from portal.core.db import db, writing
from portal.core.events import emit
from portal.core.money import Money
from portal.core.scope import EVERYTHING, scoped
from portal.customers.events import CustomerMoved
from portal.customers.models import Customer, RelationshipState
from portal.permissions.models import PurchaseState
from portal.relationships.events import RelationshipEnded
from portal.subscriptions import catalog
from portal.subscriptions.models import Offer, Order
from tests.permissions import world
from tests.permissions.world import ADMIN, BUYER, SALES
from tests.subscriptions import rows
from tests.subscriptions.world import tellier
from tests.support import mail, make


@pytest.fixture
def waiting(app) -> str:
    """One that waits: two pieces for 2,000.00, above 1,500.00."""
    world.turned_on(month=500_000, above=150_000)
    return world.bought(2)


def everywhere(work):
    """Something done to rows of whomever, and committed."""
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        work()
        db.session.commit()
    db.session.rollback()


def moved_to_switzerland() -> str:
    """Maison Tellier is a Swiss company from now on; the public key of the reservation, which has a price in francs too."""

    def move():
        organization = db.session.get_one(Organization, make.organization("maison-tellier.example").id)
        organization.country = "CH"
        emit(OrganizationChanged(organization, clock.now()))

    def price(by, at):
        offer = db.session.scalars(sa.select(Offer).where(Offer.sku == "RES")).one()
        catalog.set_price(offer, Money(200_000, "CHF"), cost=None, from_on=at.date(), by=by, at=at)
        return offer

    everywhere(move)
    return str(world.in_scope(price))


def orders() -> list[tuple[str, int]]:
    db.session.rollback()
    with scoped(EVERYTHING):
        return [tuple(found) for found in db.session.execute(sa.select(Order.currency, Order.total_minor).where(Order.side == "customer"))]


def test_limits_in_a_former_currency_let_nobody_buy(people, waiting):
    """R76: euros are not compared with francs."""
    offer = moved_to_switzerland()
    partner = make.organization("atelier-nuage.example").public_id
    buyer, url = people(BUYER), f"/my/shop/{partner}/{offer}"

    page = buyer.get(url)
    assert "the limits are still in the former one" in page.text
    assert "the limits are still" in buyer.submit(page, "#form", status=422).text

    admin = people(ADMIN)
    admin.submit(admin.get(f"{tellier()}/permissions"), f"{tellier()}/permissions/reservations/limits", monthly_limit="3000", approval_above="")
    assert world.permission().monthly_limit == Money(300_000, "CHF")
    buyer.submit(buyer.submit(buyer.get(url), "#form"), url)
    assert orders() == [("CHF", 200_000)]


def test_a_price_in_a_former_currency_is_not_approved(people, waiting):
    """R76, R90"""
    moved_to_switzerland()
    sales = people(SALES)

    page = sales.submit(sales.get(f"/purchases/{waiting}"), f"/purchases/{waiting}/approval", status=409)

    assert "pays in another currency now" in page.text
    assert (orders(), world.purchase(waiting).state) == ([], PurchaseState.WAITING)


def test_what_somebody_wanted_who_may_no_longer_buy_is_not_approved(people, waiting):
    """R71: also when somebody else is an owner still."""
    world.own(world.live()[0], "admin@maison-tellier.example")

    def leave():
        db.session.scalars(sa.select(User).where(User.email_key == BUYER)).unique().one().state = UserState.DEACTIVATED

    everywhere(leave)
    sales = people(SALES)

    page = sales.submit(sales.get(f"/purchases/{waiting}"), f"/purchases/{waiting}/approval", status=409)

    assert "is no longer an owner" in page.text
    assert (orders(), world.purchase(waiting).state) == ([], PurchaseState.WAITING)


def test_with_the_relationship_ends_what_waits(people, waiting):
    """R36: nothing of it can be bought any more, and the buyer is told."""

    def end(by, at):
        emit(RelationshipEnded(rows.tellier(), by=by, at=at))

    world.in_scope(end, by=ADMIN)

    found = world.purchase(waiting)
    assert (found.state, found.declined_reason) == (PurchaseState.DECLINED, "The relationship has ended.")
    assert not world.permission().on
    assert mail.latest(BUYER).subject.startswith("Declined")


def test_a_record_that_moves_takes_no_permission_along(people, waiting):
    """R2, R11, R19, R70: the company that proved the domain has permitted and bought nothing, sees nothing, and hears nothing."""
    odile, former = make.organization("verrerie-odile.example").id, make.organization("maison-tellier.example").id

    def move():
        record = db.session.scalars(sa.select(Customer).where(Customer.customer_id == former)).one()
        record.state, record.customer_id = RelationshipState.PENDING, odile
        emit(CustomerMoved(record, former, clock.now()))

    everywhere(move)

    assert not world.permission().on
    assert "buying.off" not in {entry.action for entry in audit.recent(odile, limit=50)}
    admin = people("admin@verrerie-odile.example")
    assert "D4 in France" not in admin.get("/my/shop/purchases").text
    admin.get(f"/my/shop/purchases/{waiting}", status=404)
    admin.post(f"/my/shop/purchases/{waiting}/withdrawal", status=404)
    assert world.purchase(waiting).state is PurchaseState.WAITING


def test_nothing_is_bought_from_a_suspended_partner(people, waiting):
    """S3: nobody there could look after it."""
    partner = make.organization("atelier-nuage.example")
    with scoped(EVERYTHING):
        offer = db.session.scalars(sa.select(Offer.public_id).where(Offer.sku == "RES")).one()

    def suspend():
        db.session.get_one(Organization, partner.id).suspended_at = clock.now()

    everywhere(suspend)
    buyer = people(BUYER)

    assert "Atelier Nuage" not in buyer.get("/my/shop").text
    buyer.post(f"/my/shop/{partner.public_id}/{offer}", {"quantity": "1"}, status=404)
