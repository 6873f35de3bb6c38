"""The way in for a company that is new to the portal: typed, a mailbox proven by a code, then organization and first admin (R11, R18, R23)."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import mails as account_mails
from portal.accounts import passwords
from portal.accounts import queries as accounts
from portal.accounts import service as account_service
from portal.accounts.models import Organization, User, UserRole, UserState
from portal.accounts.service import CODE, CompanyEntry
from portal.core import tokens
from portal.core.access import Actor, Role, Side
from portal.core.db import db
from portal.core.errors import NotFound, Refused
from portal.core.places import market
from portal.core.scope import EVERYTHING, scoped
from portal.core.words import is_free_mail
from portal.customers.models import Customer, RelationshipState
from portal.customers.service import CLAIM_LASTS
from portal.relationships.models import Registration, RelationshipRequest


@dataclass(frozen=True)
class RegistrationEntry:
    """What the visitor types: the company, its domain, and who they are."""

    company: CompanyEntry
    domain: str
    person: str
    email: str


class AlreadyHere(Refused):
    """The company is in the portal: its own admin must accept. Said only after a mailbox was proven (R2)."""


def begun(request: RelationshipRequest, held: UUID | None) -> Registration | None:
    """What this visitor typed before; nobody else who holds the same link sees it."""
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(Registration).where(Registration.request_id == request.id, Registration.public_id == held)) if held else None


def entry_of(registration: Registration) -> RegistrationEntry:
    return RegistrationEntry(**{**registration.typed, "company": CompanyEntry(**registration.typed["company"])})


def company_to_adopt(request: RelationshipRequest) -> Organization | None:
    """The organization that the request names, when it has no admin of its own yet; AlreadyHere when it has."""
    if not request.named:
        return None
    organization = db.session.get_one(Organization, request.customer_id)
    if accounts.active_admins(organization.id, Side.CUSTOMER):
        raise AlreadyHere(_("This company is already in the portal."))
    return organization


def begin(request: RelationshipRequest, entry: RegistrationEntry, *, held: UUID | None, outbox_of: int | None, language: str, at: datetime) -> Registration:
    """Keep what was typed and mail a code to the address being registered.

    The answer is the same whether the address has an account or not; the message is not (S12). `outbox_of`: whose outbox shows it.
    """
    if market(entry.company.country) != market(request.partner.country):
        raise Refused(
            _("%(partner)s sells in another market than this country's, so this request is not for a company there.", partner=request.partner.name),
            field="country",
        )
    named = company_to_adopt(request)
    if named is not None and _mailbox(entry.email) != named.domain:
        raise Refused(_("This request is for the company at %(domain)s. Give an address there.", domain=named.domain), field="email")
    if named is not None:
        entry = replace(entry, domain=named.domain)
    registration = begun(request, held)
    with scoped(EVERYTHING):
        if registration is None:
            db.session.execute(sa.delete(Registration).where(Registration.request_id == request.id))
            link = tokens.issue("code", at=at, lifetime=CODE)
            registration = Registration(partner_id=request.partner_id, request_id=request.id, typed={}, code_link=link, saved_at=at)
            db.session.add(registration)
        else:
            assert registration.code_link is not None
            tokens.renew(registration.code_link, at=at, lifetime=CODE)
        registration.typed, registration.saved_at = asdict(entry), at
        db.session.flush()
        assert registration.code_link is not None
        if accounts.user_by_email(entry.email) is not None:
            account_mails.already_known(entry.email, organization_id=outbox_of, language=language, at=at)
        else:
            account_mails.code(entry.email, registration.code_link, organization_id=outbox_of, language=language, at=at)
    return registration


def complete(request: RelationshipRequest, registration: Registration, *, code: str, password: str, time_zone: str, language: str, at: datetime) -> User:
    """The code proves the mailbox: the company and its first customer admin come to be, or an added company gets its admin (R11, R18)."""
    entry = entry_of(registration)
    passwords.check_strength(password, email=entry.email)
    if registration.code_link is None or not tokens.code_matches(registration.code_link, code, at=at):
        raise Refused(_("This is not the code we sent, or it is too old. Check it, or have a new one sent."), field="code")
    if accounts.user_by_email(entry.email) is not None:
        raise Refused(_("This address has an account by now. Sign in with it."))
    with scoped(EVERYTHING):
        organization = _organization(request, entry, at=at)
        user = _first_admin(organization, entry, at=at)
        user.password_hash, user.language, user.time_zone = passwords.hash_password(password), language, time_zone
        db.session.flush()
        by = Actor(user_id=user.id, name=user.name, email=user.email, organization_id=organization.id, organization_name=organization.name, side=Side.CUSTOMER)
        account_service.change_organization(organization, entry.company, version=None, by=by, at=at)
        _withdraw_invitations(organization, user, by=by, at=at)
        account_service.become_active(user, at=at)
        db.session.delete(registration)
        db.session.flush()
    return user


def forget(*, before: datetime) -> int:
    """What was typed and never confirmed is nobody's business for long."""
    with scoped(EVERYTHING):
        return int(db.session.execute(sa.delete(Registration).where(Registration.saved_at < before)).rowcount)  # type: ignore[attr-defined]


