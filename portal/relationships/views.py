"""The partner's relationship requests: list, draft, review, the three ways out, revocation."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock, events, throttle
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.i18n import language
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature, later
from portal.core.words import domain_name
from portal.customers import queries as customers
from portal.relationships import queries, service, texts
from portal.relationships.events import RequestShown
from portal.relationships.forms import RequestForm, SendingForm
from portal.relationships.models import RelationshipRequest, RequestState, SendingWay
from portal.relationships.service import Addressee

P = Permission
feature = Feature("requests", __name__, url_prefix="/relationship-requests")
for name, words in {
    "request_state": texts.STATE_NAMES,
    "request_tone": texts.STATE_TONES,
    "request_purpose": texts.PURPOSE_NAMES,
    "delegation_state": texts.DELEGATION_NAMES,
    "admin_role": texts.ROLE_NAMES,
    "admin_role_meaning": texts.ROLE_MEANINGS,
}.items():
    feature.add_app_template_filter(lambda word, words=words: words.get(word, "neutral"), name)


@feature.get("", permission=P.REQUEST_READ, limit=throttle.SEARCH)
def index() -> ResponseReturnValue:
    query = ListQuery.parse(request.path, request.args, sorts=["newest"], filters=queries.FILTERS)
    return page("relationships/index.html", swaps=("results",), query=query, rows=queries.requests(query), states=texts.STATE_NAMES.items())


@feature.get("/new", permission=P.REQUEST_SEND)
def new() -> ResponseReturnValue:
    addressee = _addressee(request.args.get("customer", ""), request.args.get("domain", ""))
    proposed = service.proposal(addressee.customer, by=g.actor) if addressee.customer else {"language": language()}
    proposed |= {"provider": request.args.get("provider", "")}
    form = RequestForm(data={**proposed, "customer": request.args.get("customer", ""), "domain": request.args.get("domain", "")})
    return page("relationships/new.html", form=form, addressee=addressee)


@feature.post("", permission=P.REQUEST_SEND)
def create() -> ResponseReturnValue:
    addressee = _addressee(request.form.get("customer"), request.form.get("domain"))
    form = RequestForm()
    if not form.validate_on_submit():
        return invalid("relationships/new.html", form=form, addressee=addressee)
    try:
        made = service.draft_request(form.entry(), by=g.actor, at=clock.now(), named=addressee.organization, purpose=addressee.purpose)
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("relationships/new.html", form=form, addressee=addressee)
    return see_other(url_for(".show", request_id=made.public_id))


@feature.get("/<uuid:request_id>", permission=P.REQUEST_READ)
def show(request_id: UUID) -> ResponseReturnValue:
    return page("relationships/show.html", **_shown(queries.request_of(request_id)))


@feature.get("/<uuid:request_id>/edit", permission=P.REQUEST_SEND)
def edit(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_of(request_id)
    if row.state is not RequestState.DRAFT:
        return see_other(url_for(".show", request_id=request_id))
    form = RequestForm(obj=row, data={"customer": "", "domain": ""})
    form.provider.data = str(row.provider.public_id) if row.provider else ""
    return page("relationships/edit.html", form=form, row=row)


@feature.post("/<uuid:request_id>", permission=P.REQUEST_SEND)
def update(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_of(request_id, lock=True)
    form = RequestForm()
    if not form.validate_on_submit():
        return invalid("relationships/edit.html", form=form, row=row)
    try:
        service.update_request(row, form.entry(), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, row.version)
        return invalid("relationships/edit.html", form=form, row=row), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("relationships/edit.html", form=form, row=row)
    return see_other(url_for(".show", request_id=request_id))


@feature.post("/<uuid:request_id>/sending", permission=P.REQUEST_SEND, limit=throttle.INVITATIONS)
def create_sending(request_id: UUID) -> ResponseReturnValue:
    """Out by one of the three ways; or once more, with a new link."""
    row = queries.request_of(request_id, lock=True)
    form = SendingForm()
    if not form.validate_on_submit():
        raise NotFound(form.way.data)
    way = SendingWay(form.way.data)
    send = service.send_again if row.state is RequestState.SENT else service.send_request
    send(row, way=way, by=g.actor, at=clock.now())
    if way is SendingWay.PORTAL:
        flash(_("Sent to %(email)s. You are told by e-mail when there is an answer.", email=row.email), "success")
    else:
        flash(_("The link is ready. Now send the message yourself: the text is below."), "success")
    return see_other(url_for(".show", request_id=request_id))


@feature.get("/<uuid:request_id>/revocation", permission=P.REQUEST_SEND)
def new_revocation(request_id: UUID) -> ResponseReturnValue:
    return page("relationships/revocation.html", row=queries.request_of(request_id))


@feature.post("/<uuid:request_id>/revocation", permission=P.REQUEST_SEND)
def create_revocation(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_of(request_id, lock=True)
    service.revoke_request(row, by=g.actor, at=clock.now())
    flash(_("The request to %(email)s is revoked. Its link no longer works.", email=row.email), "success")
    return see_other(url_for(".show", request_id=request_id))


@feature.get("/<uuid:request_id>/receipt", permission=P.REQUEST_READ)
def show_receipt(request_id: UUID) -> ResponseReturnValue:
    row = queries.request_of(request_id)
    customer = customers.record_of(row.customer_id) if row.state is RequestState.ACCEPTED and row.customer_id else None
    if customer is None:
        raise NotFound(request_id)
    organization = service.named_organization(customer)
    return page("relationships/receipt.html", row=row, company=customer.name, organization=organization, delegation=queries.granted_by(row))


def _addressee(customer: str | None, domain: str | None) -> Addressee:
    """Whom the request names: one of the partner's own records, or whoever proved a domain (counted and logged, so that nobody lists them, R2)."""
    if domain:
        throttle.hit(throttle.DOMAIN_PROBES, g.actor.organization_id)
        try:
            name = domain_name(domain)
        except ValueError:
            raise NotFound(domain) from None
        later("organization.domain_asked", domain=name)
        return service.addressee_by_domain(name, by=g.actor)
    if customer:
        try:
            return service.addressee(customers.record(UUID(customer)))
        except ValueError:
            raise NotFound(customer) from None
    return Addressee()


def _shown(row: RelationshipRequest) -> dict[str, Any]:
    by_hand = row.state is RequestState.SENT and row.sending_way in (SendingWay.MAIL_PROGRAM, SendingWay.COPY) and g.actor.may(P.REQUEST_SEND)
    text = texts.finished(row) if by_hand else None
    return {
        "row": row,
        "text": text,
        "link": texts.link_of(row) if by_hand else None,
        "mail": texts.mailto(row.email, row.subject, text) if text else None,
        "preview": row.body.replace(texts.LINK, _("(here stands the customer's personal link)")),
        "customer": customers.record_of(row.customer_id) if row.customer_id else None,
        "panels": events.ask(RequestShown(row, g.actor)),
        "has_provider": row.state not in (RequestState.DRAFT, RequestState.SENT) or service.has_provider(row),
    }
