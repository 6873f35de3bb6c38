"""Adding a customer: a draft that survives leaving, checks before anything exists, and Submit (R16)."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts import service as account_service
from portal.accounts.models import Organization
from portal.agreements import service as agreements
from portal.agreements.service import AttestationEntry
from portal.core import audit
from portal.core.access import Actor, Permission, Role, Side
from portal.core.db import Key, attempt, db, find, limited, uuid7
from portal.core.errors import NotFound, Refused
from portal.core.events import emit
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.core.words import Caution, address_warnings, name_warnings
from portal.customers import mails as customer_mails
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState, Segment
from portal.customers.service import chosen_reseller, enter_record
from portal.onboarding.events import CustomerAdded
from portal.onboarding.models import CustomerDraft
from portal.subscriptions import catalog, ordering, reselling
from portal.subscriptions.catalog import Standing

MOST_DRAFTS = 50
MOST_TYPED = 2000  # characters kept of a field


@dataclass(frozen=True)
class AccountEntry:
    """Account information: the company, and its primary contact, who becomes its first admin."""

    name: str
    domain: str
    country: str
    street: str
    district: str
    city: str
    region: str
    postal_code: str
    tax_id: str
    first_name: str
    last_name: str
    email: str
    phone: str
    language: str
    segment: str
    reseller: str = ""  # public key of the reseller on whose behalf a provider adds the customer (R41)


@dataclass(frozen=True)
class Attested:
    """The primary contact accepted the agreement on this day; so the lines are ordered as they were `reviewed`."""

    accepted_on: date
    reviewed: list[str]


class DomainTaken(Refused):
    """The domain is proven by another organization; the way that works is a relationship request (R11)."""


class AlreadyCustomer(Refused):
    """This partner has a customer with this domain; `customer` is its record."""

    def __init__(self, message: Any, customer: Customer) -> None:
        super().__init__(message, field="domain")
        self.customer = customer


def save_draft(public_id: UUID, typed: dict[str, Any], *, by: Actor, at: datetime) -> CustomerDraft:
    """Keep what was typed, right or wrong, so that leaving half-way loses nothing.

    The page names the draft, so that saving twice, even at once, keeps one. A draft that was submitted stays as it is: a new one begins.
    """
    draft = find_draft(public_id, by, lock=True)
    if draft is None or draft.customer_public_id:
        draft = _new_draft(public_id if draft is None else uuid7(), by=by, at=at)
    kept: dict[str, Any] = {key: value[:MOST_TYPED] for key, value in typed.items() if isinstance(value, str)}
    if draft.lines:
        kept["lines"] = draft.lines
    if draft.typed | {"order": ""} != kept | {"order": ""}:
        draft.typed, draft.saved_at = kept, at
    db.session.flush()
    return draft


def choose(draft: CustomerDraft, lines: dict[str, int], *, at: datetime) -> None:
    """The offers chosen in the subscriptions step, with their quantities."""
    if draft.lines != lines:
        draft.typed, draft.saved_at = {**draft.typed, "lines": lines}, at


def sells(by: Actor) -> bool:
    """Whether subscriptions can be chosen for a customer-to-be: a reseller's provider has no relationship with it yet (R41)."""
    return by.may(Permission.SUBSCRIPTION_ORDER) and not reselling.resells(by)


def newcomer(entry: AccountEntry, by: Actor) -> Standing:
    """What the customer-to-be could order."""
    return catalog.newcomer(entry.country, Segment(entry.segment), by.cloud)


def overtaken(draft: CustomerDraft, typed: dict[str, Any]) -> bool:
    """Whether something typed later was saved already."""
    mine, saved = typed.get("order") or "", draft.typed.get("order") or ""
    return mine.isdecimal() and saved.isdecimal() and int(mine) < int(saved)


def find_draft(public_id: UUID, by: Actor, *, lock: bool = False) -> CustomerDraft | None:
    """One's own draft; None when there is none, or it is a colleague's."""
    try:
        return my_draft(public_id, by, lock=lock)
    except NotFound:
        return None


def my_draft(public_id: UUID, by: Actor, *, lock: bool = False) -> CustomerDraft:
    """One's own draft; NotFound for a colleague's."""
    draft = find(CustomerDraft, public_id, lock=lock)
    if draft.author_id != by.user_id:
        raise NotFound(public_id)
    return draft


def draft_from(origin: UUID, known: dict[str, str], *, by: Actor, at: datetime) -> CustomerDraft:
    """One's draft of the customer that this lead becomes (R56): the one begun already, or a new one with everything known filled in."""
    mine = sa.select(CustomerDraft).where(CustomerDraft.author_id == by.user_id, CustomerDraft.origin == origin)
    draft = db.session.scalar(mine.where(CustomerDraft.customer_public_id.is_(None)).order_by(CustomerDraft.id.desc()).limit(1))
    if draft is None:
        draft = _new_draft(uuid7(), by=by, at=at)
        draft.origin, draft.typed = origin, known
        db.session.flush()
    return draft


def _new_draft(public_id: UUID, *, by: Actor, at: datetime) -> CustomerDraft:
    assert by.organization_id is not None and by.user_id is not None
    mine = sa.select(CustomerDraft.id).where(CustomerDraft.author_id == by.user_id).order_by(CustomerDraft.id.desc())
    for old in db.session.scalars(mine.offset(MOST_DRAFTS - 1).limit(100)).all():
        db.session.execute(sa.delete(CustomerDraft).where(CustomerDraft.id == old))
    draft = CustomerDraft(public_id=public_id, partner_id=by.organization_id, author_id=by.user_id, typed={}, saved_at=at)
    try:
        with attempt():
            db.session.add(draft)
    except sa.exc.IntegrityError:  # the same page saved a moment ago
        return my_draft(public_id, by, lock=True)
    return draft


