"""What is done with one subscription, each as a resource of its own: what will happen first, then the one confirmed step (R102)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.core import clock
from portal.core.access import PartnerType, Permission
from portal.core.errors import NotFound, Refused, Stale
from portal.core.i18n import show_day, show_money
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.customers import queries as customers
from portal.customers.models import RelationshipState
from portal.subscriptions import naming, planning, queries, service
from portal.subscriptions.forms import ContactForm, NicknameForm, OwnerForm, QuantityForm, ResellerForm, ReviewedForm
from portal.subscriptions.models import Subscription, SubscriptionState
from portal.subscriptions.texts_catalog import TERM_NAMES
from portal.subscriptions.views import detail

P = Permission
feature = Feature("subscription", __name__, url_prefix="/customers/<uuid:customer_id>/subscriptions/<uuid:subscription_id>")


# --- quantity


@feature.get("/quantity", permission=P.SUBSCRIPTION_ORDER)
def edit_quantity(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, subscription_id, SubscriptionState.ACTIVE)
    subscription = row.Subscription
    form = QuantityForm(data={"quantity": subscription.next_quantity or subscription.quantity, "version": subscription.version})
    return page("subscriptions/quantity.html", **_quantity(row, form))


@feature.post("/quantity", permission=P.SUBSCRIPTION_ORDER)
def update_quantity(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """Twice: the price of the quantity is shown, then that very quantity is confirmed (R84)."""
    subscription = _locked(customer_id, subscription_id)
    row, form = _shown(customer_id, subscription_id), QuantityForm()
    if not form.validate_on_submit():
        return invalid("subscriptions/quantity.html", **_quantity(row, form))
    try:
        if not form.is_confirmed:
            service.check_quantity(subscription, form.quantity.data, version=form.version.data)
            form.confirmed.data, form.confirmed.raw_data = str(form.quantity.data), None
            return page("subscriptions/quantity.html", swaps=("form",), **_quantity(row, form, preview=True))
        charged = service.set_quantity(subscription, form.quantity.data, version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, subscription.version)
        form.confirmed.data = ""
        return invalid("subscriptions/quantity.html", **_quantity(row, form)), 409
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("subscriptions/quantity.html", **_quantity(row, form))
    if subscription.next_quantity:
        flash(_("From %(day)s on it is %(number)s.", day=show_day(subscription.ends_on), number=subscription.next_quantity), "success")
    elif charged.minor:
        flash(_("It is %(number)s now. %(amount)s is charged for the rest of the period.", number=subscription.quantity, amount=show_money(charged)), "success")
    else:
        flash(_("It is %(number)s now.", number=subscription.quantity), "success")
    return _back(customer_id, subscription_id)


# --- renewal


@feature.post("/renewal", permission=P.SUBSCRIPTION_ORDER)
def update_renewal(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """`auto_renew` is on or off; on takes back a cancellation at renewal."""
    subscription = _locked(customer_id, subscription_id)
    service.set_renewal(subscription, auto_renew=request.form.get("auto_renew") == "on", by=g.actor, at=clock.now())
    if subscription.auto_renew:
        flash(_("It renews itself on %(day)s.", day=show_day(subscription.ends_on)), "success")
    else:
        flash(_("It ends on %(day)s unless you turn its renewal on again.", day=show_day(subscription.ends_on)), "success")
    return _back(customer_id, subscription_id)


# --- suspension


@feature.get("/suspension", permission=P.SUBSCRIPTION_ORDER)
def new_suspension(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, subscription_id, SubscriptionState.ACTIVE)
    return page("subscriptions/suspension.html", **_around(row), expires_on=planning.would_lapse_on(row.Subscription, clock.today()))


@feature.post("/suspension", permission=P.SUBSCRIPTION_ORDER)
def create_suspension(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    subscription = _locked(customer_id, subscription_id)
    service.suspend(subscription, by=g.actor, at=clock.now())
    flash(_("It is suspended, and expires on %(day)s unless you reactivate it.", day=show_day(subscription.turns_on)), "success")
    return _back(customer_id, subscription_id)


@feature.get("/reactivation", permission=P.SUBSCRIPTION_ORDER)
def new_reactivation(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, subscription_id, SubscriptionState.SUSPENDED)
    return page("subscriptions/reactivation.html", **_reactivation(row, ReviewedForm()))


@feature.post("/reactivation", permission=P.SUBSCRIPTION_ORDER)
def create_reactivation(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """At the price that the page named: when it is another one by now, the page says so first."""
    subscription, form = _locked(customer_id, subscription_id), ReviewedForm()
    try:
        service.reactivate(subscription, reviewed=form.reviewed.data or "", by=g.actor, at=clock.now())
    except Stale as refusal:
        return _overtaken("reactivation", _reactivation, _shown(customer_id, subscription_id), form, refusal)
    flash(_("It is active again."), "success")
    return _back(customer_id, subscription_id)


def _reactivation(row: Any, form: ReviewedForm) -> dict[str, Any]:
    charge = service.price_of_reactivation(row.Subscription, clock.today())
    form.show(service.seal_of_reactivation(charge))
    return {**_around(row), "form": form, "charge": charge}


# --- cancellation


@feature.get("/cancellation", permission=P.SUBSCRIPTION_ORDER)
def new_cancellation(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    return page("subscriptions/cancellation.html", **_cancellation(_shown(customer_id, subscription_id), ReviewedForm()))


@feature.post("/cancellation", permission=P.SUBSCRIPTION_ORDER)
def create_cancellation(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """As the page before said it: when the window has closed meanwhile, or the credit is another one, the page says so first (R83)."""
    subscription, form, at = _locked(customer_id, subscription_id), ReviewedForm(), clock.now()
    credit = service.credit_of(subscription, at)
    try:
        at_once = service.cancel(subscription, reviewed=form.reviewed.data or "", by=g.actor, at=at)
    except Stale as refusal:
        return _overtaken("cancellation", _cancellation, _shown(customer_id, subscription_id), form, refusal)
    if at_once:
        flash(_("It is cancelled. %(amount)s is credited.", amount=show_money(credit)) if credit and credit.minor else _("It is cancelled."), "success")
    else:
        flash(_("It is cancelled and stops on %(day)s. Until then you can take that back.", day=show_day(subscription.ends_on)), "success")
    return _back(customer_id, subscription_id)


def _cancellation(row: Any, form: ReviewedForm) -> dict[str, Any]:
    credit = service.credit_of(row.Subscription, clock.now())
    form.show(service.seal_of_cancellation(row.Subscription, credit))
    return {**_around(row), "form": form, "window_ends": service.window_ends(row.Subscription), "credit": credit}


@feature.post("/cancellation/withdrawal", permission=P.SUBSCRIPTION_ORDER)
def delete_cancellation(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """It renews again, as before it was cancelled."""
    subscription = _locked(customer_id, subscription_id)
    service.set_renewal(subscription, auto_renew=True, by=g.actor, at=clock.now())
    flash(_("The cancellation is taken back. It renews itself on %(day)s.", day=show_day(subscription.ends_on)), "success")
    return _back(customer_id, subscription_id)


# --- a trial


@feature.get("/conversion", permission=P.SUBSCRIPTION_ORDER)
def new_conversion(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, subscription_id, SubscriptionState.ACTIVE)
    if row.Subscription.trial_ends_on is None:
        raise NotFound(subscription_id)
    return page("subscriptions/conversion.html", **_conversion(row, ReviewedForm()))


@feature.post("/conversion", permission=P.SUBSCRIPTION_ORDER)
def create_conversion(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """At the price and from the day that the page named; the second click of two finds it converted."""
    subscription, form = _locked(customer_id, subscription_id), ReviewedForm()
    if subscription.trial_ends_on is not None or subscription.state is not SubscriptionState.ACTIVE:
        try:
            service.convert_trial(subscription, reviewed=form.reviewed.data or "", by=g.actor, at=clock.now())
        except Stale as refusal:
            return _overtaken("conversion", _conversion, _shown(customer_id, subscription_id), form, refusal)
    flash(_("It is paid from now on."), "success")
    return _back(customer_id, subscription_id)


def _conversion(row: Any, form: ReviewedForm) -> dict[str, Any]:
    charge = service.price_of_conversion(row.Subscription)
    form.show(service.seal_of_conversion(charge, clock.today()))
    return {**_around(row), "form": form, "charge": charge, "term_names": TERM_NAMES}


# --- names


@feature.get("/nickname", permission=P.SUBSCRIPTION_ORDER)
def edit_nickname(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    row = _shown(customer_id, subscription_id)
    form = NicknameForm(data={"nickname": row.Subscription.nickname, "version": row.Subscription.version})
    return page("subscriptions/nickname.html", row=row, subscription=row.Subscription, customer=row.Customer, form=form)


@feature.post("/nickname", permission=P.SUBSCRIPTION_ORDER)
def update_nickname(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    subscription = _locked(customer_id, subscription_id)
    row, form = _shown(customer_id, subscription_id), NicknameForm()
    context = {"row": row, "subscription": subscription, "customer": row.Customer, "form": form}
    if not form.validate_on_submit():
        return invalid("subscriptions/nickname.html", **context)
    try:
        naming.rename(subscription, form.nickname.data or "", version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, subscription.version)
        return invalid("subscriptions/nickname.html", **context), 409
    flash(_("Saved."), "success")
    return _back(customer_id, subscription_id)


@feature.post("/owners", permission=P.OWNER_NAME)
def create_owner(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    subscription = _locked(customer_id, subscription_id)
    row = _shown(customer_id, subscription_id)
    people = queries.people(subscription)
    form = OwnerForm.of(people)
    if not form.validate_on_submit():
        named = next((person for person in people if person.owner and str(person.public_id) == form.user.data), None)
        if named is not None:  # the second click of two
            return _back(customer_id, subscription_id, "owners")
        return invalid("subscriptions/show.html", **detail(row, form))
    user = accounts.colleague(subscription.customer_id or 0, UUID(form.user.data))
    try:
        naming.name_owner(subscription, user, by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("subscriptions/show.html", **detail(row, form))
    flash(_("%(name)s is an owner of this subscription now.", name=user.name), "success")
    return _back(customer_id, subscription_id, "owners")


@feature.post("/owners/<uuid:user_id>/removal", permission=P.OWNER_NAME)
def delete_owner(customer_id: UUID, subscription_id: UUID, user_id: UUID) -> ResponseReturnValue:
    subscription = _locked(customer_id, subscription_id)
    user = accounts.colleague(subscription.customer_id or 0, user_id)
    naming.take_owner(subscription, user, by=g.actor, at=clock.now())
    flash(_("%(name)s is no longer an owner of this subscription.", name=user.name), "success")
    return _back(customer_id, subscription_id, "owners")


# --- the reseller, and the support contact


@feature.get("/reseller", permission=P.SUBSCRIPTION_ORDER)
def edit_reseller(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    return page("subscriptions/reseller.html", **_naming(_shown(customer_id, subscription_id), ResellerForm, "reseller", _("No reseller")))


@feature.post("/reseller", permission=P.SUBSCRIPTION_ORDER)
def update_reseller(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """One of the provider's resellers, or none (R41, R85)."""
    subscription = _locked(customer_id, subscription_id)
    context = _naming(_shown(customer_id, subscription_id), ResellerForm, "reseller", _("No reseller"))
    form = context["form"]
    if not form.validate_on_submit():
        return invalid("subscriptions/reseller.html", **context)
    reseller = naming.name_reseller(subscription, form.reseller.data, by=g.actor, at=clock.now())
    if reseller is None:
        flash(_("This subscription names no reseller now."), "success")
    else:
        flash(_("%(name)s is the reseller of this subscription now.", name=reseller.name), "success")
    return _back(customer_id, subscription_id)


