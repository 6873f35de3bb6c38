"""The customer account: sections shown, and edited in place; the agreement; the first admin's activation link."""

from dataclasses import fields
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts import service as account_service
from portal.accounts.service import CompanyEntry
from portal.agreements import queries as agreements
from portal.agreements import service as agreement_service
from portal.core import clock, throttle
from portal.core.access import PartnerType, Permission, Side
from portal.core.errors import Forbidden, NotFound, Refused, Stale
from portal.core.i18n import language
from portal.core.pages import invalid, page, saved, see_other
from portal.core.routing import Feature
from portal.customers import queries, service
from portal.customers.forms import AttestationForm, BillingForm, CompanyForm, ContactForm, FirstAdminForm, ProfileForm, ResellerForm
from portal.customers.models import Customer, RelationshipState
from portal.customers.texts import SEGMENT_NAMES

P = Permission
feature = Feature("customer_account", __name__, url_prefix="/customers/<uuid:customer_id>")
SECTIONS = ("company", "billing", "contact", "profile", "reseller")
FORMS: dict[str, Any] = {"company": CompanyForm, "billing": BillingForm, "contact": ContactForm, "profile": ProfileForm, "reseller": ResellerForm}
CHANGES: dict[str, Any] = {
    "company": service.change_company,
    "billing": service.change_billing,
    "contact": service.change_contact,
    "profile": service.change_profile,
    "reseller": service.change_reseller,
}
PARTS: dict[str, Any] = {"profile": service.profile_of, "reseller": service.reseller_of}  # others are fields of the record


@feature.get("/account", permission=P.CUSTOMER_READ)
def show(customer_id: UUID) -> ResponseReturnValue:
    return page("customers/account.html", swaps=SECTIONS, **_shown(queries.present(customer_id)))


@feature.get("/account/<any(company, billing, contact, profile, reseller):section>", permission=P.CUSTOMER_EDIT)
def edit(customer_id: UUID, section: str) -> ResponseReturnValue:
    customer = queries.present(customer_id)
    _may_edit(customer, section)
    return page("customers/account.html", swaps=SECTIONS, **_shown(customer, section, _form(customer, section)))


@feature.post("/account/<any(company, billing, contact, profile, reseller):section>", permission=P.CUSTOMER_EDIT)
def update(customer_id: UUID, section: str) -> ResponseReturnValue:
    customer = queries.present(customer_id, lock=True)
    _may_edit(customer, section)
    form = _form(customer, section)
    if getattr(form, "updating", False):
        return page("customers/account.html", swaps=SECTIONS, **_shown(customer, section, form))
    if not form.validate_on_submit():
        return invalid("customers/account.html", swaps=SECTIONS, **_shown(customer, section, form))
    try:
        CHANGES[section](customer, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, _edition(customer, section))
        return invalid("customers/account.html", swaps=SECTIONS, **_shown(customer, section, form)), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("customers/account.html", swaps=SECTIONS, **_shown(customer, section, form))
    flash(_("Saved."), "success")
    url = url_for(".show", customer_id=customer_id, _anchor=section)
    if section == "billing":  # its name heads the page
        return see_other(url)
    return saved(url, "customers/account.html", swaps=SECTIONS, **_shown(customer))


@feature.get("/agreement", permission=P.CUSTOMER_READ)
def agreement(customer_id: UUID) -> ResponseReturnValue:
    customer = queries.opened(customer_id)
    return page("customers/agreement.html", swaps=("form",), **_agreement(customer, AttestationForm.for_customer(customer)))


