"""Changes to organizations, users, roles and sessions: one function per thing a person can do."""

import hashlib
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import mails, passwords, queries
from portal.accounts.models import Organization, ResetWish, User, UserRole, UserSession, UserState
from portal.core import audit, jobs, outbox, tokens
from portal.core.access import CUSTOMER_ROLES, PARTNER_ROLES, PORTAL, Actor, Cloud, PartnerType, Role, Side, grantable_roles
from portal.core.db import db
from portal.core.errors import Forbidden, NotFound, Refused, Stale
from portal.core.events import emit
from portal.core.outbox import Mail, MailState
from portal.core.places import market
from portal.core.words import is_free_mail, normalise

INVITATION = timedelta(days=14)
RESET = timedelta(hours=1)
CODE = timedelta(minutes=20)
DELEGABLE_ROLES = tuple(role for role in CUSTOMER_ROLES if role is not Role.CUSTOMER_ADMIN)  # what a partner may grant at a customer (R30)


@dataclass(frozen=True)
class DomainProven:
    """An admin confirmed an address in the organization's primary domain (R11)."""

    organization: Organization
    at: datetime


@dataclass(frozen=True)
class UserActivated:
    user: User
    at: datetime


@dataclass(frozen=True)
class OrganizationChanged:
    """Name, country, address or tax number are other ones now."""

    organization: Organization
    at: datetime


@dataclass(frozen=True)
class CompanyEntry:
    """The organization half (R10)."""

    name: str
    country: str
    street: str
    city: str
    region: str
    postal_code: str
    tax_id: str
    district: str = ""


@dataclass(frozen=True)
class Colleague:
    """What a partner or customer admin enters of a person."""

    name: str
    email: str
    roles: list[str]
    language: str | None = None


# --- organizations


def create_organization(
    *,
    name: str,
    domain: str,
    country: str,
    side: Side,
    by: Actor,
    at: datetime,
    partner_type: PartnerType | None = None,
    cloud: Cloud = Cloud.PUBLIC,
    added_by_id: int | None = None,
    **address: str,
) -> Organization:
    organization = Organization(
        name=name, domain=domain, country=country, side=side, partner_type=partner_type, cloud=cloud, added_by_id=added_by_id, created_at=at, **address
    )
    db.session.add(organization)
    db.session.flush()
    customer = audit.Customer(organization.id, name) if side is Side.CUSTOMER else None
    audit.record(
        "organization.created", by=by, at=at, customer=customer, seen_by=(organization.id,), after={"name": name, "domain": domain, "country": country}
    )
    return organization


