"""The way in for customers: the page behind a request's link, acceptance, declining, registration, receipt (R22, R23)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import current_app, flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import queries as accounts
from portal.accounts import sessions
from portal.accounts.service import CompanyEntry
from portal.agreements import queries as agreements
from portal.core import clock, throttle
from portal.core.access import Actor, Permission, Side
from portal.core.errors import Forbidden, Refused
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.relationships import answers, possession, queries, registration, texts
from portal.relationships.forms import AcceptanceForm, ConfirmationForm, DecliningForm, RegistrationForm
from portal.relationships.models import Registration, RelationshipRequest
from portal.relationships.queries import NotHeld, Replaced
from portal.relationships.registration import AlreadyHere

P = Permission
feature = Feature("connect", __name__, url_prefix="/connect")


@dataclass(frozen=True)
class Problem:
    """Why this visitor cannot accept, and what to do: `company` is the visitor's, `partner` and `author` ask."""

    title: Any
    text: Any
    status: int = 403
    sign_out: bool = False


PROBLEMS = {
    "accepted": Problem(
        _l("This request was accepted"),
        _l("The link has done its work and cannot be used again. Whoever accepted has a receipt and finds it under Partners."),
        410,
    ),
    "declined": Problem(_l("This request was declined"), _l("Nothing more happens. If that was a mistake, ask %(author)s for a new request."), 410),
    "expired": Problem(_l("This request has expired"), _l("Its time ran out before it was answered. Ask %(author)s to send a new one."), 410),
    "revoked": Problem(_l("This request was withdrawn"), _l("%(partner)s has taken it back, so there is nothing left to answer."), 410),
    "own_partner": Problem(
        _l("This is your own organization's request"),
        _l("You are signed in as a user of %(company)s, which asks here. The customer opens this link, not you."),
        sign_out=True,
    ),
    "partner": Problem(
        _l("You are signed in as a partner"),
        _l("%(company)s is a partner, and a partner is nobody's customer. Sign out, then sign in with an account of the customer."),
        sign_out=True,
    ),
    "role": Problem(
        _l("A customer admin must accept"),
        _l("Your roles at %(company)s do not include this. Forward the e-mail with the link to a customer admin of your organization."),
    ),
    "other_customer": Problem(
        _l("This request is for another company"),
        _l("You are signed in for %(company)s, but the request names another company. If you work for that one, sign in with your account there."),
        sign_out=True,
    ),
    "cloud": Problem(_l("This request is from another cloud"), _l("%(partner)s and %(company)s are in different clouds, and nothing crosses between them.")),
    "market": Problem(
        _l("This request is from another market"), _l("%(partner)s sells in another market than %(company)s is in. Ask for a partner of your own market.")
    ),
    "no_provider": Problem(
        _l("This request can no longer be accepted"),
        _l("It asks for %(partner)s and %(provider)s at once, and these two no longer work together. Ask %(author)s for a new request."),
        410,
    ),
    "already_here": Problem(
        _l("Your company is already in the portal"),
        _l("Another account for it is not possible. Forward the e-mail with the link to a customer admin of your company: they sign in and accept."),
        409,
    ),
}


@feature.get("/<string:token>", permission=P.ANYONE, limit=throttle.LINK_ADDRESS)
def index(token: str) -> ResponseReturnValue:
    """Opening changes nothing: it keeps in the visitor's cookie that the link was opened, and leads on without the token."""
    row = queries.request_by_token(token)
    if row is None or row.link is None:
        return page("connect/unknown.html", status=404)
    possession.keep(row.public_id, row.link)
    return see_other(url_for(".show", request_id=row.public_id))


@feature.get("/requests/<uuid:request_id>", permission=P.ANYONE)
def show(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor)
    problem = answers.why_not(row, by=g.actor, at=clock.now())
    if problem == "accepted" and g.actor and g.actor.may(P.MY_CONSENT) and row.customer_id == g.actor.organization_id:
        g.leave_shell = True
        return see_other(url_for(".show_receipt", request_id=request_id))
    return _problem(row, problem) if problem else page("connect/show.html", **_shown(row, AcceptanceForm()))


