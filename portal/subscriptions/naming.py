"""What a subscription is called, and who stands for it: its reseller, its support contact, its owners (R41, R71, R85)."""

from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization, User, UserState
from portal.core import audit
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.customers.service import chosen_reseller, name_key, searchable
from portal.subscriptions import history, mails, queries
from portal.subscriptions.models import Subscription, SubscriptionOwner


def rename(subscription: Subscription, nickname: str, *, version: int | None, by: Actor, at: datetime) -> None:
    """With an empty nickname it is called as its offer again."""
    history.check_version(subscription, version)
    before, after = audit.changes({"nickname": subscription.nickname}, {"nickname": nickname})
    subscription.nickname = nickname
    if after:
        rekey(subscription, history.customer_of(subscription).name)
        history.log("subscription.renamed", subscription, by, at, before, after)


def rekey(subscription: Subscription, customer_name: str) -> None:
    """What lists sort and search by."""
    subscription.name_key = name_key(subscription.shown_name)
    subscription.search_text = searchable(customer_name, subscription.name, subscription.nickname)


def name_reseller(subscription: Subscription, public_id: str, *, by: Actor, at: datetime) -> Organization | None:
    """One of the provider's resellers, or with an empty key none (R41, R85). Who was named and who is now are told, neither of the other."""
    former = db.session.get(Organization, subscription.reseller_id) if subscription.reseller_id else None
    if former is not None and str(former.public_id) == public_id:
        return former
    reseller = chosen_reseller(public_id, by=by)
    if former is not None:
        history.log("subscription.reseller_named", subscription, by, at, {"reseller": former.name}, {"reseller": None})
        mails.named("no_reseller", subscription, former, by=by, at=at)
    subscription.reseller_id = reseller.id if reseller else None
    if reseller is not None:
        history.log("subscription.reseller_named", subscription, by, at, {"reseller": None}, {"reseller": reseller.name})
        mails.named("reseller", subscription, reseller, by=by, at=at)
    return reseller


def name_support_contact(subscription: Subscription, public_id: str, *, by: Actor, at: datetime) -> Organization:
    """The provider itself, or a reseller with an active partnership (R85), which is told."""
    before = db.session.get(Organization, subscription.support_contact_id) if subscription.support_contact_id else None
    if before is not None and public_id == ("" if before.id == by.organization_id else str(before.public_id)):
        return before
    contact = chosen_reseller(public_id, by=by) or db.session.get_one(Organization, by.organization_id)
    if contact is not before:
        subscription.support_contact_id = contact.id
        names = {"support_contact": before.name if before else None}, {"support_contact": contact.name}
        history.log("subscription.support_contact_named", subscription, by, at, *names)
        if contact.id != by.organization_id:
            mails.named("support_contact", subscription, contact, by=by, at=at)
    return contact


def name_owner(subscription: Subscription, user: User, *, by: Actor, at: datetime) -> None:
    """A purchaser or admin of the customer who may buy under this subscription (R71)."""
    if user.organization_id != subscription.customer_id or user.state is not UserState.ACTIVE or not user.roles & {*queries.OWNERS}:
        raise Refused(_("Only an active purchaser or admin of the customer can be an owner."), field="user")
    known = sa.select(SubscriptionOwner.id).where(SubscriptionOwner.subscription_id == subscription.id, SubscriptionOwner.user_id == user.id)
    if db.session.scalar(known) is None:
        db.session.add(
            SubscriptionOwner(partner_id=subscription.partner_id, customer_id=subscription.customer_id, subscription_id=subscription.id, user_id=user.id)
        )
        history.log("subscription.owner_named", subscription, by, at, {}, {"owner": user.email})


def take_owner(subscription: Subscription, user: User, *, by: Actor, at: datetime) -> None:
    gone = sa.delete(SubscriptionOwner).where(SubscriptionOwner.subscription_id == subscription.id, SubscriptionOwner.user_id == user.id)
    if db.session.execute(gone).rowcount:  # type: ignore[attr-defined]
        history.log("subscription.owner_taken", subscription, by, at, {"owner": user.email}, {})
