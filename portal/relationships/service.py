"""Relationship requests: draft, send, answer, expire; and ending and reinstating a relationship."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts.models import Organization
from portal.accounts.service import DomainProven
from portal.core import audit, jobs, tokens
from portal.core.access import PORTAL, Actor, Cloud, PartnerType, Side
from portal.core.db import attempt, db
from portal.core.errors import NotFound, Refused, Stale
from portal.core.events import on
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.relationships import delegation, mails, queries, texts
from portal.relationships.models import AdminRole, RelationshipRequest, RequestPurpose, RequestState, SendingWay
from portal.relationships.states import REQUEST

LINK_LASTS = timedelta(days=30)
REMIND_BEFORE = timedelta(days=5)
MOST_AT_ONCE = 200


@dataclass(frozen=True)
class RequestEntry:
    """What the request form holds; `provider` is the public key of the one asked for as well, or empty (R28)."""

    email: str
    organization: str
    language: str
    delegated_administration: bool
    roles: list[str] = field(default_factory=list)
    duration_days: int | None = None
    auto_extend: bool = False
    subject: str = ""
    body: str = ""
    provider: str = ""


@dataclass(frozen=True)
class LineResult:
    """What became of one line of a bulk action."""

    line: str
    done: bool
    message: str
    request: RelationshipRequest | None = None
    url: str = ""


@dataclass(frozen=True)
class Addressee:
    """Whom a request names, and what it is for; nobody for a request to whoever is written to (R22)."""

    organization: Organization | None = None
    customer: Customer | None = None
    purpose: RequestPurpose = RequestPurpose.CONNECT


def addressee(customer: Customer) -> Addressee:
    """A customer that this partner has, had, or imported."""
    assert customer.customer_id is not None
    purpose = RequestPurpose.CONNECT
    if customer.state is RelationshipState.ENDED:
        purpose = RequestPurpose.REINSTATE
    elif queries.delegation_of(customer.customer_id) is not None:
        purpose = RequestPurpose.EXTEND
    return Addressee(named_organization(customer), customer, purpose)


def addressee_by_domain(domain: str, *, by: Actor) -> Addressee:
    """The customer that proved this domain (R11); the partner learns no more of it than the domain it typed."""
    owner = accounts.proven_owner(domain, by.cloud)
    if owner is None or owner.side is not Side.CUSTOMER:
        return Addressee()
    customer = customers.record_of(owner.id)
    return addressee(customer) if customer is not None else Addressee(owner)


# --- drafting


def draft_request(
    entry: RequestEntry, *, by: Actor, at: datetime, named: Organization | None = None, purpose: RequestPurpose = RequestPurpose.CONNECT
) -> RelationshipRequest:
    """A draft from the template of the chosen language, or with the words given (R20)."""
    terms = _terms(entry, by)
    provider = _provider(entry, by)
    subject, body = _words(entry, terms, purpose, by, provider)
    check_body(body)
    assert by.organization_id is not None
    request = RelationshipRequest(
        partner_id=by.organization_id,
        customer_id=named.id if named else None,
        named=named is not None,
        purpose=purpose,
        state=RequestState.DRAFT,
        state_at=at,
        email=entry.email,
        organization=entry.organization,
        language=entry.language,
        subject=subject,
        body=body,
        created_at=at,
        author_id=by.user_id,
        author_name=by.name,
        author_email=by.email,
        provider_id=provider.id if provider else None,
        **terms,
    )
    db.session.add(request)
    db.session.flush()
    audit.record(
        "relationship_request.drafted",
        by=by,
        at=at,
        customer=logged(request),
        after={"email": request.email, "delegated_administration": request.delegated_administration} | ({"provider": provider.name} if provider else {}),
    )
    return request


def update_request(request: RelationshipRequest, entry: RequestEntry, *, version: int | None, by: Actor, at: datetime) -> None:
    """Correct a draft."""
    if request.state is not RequestState.DRAFT:
        raise Refused(_("This request was already sent. Revoke it, then write a new one."))
    if version is not None and request.version != version:
        raise Stale(_("Somebody else changed this draft while you had it open. Compare, then save again."))
    terms = _terms(entry, by)
    provider = _provider(entry, by)
    if (entry.subject, entry.body.strip()) == (request.subject, request.body.strip()) and _is_template(request, by):
        entry = replace(entry, subject="", body="")  # the template's words follow what is asked for
    subject, body = _words(entry, terms, request.purpose, by, provider)
    check_body(body)
    fresh = {"email": entry.email, "organization": entry.organization, "language": entry.language, "subject": subject, "body": body, **terms}
    before, after = audit.changes({key: getattr(request, key) for key in fresh}, fresh)
    for key, value in after.items():
        setattr(request, key, value)
    if request.provider_id != (provider.id if provider else None):
        before["provider"], after["provider"] = (company.name if company else None for company in (request.provider, provider))
        request.provider_id = provider.id if provider else None
    if after:
        audit.record("relationship_request.updated", by=by, at=at, customer=logged(request), before=before, after=after)


def _words(entry: RequestEntry, terms: dict[str, Any], purpose: RequestPurpose, by: Actor, provider: Organization | None) -> tuple[str, str]:
    """Subject and text: those given, or where one is missing the template's in the chosen language (R20)."""
    if entry.subject and entry.body:
        return entry.subject, entry.body
    subject, body = texts.draft(
        language=entry.language,
        purpose=purpose,
        partner=by.organization_name,
        author=by.name,
        organization=entry.organization,
        delegated=bool(terms["delegated_administration"]),
        days=terms["duration_days"],
        provider=provider.name if provider else "",
    )
    return entry.subject or subject, entry.body or body


