"""The customer's own side: its partners and what each may do, the agreement, the company's details."""

from typing import Any
from uuid import UUID

from flask import flash, g, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts import service as account_service
from portal.accounts.forms import CompanyForm
from portal.agreements import queries as agreements
from portal.agreements import service as agreement_service
from portal.core import clock, events
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.i18n import language
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import RelationshipState
from portal.relationships import delegation, queries
from portal.relationships.events import HomeShown
from portal.relationships.forms import AcceptanceForm

P = Permission
feature = Feature("my", __name__, url_prefix="/my")


@feature.get("", permission=P.MY_HOME)
def index() -> ResponseReturnValue:
    panels = events.ask(HomeShown(g.actor))
    if not g.actor.may(P.MY_CONSENT):
        return page("my/simple.html", partners=_present(), panels=panels)
    waiting = queries.waiting_for(g.actor.organization_id, clock.now())
    granted = queries.delegations_to(g.actor.organization_id)
    return page("my/index.html", partners=_present(), waiting=waiting, granted=granted, standing=_standing(), panels=panels)


@feature.get("/partners", permission=P.MY_CONSENT)
def index_partners() -> ResponseReturnValue:
    return page("my/partners.html", partners=customers.partners_of(g.actor.organization_id), granted=queries.delegations_to(g.actor.organization_id))


@feature.get("/partners/<uuid:partner_id>", permission=P.MY_CONSENT)
def show_partner(partner_id: UUID) -> ResponseReturnValue:
    partner = queries.partner_of(g.actor.organization_id, partner_id)
    organization = partner.Organization
    return page(
        "my/partner.html",
        partner=partner,
        delegation=queries.delegation_of(g.actor.organization_id, partner_id=organization.id),
        history=queries.delegation_history(g.actor.organization_id, organization.id),
        accepted=queries.accepted_requests(g.actor.organization_id, organization.id),
    )


@feature.get("/partners/<uuid:partner_id>/delegated-administration/ending", permission=P.MY_CONSENT)
def edit_delegation(partner_id: UUID) -> ResponseReturnValue:
    partner = queries.partner_of(g.actor.organization_id, partner_id)
    return page("my/removal.html", partner=partner, delegation=_granted(partner.Organization.id))


@feature.post("/partners/<uuid:partner_id>/delegated-administration/ending", permission=P.MY_CONSENT)
def delete_delegation(partner_id: UUID) -> ResponseReturnValue:
    partner = queries.partner_of(g.actor.organization_id, partner_id)
    delegation.remove(_granted(partner.Organization.id, lock=True), by=g.actor, at=clock.now())
    flash(_("%(name)s no longer has delegated administration. It is told by e-mail.", name=partner.Organization.name), "success")
    return see_other(url_for(".show_partner", partner_id=partner_id))


@feature.get("/agreement", permission=P.MY_CONSENT)
def show_agreement() -> ResponseReturnValue:
    return page("my/agreement.html", **_agreement(AcceptanceForm()))


@feature.post("/agreement", permission=P.MY_CONSENT)
def create_agreement() -> ResponseReturnValue:
    form = AcceptanceForm()
    organization = accounts.organization(g.actor.organization_id)
    if not form.agreement.data:
        form.refuse(Refused(_("Read the customer agreement and tick that you accept it."), field="agreement"))
        return invalid("my/agreement.html", **_agreement(form))
    if not _standing()["current"]:
        partners = tuple(row.partner_id for row in _present())
        agreement_service.accept(organization, language=language(), by=g.actor, at=clock.now(), partners=partners)
        flash(_("You have accepted the customer agreement."), "success")
    return see_other(url_for(".show_agreement"))


@feature.get("/company", permission=P.MY_DETAILS)
def edit() -> ResponseReturnValue:
    return page("my/company.html", **_company())


@feature.post("/company", permission=P.MY_DETAILS)
def update() -> ResponseReturnValue:
    shown = _company()
    form, organization = shown["form"], shown["organization"]
    if form.updating:
        return page("my/company.html", swaps=("form",), **shown)
    if not form.validate_on_submit():
        return invalid("my/company.html", **shown)
    try:
        account_service.change_organization(organization, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, organization.version)
        return invalid("my/company.html", **shown), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("my/company.html", **shown)
    flash(_("Saved."), "success")
    return see_other(url_for(".edit"))


def _present() -> list[Any]:
    return [row for row in customers.partners_of(g.actor.organization_id) if row.state is RelationshipState.ACTIVE]


def _standing() -> dict[str, Any]:
    """Where the whole company stands with the agreement; what a partner attested counts for that partner only."""
    accepted, version = agreements.latest_acceptance(g.actor.organization_id, g.actor.country)
    return {"accepted": accepted, "current": accepted is not None and accepted.version >= version, "version": version}


def _agreement(form: AcceptanceForm) -> dict[str, Any]:
    return {"form": form, "text": agreements.current_text(g.actor.country, language()), "standing": _standing()}


def _company() -> dict[str, Any]:
    organization = accounts.organization(g.actor.organization_id)
    fields = ("name", "street", "district", "city", "region", "postal_code", "tax_id", "version")
    return {"organization": organization, "form": CompanyForm.for_country(organization.country, **{name: getattr(organization, name) for name in fields})}


def _granted(partner_id: int, *, lock: bool = False) -> Any:
    held = queries.delegation_of(g.actor.organization_id, partner_id=partner_id, lock=lock)
    if held is None:
        raise NotFound(partner_id)
    return held
