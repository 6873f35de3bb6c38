"""Changes to customer records and to the organization half while it has no admin of its own."""

import json
import zlib
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts import service as account_service
from portal.accounts.models import Organization, User, UserState
from portal.accounts.service import CompanyEntry, DomainProven, OrganizationChanged, UserActivated, change_organization, stale
from portal.agreements import queries as agreements
from portal.agreements.models import AgreementState
from portal.agreements.service import AgreementChanged, TextPublished
from portal.core import audit
from portal.core.access import PORTAL, Actor, Role, Side
from portal.core.db import db
from portal.core.errors import Forbidden, Refused
from portal.core.events import emit, on
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.core.words import normalise, search_text
from portal.customers import mails, queries
from portal.customers.events import CustomerMoved, CustomerRenamed
from portal.customers.models import Customer, CustomerTag, RelationshipState
from portal.customers.states import RELATIONSHIP

CLAIM_LASTS = timedelta(days=30)
MOST_TAGS = 20


@dataclass(frozen=True)
class BillingEntry:
    name: str
    billing_contact: str
    billing_email: str
    billing_street: str
    billing_city: str
    billing_region: str
    billing_postal_code: str
    billing_district: str = ""


@dataclass(frozen=True)
class ContactEntry:
    first_name: str
    last_name: str
    email: str
    phone: str
    language: str


@dataclass(frozen=True)
class ProfileEntry:
    segment: str
    tags: tuple[str, ...]
    notes: str


@dataclass(frozen=True)
class ResellerEntry:
    """The public key of the reseller, or empty for none."""

    reseller: str


def enter_record(
    organization: Organization, *, partner_id: int, state: RelationshipState, by: Actor, at: datetime, name: str | None = None, **details: Any
) -> Customer:
    """A partner's new record of this customer; the customer stands in its list at once."""
    billing_name = name or organization.name
    standing = agreements.standing(partner_id, organization.id, organization.country)
    customer = Customer(
        partner_id=partner_id,
        customer_id=organization.id,
        public_id=organization.public_id,
        name=billing_name,
        name_key=name_key(billing_name),
        domain=organization.domain,
        country=organization.country,
        search_text=searchable(billing_name, organization.name, organization.domain),
        state=state,
        state_at=at,
        agreement=standing.state,
        created_at=at,
        started_at=at if state is RelationshipState.ACTIVE else None,
        **details,
    )
    db.session.add(customer)
    db.session.flush()
    audit.record(f"relationship.{state.value}", by=by, at=at, customer=customer.logged, seen_by=(partner_id, organization.id), after={"state": state.value})
    return customer


def name_key(name: str) -> str:
    """How a company's name sorts; bounded, since an index entry is."""
    return normalise(name).encode()[:500].decode(errors="ignore")[:200]


def searchable(*parts: str) -> str:
    """What the list's search looks through; bounded likewise."""
    return search_text(*parts).encode()[:1200].decode(errors="ignore")


