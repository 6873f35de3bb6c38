"""What relationships write by mail, and to whom. The partner is told by a message to the request's author."""

import functools
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import outbox
from portal.core.access import Actor, Role
from portal.core.db import db
from portal.customers.models import Customer
from portal.relationships import texts
from portal.relationships.models import DelegatedAdministration, Partnership, RelationshipRequest
from portal.relationships.queries import Staying


def request(row: RelationshipRequest, *, by: Actor, at: datetime) -> None:
    """The request itself, in the words its sender chose; answers go to the person (R20)."""
    outbox.post_text(
        "relationships/request",
        to=row.email,
        organization_id=row.partner_id,
        at=at,
        in_language=row.language,
        subject=row.subject,
        text=row.body,
        reply_to=(by.name, by.email),
        link=row.link,
        path="/connect/",
    )


def accepted(row: RelationshipRequest, customer: Customer, *, by: Actor, at: datetime, reinstated: bool) -> None:
    _to_author(row, "accepted", at, customer=customer.name, customer_id=customer.public_id, person=by.name, email=by.email, reinstated=reinstated)
    outbox.post(
        "relationships/receipt",
        to=by.email,
        organization_id=by.organization_id,
        at=at,
        in_language=by.language,
        name=by.name,
        partner=row.partner.name,
        provider=row.provider.name if row.provider else "",
        request_id=row.public_id,
        delegated=row.delegated_administration,
    )


def accepted_for_provider(row: RelationshipRequest, customer: Customer, *, by: Actor, at: datetime, reinstated: bool) -> None:
    """To the provider's global admins: the reseller's invitation brought it a customer (R28)."""
    for user in _admins(customer.partner_id, Role.GLOBAL_ADMIN):
        _to_user(
            user,
            "accepted_jointly",
            at,
            customer=customer.name,
            customer_id=customer.public_id,
            reseller=row.partner.name,
            person=by.name,
            email=by.email,
            reinstated=reinstated,
        )


def declined(row: RelationshipRequest, *, at: datetime) -> None:
    _to_author(row, "declined", at, addressee=row.organization or row.email, reason=row.decline_reason or "", request_id=row.public_id)


def expired(row: RelationshipRequest, *, at: datetime) -> None:
    _to_author(row, "expired", at, addressee=row.organization or row.email, request_id=row.public_id)


def lapsing(row: RelationshipRequest, *, at: datetime) -> None:
    _to_author(row, "lapsing", at, addressee=row.organization or row.email, request_id=row.public_id, expires_at=row.expires_at)


def delegation_given_up(row: DelegatedAdministration, *, by: Actor, at: datetime) -> None:
    _to_customer_admins(row, "delegation_given_up", at, person=by.name)


def delegation_removed(row: DelegatedAdministration, *, by: Actor, at: datetime) -> None:
    _to_partner(row, "delegation_removed", at, customer=by.organization_name, person=by.name)


def delegation_extended(row: DelegatedAdministration, customer: Customer, *, at: datetime) -> None:
    _to_partner(row, "delegation_extended", at, customer=customer.name, ends_at=row.ends_at)
    _to_customer_admins(row, "delegation_extended_customer", at, ends_at=row.ends_at)


def delegation_lapsed(row: DelegatedAdministration, customer: Customer | None, *, at: datetime) -> None:
    _to_partner(row, "delegation_lapsed", at, customer=customer.name if customer else "")


def delegation_lapsing(row: DelegatedAdministration, customer: Customer, *, at: datetime) -> None:
    _to_partner(row, "delegation_lapsing", at, customer=customer.name, ends_at=row.ends_at, auto_extend=row.auto_extend, customer_id=customer.public_id)


# --- partnerships


def partnership_request(row: Partnership, *, by: Actor, at: datetime) -> None:
    """The request itself, in the words its sender chose (R40)."""
    outbox.post_text(
        "relationships/partnership_request",
        to=row.email,
        organization_id=row.partner_id,
        at=at,
        in_language=row.language,
        subject=row.subject,
        text=row.body,
        reply_to=(by.name, by.email),
        link=row.link,
        path=texts.PARTNERSHIP_LINKS,
    )