def _organization(request: RelationshipRequest, entry: RegistrationEntry, *, at: datetime) -> Organization:
    """The one named, the one that a partner added for this domain, or a new one."""
    named = company_to_adopt(request)
    if named is not None:
        return named
    partner = request.partner
    if accounts.proven_owner(entry.domain, partner.cloud) is not None:
        raise AlreadyHere(_("This company is already in the portal."))
    claim = _claim(request, entry.domain, at) if _mailbox(entry.email) == entry.domain and not is_free_mail(entry.domain) else None
    visitor = Actor(user_id=None, name=entry.person, email=entry.email)
    return claim or account_service.create_organization(
        domain=entry.domain, side=Side.CUSTOMER, cloud=partner.cloud, by=visitor, at=at, **asdict(entry.company)
    )


def _claim(request: RelationshipRequest, domain: str, at: datetime) -> Organization | None:
    """An added company of this domain without an admin: the requesting partner's own one, else the oldest that has not lapsed (R11)."""
    claims = sa.select(Organization).where(
        Organization.side == Side.CUSTOMER,
        Organization.cloud == request.partner.cloud,
        Organization.domain == domain,
        Organization.domain_proven_at.is_(None),
        Organization.added_by_id.is_not(None),
        sa.or_(
            Organization.created_at > at - CLAIM_LASTS,
            sa.exists().where(Customer.customer_id == Organization.id, Customer.state == RelationshipState.ACTIVE),
        ),
    )
    own_first = (Organization.added_by_id != request.partner_id, Organization.id)
    for organization in db.session.scalars(claims.order_by(*own_first).with_for_update(key_share=True)):
        if market(organization.country) == market(request.partner.country) and not accounts.active_admins(organization.id, Side.CUSTOMER):
            return organization
    return None


def _first_admin(organization: Organization, entry: RegistrationEntry, *, at: datetime) -> User:
    """A new person, or the one whom the partner had invited."""
    key = entry.email.casefold()
    user = db.session.scalar(sa.select(User).where(User.organization_id == organization.id, User.email_key == key))
    if user is None:
        user = User(organization=organization, email=entry.email, email_key=key, state=UserState.INVITED, state_at=at, role_rows=[], name="", name_key="")
        db.session.add(user)
    elif user.state is not UserState.INVITED:
        raise NotFound(key)
    if Role.CUSTOMER_ADMIN not in user.roles:
        user.role_rows.append(UserRole(role=Role.CUSTOMER_ADMIN))
    user.name, user.name_key = entry.person, account_service.name_key(entry.person)
    if user.activation_link is not None:
        user.activation_link.revoked_at = at
    return user


def _withdraw_invitations(organization: Organization, admin: User, *, by: Actor, at: datetime) -> None:
    """From now on the company's own admin invites: what a partner had sent out for it stops."""
    invited = sa.select(User).where(User.organization_id == organization.id, User.state == UserState.INVITED, User.id != admin.id)
    for user in db.session.scalars(invited).unique().all():
        account_service.deactivate(user, by=by, at=at)


def _mailbox(email: str) -> str:
    return email.casefold().rpartition("@")[2]
