"""Answers to a lead and what follows: accepting, declining, the deal, winning, losing. Each has a page that says what happens."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import find
from portal.core.errors import Refused, Stale
from portal.core.forms import Form
from portal.core.money import currency_of
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.leads import service
from portal.leads.forms import AcceptanceForm, DealForm, DecliningForm, LosingForm, WinningForm
from portal.leads.models import Lead, LeadState

P = Permission
feature = Feature("lead_answers", __name__, url_prefix="/leads/<uuid:lead_id>")


@feature.get("/acceptance", permission=P.LEAD_WORK)
def new_acceptance(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    return _asked("acceptance", lead, AcceptanceForm(data={"deal_name": lead.company, "currency": currency_of(g.actor.country)}))


@feature.post("/acceptance", permission=P.LEAD_WORK)
def create_acceptance(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    return _done("acceptance", lead, AcceptanceForm(), service.accept_lead, _("You have accepted %(name)s.", name=lead.company))


@feature.get("/declining", permission=P.LEAD_WORK)
def new_declining(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    return _asked("declining", lead, DecliningForm(lead))


@feature.post("/declining", permission=P.LEAD_WORK, limit=throttle.INVITATIONS)  # it may write to an address that nobody has proven
def create_declining(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    return _done("declining", lead, DecliningForm(lead), service.decline_lead, _("You have declined %(name)s.", name=lead.company))


@feature.get("/winning", permission=P.LEAD_WORK)
def new_winning(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    return _asked("winning", lead, WinningForm(data={"value": lead.value, "currency": lead.currency}))


@feature.post("/winning", permission=P.LEAD_WORK)
def create_winning(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    return _done("winning", lead, WinningForm(), service.win_lead, _("Won: %(name)s. You can make it a customer now.", name=lead.company))


@feature.get("/losing", permission=P.LEAD_WORK)
def new_losing(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    return _asked("losing", lead, LosingForm())


@feature.post("/losing", permission=P.LEAD_WORK)
def create_losing(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    return _done("losing", lead, LosingForm(), service.lose_lead, _("%(name)s is archived as lost.", name=lead.company))


@feature.get("/deal", permission=P.LEAD_WORK)
def edit(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id)
    return _asked("deal", lead, DealForm.of(lead))


@feature.post("/deal", permission=P.LEAD_WORK)
def update(lead_id: UUID) -> ResponseReturnValue:
    lead = find(Lead, lead_id, lock=True)
    form = DealForm()
    shown = _shown("deal", lead, form)
    if not form.validate_on_submit():
        return invalid("leads/deal.html", **shown)
    try:
        service.update_deal(lead, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, lead.version)
        return invalid("leads/deal.html", **shown), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("leads/deal.html", **shown)
    flash(_("Saved."), "success")
    return see_other(url_for("leads.show", lead_id=lead_id))


def _asked(step: str, lead: Lead, form: Form) -> ResponseReturnValue:
    return page(f"leads/{step}.html", **_shown(step, lead, form))


def _done(step: str, lead: Lead, form: Form, change: Callable[..., None], message: str) -> ResponseReturnValue:
    if not form.validate_on_submit():
        return invalid(f"leads/{step}.html", **_shown(step, lead, form))
    try:
        change(lead, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid(f"leads/{step}.html", **_shown(step, lead, form))
    flash(message, "success")
    return see_other(url_for("leads.show", lead_id=lead.public_id))


def _shown(step: str, lead: Lead, form: Form) -> dict[str, Any]:
    """`open`: whether the step can be taken now; `early`: whether the lead is to be accepted first."""
    answers = step in ("acceptance", "declining")
    answerable, working = service.answerable(lead, at=clock.now()), lead.state is LeadState.ACCEPTED
    return {"lead": lead, "form": form, "open": answerable if answers else working, "early": answerable and not answers}