def change_company(customer: Customer, entry: CompanyEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """By the adding partner until the first admin is active, by the customer's own admins after (R10)."""
    if not company_is_open_to(customer, by):
        raise Forbidden("the organization's own admins edit this")
    change_organization(customer.organization, entry, version=version, by=by, at=at)


def change_billing(customer: Customer, entry: BillingEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """The partner's own half; a new billing name changes this partner's list and nothing else (R13)."""
    _change_record(customer, entry, version=version, by=by, at=at)
    _rekey(customer, customer.organization)


def change_contact(customer: Customer, entry: ContactEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    _change_record(customer, entry, version=version, by=by, at=at)


def change_profile(customer: Customer, entry: ProfileEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """Segment, tags and notes."""
    present, typed = profile_of(customer), {"segment": entry.segment, "notes": entry.notes, "tags": sorted(entry.tags)}
    if version is not None and edition(present) != version:
        shown = {key: (", ".join(value) if key == "tags" else value) for key, value in present.items()}
        raise stale({key: (shown[key], typed[key]) for key in present if present[key] != typed[key]})
    if len(entry.tags) > MOST_TAGS:
        raise Refused(_("Give at most %(number)s tags.", number=MOST_TAGS), field="tags")
    before, after = audit.changes(present, typed)
    if not after:
        return
    customer.segment, customer.notes = type(customer.segment)(entry.segment), entry.notes
    sa.orm.attributes.flag_modified(customer, "notes")  # tags count as a change of the record
    if "tags" in after:
        db.session.execute(sa.delete(CustomerTag).where(CustomerTag.record_id == customer.id))
        db.session.add_all([CustomerTag(partner_id=customer.partner_id, record_id=customer.id, tag=tag) for tag in sorted(entry.tags)])
    audit.record("customer.updated", by=by, at=at, customer=customer.logged, before=before, after=after)


def change_reseller(customer: Customer, entry: ResellerEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """The provider names the reseller of a customer, or none (R41); a former reseller stays until another is named (R42)."""
    present = reseller_of(customer)
    if version is not None and edition(present) != version:
        raise stale({"reseller": (present["reseller"], entry.reseller)} if present["reseller"] != entry.reseller else {})
    if entry.reseller == present["reseller"]:
        return
    reseller = chosen_reseller(entry.reseller, by=by)
    name_reseller(customer, reseller, by=by, at=at)
    if reseller is not None and not _named_lately(customer, reseller, at):
        mails.reseller_named(customer, reseller, by=by, at=at)


def _named_lately(customer: Customer, reseller: Organization, at: datetime) -> bool:
    """Whether this record named this reseller within the last hour already, as our log tells: going to and fro writes no second message."""
    E = audit.LogEntry
    changes = sa.select(E.details).where(E.organization_id == customer.partner_id, E.customer_id == customer.customer_id, E.at > at - timedelta(hours=1))
    named = db.session.scalars(changes.where(E.action == "customer.updated"))
    return any((details or {}).get("after", {}).get("reseller") == reseller.name for details in named)


def chosen_reseller(public_id: str, *, by: Actor) -> Organization | None:
    """The reseller with this public key: one that the provider has an active partnership with (R41)."""
    if not public_id:
        return None
    known = {str(reseller.public_id): reseller.organization_id for reseller in queries.resellers(by) if reseller.active}
    if public_id not in known:
        raise Refused(_("You have no active partnership with this reseller. Choose another one, or none."), field="reseller")
    return accounts.organization(known[public_id])


def name_reseller(customer: Customer, reseller: Organization | None, *, by: Actor, at: datetime) -> None:
    """On the provider's own record; its log alone tells of it."""
    former = customer.reseller
    customer.reseller_id = reseller.id if reseller else None
    before, after = ({"reseller": company.name if company else None} for company in (former, reseller))
    audit.record("customer.updated", by=by, at=at, customer=customer.logged, seen_by=(customer.partner_id,), before=before, after=after)
    db.session.flush()
    db.session.expire(customer, ["reseller"])


def reseller_of(customer: Customer) -> dict[str, str]:
    return {"reseller": str(customer.reseller.public_id) if customer.reseller else ""}


def profile_of(customer: Customer) -> dict[str, Any]:
    return {"segment": customer.segment.value, "notes": customer.notes, "tags": queries.tags_of(customer)}


def part_of(customer: Customer, entry: type[Any]) -> dict[str, Any]:
    """The fields of the record that this kind of entry fills."""
    return {field.name: getattr(customer, field.name) for field in fields(entry)}


def edition(part: dict[str, Any]) -> int:
    """Which version of one part of a record a form was filled from. Parts are edited side by side: saving one makes no other stale (R104)."""
    return zlib.crc32(json.dumps(part, sort_keys=True).encode())


def company_is_open_to(customer: Customer, actor: Actor) -> bool:
    """Whether this partner may still edit the organization half (R10)."""
    organization = customer.organization
    return (
        customer.state is RelationshipState.ACTIVE
        and organization.added_by_id == actor.organization_id
        and not accounts.active_admins(organization.id, Side.CUSTOMER)
    )


def first_admin(customer: Customer, *, by: Actor) -> User | None:
    """The person whom the adding partner invited to be the customer's first admin, while nobody has activated (R18)."""
    organization = customer.organization
    if organization.added_by_id != by.organization_id or accounts.active_admins(organization.id, Side.CUSTOMER):
        return None
    invited = sa.select(User).where(User.organization_id == organization.id, User.state == UserState.INVITED)
    return db.session.scalar(invited.options(sa.orm.joinedload(User.activation_link)).order_by(User.id).limit(1))


def invite_first_admin(customer: Customer, *, name: str, email: str, by: Actor, at: datetime) -> User:
    """This person instead of whoever was invited before: an address may have been wrong (R16, R18)."""
    if not company_is_open_to(customer, by):
        raise Refused(_("The customer has an active admin. There is nothing left to do here."))
    invited = first_admin(customer, by=by)
    if invited is not None:
        account_service.deactivate(invited, by=by, at=at)
        db.session.flush()
    entry = account_service.Colleague(name, email, [Role.CUSTOMER_ADMIN], customer.language)
    return account_service.invite_user(customer.organization, entry, by=by, at=at, about="first_admin")


def ask_for_agreement(customer: Customer, *, by: Actor, at: datetime) -> int:
    """Ask the customer's active admins by mail to accept the agreement; returns how many were asked."""
    assert customer.customer_id is not None
    admins = accounts.active_admins(customer.customer_id, Side.CUSTOMER)
    if admins:
        mails.agreement_wanted(customer, admins, by=by, at=at)
        audit.record("agreement.requested", by=by, at=at, customer=customer.logged, seen_by=(customer.customer_id,))
    return len(admins)


def _change_record(customer: Customer, entry: Any, *, version: int | None, by: Actor, at: datetime) -> None:
    present = part_of(customer, type(entry))
    if version is not None and edition(present) != version:
        raise stale({key: (value, getattr(entry, key)) for key, value in present.items() if value != getattr(entry, key)})
    before, after = audit.changes(present, part_of(entry, type(entry)))
    for key, value in after.items():
        setattr(customer, key, value)
    if after:
        audit.record("customer.updated", by=by, at=at, customer=customer.logged, before=before, after=after)


def _rekey(customer: Customer, organization: Organization) -> None:
    former = customer.search_text
    customer.name_key = name_key(customer.name)
    customer.search_text = searchable(customer.name, organization.name, organization.domain)
    if customer.search_text != former:
        emit(CustomerRenamed(customer))


@on(OrganizationChanged)
def _repeat_in_records(event: OrganizationChanged) -> None:
    """Name, domain and country stand in every partner's record for its list to sort and search by."""
    organization = event.organization
    with scoped(EVERYTHING):
        for customer in db.session.scalars(sa.select(Customer).where(Customer.customer_id == organization.id)):
            customer.domain, customer.country = organization.domain, organization.country
            _rekey(customer, organization)


@on(AgreementChanged)
def _agreement_changed(event: AgreementChanged) -> None:
    with scoped(EVERYTHING if event.partner_id is None else Scope(partner_id=event.partner_id)):
        for customer in db.session.scalars(sa.select(Customer).where(Customer.customer_id == event.organization.id)):
            customer.agreement = agreements.standing(customer.partner_id, event.organization.id, event.organization.country).state


@on(TextPublished)
def _text_published(event: TextPublished) -> None:
    """A new version makes what was accepted before outdated, in one statement."""
    with scoped(EVERYTHING):
        accepted = Customer.agreement.in_([AgreementState.ACCEPTED, AgreementState.ATTESTED])
        statement = sa.update(Customer).where(accepted).values(agreement=AgreementState.OUTDATED)
        if event.country:
            statement = statement.where(Customer.country == event.country)
        db.session.execute(statement.execution_options(synchronize_session=False))


@on(UserActivated)
def _first_admin_active(event: UserActivated) -> None:
    """The adding partner is told that its customer's first admin is in (R18)."""
    organization = event.user.organization
    if organization.side is not Side.CUSTOMER or organization.added_by_id is None:
        return
    if accounts.active_admins(organization.id, Side.CUSTOMER) != [event.user.id]:
        return
    with scoped(Scope(partner_id=organization.added_by_id)):
        customer = queries.record_of(organization.id)
        if customer is not None:
            mails.first_admin(customer, event.user, at=event.at)


@on(DomainProven)
def _other_claims_yield(event: DomainProven) -> None:
    """Other claims to a domain become pending records of the organization that proved it (R11).

    So do pending ones, which would wait for a company that is not there. A partner that already has a record of the proven one keeps that.
    """
    proven = event.organization
    with scoped(EVERYTHING):
        claims = (
            sa.select(Customer)
            .join(Organization, Organization.id == Customer.customer_id)
            .where(
                Organization.domain == proven.domain,
                Organization.cloud == proven.cloud,
                Organization.id != proven.id,
                Organization.domain_proven_at.is_(None),
                Customer.ended == 0,
            )
        )
        for customer in db.session.scalars(claims).all():
            known = db.session.scalar(sa.select(Customer.id).where(Customer.partner_id == customer.partner_id, Customer.customer_id == proven.id))
            if known is not None:
                continue
            if customer.state is RelationshipState.ACTIVE:
                RELATIONSHIP.apply(
                    customer, "yield", by=PORTAL, at=event.at, customer=customer.logged, seen_by=(customer.partner_id,), details={"domain": proven.domain}
                )
            former_id, customer.customer_id, customer.public_id = customer.customer_id, proven.id, proven.public_id
            customer.agreement = AgreementState.MISSING
            assert former_id is not None
            emit(CustomerMoved(customer, former_id, event.at))
            _rekey(customer, proven)
