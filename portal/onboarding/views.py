"""Adding a customer: account information → review → confirmation (R16)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.onboarding import service
from portal.onboarding.forms import AccountForm
from portal.onboarding.models import CustomerDraft
from portal.onboarding.texts import CAUTION_TEXTS

P = Permission
feature = Feature("onboarding", __name__, url_prefix="/customers/new")


@feature.get("", permission=P.CUSTOMER_ADD)
def new() -> ResponseReturnValue:
    draft = _draft(request.args.get("draft"))
    typed = draft.typed if draft else {"language": language(), "segment": "commercial"}
    form = AccountForm.for_country(typed.get("country") or g.actor.country, **{key: value for key, value in typed.items() if key != "country"})
    return page("onboarding/new.html", swaps=("form",), **_shown(form, draft))


@feature.post("", permission=P.CUSTOMER_ADD, limit=throttle.DOMAIN_PROBES)
def create() -> ResponseReturnValue:
    """Account information: kept whatever it is worth, and on to the review when it is right."""
    form = AccountForm()
    draft = _draft(request.form.get("draft"))
    if form.updating:
        return page("onboarding/new.html", swaps=("form",), **_shown(form, draft))
    good = form.validate_on_submit()
    draft = service.save_draft(draft, form.typed(), by=g.actor, at=clock.now())
    if "later" in request.form:
        flash(_("Kept. You find it again under “Add a customer”."), "success")
        return see_other("/customers")
    if not good:
        return invalid("onboarding/new.html", keep=True, **_shown(form, draft))
    try:
        service.check(form.entry(), by=g.actor)
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("onboarding/new.html", keep=True, **_shown(form, draft, refusal))
    return see_other(url_for(".review", draft_id=draft.public_id))


@feature.post("/typed", permission=P.CUSTOMER_ADD)
def keep() -> ResponseReturnValue:
    """What has been typed so far, saved while typing."""
    form = AccountForm()
    draft = service.save_draft(_draft(request.form.get("draft")), form.typed(), by=g.actor, at=clock.now())
    return page("onboarding/new.html", swaps=("draft",), **_shown(form, draft))


@feature.get("/<uuid:draft_id>/review", permission=P.CUSTOMER_ADD)
def review(draft_id: UUID) -> ResponseReturnValue:
    draft = service.my_draft(draft_id, g.actor)
    if draft.customer_public_id:
        return _confirmation(draft.customer_public_id)
    form = _filled(draft)
    if not form.validate():
        return see_other(url_for(".new", draft=draft.public_id))
    return page("onboarding/review.html", swaps=("form",), **_reviewed(draft, form))


@feature.post("/<uuid:draft_id>/review", permission=P.CUSTOMER_ADD, limit=throttle.INVITATIONS)
def submit(draft_id: UUID) -> ResponseReturnValue:
    """Submit: now the customer is made, once however often the button is pressed."""
    draft = service.my_draft(draft_id, g.actor, lock=True)
    if draft.customer_public_id:
        return _confirmation(draft.customer_public_id)
    form = _filled(draft)
    if not form.validate():
        return see_other(url_for(".new", draft=draft.public_id))
    mailed = request.form.get("way", "mail") == "mail"
    try:
        customer = service.add_customer(draft, form.entry(), by=g.actor, at=clock.now(), mailed=mailed, overridden="meant" in request.form)
    except Refused as refusal:
        return invalid("onboarding/review.html", **_reviewed(draft, form, refusal))
    if mailed:
        flash(_("%(name)s was added. The activation link is on its way to %(email)s.", name=customer.name, email=customer.email), "success")
    else:
        flash(_("%(name)s was added. Pass the activation link on yourself.", name=customer.name), "success")
    return _confirmation(customer.public_id)


@feature.post("/<uuid:draft_id>/discarding", permission=P.CUSTOMER_ADD)
def discard(draft_id: UUID) -> ResponseReturnValue:
    service.discard(service.my_draft(draft_id, g.actor))
    flash(_("The draft is gone."), "success")
    return see_other(url_for(".new"))


def _confirmation(customer_id: UUID) -> ResponseReturnValue:
    return see_other(url_for("customer_account.activation", customer_id=customer_id))


def _draft(public_id: str | None) -> CustomerDraft | None:
    """One's own unfinished draft; None when there is none, or it is finished or gone."""
    try:
        draft = service.my_draft(UUID(public_id or ""), g.actor)
    except (ValueError, NotFound):
        return None
    return None if draft.customer_public_id else draft


def _filled(draft: CustomerDraft) -> AccountForm:
    typed = {key: value for key, value in draft.typed.items() if key != "country"}
    form = AccountForm(formdata=None, data={**typed, "country": draft.typed.get("country", "")}, fixed_country=draft.typed.get("country", ""))
    for field in form:
        field.raw_data = [field.data] if field.data else []
    return form


def _shown(form: AccountForm, draft: CustomerDraft | None, refusal: Refused | None = None) -> dict[str, Any]:
    return {
        "form": form,
        "draft": draft,
        "drafts": [] if draft or request.method != "GET" else service.my_drafts(g.actor),
        "taken": isinstance(refusal, service.DomainTaken),
        "known": refusal.customer if isinstance(refusal, service.AlreadyCustomer) else None,
    }


def _reviewed(draft: CustomerDraft, form: AccountForm, refusal: Refused | None = None) -> dict[str, Any]:
    entry = form.entry()
    return {
        "draft": draft,
        "form": form,
        "entry": entry,
        "cautions": [CAUTION_TEXTS[caution] for caution in service.cautions(entry)],
        "refusal": refusal,
    }
