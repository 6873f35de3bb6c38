"""Reads of organizations, users and sessions."""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.accounts.models import Organization, User, UserRole, UserSession, UserState
from portal.core import clock, search, tokens
from portal.core.access import PARTNER_ROLES, Actor, Cloud, Role, Side, permissions_of
from portal.core.db import db
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort, fetch
from portal.core.outbox import Mail, MailState

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)

ROLE_NAMES = {
    Role.GLOBAL_ADMIN: _l("Global admin"),
    Role.USER_ADMIN: _l("User management admin"),
    Role.BILLING_ADMIN: _l("Billing admin"),
    Role.ADMIN_AGENT: _l("Admin agent"),
    Role.SALES_AGENT: _l("Sales agent"),
    Role.HELPDESK_AGENT: _l("Helpdesk agent"),
    Role.REFERRALS_ADMIN: _l("Referrals admin"),
    Role.CUSTOMER_ADMIN: _l("Customer admin"),
    Role.PURCHASER: _l("Purchaser"),
    Role.MEMBER: _l("Member"),
}
ROLE_HINTS = {
    Role.GLOBAL_ADMIN: _l("Everything, including who may do what and ending a relationship."),
    Role.USER_ADMIN: _l("People and their roles, the outbox; adds customers and requests relationships."),
    Role.BILLING_ADMIN: _l("Catalog, prices, invoices and payments."),
    Role.ADMIN_AGENT: _l("All daily work for customers."),
    Role.SALES_AGENT: _l("Adds customers, requests relationships, sells."),
    Role.HELPDESK_AGENT: _l("Looks customers up, corrects their details, answers service requests."),
    Role.REFERRALS_ADMIN: _l("Business profile and leads."),
    Role.CUSTOMER_ADMIN: _l("Partners, agreements, people and purchases."),
    Role.PURCHASER: _l("Buys where a partner permits it; sees orders and invoices."),
    Role.MEMBER: _l("Sees subscriptions and asks for support."),
}
STATES = {  # with the tone of the badge
    UserState.INVITED: (_l("Invited"), "info"),
    UserState.ACTIVE: (lazy_pgettext("person", "Active"), "good"),
    UserState.DEACTIVATED: (_l("Deactivated"), "neutral"),
}


_SESSION = (
    sa.select(
        UserSession.id,
        UserSession.created_at,
        UserSession.last_seen_at,
        User.id,
        User.name,
        User.email,
        User.language,
        User.time_zone,
        Organization.id,
        Organization.name,
        Organization.public_id,
        Organization.side,
        Organization.partner_type,
        Organization.cloud,
        Organization.country,
        UserRole.role,
    )
    .join(User, User.id == UserSession.user_id)
    .join(Organization, Organization.id == User.organization_id)
    .join(UserRole, UserRole.user_id == User.id)
    .where(
        UserSession.token_hash == sa.bindparam("token_hash"),
        UserSession.ended_at.is_(None),
        UserSession.last_seen_at > sa.bindparam("idle", type_=UserSession.last_seen_at.type),
        UserSession.created_at > sa.bindparam("oldest", type_=UserSession.created_at.type),
        User.state == UserState.ACTIVE,
        Organization.suspended_at.is_(None),
    )
)


def actor_of_session(token: str) -> Actor | None:
    """The person behind a session cookie; None when the session ended, idled out, grew too old, or its user or organization is out."""
    now = clock.now()
    values = {"token_hash": hashlib.sha256(token.encode()).hexdigest(), "idle": now - IDLE, "oldest": now - ABSOLUTE}
    rows = db.session.execute(_SESSION, values).all()
    if not rows:
        return None
    session_id, since, seen, user_id, name, email, language, zone, org_id, org_name, org_public, side, kind, cloud, country, _role = rows[0]
    roles = frozenset(Role(row[-1]) for row in rows)
    return Actor(
        user_id=user_id,
        name=name,
        email=email,
        organization_id=org_id,
        organization_name=org_name,
        organization_public_id=org_public,
        side=side,
        partner_type=kind,
        cloud=cloud,
        country=country,
        roles=roles,
        permissions=permissions_of(roles, kind, cloud),
        language=language,
        time_zone=zone,
        session_id=session_id,
        session_token=token,
        authenticated_at=since,
        last_seen_at=seen,
    )


def user_by_email(email: str) -> User | None:
    """Whoever signs in with this address."""
    return db.session.scalar(sa.select(User).where(User.email_key == email.strip().casefold(), User.state != UserState.INVITED))


def user(user_id: int) -> User:
    """One's own row."""
    return db.session.get_one(User, user_id)


def user_by_link(purpose: str, token: str, *, at: datetime) -> User | None:
    """Whose 'activation' or 'reset' link this is; None for one that is no longer good."""
    link = tokens.look_up(purpose, token)
    return user_holding(purpose, link.id, link.generation, at=at) if link else None