def _is_template(request: RelationshipRequest, by: Actor) -> bool:
    """Whether nobody has changed the template's words."""
    former = RequestEntry(request.email, request.organization, request.language, request.delegated_administration)
    terms = {"delegated_administration": request.delegated_administration, "duration_days": request.duration_days}
    subject, body = _words(former, terms, request.purpose, by, request.provider)
    return (request.subject, request.body.strip()) == (subject, body.strip())


def check_body(body: str) -> None:
    """The placeholder stays, once (R20)."""
    if body.count(texts.LINK) != 1:
        raise Refused(_("The text must hold {link} exactly once: there the personal link comes in."), field="body")


# --- sending


def send_request(request: RelationshipRequest, *, way: SendingWay, by: Actor, at: datetime) -> None:
    """Out by one of the three ways; all end in the same pending request (R20)."""
    check_provider(request)
    REQUEST.apply(request, "send", by=by, at=at, customer=logged(request), seen_by=told(request), details={"email": request.email, "way": way.value})
    request.link = tokens.issue("connect", at=at, lifetime=LINK_LASTS)
    request.sent_at, request.expires_at, request.sending_way = at, request.link.expires_at, way
    db.session.flush()
    if way is SendingWay.PORTAL:
        mails.request(request, by=by, at=at)


def send_again(request: RelationshipRequest, *, way: SendingWay, by: Actor, at: datetime) -> None:
    """A new link for 30 days more; the old one stops (R22)."""
    if request.state is not RequestState.SENT or request.link is None:
        raise Refused(_("Only a request that waits for its answer can be sent again."))
    check_provider(request)
    tokens.renew(request.link, at=at, lifetime=LINK_LASTS)
    request.expires_at, request.sending_way, request.reminded_at = request.link.expires_at, way, None
    audit.record(
        "relationship_request.sent_again", by=by, at=at, customer=logged(request), seen_by=told(request), after={"email": request.email, "way": way.value}
    )
    if way is SendingWay.PORTAL:
        mails.request(request, by=by, at=at)


def revoke_request(request: RelationshipRequest, *, by: Actor, at: datetime) -> None:
    was_sent = request.state is RequestState.SENT
    REQUEST.apply(request, "revoke", by=by, at=at, customer=logged(request), seen_by=told(request))
    if was_sent and request.link is not None:
        request.link.revoked_at = at


def send_many(addresses: list[str], entry: RequestEntry, *, by: Actor, at: datetime) -> list[LineResult]:
    """One request to each address, each with its own result."""
    from portal.core.forms import valid_email

    check_number(addresses)
    results = []
    waiting = _waiting_addresses([address.casefold() for address in addresses])
    for address in addresses:
        email = valid_email(address)
        if email is None:
            results.append(LineResult(address, False, _("This is not an e-mail address.")))
        elif email.casefold() in waiting:
            results.append(LineResult(address, False, _("A request to this address is already waiting for its answer.")))
        else:
            results.append(_send_one(email, entry, by=by, at=at))
    return results


def check_number(addresses: list[str]) -> None:
    if len(addresses) > MOST_AT_ONCE:
        raise Refused(_("At most %(number)s addresses at once. Send the first ones, then the rest.", number=MOST_AT_ONCE), field="addresses")


def _send_one(email: str, entry: RequestEntry, *, by: Actor, at: datetime) -> LineResult:
    try:
        with attempt():
            request = draft_request(replace(entry, email=email), by=by, at=at)
            send_request(request, way=SendingWay.PORTAL, by=by, at=at)
    except Refused as refusal:
        return LineResult(email, False, str(refusal.message))
    return LineResult(email, True, _("Sent."), request)


def _waiting_addresses(keys: list[str]) -> set[str]:
    R = RelationshipRequest
    found = db.session.scalars(sa.select(sa.func.lower(R.email)).where(R.state == RequestState.SENT, sa.func.lower(R.email).in_(keys)))
    return set(found)


# --- what time brings


