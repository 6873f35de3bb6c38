"""Leads entered by hand."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.db import uuid7
from portal.core.errors import Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.leads import entering
from portal.leads.forms_more import LeadForm

P = Permission
feature = Feature("lead_entry", __name__, url_prefix="/leads")


@feature.get("/new", permission=P.LEAD_WORK)
def new() -> ResponseReturnValue:
    return page("leads/new.html", form=LeadForm(data=blank()), known=None)


@feature.post("", permission=P.LEAD_WORK)
def create() -> ResponseReturnValue:
    form = LeadForm()
    if not form.validate_on_submit():
        return _invalid(form)
    try:
        lead = entering.enter_lead(form.entry(), key_of(form), source=form.chosen_source, meant="meant" in request.form, by=g.actor, at=clock.now())
    except entering.KnownAlready as refusal:
        form.refuse(refusal)
        return _invalid(form, refusal.known)
    except Refused as refusal:
        form.refuse(refusal)
        return _invalid(form)
    flash(_("%(name)s is a lead of yours now. Accept it when you begin to work on it.", name=lead.company), "success")
    return see_other(url_for("leads.show", lead_id=lead.public_id))


def blank() -> dict[str, Any]:
    """What an empty form begins with; `key` makes sending it twice have one effect."""
    return {"country": g.actor.country, "language": language(), "key": str(uuid7())}


def key_of(form: LeadForm) -> UUID:
    try:
        return UUID(form.key.data)
    except ValueError:
        return uuid7()


def _invalid(form: LeadForm, known: entering.Known | None = None) -> ResponseReturnValue:
    return invalid("leads/new.html", form=form, known=known)