@feature.post("/requests/<uuid:request_id>/acceptance", permission=P.MY_CONSENT)
def create(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor, lock=True)
    if answers.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    form = AcceptanceForm()
    try:
        answers.accept_request(row, agreement=form.agreement.data, language=language(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("connect/show.html", **_shown(row, form))
    g.leave_shell = True
    if row.provider:
        names = {"partner": row.partner.name, "provider": row.provider.name}
        flash(_("You have accepted. %(partner)s and %(provider)s are told, and you have a receipt by e-mail.", **names), "success")
    else:
        flash(_("You have accepted. %(partner)s is told, and you have a receipt by e-mail.", partner=row.partner.name), "success")
    return see_other(url_for(".show_receipt", request_id=request_id))


@feature.get("/requests/<uuid:request_id>/declining", permission=P.ANYONE)
def edit(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor)
    if answers.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    return page("connect/declining.html", row=row, form=DecliningForm())


@feature.post("/requests/<uuid:request_id>/declining", permission=P.ANYONE)
def delete(request_id: UUID) -> ResponseReturnValue:
    """By a customer admin, or by whoever holds the link and has no account."""
    if g.actor and not g.actor.may(P.MY_CONSENT):
        raise Forbidden("only a customer admin answers for a company")
    row = queries.request_held(request_id, possession.held(), g.actor, lock=True)
    if answers.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    form = DecliningForm()
    if not form.validate_on_submit():
        return invalid("connect/declining.html", row=row, form=form)
    by = g.actor or Actor(user_id=None, name=row.email)
    answers.decline_request(row, reason=form.reason.data or "", by=by, at=clock.now())
    return see_other(url_for(".show", request_id=request_id))


@feature.get("/requests/<uuid:request_id>/receipt", permission=P.MY_CONSENT)
def show_receipt(request_id: UUID) -> ResponseReturnValue:
    row = queries.accepted_request(g.actor.organization_id, request_id)
    organization = accounts.organization(g.actor.organization_id)
    return page("connect/receipt.html", row=row, company=organization.name, organization=organization, delegation=queries.granted_by(row))


# --- a company that is new


@feature.get("/requests/<uuid:request_id>/account", permission=P.ANYONE)
def new_account(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor)
    if g.actor or answers.why_not(row, by=None, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    try:
        return page("connect/account.html", row=row, form=_registration_form(row))
    except AlreadyHere:
        return _problem(row, "already_here")


@feature.post("/requests/<uuid:request_id>/account", permission=P.ANYONE)
def create_account(request_id: UUID) -> ResponseReturnValue:
    """Keep what was typed and mail a code; the answer does not tell whether the address is known (S12)."""
    form = RegistrationForm()
    good = not form.updating and form.validate_on_submit()
    if good:
        throttle.hit(throttle.CODE_ADDRESS, throttle.visitor())
        throttle.hit(throttle.CODE, form.email.data.casefold())
    row = queries.request_held(request_id, possession.held(), g.actor, lock=True)
    if g.actor or answers.why_not(row, by=None, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    if form.updating:
        return page("connect/account.html", swaps=("form",), row=row, form=form)
    if not good:
        return invalid("connect/account.html", row=row, form=form)
    try:
        begun = registration.begin(
            row, form.entry(), held=_registration_id(row), outbox_of=row.partner_id if _readable() else None, language=language(), at=clock.now()
        )
    except AlreadyHere:
        return _problem(row, "already_here")
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("connect/account.html", row=row, form=form)
    sessions.hold("registration", request=str(row.public_id), id=str(begun.public_id))
    return see_other(url_for(".new_confirmation", request_id=request_id))


@feature.get("/requests/<uuid:request_id>/account/confirmation", permission=P.ANYONE)
def new_confirmation(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor)
    begun = _begun(row)
    if g.actor or begun is None or answers.why_not(row, by=None, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    return page("connect/confirmation.html", **_confirmation(row, begun, ConfirmationForm()))


@feature.post("/requests/<uuid:request_id>/account/confirmation", permission=P.ANYONE, limit=throttle.CODE_ADDRESS)
def create_confirmation(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_held(request_id, possession.held(), g.actor, lock=True)
    begun = _begun(row)
    if g.actor or begun is None or answers.why_not(row, by=None, at=clock.now()):
        return see_other(url_for(".show", request_id=request_id))
    form = ConfirmationForm()
    if not form.validate_on_submit():
        return invalid("connect/confirmation.html", **_confirmation(row, begun, form))
    try:
        user = registration.complete(
            row, begun, code=form.code.data, password=form.password.data, time_zone=form.time_zone.data or "UTC", language=language(), at=clock.now()
        )
    except AlreadyHere:
        g.keep_changes = True
        return _problem(row, "already_here")
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("connect/confirmation.html", keep=True, **_confirmation(row, begun, form))
    sessions.start(user)
    flash(_("Welcome, %(name)s. Your account is open; the request still waits for your answer.", name=user.name), "success")
    return see_other(url_for(".show", request_id=request_id))


@feature.errorhandler(Replaced)
def replaced(error: Replaced) -> ResponseReturnValue:
    return page("connect/replaced.html", status=410)


@feature.errorhandler(NotHeld)
def not_held(error: NotHeld) -> ResponseReturnValue:
    """The same for every address, whether there is such a request or not."""
    return page("connect/not_held.html", status=404)


def _shown(row: RelationshipRequest, form: AcceptanceForm) -> dict[str, Any]:
    names = {"partner": row.partner.name, "provider": row.provider.name if row.provider else ""}
    title = str((texts.JOINT_OFFERS if row.provider else texts.OFFERS)[row.purpose]) % names
    shown: dict[str, Any] = {"row": row, "title": title, "form": form, "text": None, "mail": _write_back(row), "registered": False}
    if g.actor is None:
        return shown | {"registered": bool(row.named and accounts.active_admins(row.customer_id or 0, Side.CUSTOMER))}
    if answers.agreement_missing(row, g.actor):
        shown["text"] = agreements.current_text(g.actor.country, language())
    return shown


def _problem(row: RelationshipRequest, word: str) -> ResponseReturnValue:
    problem = PROBLEMS[word]
    names = {
        "partner": row.partner.name,
        "provider": row.provider.name if row.provider else "",
        "author": row.author_name,
        "company": g.actor.organization_name if g.actor else "",
    }
    context: dict[str, Any] = {"title": str(problem.title), "text": str(problem.text) % names, "problem": problem, "mail": _write_back(row)}
    return page("connect/problem.html", status=problem.status, row=row, **context)


def _write_back(row: RelationshipRequest) -> str:
    return texts.mailto(row.author_email, _("Re: %(subject)s", subject=row.subject))


def _registration_form(row: RelationshipRequest) -> RegistrationForm:
    """As typed before, or with what the request and the visitor's country tell."""
    named = registration.company_to_adopt(row)
    begun = _begun(row)
    if begun is not None:
        typed = {**begun.typed["company"], **{name: begun.typed[name] for name in ("domain", "person", "email")}}
    elif named is not None:
        typed = {**{name: getattr(named, name) for name in CompanyEntry.__dataclass_fields__}, "domain": named.domain, "email": row.email}
    else:
        typed = {"name": row.organization, "country": row.partner.country, "email": row.email}
    form: RegistrationForm = RegistrationForm.for_country(typed.pop("country"), **typed)
    return form


def _registration_id(row: RelationshipRequest) -> UUID | None:
    held = sessions.held("registration")
    return UUID(held["id"]) if held.get("request") == str(row.public_id) else None


def _begun(row: RelationshipRequest) -> Registration | None:
    return registration.begun(row, _registration_id(row))


def _confirmation(row: RelationshipRequest, begun: Registration, form: ConfirmationForm) -> dict[str, Any]:
    return {"row": row, "email": begun.typed["email"], "form": form, "readable": _readable()}


def _readable() -> bool:
    """Outside production and without a mail server, the message is read in the partner's outbox: there is no other way to try it."""
    return not current_app.config["MAIL_SERVER"] and not current_app.config["SETTINGS"].production