def my_drafts(by: Actor) -> list[Any]:
    return list(db.session.execute(_DRAFTS, {"author": by.user_id}))


_DRAFTS = limited(
    sa.select(CustomerDraft.public_id, CustomerDraft.typed, CustomerDraft.saved_at)
    .where(CustomerDraft.author_id == sa.bindparam("author", type_=Key), CustomerDraft.customer_public_id.is_(None))
    .order_by(CustomerDraft.id.desc()),
    10,
)


def discard(draft: CustomerDraft) -> None:
    if draft.customer_public_id is None:
        db.session.delete(draft)


def forget_drafts(*, before: datetime) -> int:
    with scoped(EVERYTHING):
        return int(db.session.execute(sa.delete(CustomerDraft).where(CustomerDraft.saved_at < before)).rowcount)  # type: ignore[attr-defined]


def cautions(entry: AccountEntry) -> list[Caution]:
    """What looks like a mistake but may be meant (R12)."""
    return [*name_warnings(entry.name), *address_warnings(entry.street, entry.country)]


def check(entry: AccountEntry, *, by: Actor) -> None:
    """Why this customer cannot be added; raised before anything exists."""
    chosen_reseller(entry.reseller, by=by)
    if market(entry.country) != market(by.country):
        raise Refused(_("You can only sell inside your own market. Choose a country of it."), field="country")
    known = customers.by_domain(entry.domain)
    if known is not None:
        raise AlreadyCustomer(_("%(name)s already stands in your list with this domain.", name=known.name), known)
    owner = accounts.proven_owner(entry.domain, by.cloud)
    if owner is not None and owner.id == by.organization_id:
        raise Refused(_("This is the domain of your own organization. Give the customer's."), field="domain")
    if owner is not None:
        raise DomainTaken(_("A company with this domain is already here, so it cannot be added again. Ask it for a relationship instead."), field="domain")


def add_customer(
    draft: CustomerDraft, entry: AccountEntry, *, by: Actor, at: datetime, mailed: bool, overridden: bool = False, attested: Attested | None = None
) -> Customer:
    """Submit: organization, record, first customer admin with an activation link, and what was chosen for it, all or nothing (R16, R18)."""
    assert by.organization_id is not None
    # Two drafts of one domain are submitted one after the other.
    db.session.execute(sa.select(Organization.id).where(Organization.id == by.organization_id).with_for_update(key_share=True))
    check(entry, by=by)
    if cautions(entry) and not overridden:
        raise Refused(_("Look at the warnings first, and say that it is right so."))
    organization = account_service.create_organization(
        name=entry.name,
        domain=entry.domain,
        country=entry.country,
        side=Side.CUSTOMER,
        cloud=by.cloud,
        by=by,
        at=at,
        added_by_id=by.organization_id,
        street=entry.street,
        district=entry.district,
        city=entry.city,
        region=entry.region,
        postal_code=entry.postal_code,
        tax_id=entry.tax_id,
    )
    details = asdict(entry)
    reseller = chosen_reseller(entry.reseller, by=by)
    customer = enter_record(
        organization,
        partner_id=by.organization_id,
        state=RelationshipState.ACTIVE,
        by=by,
        at=at,
        reseller_id=reseller.id if reseller else None,
        **{key: details[key] for key in ("first_name", "last_name", "email", "phone", "language", "segment")},
    )
    colleague = account_service.Colleague(f"{entry.first_name} {entry.last_name}"[:120], entry.email, [Role.CUSTOMER_ADMIN], entry.language)
    account_service.invite_user(organization, colleague, by=by, at=at, mailed=mailed, about="first_admin")
    after = {"name": entry.name, "domain": entry.domain, "email": entry.email} | ({"reseller": reseller.name} if reseller else {})
    audit.record("customer.added", by=by, at=at, customer=customer.logged, after=after)
    if reseller is not None:
        customer_mails.reseller_named(customer, reseller, by=by, at=at)
    sold = _sell(draft.lines, customer, entry, by=by, at=at, attested=attested) if draft.lines and sells(by) else ""
    draft.customer_public_id, draft.typed = customer.public_id, {"sold": sold} if sold else {}
    db.session.flush()
    emit(CustomerAdded(customer, draft.origin, by, at))
    return customer


def _sell(lines: dict[str, int], customer: Customer, entry: AccountEntry, *, by: Actor, at: datetime, attested: Attested | None) -> str:
    """What was chosen is ordered where the agreement is attested, and waits in the cart where it is not (R17): "order" or "cart"."""
    cart = ordering.cart_of(customer, by=by, at=at)
    ordering.fill(cart, lines, at=at)
    if attested is None or not by.may(Permission.AGREEMENT_CONFIRM):
        return "cart"
    word = AttestationEntry(entry.first_name, entry.last_name, entry.email, entry.phone, attested.accepted_on)
    agreements.attest(customer.organization, word, by=by, at=at)
    ordering.order(cart, customer, cloud=by.cloud, by=by, at=at, reviewed=attested.reviewed)
    return "order"