@feature.get("/support-contact", permission=P.SUPPORT_CONTACT_NAME)
def edit_support_contact(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    return page("subscriptions/support_contact.html", **_naming(_shown(customer_id, subscription_id), ContactForm, "contact", g.actor.organization_name))


@feature.post("/support-contact", permission=P.SUPPORT_CONTACT_NAME)
def update_support_contact(customer_id: UUID, subscription_id: UUID) -> ResponseReturnValue:
    """The provider itself, or one of its resellers (R85)."""
    subscription = _locked(customer_id, subscription_id)
    context = _naming(_shown(customer_id, subscription_id), ContactForm, "contact", g.actor.organization_name)
    form = context["form"]
    if not form.validate_on_submit():
        return invalid("subscriptions/support_contact.html", **context)
    contact = naming.name_support_contact(subscription, form.contact.data, by=g.actor, at=clock.now())
    flash(_("%(name)s is the support contact of this subscription now.", name=contact.name), "success")
    return _back(customer_id, subscription_id)


def _naming(row: Any, kind: type[ResellerForm] | type[ContactForm], field: str, nobody: str) -> dict[str, Any]:
    """A form with the active resellers to choose from; whoever stands there may stay, also when that partnership is over (R42)."""
    subscription = row.Subscription
    if field == "reseller" and g.actor.partner_type is not PartnerType.INDIRECT_PROVIDER:
        raise NotFound(subscription.public_id)
    present = subscription.reseller_id if field == "reseller" else subscription.support_contact_id
    known = customers.resellers(g.actor)
    chosen = next((reseller for reseller in known if reseller.organization_id == present), None)
    form = kind(data={field: str(chosen.public_id) if chosen else ""})
    choices = [(str(reseller.public_id), reseller.name) for reseller in known if reseller.active]
    if chosen is not None and not chosen.active:
        choices.append((str(chosen.public_id), _("%(name)s (former)", name=chosen.name)))
    form[field].choices = [("", nobody), *choices]
    return {"row": row, "subscription": subscription, "customer": row.Customer, "form": form}


def _shown(customer_id: UUID, subscription_id: UUID, *states: SubscriptionState) -> Any:
    """The subscription with what stands around it, while the relationship is active and it is in one of these states, or at least not over."""
    row = queries.shown(customer_id, subscription_id)
    if row.Customer.state is not RelationshipState.ACTIVE:
        raise NotFound(customer_id)
    service.check_live(row.Subscription)
    if states and row.Subscription.state not in states:
        raise Refused(_("This has changed meanwhile, so it was not done. Look at its present state and try again."))
    return row


def _locked(customer_id: UUID, subscription_id: UUID) -> Subscription:
    """The customer first, then the family: ending the relationship waits for this, or comes first."""
    return service.locked(customers.opened(customer_id, lock=True), subscription_id, at=clock.now())


def _around(row: Any) -> dict[str, Any]:
    return {"row": row, "subscription": row.Subscription, "customer": row.Customer, "add_ons": queries.add_ons(row.Subscription)}


def _overtaken(step: str, context: Callable[[Any, ReviewedForm], dict[str, Any]], row: Any, form: ReviewedForm, refusal: Stale) -> ResponseReturnValue:
    """The page once more, as things are now."""
    form.refuse(refusal)
    return invalid(f"subscriptions/{step}.html", **context(row, form)), 409


def _quantity(row: Any, form: QuantityForm, *, preview: bool = False) -> dict[str, Any]:
    """With `preview`, what the quantity of the form costs."""
    subscription = row.Subscription
    context = {"row": row, "subscription": subscription, "customer": row.Customer, "form": form, "preview": preview}
    if preview:
        context["charge"] = service.price_of_increase(subscription, form.quantity.data, clock.today())
        context["each_cycle"] = subscription.unit.times(form.quantity.data)
    return context


def _back(customer_id: UUID, subscription_id: UUID, anchor: str | None = None) -> ResponseReturnValue:
    return see_other(url_for("subscriptions.show", customer_id=customer_id, subscription_id=subscription_id, _anchor=anchor))
