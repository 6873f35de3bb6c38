"""Partnerships: a provider's resellers and its requests to some, a reseller's providers; what they share; ending (R40-R42)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, throttle
from portal.core.access import PartnerType, Permission
from portal.core.errors import NotFound, Refused
from portal.core.events import on
from portal.core.i18n import language
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers.events import CustomerShown, Panel, Reseller, ResellersAsked
from portal.customers.models import RelationshipState
from portal.relationships import partnerships, queries, texts
from portal.relationships.forms import PartnershipEndingForm, PartnershipForm
from portal.relationships.models import Partnership, PartnershipState

P = Permission
feature = Feature("partnerships", __name__, url_prefix="/partnerships")
feature.add_app_template_filter(lambda word: texts.PARTNERSHIP_NAMES[word], "partnership_state")
feature.add_app_template_filter(lambda word: texts.PARTNERSHIP_TONES.get(word, "neutral"), "partnership_tone")


@feature.get("", permission=P.PARTNERSHIP_READ, limit=throttle.SEARCH)
def index() -> ResponseReturnValue:
    query = ListQuery.parse("/partnerships", request.args, sorts=["newest"], filters=queries.PARTNERSHIP_FILTERS)
    states = [(state.value, name) for state, name in texts.PARTNERSHIP_NAMES.items() if _provider() or state in queries.ACCEPTED]
    found = queries.partnerships(query, by=g.actor)
    return page("partnerships/index.html", swaps=("results",), query=query, found=found, states=states, provider=_provider())


@feature.get("/new", permission=P.PARTNERSHIP_CHANGE)
def new() -> ResponseReturnValue:
    partnerships.check_provider(g.actor)
    form = PartnershipForm(data={"language": language()})
    form.fill()
    return page("partnerships/new.html", form=form)


@feature.post("", permission=P.PARTNERSHIP_CHANGE, limit=throttle.INVITATIONS)
def create() -> ResponseReturnValue:
    partnerships.check_provider(g.actor)
    form = PartnershipForm()
    if form.updating:
        form.fill()
        return page("partnerships/new.html", swaps=("form",), form=form)
    if not form.validate_on_submit():
        return invalid("partnerships/new.html", form=form)
    try:
        row = partnerships.request_partnership(form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("partnerships/new.html", form=form)
    flash(_("Sent to %(email)s. You are told by e-mail when there is an answer.", email=row.email), "success")
    return see_other(url_for(".show", partnership_id=row.public_id))


@feature.get("/<uuid:partnership_id>", permission=P.PARTNERSHIP_READ)
def show(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_of(partnership_id, by=g.actor)
    query = ListQuery.parse(request.path, request.args, sorts=["name"], filters={})
    shared = queries.shared_customers(query, row, by=g.actor) if row.state is PartnershipState.ACTIVE and g.actor.may(P.CUSTOMER_READ) else None
    link = texts.partnership_link(row) if _provider() and row.state is PartnershipState.SENT and g.actor.may(P.PARTNERSHIP_CHANGE) else None
    return page("partnerships/show.html", swaps=("results",), query=query, shared=shared, link=link, **_shown(row))


@feature.post("/<uuid:partnership_id>/sending", permission=P.PARTNERSHIP_CHANGE, limit=throttle.INVITATIONS)
def create_sending(partnership_id: UUID) -> ResponseReturnValue:
    """Once more, with a new link."""
    row = queries.partnership_of(partnership_id, by=g.actor, lock=True)
    partnerships.send_again(row, by=g.actor, at=clock.now())
    flash(_("Sent to %(email)s with a new link. The old one no longer works.", email=row.email), "success")
    return see_other(url_for(".show", partnership_id=partnership_id))


@feature.get("/<uuid:partnership_id>/revocation", permission=P.PARTNERSHIP_CHANGE)
def new_revocation(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_of(partnership_id, by=g.actor)
    partnerships.check_provider(g.actor)
    return page("partnerships/revocation.html", **_shown(row))


@feature.post("/<uuid:partnership_id>/revocation", permission=P.PARTNERSHIP_CHANGE)
def create_revocation(partnership_id: UUID) -> ResponseReturnValue:
    row = queries.partnership_of(partnership_id, by=g.actor, lock=True)
    partnerships.revoke(row, by=g.actor, at=clock.now())
    flash(_("The request to %(email)s is revoked. Its link no longer works.", email=row.email), "success")
    return see_other(url_for(".show", partnership_id=partnership_id))


@feature.get("/<uuid:partnership_id>/ending", permission=P.PARTNERSHIP_CHANGE)
def new_ending(partnership_id: UUID) -> ResponseReturnValue:
    return page("partnerships/ending.html", **_ending(_accepted(partnership_id), PartnershipEndingForm()))


@feature.post("/<uuid:partnership_id>/ending", permission=P.PARTNERSHIP_CHANGE)
def create_ending(partnership_id: UUID) -> ResponseReturnValue:
    row = _accepted(partnership_id, lock=True)
    form = PartnershipEndingForm()
    if not form.validate_on_submit():
        return invalid("partnerships/ending.html", **_ending(row, form))
    partnerships.end(row, reason=form.reason.data or "", by=g.actor, at=clock.now())
    flash(_("The partnership with %(name)s has ended. Both sides are told by e-mail what stays.", name=_shown(row)["name"]), "success")
    return see_other(url_for(".show", partnership_id=partnership_id))


@on(ResellersAsked)
def resellers(event: ResellersAsked) -> list[Reseller]:
    return [Reseller(row.id, row.public_id, row.name, bool(row.active)) for row in queries.resellers(by=event.by)]


@on(CustomerShown)
def panel(event: CustomerShown) -> list[Panel]:
    """On a reseller's page of a customer: the providers that share it, who are also whom to ask for an end (R35, R41)."""
    if event.actor.partner_type is not PartnerType.INDIRECT_RESELLER or event.customer.state is not RelationshipState.ACTIVE:
        return []
    return [Panel("partnerships/_sharing.html", {"providers": queries.providers_sharing(event.customer)})]


def _provider() -> bool:
    return bool(g.actor.partner_type is PartnerType.INDIRECT_PROVIDER)


def _accepted(partnership_id: UUID, *, lock: bool = False) -> Partnership:
    row = queries.partnership_of(partnership_id, by=g.actor, lock=lock)
    if row.reseller_id is None:
        raise NotFound(partnership_id)
    return row


def _shown(row: Partnership) -> dict[str, Any]:
    """The row, and the other side as its reader knows it."""
    other = row.reseller if _provider() else row.partner
    return {"row": row, "other": other, "name": other.name if other else row.organization, "provider": _provider()}


def _ending(row: Partnership, form: PartnershipEndingForm) -> dict[str, Any]:
    shown = _shown(row)
    stays = texts.what_stays(queries.staying(row, g.actor.organization_id), provider=_provider(), other=shown["name"])
    return shown | {"stays": stays, "form": form}
