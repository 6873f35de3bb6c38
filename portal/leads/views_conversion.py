"""Converting a won lead: a new account, a relationship request, or the customer that is here already (R56)."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature, later
from portal.leads import conversion
from portal.leads.conversion import Ways
from portal.leads.forms_more import ConversionRequestForm
from portal.leads.models import Lead
from portal.relationships import texts
from portal.relationships.delegation import PROPOSED_DAYS
from portal.relationships.models import RequestPurpose
from portal.relationships.service import RequestEntry

P = Permission
feature = Feature("conversion", __name__, url_prefix="/leads/<uuid:lead_id>/conversion")


@feature.get("", permission=P.LEAD_WORK, limit=throttle.DOMAIN_PROBES)
def new(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    if not _open(lead):
        return _back(lead)
    return page("leads/conversion.html", lead=lead, ways=_ways(lead))


@feature.post("", permission=P.LEAD_WORK)
def create(lead_id: UUID) -> ResponseReturnValue:
    """`way`: "account" leads on to the steps of adding a customer, "customer" links the one that is here. Converted already: back to the lead."""
    lead = find(Lead, lead_id, lock=True)
    if not _open(lead):
        return _back(lead)
    if request.form.get("way") == "customer":
        customer = conversion.link_customer(lead, by=g.actor, at=clock.now())
        flash(_("The lead is linked to your customer %(name)s.", name=customer.name), "success")
        return _back(lead)
    draft = conversion.start_account(lead, by=g.actor, at=clock.now())
    return see_other(url_for("onboarding.new", draft=draft.public_id))


@feature.get("/request", permission=P.LEAD_WORK, limit=throttle.DOMAIN_PROBES)
def new_request(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    if not _open(lead):
        return _back(lead)
    subject, body = _template(lead)
    proposed = {"email": lead.email, "organization": lead.company, "language": lead.language, "duration_days": PROPOSED_DAYS, "subject": subject, "body": body}
    return page("leads/conversion_request.html", lead=lead, ways=_ways(lead), form=ConversionRequestForm(data=proposed))


@feature.post("/request", permission=P.LEAD_WORK, limit=throttle.DOMAIN_PROBES)
def create_request(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    if not _open(lead):
        return _back(lead)
    form, ways = ConversionRequestForm(), _ways(lead)
    if not form.validate_on_submit():
        return invalid("leads/conversion_request.html", lead=lead, ways=ways, form=form)
    try:
        made = conversion.request_relationship(lead, _entry(lead, form), ways, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("leads/conversion_request.html", lead=lead, ways=ways, form=form)
    flash(_("Sent to %(email)s. You are told by e-mail when there is an answer.", email=made.email), "success")
    return _back(lead)


def _open(lead: Lead) -> bool:
    return conversion.convertible(lead, conversion.request_of(lead))


def _back(lead: Lead) -> ResponseReturnValue:
    return see_other(url_for("leads.show", lead_id=lead.public_id))


def _ways(lead: Lead) -> Ways:
    """The bare fact that a domain is proven: the routes count how often it is asked for, and the answer is logged, so that nobody lists them (R2)."""
    ways = conversion.ways(lead, by=g.actor)
    if ways.proven and not ways.customer:
        later("organization.domain_asked", domain=ways.domain)
    return ways


def _template(lead: Lead) -> tuple[str, str]:
    return texts.draft(
        language=lead.language,
        purpose=RequestPurpose.CONNECT,
        partner=g.actor.organization_name,
        author=g.actor.name,
        organization=lead.company,
        delegated=False,
        days=None,
    )


def _entry(lead: Lead, form: Any) -> RequestEntry:
    """Words that nobody touched follow the language chosen and what is asked for; delegated administration is not for everybody to ask for."""
    entry: RequestEntry = form.entry()
    if not g.actor.may(P.REQUEST_SEND):
        entry = replace(entry, delegated_administration=False)
    subject, body = _template(lead)
    unchanged = (entry.subject, entry.body.split()) == (subject, body.split())
    return replace(entry, subject="", body="") if unchanged else entry
