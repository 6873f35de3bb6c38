"""Adding a customer: account information → subscriptions → review → confirmation (R16)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements import queries as agreements
from portal.core import clock, throttle
from portal.core.access import Permission
from portal.core.db import read_and_write, uuid7
from portal.core.errors import Forbidden, Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.places import Address
from portal.core.routing import Feature, later
from portal.customers.texts import SEGMENT_NAMES
from portal.onboarding import service
from portal.onboarding.forms import AccountForm, AttestedForm
from portal.onboarding.models import CustomerDraft
from portal.onboarding.texts import CAUTION_TEXTS
from portal.subscriptions import ordering, texts_orders

P = Permission
feature = Feature("onboarding", __name__, url_prefix="/customers/new")
WHO = (P.CUSTOMER_ADD, P.LEAD_WORK)  # who converts leads works on drafts that came from one, and on no other (R56)


@feature.get("", permission=WHO)
def new() -> ResponseReturnValue:
    draft = service.find_draft(_draft_id(request.args), g.actor)
    _permit(draft)
    if draft is not None and draft.customer_public_id:
        return confirmation(draft)
    typed = draft.typed if draft else {"language": language(), "segment": "commercial"}
    form = AccountForm.for_country(typed.get("country") or g.actor.country, **{key: value for key, value in typed.items() if key != "country"})
    drafts = service.my_drafts(g.actor) if draft is None else []
    return page("onboarding/new.html", swaps=("form",), **_shown(form, draft.public_id if draft else uuid7(), draft) | {"drafts": drafts})


@feature.post("", permission=WHO)
def create() -> ResponseReturnValue:
    """Account information: kept whatever it is worth, and on to the next step when it is right."""
    form = AccountForm()
    draft_id = _draft_id(request.form)
    known = service.find_draft(draft_id, g.actor)
    _permit(known)
    if known is not None and known.origin and known.customer_public_id:
        return confirmation(known)
    if form.updating:
        return page("onboarding/new.html", swaps=("form",), **_shown(form, draft_id, known))
    typed, for_later = form.typed(), "later" in request.form
    good = not for_later and form.validate()
    if good:
        read_and_write()  # nothing is changed yet, and counting needs SQLite's one writer
        throttle.hit(throttle.DOMAIN_PROBES, f"{g.actor.organization_id}/{g.actor.user_id}")
    draft = service.save_draft(draft_id, typed, by=g.actor, at=clock.now())
    if for_later:
        flash(_("Kept. You find it again when you convert the lead.") if draft.origin else _("Kept. You find it again under “Add a customer”."), "success")
        return see_other(f"/leads/{draft.origin}" if draft.origin else "/customers")
    if not good:
        return invalid("onboarding/new.html", keep=True, **_shown(form, draft.public_id, draft))
    try:
        service.check(form.entry(), by=g.actor)
    except Refused as refusal:
        _note_probe(refusal, form)
        form.refuse(refusal)
        return invalid("onboarding/new.html", keep=True, **_shown(form, draft.public_id, draft, refusal))
    following = "onboarding_subscriptions.show" if g.actor.may(P.SUBSCRIPTION_ORDER) else ".review"
    return see_other(url_for(following, draft_id=draft.public_id))


@feature.post("/typed", permission=WHO)
def keep() -> ResponseReturnValue:
    """What has been typed so far, saved while typing; the page stays as it is."""
    draft_id, typed = _draft_id(request.form), AccountForm().typed()
    known = service.find_draft(draft_id, g.actor, lock=True)
    _permit(known)
    if known is None or (known.customer_public_id is None and not service.overtaken(known, typed)):
        service.save_draft(draft_id, typed, by=g.actor, at=clock.now())
    return "", 204


@feature.get("/<uuid:draft_id>/review", permission=WHO)
def review(draft_id: UUID) -> ResponseReturnValue:
    draft = _my_draft(draft_id)
    if draft.customer_public_id:
        return confirmation(draft)
    form = filled(draft)
    if not form.validate():
        return incomplete(draft)
    return page("onboarding/review.html", swaps=("form",), **_reviewed(draft, form, AttestedForm.proposed()))


@feature.post("/<uuid:draft_id>/review", permission=WHO, limit=throttle.INVITATIONS)
def submit(draft_id: UUID) -> ResponseReturnValue:
    """Submit: now the customer is made, once however often the button is pressed, and as it was reviewed."""
    draft = _my_draft(draft_id, lock=True)
    if draft.customer_public_id:
        return confirmation(draft)
    form, word = filled(draft), AttestedForm()
    if not form.validate():
        return incomplete(draft)
    if request.form.get("version") != str(draft.version):
        overtaken = Refused(_("Something was changed after this review was opened. Look at it once more, then submit."))
        return invalid("onboarding/review.html", **_reviewed(draft, form, word, overtaken)), 409
    attested = service.Attested(word.accepted_on.data, request.form.getlist("line")) if word.attested.data and word.validate() else None
    if word.errors:
        return invalid("onboarding/review.html", **_reviewed(draft, form, word))
    mailed = request.form.get("way", "mail") == "mail" or not g.actor.may(P.CUSTOMER_ADD)  # the page with the link is not open to others
    try:
        customer = service.add_customer(draft, form.entry(), by=g.actor, at=clock.now(), mailed=mailed, overridden="meant" in request.form, attested=attested)
    except ordering.Overtaken as refusal:
        return invalid("onboarding/review.html", **_reviewed(draft, form, word, refusal)), 409
    except Refused as refusal:
        _note_probe(refusal, form)
        return invalid("onboarding/review.html", **_reviewed(draft, form, word, refusal))
    if mailed:
        flash(_("%(name)s was added. The activation link is on its way to %(email)s.", name=customer.name, email=customer.email), "success")
    else:
        flash(_("%(name)s was added. Pass the activation link on yourself.", name=customer.name), "success")
    return confirmation(draft)


@feature.get("/<uuid:draft_id>/discarding", permission=WHO)
def new_discarding(draft_id: UUID) -> ResponseReturnValue:
    return page("onboarding/discarding.html", draft=_my_draft(draft_id))


@feature.post("/<uuid:draft_id>/discarding", permission=WHO)
def discard(draft_id: UUID) -> ResponseReturnValue:
    draft = _my_draft(draft_id, lock=True)
    service.discard(draft)
    flash(_("The draft is gone."), "success")
    return see_other(f"/leads/{draft.origin}" if draft.origin else url_for(".new"))


def confirmation(draft: CustomerDraft) -> ResponseReturnValue:
    """How the first admin gets in, and what became of the subscriptions chosen: ordered, or in the cart."""
    if not g.actor.may(P.CUSTOMER_ADD):
        return see_other(f"/leads/{draft.origin}")
    return see_other(url_for("customer_account.activation", customer_id=draft.customer_public_id, added=draft.typed.get("sold") or "1"))


def incomplete(draft: CustomerDraft) -> ResponseReturnValue:
    flash(_("Something is still missing or not right. Complete the account information first."), "warning")
    return see_other(url_for("onboarding.new", draft=draft.public_id))


def _permit(draft: CustomerDraft | None) -> None:
    if not g.actor.may(P.CUSTOMER_ADD) and (draft is None or draft.origin is None):
        raise Forbidden("only drafts that came from a lead (R56)")


def _my_draft(draft_id: UUID, *, lock: bool = False) -> CustomerDraft:
    draft = service.my_draft(draft_id, g.actor, lock=lock)
    _permit(draft)
    return draft


def _draft_id(values: Mapping[str, str]) -> UUID:
    """Which draft the page is about; a new one when it names none."""
    try:
        return UUID(values.get("draft", ""))
    except ValueError:
        return uuid7()


def _note_probe(refusal: Refused, form: AccountForm) -> None:
    """The bare fact that a proven domain is taken: told, and logged (R2)."""
    if isinstance(refusal, service.DomainTaken):
        later("organization.domain_asked", domain=form.domain.data)


def filled(draft: CustomerDraft) -> AccountForm:
    typed = {key: value for key, value in draft.typed.items() if key != "country"}
    form = AccountForm(formdata=None, data={**typed, "country": draft.typed.get("country", "")}, fixed_country=draft.typed.get("country", ""))
    for field in form:
        field.raw_data = [field.data] if field.data else []
    return form


def _shown(form: AccountForm, draft_id: UUID, draft: CustomerDraft | None, refusal: Refused | None = None) -> dict[str, Any]:
    return {
        "form": form,
        "draft_id": draft_id,
        "origin": draft.origin if draft else None,
        "drafts": (),
        "taken": isinstance(refusal, service.DomainTaken),
        "known": refusal.customer if isinstance(refusal, service.AlreadyCustomer) else None,
    }


def _reviewed(draft: CustomerDraft, form: AccountForm, word: AttestedForm, refusal: Refused | None = None) -> dict[str, Any]:
    entry = form.entry()
    standing, may_sell = service.newcomer(entry, g.actor), service.sells(g.actor)
    lines = ordering.quotes_for(draft.lines, standing, today=clock.today()) if may_sell else []
    may_attest = bool(lines) and g.actor.may(P.AGREEMENT_CONFIRM)
    return {
        "draft": draft,
        "origin": draft.origin,
        "form": form,
        "entry": entry,
        "address": Address(entry.street, entry.city, entry.region, entry.postal_code, entry.country, entry.district),
        "segment_names": SEGMENT_NAMES,
        "reseller": dict(form.reseller.choices).get(entry.reseller) if entry.reseller else None,
        "way": request.form.get("way"),
        "meant": "meant" in request.form,
        "cautions": [CAUTION_TEXTS[caution] for caution in service.cautions(entry)],
        "refusal": refusal,
        "known": refusal.customer if isinstance(refusal, service.AlreadyCustomer) else None,
        "taken": isinstance(refusal, service.DomainTaken),
        "may_sell": may_sell,
        "lines": lines,
        "totals": ordering.totals(lines, standing.currency),
        "differences": texts_orders.differences(request.form.getlist("line"), lines) if isinstance(refusal, ordering.Overtaken) else [],
        "texts": texts_orders,
        "word": word if may_attest else None,
        "agreement": agreements.current_text(entry.country, language()) if may_attest else None,
    }