def user_holding(purpose: str, link_id: int, generation: int, *, at: datetime, lock: bool = False) -> User | None:
    """Whose link this is, for a browser that opened it and keeps that in its session."""
    column, wanted = (User.activation_link_id, UserState.INVITED) if purpose == "activation" else (User.reset_link_id, UserState.ACTIVE)
    statement = sa.select(User).where(column == link_id, User.state == wanted)
    if lock:
        statement = statement.with_for_update(of=User).execution_options(populate_existing=True)
    user = db.session.scalar(statement)
    if user is None or user.organization.suspended_at is not None:
        return None
    link = user.activation_link if purpose == "activation" else user.reset_link
    return user if link and link.generation == generation and link.usable(at) else None


def colleague(organization_id: int, public_id: UUID, *, lock: bool = False) -> User:
    """A user of this organization; NotFound for anybody else's."""
    statement = sa.select(User).where(User.public_id == public_id, User.organization_id == organization_id)
    if lock:
        statement = statement.with_for_update(of=User)
    user = db.session.scalar(statement)
    if user is None:
        raise NotFound(public_id)
    return user


def organization(organization_id: int) -> Organization:
    return db.session.get_one(Organization, organization_id)


def organization_by_domain(domain: str, *, side: Side | None = None) -> Organization | None:
    """For commands: the organization of this domain, a proven one first."""
    statement = sa.select(Organization).where(Organization.domain == domain).order_by(Organization.domain_proven_at.is_(None), Organization.id)
    return db.session.scalar(statement.where(Organization.side == side) if side else statement)


def proven_owner(domain: str, cloud: Cloud) -> Organization | None:
    """Whose proven primary domain this is (R11)."""
    return db.session.scalar(
        sa.select(Organization).where(Organization.cloud == cloud, Organization.domain == domain, Organization.domain_proven_at.is_not(None))
    )


def users(organization_id: int, query: ListQuery) -> Page:
    sort = Sort(User.name_key, User.id)
    statement: Any = sa.select(User.id, User.public_id, User.name, User.name_key, User.email, User.state, User.state_at).where(
        User.organization_id == organization_id
    )
    for word in query.words.casefold().split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        statement = statement.where(sa.or_(User.email_key.like(pattern, escape="\\"), *search.contains(User.name_key, word)))
    if "role" in query.filters:
        statement = statement.where(User.id.in_(sa.select(UserRole.user_id).where(UserRole.role == Role(query.filters["role"]))))
    if "state" in query.filters:
        statement = statement.where(User.state == UserState(query.filters["state"]))
    return fetch(statement, query, sort, lambda row: (row.name_key, row.id))


def roles_of(user_ids: list[int]) -> dict[int, list[Role]]:
    found: dict[int, list[Role]] = {user_id: [] for user_id in user_ids}
    for user_id, role in db.session.execute(sa.select(UserRole.user_id, UserRole.role).where(UserRole.user_id.in_(user_ids))):
        found[user_id].append(role)
    order = list(PARTNER_ROLES)
    return {user_id: sorted(roles, key=lambda role: order.index(role) if role in order else 99) for user_id, roles in found.items()}


def active_admins(organization_id: int, side: Side) -> list[int]:
    """Ids of the active global admins of a partner, or customer admins of a customer (R1)."""
    role = Role.GLOBAL_ADMIN if side is Side.PARTNER else Role.CUSTOMER_ADMIN
    return list(
        db.session.scalars(
            sa.select(User.id)
            .join(UserRole, UserRole.user_id == User.id)
            .where(User.organization_id == organization_id, User.state == UserState.ACTIVE, UserRole.role == role)
        )
    )


def sessions_of(user_id: int) -> list[Any]:
    """Open sessions, the latest first."""
    now = clock.now()
    return list(
        db.session.execute(
            sa.select(UserSession.id, UserSession.public_id, UserSession.device, UserSession.address, UserSession.created_at, UserSession.last_seen_at)
            .where(
                UserSession.user_id == user_id,
                UserSession.ended_at.is_(None),
                UserSession.last_seen_at > now - IDLE,
                UserSession.created_at > now - ABSOLUTE,
            )
            .order_by(UserSession.last_seen_at.desc())
            .limit(50)
        )
    )


def outbox(organization_id: int, query: ListQuery) -> Page:
    statement: Any = sa.select(
        Mail.id,
        Mail.public_id,
        Mail.created_at,
        Mail.recipient,
        Mail.subject,
        Mail.state,
        Mail.sent_at,
        Mail.attempts,
        Mail.error,
        Mail.uncertain,
        Mail.next_attempt_at,
    ).where(Mail.organization_id == organization_id)
    for word in query.words.split():
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        statement = statement.where(sa.or_(Mail.recipient.ilike(pattern, escape="\\"), Mail.subject.ilike(pattern, escape="\\")))
    if "state" in query.filters:
        statement = statement.where(Mail.state == MailState(query.filters["state"]))
    return fetch(statement, query, Sort(Mail.id, Mail.id, descending=True), lambda row: (row.id, row.id))


def outbox_mail(organization_id: int, public_id: UUID) -> Mail:
    mail = db.session.scalar(sa.select(Mail).where(Mail.public_id == public_id, Mail.organization_id == organization_id))
    if mail is None:
        raise NotFound(public_id)
    return mail


def seen(session_id: int, at: datetime) -> None:
    db.session.execute(sa.update(UserSession).where(UserSession.id == session_id).values(last_seen_at=at))
