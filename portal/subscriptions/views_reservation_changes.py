"""What the partner does with one reservation, each as a resource of its own: what will happen first, then the one confirmed step (R74, R102)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core import clock
from portal.core.access import Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.forms import Form
from portal.core.i18n import show_day, show_money
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import ordering, reservation_requests, reservations, texts_catalog
from portal.subscriptions import reservation_queries as queries
from portal.subscriptions import texts_reservations as words
from portal.subscriptions.forms_reservations import AnswerForm, ExchangeForm, ScopeForm, StepForm, seen
from portal.subscriptions.models import Reservation, ReservationState, Subscription
from portal.subscriptions.reservations import Exchange

P = Permission
feature = Feature("reservation", __name__, url_prefix="/customers/<uuid:customer_id>/reservations/<uuid:reservation_id>")


# --- cancelling


@feature.get("/cancellation", permission=P.SUBSCRIPTION_ORDER)
def new_cancellation(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    return page("reservations/cancellation.html", **_cancellation(row, StepForm(data={"version": row.Reservation.version})))


@feature.post("/cancellation", permission=P.SUBSCRIPTION_ORDER)
def create_cancellation(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    """With the refund that the page named: when it is another one by now, the page says so first."""
    _customer, reservation = _locked(customer_id, reservation_id)
    form, present = StepForm(), str(reservations.refund_of(reservation, clock.today()).minor)
    if reservation.state is not ReservationState.CANCELLED:
        try:
            reservations.check(reservation, version=form.version.data, reviewed=form.reviewed.data or "", present=present)
        except Stale as refusal:
            return _overtaken("cancellation", _cancellation, _shown(customer_id, reservation_id), form, refusal)
    refund = reservations.cancel(reservation, by=g.actor, at=clock.now())
    flash(_("The reservation is cancelled. %(amount)s is refunded.", amount=show_money(refund)), "success")
    return _back(customer_id, reservation_id)


def _cancellation(row: Any, form: StepForm) -> dict[str, Any]:
    reservation, today = row.Reservation, clock.today()
    refund = reservations.refund_of(reservation, today)
    form.show(str(refund.minor))
    days_left = max(0, (reservation.ends_on - max(today, reservation.starts_on)).days)
    more = {"refund": refund, "full": refund == reservation.paid, "full_until": reservations.full_until(reservation), "days_left": days_left}
    return {**_around(row, form), **more}


# --- its first use


@feature.get("/first-use", permission=P.SUBSCRIPTION_ORDER)
def new_first_use(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    if not reservations.use_matters(row.Reservation, clock.today()):
        raise NotFound(reservation_id)
    return page("reservations/first_use.html", **_first_use(row, StepForm(data={"version": row.Reservation.version})))


@feature.post("/first-use", permission=P.SUBSCRIPTION_ORDER)
def create_first_use(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    """From then on there is no full refund; the page names what is left of it."""
    customer, reservation = _locked(customer_id, reservation_id)
    form, present = StepForm(), str(reservations.refund_once_used(reservation, clock.today()).minor)
    if not reservation.used:
        try:
            reservations.check(reservation, version=form.version.data, reviewed=form.reviewed.data or "", present=present)
        except Stale as refusal:
            return _overtaken("first_use", _first_use, _shown(customer_id, reservation_id), form, refusal)
        reservations.record_use(reservation, customer=customer, by=g.actor, at=clock.now())
    flash(_("Its first use is recorded. There is no full refund any more."), "success")
    return _back(customer_id, reservation_id)


def _first_use(row: Any, form: StepForm) -> dict[str, Any]:
    rest = reservations.refund_once_used(row.Reservation, clock.today())
    form.show(str(rest.minor))
    return {**_around(row, form), "rest": rest, "full_until": reservations.full_until(row.Reservation)}


# --- exchanging


@feature.get("/exchange", permission=P.SUBSCRIPTION_ORDER)
def new_exchange(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    reservation = row.Reservation
    present = {"quantity": reservation.quantity, "scope": str(row.subscription_public_id or ""), "version": reservation.version}
    return page("reservations/exchange.html", **_exchange(row, ExchangeForm(data=present)))


@feature.post("/exchange", permission=P.SUBSCRIPTION_ORDER)
def create_exchange(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    """Twice: what comes back and what it costs is shown, then that very exchange is confirmed. A reservation is exchanged once."""
    customer, reservation = _locked(customer_id, reservation_id)
    made = reservations.exchanged_for(reservation)
    if made is not None:
        return _exchanged(customer_id, made)
    row, form = _shown(customer_id, reservation_id), ExchangeForm()
    context = _exchange(row, form)
    if not form.validate_on_submit():
        return invalid("reservations/exchange.html", **context)
    try:
        reservations.check(reservation, version=form.version.data)
        proposal = _proposal(form, reservation, customer)
        if form.reviewed.data != proposal.seal:
            form.show(proposal.seal)
            return page("reservations/exchange.html", swaps=("form",), **(context | {"proposal": proposal}))
        made = reservations.exchange(reservation, proposal, customer=customer, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, reservation.version)
        form.show("")
        return invalid("reservations/exchange.html", **context), 409
    except Refused as refusal:
        form.refuse(refusal)
        form.show("")
        return invalid("reservations/exchange.html", **context)
    return _exchanged(customer_id, made)


def _proposal(form: ExchangeForm, reservation: Reservation, customer: Customer) -> Exchange:
    offer, subscription = ordering.offer_of(UUID(form.offer.data)), _subscription(form, customer)
    return reservations.propose_exchange(reservation, offer, form.quantity.data, subscription, customer=customer, cloud=g.actor.cloud, today=clock.today())


def _exchange(row: Any, form: ExchangeForm) -> dict[str, Any]:
    """Offers to choose from; with `q`, those that fit, since a catalog may have very many."""
    customer, search = row.Customer, request.args.get("q", "").replace("\x00", "")[:200]
    offers, more = queries.offers_for(customer, search, cloud=g.actor.cloud, today=clock.today())
    choices = [(str(offer.public_id), words.offer_choice(offer, price)) for offer, price in offers]
    form.offered(choices, words.scope_choices(queries.subscriptions_for(customer)))
    return {**_around(row, form), "search": search, "more": more, "proposal": None}


def _exchanged(customer_id: UUID, made: Reservation) -> ResponseReturnValue:
    flash(_("The reservation is exchanged for %(name)s.", name=made.name), "success")
    return _back(customer_id, made.public_id)


# --- renewing


@feature.get("/renewal", permission=P.SUBSCRIPTION_ORDER)
def new_renewal(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    if row.Reservation.renewed:
        raise Refused(_("It is renewed already."))
    return page("reservations/renewal.html", **_renewal(row, StepForm(data={"version": row.Reservation.version})))


@feature.post("/renewal", permission=P.SUBSCRIPTION_ORDER)
def create_renewal(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    """The same for another term, at the price that the page named."""
    customer, reservation = _locked(customer_id, reservation_id)
    made = reservations.renewal_of(reservation)
    if made is None:
        form = StepForm()
        line = reservations.propose_renewal(reservation, customer=customer, cloud=g.actor.cloud, today=clock.today())
        try:
            reservations.check(reservation, version=form.version.data, reviewed=form.reviewed.data or "", present=line.seal)
        except Stale as refusal:
            return _overtaken("renewal", _renewal, _shown(customer_id, reservation_id), form, refusal)
        made = reservations.renew(reservation, line, customer=customer, by=g.actor, at=clock.now())
    flash(_("It is renewed until %(day)s.", day=show_day(made.ends_on)), "success")
    return _back(customer_id, reservation_id)


def _renewal(row: Any, form: StepForm) -> dict[str, Any]:
    line, refusal = None, ""
    try:
        line = reservations.propose_renewal(row.Reservation, customer=row.Customer, cloud=g.actor.cloud, today=clock.today())
        form.show(line.seal)
    except Refused as refused:
        refusal = str(refused.message)
    return {**_around(row, form), "line": line, "refusal": refusal, "term_names": texts_catalog.TERM_NAMES}


# --- scope


@feature.get("/scope", permission=P.SUBSCRIPTION_ORDER)
def edit_scope(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    form = ScopeForm(data={"scope": str(row.subscription_public_id or ""), "version": row.Reservation.version})
    return page("reservations/scope.html", **_scope(row, form))


@feature.post("/scope", permission=P.SUBSCRIPTION_ORDER)
def update_scope(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    customer, reservation = _locked(customer_id, reservation_id)
    row, form = _shown(customer_id, reservation_id), ScopeForm()
    context = _scope(row, form)
    if not form.validate_on_submit():
        return invalid("reservations/scope.html", **context)
    if form.scope.data != str(row.subscription_public_id or ""):
        try:
            reservations.check(reservation, version=form.version.data)
            reservations.set_scope(reservation, _subscription(form, customer), customer=customer, by=g.actor, at=clock.now())
        except Stale as refusal:
            form.stale(refusal, reservation.version)
            return invalid("reservations/scope.html", **context), 409
        except Refused as refusal:
            form.refuse(refusal)
            return invalid("reservations/scope.html", **context)
    flash(_("Saved."), "success")
    return _back(customer_id, reservation_id)


def _scope(row: Any, form: ScopeForm) -> dict[str, Any]:
    subscriptions = queries.subscriptions_for(row.Customer)
    form.scope.choices = words.scope_choices(subscriptions)
    if row.subscription_public_id and all(item.public_id != row.subscription_public_id for item in subscriptions):  # not active any more
        form.scope.choices.append((str(row.subscription_public_id), _("Only %(name)s", name=row.subscription_name)))
    return {**_around(row, form), "usable": subscriptions}


# --- what the customer asks


@feature.get("/request/declining", permission=P.SUBSCRIPTION_ORDER)
def new_declining(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, reservation_id)
    asked = reservation_requests.open_request(row.Reservation)
    if asked is None:
        raise NotFound(reservation_id)
    return page("reservations/declining.html", **_declining(row, AnswerForm(data={"asked": str(asked.public_id)}), asked))


@feature.post("/request/declining", permission=P.SUBSCRIPTION_ORDER)
def create_declining(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    """The request that the page showed, not one that was made meanwhile."""
    _customer, reservation = _locked(customer_id, reservation_id)
    form, asked = AnswerForm(), reservation_requests.open_request(reservation, lock=True)
    if not seen(form, asked) or asked is None:
        raise Refused(_("This has changed meanwhile, so it was not done. Look at its present state and try again."))
    if not form.validate_on_submit():
        return invalid("reservations/declining.html", **_declining(_shown(customer_id, reservation_id), form, asked))
    reservation_requests.decline(asked, reservation, reason=form.reason.data or "", by=g.actor, at=clock.now())
    flash(_("Declined. The customer is told by e-mail."), "success")
    return _back(customer_id, reservation_id)


def _declining(row: Any, form: AnswerForm, asked: Any) -> dict[str, Any]:
    return {**_around(row, form), "asked": asked, "kinds": words.KIND_NAMES}


# --- all of them


def _shown(customer_id: UUID, reservation_id: UUID) -> Any:
    """The reservation with what stands around it, while it and the relationship are active."""
    row = queries.shown(customer_id, reservation_id)
    if row.Customer.state is not RelationshipState.ACTIVE:
        raise NotFound(customer_id)
    if row.Reservation.state is not ReservationState.ACTIVE:
        raise Refused(_("This reservation is no longer active."))
    return row


def _locked(customer_id: UUID, reservation_id: UUID) -> tuple[Customer, Reservation]:
    """The customer first: ending the relationship waits for this, or comes first."""
    customer = customers.opened(customer_id, lock=True)
    return customer, reservations.locked(customer, reservation_id, at=clock.now())


def _subscription(form: Any, customer: Customer) -> Subscription | None:
    """The one that the form chose; the form knows no others."""
    chosen = form.scope.data
    return next((item for item in queries.subscriptions_for(customer) if str(item.public_id) == chosen), None)


def _around(row: Any, form: Form) -> dict[str, Any]:
    reservation, customer = row.Reservation, row.Customer
    url = f"/customers/{customer.public_id}/reservations/{reservation.public_id}"
    return {"row": row, "reservation": reservation, "customer": customer, "form": form, "url": url}


def _overtaken(step: str, context: Callable[[Any, StepForm], dict[str, Any]], row: Any, form: StepForm, refusal: Stale) -> ResponseReturnValue:
    """The page once more, as things are now."""
    form.stale(refusal, row.Reservation.version)
    return invalid(f"reservations/{step}.html", **context(row, form)), 409


def _back(customer_id: UUID, reservation_id: UUID) -> ResponseReturnValue:
    return see_other(url_for("reservations.show", customer_id=customer_id, reservation_id=reservation_id))
