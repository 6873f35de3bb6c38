"""Referring leads to other partners, and what became of those that were referred."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.leads import referrals, texts
from portal.leads.forms_more import NewReferralForm, ReferralForm
from portal.leads.models import OPEN, Lead, LeadSource, LeadState
from portal.leads.views_new import blank, key_of

P = Permission
feature = Feature("referrals", __name__, url_prefix="/leads")


@feature.get("/referrals", permission=P.LEAD_WORK)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/leads/referrals", request.args, sorts=["newest"], filters=referrals.FILTERS)
    found = referrals.referred(query, by=g.actor)
    return page("leads/referrals.html", swaps=("results",), query=query, found=found, state_names=texts.STATE_NAMES, state_tones=texts.STATE_TONES)


@feature.get("/referrals/new", permission=P.LEAD_WORK)
def new() -> ResponseReturnValue:
    return page("leads/referral_new.html", swaps=("form",), **_offered(NewReferralForm(data=blank())))


@feature.post("/referrals/new", permission=P.LEAD_WORK, limit=throttle.INVITATIONS)
def create() -> ResponseReturnValue:
    form = NewReferralForm()
    shown = _offered(form)
    if _looking(shown["words"]):
        return page("leads/referral_new.html", swaps=("form",), **shown)
    if not form.validate_on_submit():
        return invalid("leads/referral_new.html", **shown)
    try:
        referrals.refer_new(form.entry(), form.referral(), key_of(form), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("leads/referral_new.html", **shown)
    flash(_("%(name)s is referred to %(partner)s. You see here what becomes of it.", name=form.company.data, partner=_chosen(form)), "success")
    return see_other(url_for(".index"))


@feature.get("/<uuid:lead_id>/referral", permission=P.LEAD_WORK)
def new_referral(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    if lead.state not in OPEN:
        return see_other(url_for("leads.show", lead_id=lead_id))
    spoken_with = lead.state is LeadState.ACCEPTED or lead.source is LeadSource.SALES_QUALIFIED
    form = ReferralForm(data={"source": LeadSource.SALES_QUALIFIED if spoken_with else LeadSource.MARKETING_QUALIFIED})
    return page("leads/referral.html", swaps=("form",), lead=lead, **_offered(form))


@feature.post("/<uuid:lead_id>/referral", permission=P.LEAD_WORK, limit=throttle.INVITATIONS)
def create_referral(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    if lead.referred_to_id is not None:  # a second click
        return see_other(url_for("leads.show", lead_id=lead_id))
    form = ReferralForm()
    shown = _offered(form)
    if _looking(shown["words"]):
        return page("leads/referral.html", swaps=("form",), lead=lead, **shown)
    if not form.validate_on_submit():
        return invalid("leads/referral.html", lead=lead, **shown)
    try:
        referrals.refer_lead(lead, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("leads/referral.html", lead=lead, **shown)
    flash(_("%(name)s is referred to %(partner)s. You see here what becomes of it.", name=lead.company, partner=_chosen(form)), "success")
    return see_other(url_for("leads.show", lead_id=lead_id))


def _offered(form: Any) -> dict[str, Any]:
    """The partners to choose from, by what was searched for; one that was chosen stays among them."""
    words = " ".join(request.form.get("q", "").replace("\x00", "").split())[:200]
    found = {str(row.public_id): row.name for row in referrals.candidates(words, by=g.actor)}
    chosen = form.partner.data
    if chosen and chosen not in found:
        try:
            found[chosen] = referrals.receiver(chosen, by=g.actor).name
        except Refused:
            form.partner.data = ""
    form.partner.choices = [("", _("Choose a partner")), *found.items()]
    return {"form": form, "words": words, "number": len(found)}


def _looking(words: str) -> bool:
    """Whether the button beside the partner's name was pressed; the Enter key presses it too, so it counts only when there is something new to find."""
    return "find" in request.form and words != request.form.get("searched", "")


def _chosen(form: Any) -> str:
    return str(dict(form.partner.choices)[form.partner.data])