def partnership_accepted(row: Partnership, *, by: Actor, at: datetime) -> None:
    """To the author and the provider's global admins; and a receipt to the reseller's."""
    for user in _admins(row.partner_id, Role.GLOBAL_ADMIN, also=row.author_id):
        _to_user(user, "partnership_accepted", at, reseller=by.organization_name, person=by.name, email=by.email, partnership_id=row.public_id)
    assert by.organization_id is not None
    for user in _admins(by.organization_id, Role.GLOBAL_ADMIN):
        _to_user(user, "partnership_receipt", at, provider=row.partner.name, reseller=by.organization_name, partnership_id=row.public_id)


def partnership_declined(row: Partnership, *, at: datetime) -> None:
    _to_author(row, "partnership_declined", at, addressee=row.organization or row.email, reason=row.decline_reason or "", partnership_id=row.public_id)


def partnership_expired(row: Partnership, *, at: datetime) -> None:
    _to_author(row, "partnership_expired", at, addressee=row.organization or row.email, partnership_id=row.public_id)


def partnership_lapsing(row: Partnership, *, at: datetime) -> None:
    _to_author(row, "partnership_lapsing", at, addressee=row.organization or row.email, partnership_id=row.public_id, expires_at=row.expires_at)


def partnership_ended(row: Partnership, staying: dict[int, Staying], *, by: Actor, at: datetime) -> None:
    """To the global admins of both sides: what stays, each its own (R42)."""
    sides = {row.partner_id: row.reseller, row.reseller_id: row.partner}
    for organization_id, other in sides.items():
        assert organization_id is not None and other is not None
        stays = functools.partial(texts.what_stays, staying[organization_id], provider=organization_id == row.partner_id, other=other.name)
        context = {"other": other.name, "person": by.name, "company": by.organization_name, "reason": row.ending_reason or "", "stays": stays}
        for user in _admins(organization_id, Role.GLOBAL_ADMIN):
            _to_user(user, "partnership_ended", at, partnership_id=row.public_id, **context)


def _to_user(user: User, kind: str, at: datetime, **context: Any) -> None:
    known: dict[str, Any] = {"name": user.name, "zone": user.time_zone}
    outbox.post(f"relationships/{kind}", to=user.email, organization_id=user.organization_id, at=at, in_language=user.language, **known, **context)


def _to_author(row: RelationshipRequest | Partnership, kind: str, at: datetime, **context: Any) -> None:
    author = db.session.get(User, row.author_id) if row.author_id else None
    language, zone = (author.language, author.time_zone) if author else (None, None)
    known: dict[str, Any] = {"name": row.author_name, "zone": zone}
    outbox.post(f"relationships/{kind}", to=row.author_email, organization_id=row.partner_id, at=at, in_language=language, **known, **context)


def _to_partner(row: DelegatedAdministration, kind: str, at: datetime, **context: Any) -> None:
    """To the author of the request that led to it, and to the partner's global admins."""
    author_id = db.session.scalar(
        sa.select(RelationshipRequest.author_id).where(RelationshipRequest.id == row.request_id, RelationshipRequest.partner_id == row.partner_id)
    )
    for user in _admins(row.partner_id, Role.GLOBAL_ADMIN, also=author_id):
        _to_user(user, kind, at, **context)


def _to_customer_admins(row: DelegatedAdministration, kind: str, at: datetime, **context: Any) -> None:
    partner = db.session.get_one(Organization, row.partner_id)
    assert row.customer_id is not None
    for user in _admins(row.customer_id, Role.CUSTOMER_ADMIN):
        _to_user(user, kind, at, partner=partner.name, **context)


def _admins(organization_id: int, role: Role, *, also: int | None = None) -> list[User]:
    statement = (
        sa.select(User)
        .outerjoin(UserRole, sa.and_(UserRole.user_id == User.id, UserRole.role == role))
        .where(User.organization_id == organization_id, User.state == UserState.ACTIVE, sa.or_(UserRole.id.is_not(None), User.id == also))
        .order_by(User.id)
        .limit(20)
    )
    return list(db.session.scalars(statement).unique())
