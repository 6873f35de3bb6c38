"""Changes to organizations, their people and their roles: one function per thing a person can do."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import authority, mails, passwords, queries, signing_in
from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import audit, outbox, tokens
from portal.core.access import Actor, Cloud, PartnerType, Role, Side
from portal.core.db import db
from portal.core.errors import Refused, Stale
from portal.core.events import emit
from portal.core.outbox import Mail, MailState
from portal.core.places import market
from portal.core.words import is_free_mail, normalise

INVITATION = timedelta(days=14)
CODE = timedelta(minutes=20)


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
    audit.record("organization.updated", by=by, at=at, customer=authority.as_customer(organization), seen_by=seen_by, before=before, after=after)
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
    authority.check_grant(by, frozenset(map(Role, entry.roles)), organization)
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
    authority.record("user.invited", user, by=by, at=at, email=user.email, roles=sorted(entry.roles))
    if mailed:
        mails.invitation(user, by=by, at=at, about=about)
    return user


def invite_again(user: User, *, by: Actor, at: datetime, about: str = "colleague") -> None:
    """A new link; the old one stops."""
    authority.protect_admins(user, by)
    if user.state is not UserState.INVITED or user.activation_link is None:
        raise Refused(_("%(name)s already has an account.", name=user.name))
    tokens.renew(user.activation_link, at=at, lifetime=INVITATION)
    authority.record("user.invited_again", user, by=by, at=at, email=user.email)
    mails.invitation(user, by=by, at=at, about=about)


def change_roles(user: User, roles: frozenset[Role], *, version: int | None, by: Actor, at: datetime) -> None:
    """Grant and take roles (R3), keeping a last admin (R1)."""
    if by.user_id == user.id:
        raise Refused(_("Nobody changes their own roles. Ask another admin of your organization."))
    authority.protect_admins(user, by)
    if version is not None and user.version != version:
        raise Stale(_("Somebody else changed this person's roles while you had them open. Look at what they are now, then save again."))
    if not roles:
        raise Refused(_("Choose at least one role. To take away all access, deactivate the account instead."), field="roles")
    authority.check_grant(by, roles ^ user.roles, user.organization)
    authority.keep_last_admin(user, roles)
    before = sorted(user.roles)
    if before == sorted(roles):
        return
    user.role_rows = [row for row in user.role_rows if row.role in roles] + [UserRole(role=role) for role in sorted(roles - user.roles)]
    user.state_at = at
    authority.record("user.roles_changed", user, by=by, at=at, before={"person": user.email, "roles": before}, person=user.email, roles=sorted(roles))
    if user.state is UserState.ACTIVE:
        mails.roles_changed(user, by=by, at=at)


def deactivate(user: User, *, by: Actor, at: datetime) -> None:
    """End a person's access at once (S3)."""
    if by.user_id == user.id:
        raise Refused(_("You cannot deactivate your own account. Ask another admin of your organization."))
    authority.protect_admins(user, by)
    authority.keep_last_admin(user, frozenset())
    if user.state is UserState.INVITED:
        if user.activation_link is not None:
            user.activation_link.revoked_at = at
        authority.record("user.deactivated", user, by=by, at=at, person=user.email)
        db.session.delete(user)
        return
    if user.state is not UserState.ACTIVE:
        raise Refused(_("%(name)s is already deactivated.", name=user.name))
    user.state, user.state_at = UserState.DEACTIVATED, at
    signing_in.end_sessions(user.id, at=at)
    _cancel_links(user, at)
    authority.record("user.deactivated", user, by=by, at=at, person=user.email)


def reactivate(user: User, *, by: Actor, at: datetime) -> None:
    authority.protect_admins(user, by)
    if user.state is not UserState.DEACTIVATED:
        raise Refused(_("%(name)s is not deactivated.", name=user.name))
    user.state, user.state_at = UserState.ACTIVE, at
    authority.record("user.reactivated", user, by=by, at=at, person=user.email)


def _cancel_links(user: User, at: datetime) -> None:
    for link in (user.reset_link, user.code_link, user.activation_link):
        if link is not None and link.used_at is None:
            link.revoked_at = at


# --- activation


def mail_code(user: User, *, at: datetime, language: str | None = None) -> None:
    """Mail the code that proves the mailbox: a link alone proves none (R23). `language` is the page's, for whom nobody has chosen one."""
    if user.code_link is None:
        user.code_link = tokens.issue("code", at=at, lifetime=CODE)
    else:
        tokens.renew(user.code_link, at=at, lifetime=CODE)
    organization = user.organization
    # Until somebody of a customer is in, only the partner that added it can look after its mail (and reads no code in production).
    looked_after = organization.added_by_id and not queries.active_admins(organization.id, organization.side)
    outbox_of = organization.added_by_id if looked_after else organization.id
    mails.code(user.email, user.code_link, organization_id=outbox_of, language=user.language or language, at=at)


def activate(user: User, *, code: str, password: str, at: datetime, time_zone: str = "UTC", language: str | None = None) -> None:
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
    user.time_zone, user.language = time_zone, user.language or language
    become_active(user, at=at)


def become_active(user: User, *, at: datetime) -> None:
    """A mailbox was proven and a password set."""
    user.state, user.state_at = UserState.ACTIVE, at
    db.session.flush()
    organization = user.organization
    audit.record(
        "user.activated",
        by=authority.as_actor(user),
        at=at,
        customer=authority.as_customer(organization),
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
        by=authority.as_actor(user),
        at=at,
        customer=authority.as_customer(organization),
        seen_by=(organization.id, organization.added_by_id),
        after={"domain": domain},
    )
    emit(DomainProven(organization, at))


# --- one's own details


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
