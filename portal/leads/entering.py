"""Leads that our own people enter by hand (R50)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts.models import Organization
from portal.core.access import Actor
from portal.core.db import db
from portal.core.errors import Refused
from portal.core.places import market
from portal.core.words import is_free_mail
from portal.customers import queries as customers
from portal.customers.models import Customer
from portal.leads.models import OPEN, Lead, LeadSource
from portal.leads.service import NewLead, receive_lead

MOST_SHOWN = 5
QUALIFIED = (LeadSource.MARKETING_QUALIFIED, LeadSource.SALES_QUALIFIED)


@dataclass(frozen=True)
class Known:
    """What is here already with the same domain or e-mail address: open leads, and a customer."""

    leads: list[Any]
    customer: Customer | None

    def __bool__(self) -> bool:
        return bool(self.leads or self.customer)


class KnownAlready(Refused):
    """Somebody may be entering this twice; `known` is what stands there, and the person may override it."""

    def __init__(self, message: Any, known: Known) -> None:
        super().__init__(message)
        self.known = known


def enter_lead(entry: NewLead, key: UUID, *, source: LeadSource, meant: bool, by: Actor, at: datetime) -> Lead:
    """A lead of our own. The page names its `key`, so that sending the form twice, even at once, makes one."""
    made = made_before(key, by=by)
    if made is not None:
        return made
    check_entry(entry, source, by=by)
    known = known_of(entry.domain, entry.email)
    if known and not meant:
        raise KnownAlready(_("Look at what is here already. If this is another lead, say so and save again."), known)
    assert by.organization_id is not None
    return receive_lead(entry, partner_id=by.organization_id, source=source, by=by, at=at, public_id=key)


def check_entry(entry: NewLead, source: LeadSource, *, by: Actor) -> None:
    if source not in QUALIFIED:
        raise Refused(_("Choose one of the list."), field="source")
    if market(entry.country) != market(by.country):
        raise Refused(_("You can only sell inside your own market. Choose a country of it."), field="country")
    if not (entry.email or entry.phone):
        raise Refused(_("Give an e-mail address or a telephone number, so that somebody can answer."), field="email")


def made_before(key: UUID, *, by: Actor) -> Lead | None:
    """The lead that this page made a moment ago; others of this partner who enter leads wait until this one is done."""
    wait_for_others(by)
    return db.session.scalar(sa.select(Lead).where(Lead.public_id == key))


def wait_for_others(by: Actor) -> None:
    db.session.execute(sa.select(Organization.id).where(Organization.id == by.organization_id).with_for_update(key_share=True))


def known_of(domain: str, email: str) -> Known:
    """Open leads and the present customer of the same domain or e-mail address; the domain of free mail says nothing."""
    domain = own_domain(domain, email)
    same = [Lead.domain == domain] if domain else []
    if email:
        same.append(sa.func.lower(Lead.email) == email.lower())
    if not same:
        return Known([], None)
    statement = sa.select(Lead.public_id, Lead.company, Lead.state, Lead.received_at).where(Lead.state.in_(OPEN), sa.or_(*same))
    leads = list(db.session.execute(statement.order_by(Lead.id.desc()).limit(MOST_SHOWN)))
    return Known(leads, customers.by_domain(domain) if domain else None)


def own_domain(domain: str, email: str) -> str:
    """The company's domain: given, or that of the address when no free mail stands behind it."""
    found = domain or email.rpartition("@")[2].lower()
    return "" if is_free_mail(found) else found