def expire_requests(*, at: datetime) -> int:
    """Requests whose link ran out (R22)."""
    R = RelationshipRequest

    def lapse(request: RelationshipRequest) -> None:
        REQUEST.apply(request, "expire", by=PORTAL, at=at, customer=logged(request), seen_by=(request.partner_id, *told(request)))
        mails.expired(request, at=at)

    with scoped(EVERYTHING):
        return len(jobs.each(sa.select(R).where(R.state == RequestState.SENT, R.expires_at <= at).order_by(R.id), lapse))


def remind_of_requests(*, at: datetime) -> int:
    """Tell the author some days before an unanswered request lapses, once."""
    R = RelationshipRequest

    def tell(request: RelationshipRequest) -> None:
        request.reminded_at = at
        mails.lapsing(request, at=at)

    with scoped(EVERYTHING):
        due = sa.select(R).where(R.state == RequestState.SENT, R.reminded_at.is_(None), R.expires_at <= at + REMIND_BEFORE, R.expires_at > at)
        return len(jobs.each(due.order_by(R.id), tell))


def proposal(customer: Customer, *, by: Actor) -> dict[str, Any]:
    """What a request to this known customer starts from: its address and the roles that it granted before (R37)."""
    assert customer.customer_id is not None
    former = queries.last_delegation(customer.customer_id)
    return {
        "email": customer.email,
        "organization": customer.name,
        "language": customer.language,
        "delegated_administration": former is not None or by.cloud is Cloud.US_GOVERNMENT,
        "roles": list(former.roles) if former else [],
        "duration_days": former.duration_days if former else delegation.PROPOSED_DAYS,
        "auto_extend": former.auto_extend if former else False,
    }


def named_organization(customer: Customer) -> Organization:
    organization = db.session.get(Organization, customer.customer_id)
    if organization is None:
        raise NotFound(customer.public_id)
    return organization


@on(DomainProven)
def _requests_follow_domain(event: DomainProven) -> None:
    """Open requests that name another claim to the domain name its owner from now on (R11, R22)."""
    R = RelationshipRequest
    with scoped(EVERYTHING):
        others = sa.select(Organization.id).where(
            Organization.domain == event.organization.domain,
            Organization.cloud == event.organization.cloud,
            Organization.id != event.organization.id,
            Organization.domain_proven_at.is_(None),
        )
        open_ones = sa.select(R).where(R.named, R.customer_id.in_(others), R.state.in_([RequestState.DRAFT, RequestState.SENT]))
        for request in db.session.scalars(open_ones):
            request.customer_id = event.organization.id


def has_provider(request: RelationshipRequest, *, lock: bool = False) -> bool:
    """Whether the provider that the request asks for as well, if any, still works with the reseller (R42)."""
    return request.provider_id is None or queries.in_force(request.provider_id, request.partner_id, lock=lock) is not None


def check_provider(request: RelationshipRequest) -> None:
    if not has_provider(request):
        raise Refused(_("The partnership with the provider of this request has ended, so it cannot be sent. Change the draft, or write a new request."))


def _provider(entry: RequestEntry, by: Actor) -> Organization | None:
    """The provider for whom a reseller asks along with itself: one with an active partnership (R28)."""
    if not entry.provider:
        return None
    known = {str(row.public_id): row.id for row in queries.active_providers(by=by)} if by.partner_type is PartnerType.INDIRECT_RESELLER else {}
    if entry.provider not in known:
        raise Refused(_("You have no active partnership with this provider. Choose another one, or none."), field="provider")
    return accounts.organization(known[entry.provider])


def _terms(entry: RequestEntry, by: Actor) -> dict[str, Any]:
    """Delegated administration as asked for; in the government cloud always included (R21, R30)."""
    wanted = entry.delegated_administration or by.cloud is Cloud.US_GOVERNMENT
    if not wanted:
        return {"delegated_administration": False, "roles": [], "duration_days": None, "auto_extend": False}
    roles = sorted(set(entry.roles))
    if not roles:
        raise Refused(_("Choose at least one role, or leave delegated administration out."), field="roles")
    if any(role not in list(AdminRole) for role in roles):
        raise Refused(_("Choose among the roles shown."), field="roles")
    days = entry.duration_days
    if days is None or not 1 <= days <= delegation.LONGEST_DAYS:
        raise Refused(_("Give a number from %(least)s to %(most)s.", least=1, most=delegation.LONGEST_DAYS), field="duration_days")
    return {"delegated_administration": True, "roles": roles, "duration_days": days, "auto_extend": entry.auto_extend}


def logged(request: RelationshipRequest) -> audit.Customer | None:
    """The customer as the partner knows it, when the request names one."""
    if request.customer_id is None:
        return None
    with scoped(Scope(partner_id=request.partner_id)):
        customer = customers.record_of(request.customer_id)
    return customer.logged if customer else audit.Customer(request.customer_id, request.organization or request.email)


def told(request: RelationshipRequest) -> tuple[int | None, ...]:
    """Whose logs tell of it: the partner's, and a named customer's."""
    return (request.partner_id, request.customer_id if request.named else None)
