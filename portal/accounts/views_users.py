"""People of one's own organization: invite, roles, deactivate. The same for a partner (/users) and for a customer (/my/users)."""

from typing import Any
from uuid import UUID

from flask import flash, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import authority, queries, service
from portal.accounts.forms import InvitationForm, RolesForm
from portal.accounts.models import User, UserState
from portal.core import clock, throttle
from portal.core.access import CUSTOMER_ROLES, PARTNER_ROLES, Permission, Role, Side, grantable_roles
from portal.core.errors import Refused, Stale
from portal.core.i18n import language, languages
from portal.core.lists import ListQuery
from portal.core.pages import invalid, page, see_other
from portal.core.routing import Feature


def index() -> ResponseReturnValue:
    offered = PARTNER_ROLES if g.actor.side is Side.PARTNER else CUSTOMER_ROLES
    query = ListQuery.parse(request.path, request.args, sorts=["name"], filters={"role": offered, "state": list(UserState)})
    found = queries.users(g.actor.organization_id, query)
    roles = queries.roles_of([row.id for row in found.rows])
    return page(
        "accounts/users.html",
        swaps=("results",),
        query=query,
        page=found,
        roles=roles,
        names=queries.ROLE_NAMES,
        states=queries.STATES,
        role_options=[(role.value, queries.ROLE_NAMES[role]) for role in offered],
        state_options=[(state.value, name) for state, (name, _tone) in queries.STATES.items()],
    )


def new() -> ResponseReturnValue:
    return page("accounts/user_new.html", form=InvitationForm(data={"language": language()}).offer(grantable_roles(g.actor)))


def create() -> ResponseReturnValue:
    form = InvitationForm().offer(grantable_roles(g.actor))
    if not form.validate_on_submit():
        return invalid("accounts/user_new.html", form=form)
    try:
        user = service.invite_user(queries.organization(g.actor.organization_id), form.entry(), by=g.actor, at=clock.now())
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/user_new.html", form=form)
    flash(_("The invitation to %(email)s is on its way. The link in it is good for 14 days.", email=user.email), "success")
    return see_other(url_for(".show", user_id=user.public_id))


def show(user_id: UUID) -> ResponseReturnValue:
    user = _colleague(user_id)
    return page("accounts/user.html", **_shown(user, _roles_form(user)))


def update_roles(user_id: UUID) -> ResponseReturnValue:
    user = _colleague(user_id, lock=True)
    form = RolesForm().offer(grantable_roles(g.actor))
    if not form.validate_on_submit():
        return invalid("accounts/user.html", **_shown(user, form))
    roles = frozenset(map(Role, form.roles.data)) | _kept(user)
    try:
        service.change_roles(user, roles, version=form.version.data, by=g.actor, at=clock.now())
    except Stale as refusal:
        form.stale(refusal, user.version)
        return page("accounts/user.html", swaps=("form",), status=409, **_shown(user, form))
    except Refused as refusal:
        form.refuse(refusal)
        return invalid("accounts/user.html", **_shown(user, form))
    flash(_("The roles of %(name)s are saved. They hold from now on.", name=user.name), "success")
    return see_other(url_for(".show", user_id=user_id))


def create_invitation(user_id: UUID) -> ResponseReturnValue:
    user = _colleague(user_id, lock=True)
    service.invite_again(user, by=g.actor, at=clock.now())
    flash(_("A new invitation to %(email)s is on its way. The link in the former one does not work any more.", email=user.email), "success")
    return see_other(url_for(".show", user_id=user_id))


def new_deactivation(user_id: UUID) -> ResponseReturnValue:
    return page("accounts/user_deactivation.html", user=_colleague(user_id), url=url_for(".show", user_id=user_id), refusal=None)


def create_deactivation(user_id: UUID) -> ResponseReturnValue:
    user = _colleague(user_id, lock=True)
    withdrawn = user.state is UserState.INVITED
    try:
        service.deactivate(user, by=g.actor, at=clock.now())
    except Refused as refusal:
        return invalid("accounts/user_deactivation.html", user=user, url=url_for(".show", user_id=user_id), refusal=refusal.message)
    if withdrawn:
        flash(_("The invitation of %(name)s is withdrawn.", name=user.name), "success")
        return see_other(url_for(".index"))
    flash(_("%(name)s has no access any more; open sessions have ended.", name=user.name), "success")
    return see_other(url_for(".show", user_id=user_id))


def create_reactivation(user_id: UUID) -> ResponseReturnValue:
    user = _colleague(user_id, lock=True)
    service.reactivate(user, by=g.actor, at=clock.now())
    flash(_("%(name)s may sign in again, with the roles from before.", name=user.name), "success")
    return see_other(url_for(".show", user_id=user_id))


def _routes(name: str, prefix: str, permission: Permission) -> Feature:
    made = Feature(name, __name__, url_prefix=prefix)
    made.get("", permission=permission)(index)
    made.get("/new", permission=permission)(new)
    made.post("", permission=permission, limit=throttle.INVITATIONS)(create)
    made.get("/<uuid:user_id>", permission=permission)(show)
    made.post("/<uuid:user_id>/roles", permission=permission)(update_roles)
    made.post("/<uuid:user_id>/invitation", permission=permission, limit=throttle.INVITATIONS)(create_invitation)
    made.get("/<uuid:user_id>/deactivation", permission=permission)(new_deactivation)
    made.post("/<uuid:user_id>/deactivation", permission=permission)(create_deactivation)
    made.post("/<uuid:user_id>/reactivation", permission=permission)(create_reactivation)
    return made


feature = _routes("users", "/users", Permission.USER_MANAGE)
my_feature = _routes("my_users", "/my/users", Permission.MY_USERS)


def _colleague(user_id: UUID, *, lock: bool = False) -> User:
    return queries.colleague(g.actor.organization_id, user_id, lock=lock)


def _roles_form(user: User) -> RolesForm:
    return RolesForm(data={"roles": [role.value for role in user.roles], "version": user.version}).offer(grantable_roles(g.actor))


def _kept(user: User) -> frozenset[Role]:
    """Roles that are not this admin's to take; they stay as they are."""
    return user.roles - set(grantable_roles(g.actor))


def _shown(user: User, form: RolesForm) -> dict[str, Any]:
    return {
        "user": user,
        "form": form,
        "own": user.id == g.actor.user_id,
        "open_to_me": authority.may_touch(user, g.actor),
        "kept": [queries.ROLE_NAMES[role] for role in PARTNER_ROLES if role in _kept(user)],
        "roles": [name for role, name in queries.ROLE_NAMES.items() if role in user.roles],
        "states": queries.STATES,
        "language_name": dict(languages()).get(user.language or ""),
    }
