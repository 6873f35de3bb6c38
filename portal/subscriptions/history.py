"""How the log tells of a subscription: each step from state to state, each change, and to whom."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.core import audit
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Stale
from portal.customers.models import Customer
from portal.relationships import queries as partnerships
from portal.subscriptions.models import Subscription
from portal.subscriptions.states import SUBSCRIPTION


def move(subscription: Subscription, action: str, *, by: Actor, at: datetime) -> None:
    """By the table of states, at once in the database."""
    customer, told = _concerns(subscription)
    SUBSCRIPTION.apply(subscription, action, by=by, at=at, customer=customer, seen_by=told, details={"name": subscription.shown_name})
    db.session.flush()


def log(action: str, subscription: Subscription, by: Actor, at: datetime, before: dict[str, Any], after: dict[str, Any]) -> None:
    """A change other than of its state, told to whom it concerns."""
    customer, told = _concerns(subscription)
    details = {"name": subscription.shown_name, **after}
    audit.record(action, by=by, at=at, customer=customer, seen_by=told, before=before, after=details, subject=subscription.public_id)


def check_version(subscription: Subscription, version: int | None) -> None:
    """Stale when somebody has changed it since the form was filled (R104)."""
    if version is not None and version != subscription.version:
        raise Stale(_("Somebody else changed this subscription while you had it open. Look at it as it is now, then try again."))


def customer_of(subscription: Subscription) -> audit.Customer:
    """As the partner calls it (R13)."""
    assert subscription.customer_id is not None
    record = sa.select(Customer.name).where(Customer.partner_id == subscription.partner_id, Customer.customer_id == subscription.customer_id)
    return audit.Customer(subscription.customer_id, db.session.scalar(record) or "")


def _concerns(subscription: Subscription) -> tuple[audit.Customer, tuple[int | None, ...]]:
    """How the log names the customer, and who is told: the reseller too, as far as it may see this, and then by no billing name of others (R13, R41)."""
    told = (subscription.partner_id, subscription.customer_id)
    if not partnerships.sees(subscription.reseller_id, subscription.partner_id, subscription.customer_id):
        return customer_of(subscription), told
    organization = db.session.get_one(Organization, subscription.customer_id)
    return audit.Customer(organization.id, organization.name), (*told, subscription.reseller_id)
