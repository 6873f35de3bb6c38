"""People of a customer, for a partner's agents within delegated administration (R30)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.accounts import queries as accounts
from portal.accounts import service, signing_in
from portal.accounts.authority import DELEGABLE_ROLES
from portal.accounts.forms import InvitationForm, RolesForm
from portal.accounts.models import User, UserState
from portal.core import clock, throttle
from portal.core.access import CUSTOMER_ROLES, Permission, Role
from portal.core.errors import Refused, Stale
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature
from portal.relationships import directory
from portal.relationships.directory import Directory, Power

P = Permission
feature = Feature("customer_users", __name__, url_prefix="/customers/<uuid:customer_id>/users")


@feature.get("", permission=P.DELEGATION_USE)
def index(customer_id: UUID) -> ResponseReturnValue:
    opened = _directory(customer_id, Power.SEE)
    query = ListQuery.parse(request.path, request.args, sorts=["name"], filters={"role": CUSTOMER_ROLES, "state": list(UserState)})
    found = accounts.users(opened.organization.id, query)
    return page(
        "relationships/directory/index.html",
        swaps=("results",),
        directory=opened,
        query=query,
        page=found,
        roles=accounts.roles_of([row.id for row in found.rows]),
        names=accounts.ROLE_NAMES,
        states=accounts.STATES,
        role_options=[(role.value, accounts.ROLE_NAMES[role]) for role in CUSTOMER_ROLES],
        state_options=[(state.value, name) for state, (name, _tone) in accounts.STATES.items()],
    )


@feature.get("/new", permission=P.DELEGATION_USE)
def new(customer_id: UUID) -> ResponseReturnValue:
    opened = _directory(customer_id, Power.MANAGE)
    form = InvitationForm(data={"language": opened.customer.language}).offer(DELEGABLE_ROLES)
    return page("relationships/directory/new.html", directory=opened, form=form)


@feature.post("", permission=P.DELEGATION_USE, limit=throttle.INVITATIONS)
def create(customer_id: UUID) -> ResponseReturnValue:
    opened = _directory(customer_id, Power.MANAGE, lock=True)
    form = InvitationForm().offer(DELEGABLE_ROLES)
    if not form.validate_on_submit():
        return invalid("relationships/directory/new.html", directory=opened, form=form)
    try:
        user = service.invite_user(opened.organization, form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("relationships/directory/new.html", directory=opened, form=form)
    flash(_("The invitation to %(email)s is on its way. The link in it is good for 14 days.", email=user.email), "success")
    return see_other(_url(customer_id, user.public_id))


@feature.get("/<uuid:user_id>", permission=P.DELEGATION_USE)
def show(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    opened = _directory(customer_id, Power.SEE)
    user = opened.person(user_id)
    form = RolesForm(data={"roles": [role.value for role in user.roles], "version": user.version}).offer(DELEGABLE_ROLES)
    return page("relationships/directory/show.html", **_shown(opened, user, form))


@feature.post("/<uuid:user_id>/roles", permission=P.DELEGATION_USE)
def update_roles(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    opened = _directory(customer_id, Power.MANAGE, lock=True)
    user = opened.touched(user_id)
    form = RolesForm().offer(DELEGABLE_ROLES)
    if not form.validate_on_submit():
        return invalid("relationships/directory/show.html", **_shown(opened, user, form))
    try:
        service.change_roles(user, frozenset(map(Role, form.roles.data)), version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, user.version)
        return page("relationships/directory/show.html", swaps=("form",), status=409, **_shown(opened, user, form))
    flash(_("The roles of %(name)s are saved. They hold from now on.", name=user.name), "success")
    return see_other(_url(customer_id, user_id))


@feature.post("/<uuid:user_id>/invitation", permission=P.DELEGATION_USE, limit=throttle.INVITATIONS)
def create_invitation(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    user = _directory(customer_id, Power.HELP, lock=True).touched(user_id)
    service.invite_again(user, by=g.actor, at=clock.now())
    flash(_("A new invitation to %(email)s is on its way. The link in the former one does not work any more.", email=user.email), "success")
    return see_other(_url(customer_id, user_id))


@feature.post("/<uuid:user_id>/password-reset", permission=P.DELEGATION_USE, limit=throttle.INVITATIONS)
def create_password_reset(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    """The link is mailed to the person and shown to nobody (S19)."""
    user = _directory(customer_id, Power.HELP, lock=True).touched(user_id)
    signing_in.send_reset(user, by=g.actor, at=clock.now())
    flash(_("A link to set a new password is on its way to %(email)s. It is good for one hour.", email=user.email), "success")
    return see_other(_url(customer_id, user_id))


@feature.post("/<uuid:user_id>/sign-out", permission=P.DELEGATION_USE)
def delete_sessions(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    user = _directory(customer_id, Power.HELP, lock=True).touched(user_id)
    count = signing_in.end_all_sessions(user, by=g.actor, at=clock.now())
    if count:
        flash(ngettext("%(num)s session of %(name)s has ended.", "%(num)s sessions of %(name)s have ended.", count, name=user.name), "success")
    else:
        flash(_("%(name)s was not signed in anywhere.", name=user.name), "info")
    return see_other(_url(customer_id, user_id))


@feature.get("/<uuid:user_id>/deactivation", permission=P.DELEGATION_USE)
def new_deactivation(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    user = _directory(customer_id, Power.MANAGE).touched(user_id)
    return page("accounts/user_deactivation.html", user=user, url=_url(customer_id, user_id), refusal=None)


@feature.post("/<uuid:user_id>/deactivation", permission=P.DELEGATION_USE)
def create_deactivation(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    user = _directory(customer_id, Power.MANAGE, lock=True).touched(user_id)
    withdrawn = user.state is UserState.INVITED
    try:
        service.deactivate(user, by=g.actor, at=clock.now())
    except Refused as refusal:
        return invalid("accounts/user_deactivation.html", user=user, url=_url(customer_id, user_id), refusal=refusal.message)
    if withdrawn:
        flash(_("The invitation of %(name)s is withdrawn.", name=user.name), "success")
        return see_other(url_for(".index", customer_id=customer_id))
    flash(_("%(name)s has no access any more; open sessions have ended.", name=user.name), "success")
    return see_other(_url(customer_id, user_id))


@feature.post("/<uuid:user_id>/reactivation", permission=P.DELEGATION_USE)
def create_reactivation(customer_id: UUID, user_id: UUID) -> ResponseReturnValue:
    user = _directory(customer_id, Power.MANAGE, lock=True).touched(user_id)
    service.reactivate(user, by=g.actor, at=clock.now())
    flash(_("%(name)s may sign in again, with the roles from before.", name=user.name), "success")
    return see_other(_url(customer_id, user_id))


def _directory(customer_id: UUID, power: Power, *, lock: bool = False) -> Directory:
    return directory.opened(customer_id, power, by=g.actor, at=clock.now(), lock=lock)


def _url(customer_id: UUID, user_id: UUID) -> str:
    return url_for(".show", customer_id=customer_id, user_id=user_id)


def _shown(opened: Directory, user: User, form: RolesForm) -> dict[str, Any]:
    return {
        "directory": opened,
        "user": user,
        "url": _url(opened.customer.public_id, user.public_id),
        "form": form,
        "open_to_me": opened.may_touch(user),
        "roles": [name for role, name in accounts.ROLE_NAMES.items() if role in user.roles],
        "states": accounts.STATES,
    }
