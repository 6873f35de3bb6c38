"""How long the partner that referred a lead learns what becomes of it (R2): while a partnership or the other's published profile connects the two."""

import sqlalchemy as sa

from portal.core import events
from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.leads.events import PublishedPartners
from portal.leads.models import Lead
from portal.relationships.models import Partnership, PartnershipState


def referrer_of(lead: Lead) -> int | None:
    """The partner to tell what becomes of this lead; None when nobody referred it, or nothing connects the two any more."""
    if lead.referrer_id is None:
        return None
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(Lead.referrer_id).where(Lead.id == lead.id, shared()))


def shared() -> sa.ColumnElement[bool]:
    """Whether the state of a lead is open to whoever referred it. To be run in scoped(EVERYTHING)."""
    P = Partnership
    pairs = ((Lead.partner_id, Lead.referrer_id), (Lead.referrer_id, Lead.partner_id))
    partnerships = (sa.exists().where(P.partner_id == provider, P.reseller_id == reseller, P.state == PartnershipState.ACTIVE) for provider, reseller in pairs)
    return sa.or_(*partnerships, *(Lead.partner_id.in_(published) for published in events.ask(PublishedPartners())))