def change_organization(organization: Organization, entry: CompanyEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    before, after = compared(organization, entry, version)
    if not after:
        return
    if market(entry.country) != market(organization.country):
        raise Refused(_("An organization cannot move to another market: its partners and customers are in this one."), field="country")
    for key, value in after.items():
        setattr(organization, key, value)
    db.session.flush()
    seen_by = (organization.id, organization.added_by_id)
    audit.record("organization.updated", by=by, at=at, customer=_as_customer(organization), seen_by=seen_by, before=before, after=after)
    emit(OrganizationChanged(organization, at))


def compared(row: Any, entry: Any, version: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the entry changes of the row, before and after; Stale when somebody saved it since (R104)."""
    typed = {field.name: getattr(entry, field.name) for field in fields(entry)}
    present = {name: getattr(row, name) for name in typed}
    if version is not None and row.version != version:
        raise stale({name: (present[name], value) for name, value in typed.items() if (present[name] or "") != (value or "")})
    return audit.changes(present, typed)


def stale(changed: dict[str, tuple[Any, Any]]) -> Stale:
    return Stale(_("Somebody else changed this while you had it open. Compare what it says now with what you typed, then save again."), changed)


# --- people


def invite_user(organization: Organization, entry: Colleague, *, by: Actor, at: datetime, mailed: bool = True, about: str = "colleague") -> User:
    """A person may activate an account of this organization by a one-time link (S15).

    The answer is the same whether the address has an account elsewhere or not (S12); whoever activates proves the mailbox.
    """
    _check_grant(by, frozenset(map(Role, entry.roles)), organization)
    key = entry.email.casefold()
    known = db.session.scalar(sa.select(User).where(User.organization_id == organization.id, User.email_key == key))
    if known is not None:
        raise Refused(_("%(name)s is already listed with this address.", name=known.name), field="email")
    user = User(
        organization=organization,
        email=entry.email,
        email_key=key,
        name=entry.name,
        name_key=name_key(entry.name),
        state=UserState.INVITED,
        state_at=at,
        language=entry.language,
        role_rows=[UserRole(role=Role(role)) for role in sorted(set(entry.roles))],
        activation_link=tokens.issue("activation", at=at, lifetime=INVITATION),
    )
    db.session.add(user)
    db.session.flush()
    _record("user.invited", user, by=by, at=at, email=user.email, roles=sorted(entry.roles))
    if mailed:
        mails.invitation(user, by=by, at=at, about=about)
    return user


def invite_again(user: User, *, by: Actor, at: datetime, about: str = "colleague") -> None:
    """A new link; the old one stops."""
    _protect_admins(user, by)
    if user.state is not UserState.INVITED or user.activation_link is None:
        raise Refused(_("%(name)s already has an account.", name=user.name))
    tokens.renew(user.activation_link, at=at, lifetime=INVITATION)
    _record("user.invited_again", user, by=by, at=at, email=user.email)
    mails.invitation(user, by=by, at=at, about=about)


def change_roles(user: User, roles: frozenset[Role], *, version: int | None, by: Actor, at: datetime) -> None:
    """Grant and take roles (R3), keeping a last admin (R1)."""
    if by.user_id == user.id:
        raise Refused(_("Nobody changes their own roles. Ask another admin of your organization."))
    _protect_admins(user, by)
    if version is not None and user.version != version:
        raise Stale(_("Somebody else changed this person's roles while you had them open. Look at what they are now, then save again."))
    if not roles:
        raise Refused(_("Choose at least one role. To take away all access, deactivate the account instead."), field="roles")
    _check_grant(by, roles ^ user.roles, user.organization)
    _keep_last_admin(user, roles)
    before = sorted(user.roles)
    if before == sorted(roles):
        return
    user.role_rows = [row for row in user.role_rows if row.role in roles] + [UserRole(role=role) for role in sorted(roles - user.roles)]
    user.state_at = at
    _record("user.roles_changed", user, by=by, at=at, before={"person": user.email, "roles": before}, person=user.email, roles=sorted(roles))
    if user.state is UserState.ACTIVE:
        mails.roles_changed(user, by=by, at=at)


def deactivate(user: User, *, by: Actor, at: datetime) -> None:
    """End a person's access at once (S3)."""
    if by.user_id == user.id:
        raise Refused(_("You cannot deactivate your own account. Ask another admin of your organization."))
    _protect_admins(user, by)
    _keep_last_admin(user, frozenset())
    if user.state is UserState.INVITED:
        if user.activation_link is not None:
            user.activation_link.revoked_at = at
        _record("user.deactivated", user, by=by, at=at, person=user.email)
        db.session.delete(user)
        return
    if user.state is not UserState.ACTIVE:
        raise Refused(_("%(name)s is already deactivated.", name=user.name))
    user.state, user.state_at = UserState.DEACTIVATED, at
    end_sessions(user.id, at=at)
    _cancel_links(user, at)
    _record("user.deactivated", user, by=by, at=at, person=user.email)


def reactivate(user: User, *, by: Actor, at: datetime) -> None:
    _protect_admins(user, by)
    if user.state is not UserState.DEACTIVATED:
        raise Refused(_("%(name)s is not deactivated.", name=user.name))
    user.state, user.state_at = UserState.ACTIVE, at
    _record("user.reactivated", user, by=by, at=at, person=user.email)


# --- activation


def mail_code(user: User, *, at: datetime) -> None:
    """Mail the code that proves the mailbox: a link alone proves none (R23)."""
    if user.code_link is None:
        user.code_link = tokens.issue("code", at=at, lifetime=CODE)
    else:
        tokens.renew(user.code_link, at=at, lifetime=CODE)
    organization = user.organization
    # Until somebody of a customer is in, only the partner that added it can look after its mail (and reads no code in production).
    looked_after = organization.added_by_id and not queries.active_admins(organization.id, organization.side)
    mails.code(user.email, user.code_link, organization_id=organization.added_by_id if looked_after else organization.id, language=user.language, at=at)


def activate(user: User, *, code: str, password: str, at: datetime, time_zone: str = "UTC") -> None:
    """Open the account: the code proves the mailbox, the link is used up, and a domain may be proven by it (R11, R18)."""
    if user.state is not UserState.INVITED or user.activation_link is None or not user.activation_link.usable(at):
        raise Refused(_("This link was used or has expired. Ask for a new one."))
    passwords.check_strength(password, email=user.email)  # before the code, which works once
    if user.code_link is None or not tokens.code_matches(user.code_link, code, at=at):
        raise Refused(_("This is not the code we sent, or it is too old. Check it, or have a new one sent."), field="code")
    if queries.user_by_email(user.email) is not None:
        raise Refused(_("This address already has an account with another organization. Ask to be invited with another address."))
    if not tokens.use(user.activation_link, at=at):
        raise Refused(_("This link was used a moment ago."))
    user.password_hash = passwords.hash_password(password)
    user.time_zone = time_zone
    become_active(user, at=at)


def become_active(user: User, *, at: datetime) -> None:
    """A mailbox was proven and a password set."""
    user.state, user.state_at = UserState.ACTIVE, at
    db.session.flush()
    organization = user.organization
    audit.record(
        "user.activated",
        by=_as_actor(user),
        at=at,
        customer=_as_customer(organization),
        seen_by=(organization.id, organization.added_by_id),
        after={"person": user.email},
    )
    if user.roles & {Role.GLOBAL_ADMIN, Role.CUSTOMER_ADMIN}:
        prove_domain(user, at=at)
    emit(UserActivated(user, at))


def prove_domain(user: User, *, at: datetime) -> None:
    """An admin's proven mailbox in the primary domain proves the domain, unless somebody did before or it is a free-mail one (R11)."""
    organization = user.organization
    domain = user.email_key.rpartition("@")[2]
    if organization.domain_proven_at is not None or domain != organization.domain or is_free_mail(domain):
        return
    if queries.proven_owner(domain, organization.cloud) is not None:
        return
    organization.domain_proven_at = at
    db.session.flush()
    audit.record(
        "organization.domain_proven",
        by=_as_actor(user),
        at=at,
        customer=_as_customer(organization),
        seen_by=(organization.id, organization.added_by_id),
        after={"domain": domain},
    )
    emit(DomainProven(organization, at))


# --- signing in


def sign_in(email: str, password: str, *, at: datetime) -> User | None:
    """The person, when address and password fit and the account is open; the same work and answer otherwise (S12)."""
    user = queries.user_by_email(email)
    fits = passwords.matches(user.password_hash if user else None, password)
    if user is None:
        _work_as_for_a_known_address(at)
        return None
    if not fits or user.state is not UserState.ACTIVE or user.organization.suspended_at is not None:
        audit.record("session.refused", by=PORTAL, at=at, seen_by=(user.organization_id,), after={"person": user.email})
        return None
    if user.password_hash and passwords.needs_rehash(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    return user


def _work_as_for_a_known_address(at: datetime) -> None:
    """Nobody's log tells of this refusal, yet it takes a write and a commit like the others (S12)."""
    wish = ResetWish(email_key="", asked_at=at)
    db.session.add(wish)
    db.session.flush()
    db.session.delete(wish)
    db.session.flush()


def open_session(user: User, *, at: datetime, device: str, address: str) -> str:
    """A new session; returns the token for the cookie (S21: 256 bits), of which only the hash is kept."""
    token = secrets.token_urlsafe(32)
    db.session.add(
        UserSession(
            user_id=user.id, token_hash=hashlib.sha256(token.encode()).hexdigest(), created_at=at, last_seen_at=at, device=device[:200], address=address[:64]
        )
    )
    audit.record("session.opened", by=_as_actor(user), at=at, seen_by=(user.organization_id,), after={"address": address})
    return token


def end_sessions(user_id: int, *, at: datetime, session: int | None = None, besides: int | None = None) -> int:
    """End one session, all, or all besides one; returns how many ended."""
    statement = sa.update(UserSession).where(UserSession.user_id == user_id, UserSession.ended_at.is_(None)).values(ended_at=at)
    if session is not None:
        statement = statement.where(UserSession.id == session)
    if besides is not None:
        statement = statement.where(UserSession.id != besides)
    return int(db.session.execute(statement.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]


def end_all_sessions(user: User, *, by: Actor, at: datetime) -> int:
    """Sign somebody else out everywhere; returns how many sessions ended."""
    _protect_admins(user, by)
    count = end_sessions(user.id, at=at)
    if count:
        _record("session.ended", user, by=by, at=at, person=user.email, sessions=count)
    return count


def sign_out(*, by: Actor, at: datetime) -> None:
    assert by.user_id is not None
    end_sessions(by.user_id, at=at, session=by.session_id)
    audit.record("session.ended", by=by, at=at)


def end_session(user: User, public_id: UUID | None, *, by: Actor, at: datetime) -> int:
    """End one of one's own sessions, or (None) all others than this one (S7)."""
    if public_id is None:
        count = end_sessions(user.id, at=at, besides=by.session_id)
    else:
        session = db.session.scalar(sa.select(UserSession).where(UserSession.public_id == public_id, UserSession.user_id == user.id))
        if session is None:
            raise NotFound(public_id)
        count = end_sessions(user.id, at=at, session=session.id)
    if count:
        audit.record("session.ended", by=by, at=at, after={"sessions": count})
    return count


# --- passwords


def wish_reset(email: str, *, at: datetime) -> None:
    """Somebody forgot a password. The answer comes by mail, if the address has an account."""
    db.session.add(ResetWish(email_key=email.strip().casefold()[:254], asked_at=at))
    db.session.info["wishes"] = True


def answer_reset_wishes(*, at: datetime) -> int:
    """Mail a reset link for every wish whose address has an open account."""
    answered: set[str] = set()

    def answer(wish: ResetWish) -> None:
        db.session.delete(wish)
        user = queries.user_by_email(wish.email_key)
        if wish.email_key in answered or user is None or user.state is not UserState.ACTIVE:
            return
        _renew_reset_link(user, at)
        audit.record("password.reset_requested", by=PORTAL, at=at, seen_by=(user.organization_id,), after={"person": user.email})
        mails.reset(user, at=at)
        answered.add(user.email_key)

    return len(jobs.each(sa.select(ResetWish).order_by(ResetWish.id), answer))


def send_reset(user: User, *, by: Actor, at: datetime) -> None:
    """Somebody who looks after this person has a reset link mailed, and never sees it (S19)."""
    _protect_admins(user, by)
    if user.state is not UserState.ACTIVE:
        raise Refused(_("%(name)s has no open account, so there is no password to set anew.", name=user.name))
    _renew_reset_link(user, at)
    _record("password.reset_requested", user, by=by, at=at, person=user.email)
    mails.reset(user, by=by, at=at)


def reset_password(user: User, *, password: str, at: datetime) -> None:
    """Set a new password by a mailed link: ends all sessions and the link (S4, S16)."""
    if user.state is not UserState.ACTIVE or user.reset_link is None or not user.reset_link.usable(at):
        raise Refused(_("This link was used or has expired. Ask for a new one."))
    passwords.check_strength(password, email=user.email)
    if not tokens.use(user.reset_link, at=at):
        raise Refused(_("This link was used a moment ago."))
    user.password_hash = passwords.hash_password(password)
    end_sessions(user.id, at=at)
    _password_changed(user, _as_actor(user), at)


def change_password(user: User, *, current: str, password: str, by: Actor, at: datetime) -> None:
    """Needs the current password (S7); ends all other sessions and outstanding reset links (S4)."""
    if not passwords.matches(user.password_hash, current):
        raise Refused(_("This is not your current password."), field="current")
    passwords.check_strength(password, email=user.email)
    user.password_hash = passwords.hash_password(password)
    if user.reset_link is not None:
        user.reset_link.revoked_at = at
    end_sessions(user.id, at=at, besides=by.session_id)
    _password_changed(user, by, at)


def update_profile(user: User, *, name: str, phone: str, language: str | None, time_zone: str, version: int | None, by: Actor, at: datetime) -> None:
    fresh = {"name": name, "phone": phone, "language": language, "time_zone": time_zone}
    before, after = audit.changes({key: getattr(user, key) for key in fresh}, fresh)
    if version is not None and user.version != version:
        raise stale({key: (before[key], value) for key, value in after.items()})
    if not after:
        return
    for key, value in after.items():
        setattr(user, key, value)
    user.name_key = name_key(name)
    audit.record("user.updated", by=by, at=at, before=before, after=after)


def choose_language(user: User, language: str, *, by: Actor, at: datetime) -> None:
    update_profile(user, name=user.name, phone=user.phone, language=language, time_zone=user.time_zone, version=None, by=by, at=at)


def name_key(name: str) -> str:
    """How a person's name sorts and is searched."""
    return ("  " + "  ".join(normalise(name).split()))[:400]


# --- mail


def send_again(mail: Mail, *, by: Actor, at: datetime) -> None:
    """Put a message that failed back into the queue."""
    if mail.state is not MailState.FAILED:
        raise Refused(_("Only a message that failed can be sent again."))
    outbox.retry(mail, at=at)
    audit.record("mail.retried", by=by, at=at, after={"recipient": mail.recipient, "subject": mail.subject})


# --- rules


def _check_grant(by: Actor, roles: frozenset[Role], organization: Organization) -> None:
    """Only roles that this person may grant, and only of the organization's own side (R3)."""
    side_roles = PARTNER_ROLES if organization.side is Side.PARTNER else CUSTOMER_ROLES
    if not roles <= set(side_roles):
        raise NotFound("role of the other side")
    if by.user_id is not None and not roles <= set(_grantable(by, organization)):  # the portal itself grants what it is told
        raise Forbidden("roles beyond this person's to grant")


def _grantable(by: Actor, organization: Organization) -> tuple[Role, ...]:
    if by.organization_id == organization.id:
        return grantable_roles(by)
    if by.side is not Side.PARTNER or organization.side is not Side.CUSTOMER:
        return ()
    return CUSTOMER_ROLES if _sets_up(by, organization) else DELEGABLE_ROLES


def _sets_up(by: Actor, organization: Organization) -> bool:
    """Whether this partner added the customer and still brings in its first admin (R16, R18)."""
    return organization.added_by_id == by.organization_id and not queries.active_admins(organization.id, organization.side)


def may_touch(user: User, by: Actor) -> bool:
    """A user management admin touches no global admin's account (R3), a partner no customer admin's (R30)."""
    if by.user_id is not None and by.organization_id != user.organization_id:
        return Role.CUSTOMER_ADMIN not in user.roles or _sets_up(by, user.organization)
    return Role.GLOBAL_ADMIN not in user.roles or Role.GLOBAL_ADMIN in by.roles


def _protect_admins(user: User, by: Actor) -> None:
    if not may_touch(user, by):
        raise Forbidden("this account is not this person's to touch (R3, R30)")


def _keep_last_admin(user: User, roles: frozenset[Role]) -> None:
    """R1; the organization's row is locked, so that two admins cannot take each other out at the same moment."""
    side = user.organization.side
    role = Role.GLOBAL_ADMIN if side is Side.PARTNER else Role.CUSTOMER_ADMIN
    if role not in user.roles or role in roles or user.state is not UserState.ACTIVE:
        return
    db.session.execute(sa.select(Organization.id).where(Organization.id == user.organization_id).with_for_update(key_share=True))
    if queries.active_admins(user.organization_id, side) == [user.id]:
        raise Refused(_("%(name)s is the last admin of the organization. Make somebody else an admin first.", name=user.name))


def _cancel_links(user: User, at: datetime) -> None:
    for link in (user.reset_link, user.code_link, user.activation_link):
        if link is not None and link.used_at is None:
            link.revoked_at = at


def _renew_reset_link(user: User, at: datetime) -> None:
    if user.reset_link is None:
        user.reset_link = tokens.issue("reset", at=at, lifetime=RESET)
    else:
        tokens.renew(user.reset_link, at=at, lifetime=RESET)


def _password_changed(user: User, by: Actor, at: datetime) -> None:
    audit.record("password.changed", by=by, at=at, seen_by=(user.organization_id,), after={"person": user.email})
    mails.password_changed(user, at=at)


def _record(action: str, user: User, *, by: Actor, at: datetime, before: dict[str, Any] | None = None, **after: Any) -> None:
    """Log what was done to this person, in their organization's chain too; of a partner's people it tells which partner's (R30)."""
    if by.user_id is not None and by.organization_id != user.organization_id:
        after["partner"] = by.organization_name
    audit.record(action, by=by, at=at, customer=_as_customer(user.organization), seen_by=(user.organization_id,), before=before, after=after)


def _as_actor(user: User) -> Actor:
    return Actor(
        user_id=user.id,
        name=user.name,
        email=user.email,
        organization_id=user.organization_id,
        organization_name=user.organization.name,
        side=user.organization.side,
    )


def _as_customer(organization: Organization) -> audit.Customer | None:
    return audit.Customer(organization.id, organization.name) if organization.side is Side.CUSTOMER else None