@feature.post("/agreement", permission=P.AGREEMENT_CONFIRM)
def attest(customer_id: UUID) -> ResponseReturnValue:
    customer = queries.opened(customer_id, lock=True)
    form = AttestationForm()
    if not form.validate_on_submit():
        return invalid("customers/agreement.html", **_agreement(customer, form))
    try:
        agreement_service.attest(customer.organization, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("customers/agreement.html", **_agreement(customer, form))
    flash(_("The agreement of %(name)s is attested.", name=customer.name), "success")
    return see_other(url_for(".agreement", customer_id=customer_id))


@feature.post("/agreement/request", permission=P.REQUEST_SEND, limit=throttle.INVITATIONS)
def ask_for_agreement(customer_id: UUID) -> ResponseReturnValue:
    """Ask the customer's admins to accept in the portal."""
    customer = queries.opened(customer_id)
    number = service.ask_for_agreement(customer, by=g.actor, at=clock.now())
    if number:
        flash(_("The customer's admins were asked by e-mail."), "success")
    else:
        flash(_("The customer has no active admin yet. Send the activation link first, or attest the agreement yourself."), "warning")
    return see_other(url_for(".agreement", customer_id=customer_id))


@feature.get("/activation", permission=P.CUSTOMER_ADD)
def activation(customer_id: UUID) -> ResponseReturnValue:
    """How the first customer admin gets in (R16)."""
    return page("customers/activation.html", **_activation(queries.opened(customer_id)))


@feature.post("/activation", permission=P.CUSTOMER_ADD, limit=throttle.INVITATIONS)
def activate_again(customer_id: UUID) -> ResponseReturnValue:
    """A new link, sent by e-mail; the old one stops."""
    customer = queries.opened(customer_id)
    admin = service.first_admin(customer, by=g.actor)
    if admin is None:
        raise NotFound(customer_id)
    account_service.invite_again(admin, by=g.actor, at=clock.now(), about="first_admin")
    flash(_("A new activation link was sent to %(email)s. The old one no longer works.", email=admin.email), "success")
    return see_other(url_for(".activation", customer_id=customer_id))


@feature.post("/activation/person", permission=P.CUSTOMER_ADD, limit=throttle.INVITATIONS)
def invite(customer_id: UUID) -> ResponseReturnValue:
    """Somebody else, or the first one, is invited to be the customer's first admin."""
    customer = queries.opened(customer_id, lock=True)
    form = FirstAdminForm()
    if not form.validate_on_submit():
        return invalid("customers/activation.html", **_activation(customer, form))
    admin = service.invite_first_admin(customer, name=form.name.data, email=form.email.data, by=g.actor, at=clock.now())
    flash(_("An activation link is on its way to %(email)s.", email=admin.email), "success")
    return see_other(url_for(".activation", customer_id=customer_id))


def _activation(customer: Customer, form: FirstAdminForm | None = None) -> dict[str, Any]:
    admin = service.first_admin(customer, by=g.actor)
    if form is None:
        proposed = {} if admin else {"name": f"{customer.first_name} {customer.last_name}".strip(), "email": customer.email}
        form = FirstAdminForm(data=proposed)
    open_to_us = service.company_is_open_to(customer, g.actor)
    return {
        "customer": customer,
        "has_admin": not open_to_us and bool(accounts.active_admins(customer.customer_id or 0, Side.CUSTOMER)),
        "admin": admin,
        "form": form if open_to_us else None,
        "just_added": "added" in request.args,
        "sold": request.args.get("added"),
        "now": clock.now(),
    }


def _shown(customer: Customer, editing: str | None = None, form: Any = None) -> dict[str, Any]:
    alone = service.company_is_open_to(customer, g.actor)
    for field in form or ():
        field.id = f"{editing}-{field.name}"  # several sections may be open at once
    return {
        "customer": customer,
        "organization": customer.organization if customer.state is RelationshipState.ACTIVE else None,
        "company_alone": alone,
        "company_open": alone and g.actor.may(P.CUSTOMER_EDIT),
        "tags": queries.tags_of(customer),
        "segment_names": SEGMENT_NAMES,
        "names_resellers": _names_resellers(),
        "editing": editing,
        "form": form,
    }


def _agreement(customer: Customer, form: AttestationForm) -> dict[str, Any]:
    return {
        "customer": customer,
        "standing": agreements.standing(customer.partner_id, customer.customer_id or 0, customer.country),
        "text": agreements.current_text(customer.country, language()),
        "has_admin": bool(accounts.active_admins(customer.customer_id or 0, Side.CUSTOMER)),
        "form": form,
    }


def _may_edit(customer: Customer, section: str) -> None:
    if section == "company" and not service.company_is_open_to(customer, g.actor):
        raise Forbidden("the organization's own admins edit this (R10)")
    if section == "reseller" and not _names_resellers():
        raise NotFound(section)


def _names_resellers() -> bool:
    """An indirect provider says on its record who the reseller is (R41)."""
    return bool(g.actor.partner_type is PartnerType.INDIRECT_PROVIDER)


def _edition(customer: Customer, section: str) -> int:
    """What the form's version is compared with."""
    return customer.organization.version if section == "company" else service.edition(_part(customer, section))


def _part(customer: Customer, section: str) -> dict[str, Any]:
    return PARTS[section](customer) if section in PARTS else service.part_of(customer, FORMS[section].Entry)  # type: ignore[no-any-return]


def _form(customer: Customer, section: str) -> Any:
    version = _edition(customer, section)
    if section == "company":
        company = customer.organization
        return CompanyForm.for_country(
            company.country, **{field.name: getattr(company, field.name) for field in fields(CompanyEntry) if field.name != "country"}, version=version
        )
    filled = {**_part(customer, section), "version": version}
    if section == "billing":
        return BillingForm(data=filled, fixed_country=customer.country)
    if section == "profile":
        filled["tags"] = ", ".join(filled["tags"])
    form = FORMS[section](data=filled)
    if section == "reseller":
        form.keep(customer.reseller)
    return form
