"""The way in for resellers: the page behind a partnership request's link, acceptance, declining (R40)."""

from typing import Any
from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core import clock, throttle
from portal.core.access import Actor, Permission
from portal.core.errors import Forbidden, Refused
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.relationships import partnerships, possession, queries, texts
from portal.relationships.forms import DecliningForm, PartnershipAcceptanceForm
from portal.relationships.models import Partnership
from portal.relationships.queries import NotHeld, Replaced
from portal.relationships.views_connect import Problem

P = Permission
feature = Feature("partnership_links", __name__, url_prefix="/partnerships")

PROBLEMS = {
    "active": Problem(
        _l("This partnership was accepted"), _l("The link has done its work and cannot be used again. Both sides find it under Partnerships."), 410
    ),
    "declined": Problem(_l("This request was declined"), _l("Nothing more happens. If that was a mistake, ask %(author)s for a new request."), 410),
    "expired": Problem(_l("This request has expired"), _l("Its time ran out before it was answered. Ask %(author)s to send a new one."), 410),
    "revoked": Problem(_l("This request was withdrawn"), _l("%(partner)s has taken it back, so there is nothing left to answer."), 410),
    "ended": Problem(_l("This partnership has ended"), _l("To work together again, ask %(author)s for a new request."), 410),
    "own_provider": Problem(
        _l("This is your own organization's request"),
        _l("You are signed in as a user of %(company)s, which asks here. The reseller opens this link, not you."),
        sign_out=True,
    ),
    "customer": Problem(
        _l("You are signed in as a customer"),
        _l("%(company)s is a customer, and only an indirect reseller accepts a partnership. Sign out, then sign in with an account of the reseller."),
        sign_out=True,
    ),
    "type": Problem(
        _l("Your organization is no indirect reseller"),
        _l("%(partner)s asks an indirect reseller, and %(company)s is a partner of another type. Ask %(author)s to send the request to somebody else."),
        sign_out=True,
    ),
    "cloud": Problem(_l("This request is from another cloud"), _l("%(partner)s and %(company)s are in different clouds, and nothing crosses between them.")),
    "market": Problem(
        _l("This request is from another market"), _l("%(partner)s sells in another market than %(company)s is in. Look for a provider of your own market.")
    ),
    "already": Problem(
        _l("You are partners already"),
        _l("%(company)s has an active partnership with %(partner)s: you find it under Partnerships. There is nothing left to accept."),
        409,
    ),
    "role": Problem(
        _l("A global admin must accept"),
        _l("Your roles at %(company)s do not include this. Forward the e-mail with the link to a global admin of your organization."),
    ),
}


@feature.get("/links/<string:token>", permission=P.ANYONE, limit=throttle.LINK_ADDRESS)
def index(token: str) -> ResponseReturnValue:
    """Opening changes nothing: it keeps in the visitor's cookie that the link was opened, and leads on without the token."""
    row = queries.partnership_by_token(token)
    if row is None or row.link is None:
        return page("connect/unknown.html", status=404)
    possession.keep(row.public_id, row.link)
    return see_other(url_for(".show", partnership_id=row.public_id))


@feature.get("/requests/<uuid:partnership_id>", permission=P.ANYONE)
def show(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_held(partnership_id, possession.held(), g.actor)
    problem = partnerships.why_not(row, by=g.actor, at=clock.now())
    if problem and g.actor and row.reseller_id == g.actor.organization_id and g.actor.may(P.PARTNERSHIP_READ):
        g.leave_shell = True
        return see_other(url_for("partnerships.show", partnership_id=partnership_id))
    return _problem(row, problem) if problem else page("partnerships/offer.html", **_shown(row, PartnershipAcceptanceForm()))


@feature.post("/requests/<uuid:partnership_id>/acceptance", permission=P.PARTNERSHIP_CHANGE)
def create(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_held(partnership_id, possession.held(), g.actor, lock=True)
    if partnerships.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", partnership_id=partnership_id))
    form = PartnershipAcceptanceForm()
    try:
        partnerships.accept(row, confirmed=form.confirmed.data, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("partnerships/offer.html", **_shown(row, form))
    g.leave_shell = True
    flash(_("You have accepted. %(provider)s is told, and stands in your list of indirect providers.", provider=row.partner.name), "success")
    return see_other(url_for("partnerships.show", partnership_id=partnership_id))


@feature.get("/requests/<uuid:partnership_id>/declining", permission=P.ANYONE)
def edit(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_held(partnership_id, possession.held(), g.actor)
    if partnerships.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", partnership_id=partnership_id))
    return page("partnerships/declining.html", row=row, form=DecliningForm())


@feature.post("/requests/<uuid:partnership_id>/declining", permission=P.ANYONE)
def delete(partnership_id: UUID) -> ResponseReturnValue:
    """By a global admin of a reseller, or by whoever holds the link and has no account."""
    if g.actor and not g.actor.may(P.PARTNERSHIP_CHANGE):
        raise Forbidden("only a global admin answers for a partner")
    row = queries.partnership_held(partnership_id, possession.held(), g.actor, lock=True)
    if partnerships.why_not(row, by=g.actor, at=clock.now()):
        return see_other(url_for(".show", partnership_id=partnership_id))
    form = DecliningForm()
    if not form.validate_on_submit():
        return invalid("partnerships/declining.html", row=row, form=form)
    partnerships.decline(row, reason=form.reason.data or "", by=g.actor or Actor(user_id=None, name=row.email), at=clock.now())
    return see_other(url_for(".show", partnership_id=partnership_id))


@feature.errorhandler(Replaced)
def replaced(error: Replaced) -> ResponseReturnValue:
    return page("connect/replaced.html", status=410)


@feature.errorhandler(NotHeld)
def not_held(error: NotHeld) -> ResponseReturnValue:
    """The same for every address, whether there is such a request or not."""
    return page("partnerships/not_held.html", status=404)


def _shown(row: Partnership, form: PartnershipAcceptanceForm) -> dict[str, Any]:
    return {"row": row, "title": _("%(provider)s asks you for a partnership", provider=row.partner.name), "form": form, "mail": _write_back(row)}


def _problem(row: Partnership, word: str) -> ResponseReturnValue:
    problem = PROBLEMS[word]
    names = {"partner": row.partner.name, "author": row.author_name, "company": g.actor.organization_name if g.actor else ""}
    context: dict[str, Any] = {"title": str(problem.title), "text": str(problem.text) % names, "problem": problem, "mail": _write_back(row)}
    return page("connect/problem.html", status=problem.status, row=row, **context)


def _write_back(row: Partnership) -> str:
    return texts.mailto(row.author_email, _("Re: %(subject)s", subject=row.subject))
