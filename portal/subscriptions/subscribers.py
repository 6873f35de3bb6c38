"""What subscriptions answer and do when a relationship or a partnership ends, or a customer is renamed or another one (R11, R13, R35, R36, R42)."""

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core import audit, clock
from portal.core.db import db
from portal.core.events import on
from portal.core.i18n import show_money
from portal.core.money import Money
from portal.customers.events import CustomerMoved, CustomerRenamed
from portal.customers.models import Customer
from portal.relationships.events import Obstacle, PartnershipEnded, PartnershipStays, RelationshipClearing, RelationshipEnded, RelationshipEnding
from portal.subscriptions import advancing, naming, ordering, queries, reselling, reservations, service
from portal.subscriptions.models import (
    Cart,
    Charge,
    Order,
    OrderLine,
    Reservation,
    ReservationRequest,
    ReservationState,
    Subscription,
    SubscriptionOwner,
    SubscriptionState,
)

LISTED = 20


@on(RelationshipEnding)
def in_the_way(event: RelationshipEnding) -> list[Obstacle]:
    """Every active subscription and reservation, each with where to end it; suspended ones are in nobody's way (R35)."""
    return [*_subscriptions(event.customer), *_reservations(event.customer)]


@on(RelationshipClearing)
def clear(event: RelationshipClearing) -> None:
    """Suspend all of them, cancel all of those."""
    active = sa.select(Subscription.id, Subscription.base_id).where(Subscription.customer_id == event.customer.customer_id)
    rows = db.session.execute(active.where(Subscription.state == SubscriptionState.ACTIVE)).all()
    for base_id in sorted({row.base_id or row.id for row in rows}):
        advancing.catch_up_family(base_id, at=event.at)
        for member in queries.family(base_id):
            if member.state is SubscriptionState.ACTIVE:
                service.suspend(member, by=event.by, at=event.at)
    for reservation in _active_reservations(event.customer, lock=True):
        reservations.cancel(reservation, by=event.by, at=event.at)


@on(RelationshipEnded)
def leave(event: RelationshipEnded) -> None:
    """The partner leaves the support contacts with whom it named there; what is in its carts, or waits, cannot be bought any more (R36)."""
    customer, detached = event.customer, {"synchronize_session": False}
    named = sa.update(Subscription).where(Subscription.customer_id == customer.customer_id, Subscription.support_contact_id.is_not(None))
    db.session.execute(named.values(support_contact_id=None), execution_options=detached)
    reselling.decline_all(_("The relationship with the customer has ended."), Order.customer_id == customer.customer_id, by=event.by, at=event.at)
    carts = sa.delete(Cart).where(Cart.customer_id == customer.customer_id, Cart.ordered_at.is_(None))
    db.session.execute(carts, execution_options=detached)


@on(PartnershipEnded)
def part(event: PartnershipEnded) -> None:
    """The provider is the support contact again where the reseller was, and what the reseller asked for is declined (R42, R85)."""
    partnership = event.partnership
    provider_id, reseller_id = partnership.partner_id, partnership.reseller_id
    named = sa.update(Subscription).where(Subscription.partner_id == provider_id, Subscription.support_contact_id == reseller_id)
    given_back = db.session.execute(named.values(support_contact_id=provider_id), execution_options={"synchronize_session": False})
    returned: int = given_back.rowcount  # type: ignore[attr-defined]
    if returned:
        told = {"reseller": partnership.reseller.name if partnership.reseller else "", "subscriptions": returned}
        audit.record("subscription.support_contacts_returned", by=event.by, at=event.at, seen_by=(provider_id,), after=told)
    reselling.decline_all(_("The partnership has ended."), Order.partner_id == provider_id, Order.reseller_id == reseller_id, by=event.by, at=event.at)


@on(PartnershipStays)
def what_stays(event: PartnershipStays) -> list[str]:
    if event.provider:
        return [_("Subscriptions that name %(other)s stay as they are. You are their support contact again; orders that wait are declined.", other=event.other)]
    return [_("The subscriptions of %(other)s that name you stay as they are, but you no longer see them. Orders that wait are declined.", other=event.other)]


@on(CustomerMoved)
def follow(event: CustomerMoved) -> None:
    """What was sold follows its record to the company that proved the domain. Owners stay behind: they are people of the other one (R11)."""
    former, detached = event.former_id, {"synchronize_session": False}
    here = event.customer.partner_id
    gone = sa.delete(SubscriptionOwner).where(SubscriptionOwner.partner_id == here, SubscriptionOwner.customer_id == former)
    db.session.execute(gone, execution_options=detached)
    for model in (Cart, Order, OrderLine, Subscription, Reservation, ReservationRequest, Charge):
        moved = sa.update(model).where(model.partner_id == here, model.customer_id == former)
        db.session.execute(moved.values(customer_id=event.customer.customer_id), execution_options=detached)


@on(CustomerRenamed)
def search_by_the_new_name(event: CustomerRenamed) -> None:
    customer = event.customer
    db.session.flush()
    for subscription in db.session.scalars(
        sa.select(Subscription).where(Subscription.partner_id == customer.partner_id, Subscription.customer_id == customer.customer_id)
    ):
        naming.rekey(subscription, customer.name)
    for reservation in db.session.scalars(
        sa.select(Reservation).where(Reservation.partner_id == customer.partner_id, Reservation.customer_id == customer.customer_id)
    ):
        reservation.search_text = ordering.reservation_words(customer.name, reservation)


def _subscriptions(customer: Customer) -> list[Obstacle]:
    rows = queries.in_the_way(customer, LISTED)
    url = f"/customers/{customer.public_id}/subscriptions"
    listed = [
        Obstacle(
            ngettext("Subscription %(name)s, %(num)s licence", "Subscription %(name)s, %(num)s licences", row.quantity, name=row.nickname or row.name),
            f"{url}/{row.public_id}",
        )
        for row in rows
    ]
    more = rows[0].number - len(rows) if rows else 0
    if more:
        listed.append(Obstacle(ngettext("%(num)s more active subscription", "%(num)s more active subscriptions", more), f"{url}?state=active"))
    return listed


def _reservations(customer: Customer) -> list[Obstacle]:
    """Each with what cancelling it today refunds."""
    found, today = _active_reservations(customer), clock.today()
    url = f"/customers/{customer.public_id}/reservations"
    listed = [
        Obstacle(
            _("Reservation %(name)s. Cancelling it refunds %(amount)s.", name=reservation.name, amount=show_money(reservations.refund_of(reservation, today))),
            f"{url}/{reservation.public_id}",
        )
        for reservation in found[:LISTED]
    ]
    rest = found[LISTED:]
    if rest:
        refund = Money(sum(reservations.refund_of(reservation, today).minor for reservation in rest), rest[0].currency)
        said = ngettext(
            "%(num)s more active reservation. Cancelling it refunds %(amount)s.",
            "%(num)s more active reservations. Cancelling them refunds %(amount)s.",
            len(rest),
            amount=show_money(refund),
        )
        listed.append(Obstacle(said, f"{url}?state=active"))
    return listed


def _active_reservations(customer: Customer, *, lock: bool = False) -> list[Reservation]:
    statement = sa.select(Reservation).where(Reservation.customer_id == customer.customer_id, Reservation.state == ReservationState.ACTIVE)
    statement = statement.order_by(Reservation.id)
    return list(db.session.scalars(statement.with_for_update().execution_options(populate_existing=True) if lock else statement))
