"""What delegated administration opens: a partner's agents in the customer's directory, as far as the customer granted it (R30)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.accounts.authority import may_touch
from portal.accounts.models import Organization, User
from portal.core.access import Actor, Permission, Role
from portal.core.errors import Forbidden, NotFound
from portal.customers import queries as customers
from portal.customers.models import Customer
from portal.relationships import queries
from portal.relationships.models import AdminRole, DelegatedAdministration


class Power(StrEnum):
    SEE = "see"  # the customer's people
    HELP = "help"  # send activation and reset links, end sessions
    MANAGE = "manage"  # invite, deactivate, give and take roles


OPENED = {
    AdminRole.DIRECTORY_READER: {Power.SEE},
    AdminRole.HELPDESK_ADMINISTRATOR: {Power.SEE, Power.HELP},
    AdminRole.USER_ADMINISTRATOR: {Power.SEE, Power.MANAGE},
}
_NOT_FOR_HELPDESK_AGENTS = frozenset({AdminRole.USER_ADMINISTRATOR})
_AGENTS = frozenset({Role.GLOBAL_ADMIN, Role.ADMIN_AGENT})


@dataclass(frozen=True)
class Directory:
    """A customer's directory, as it is open to one person now."""

    customer: Customer
    powers: frozenset[Power]
    by: Actor

    @property
    def organization(self) -> Organization:
        return self.customer.organization

    def person(self, public_id: UUID) -> User:
        return accounts.colleague(self.organization.id, public_id)

    def touched(self, public_id: UUID) -> User:
        """The person, to be changed: no customer admin ever is."""
        user = accounts.colleague(self.organization.id, public_id, lock=True)
        if not self.may_touch(user):
            raise Forbidden("a customer admin (R30)", message=_("The customer looks after its own admins. Ask one of them to do this."))
        return user

    def may_touch(self, user: User) -> bool:
        return Role.CUSTOMER_ADMIN not in user.roles and may_touch(user, self.by)


def opened(customer_id: UUID, power: Power, *, by: Actor, at: datetime, lock: bool = False) -> Directory:
    """The directory for somebody who has this power in it.

    Without a relationship and a delegated administration that stand now there is none. `lock` holds the grant until the change is
    committed: the customer that takes it back at the same moment waits for that, or comes first.
    """
    customer = customers.opened(customer_id)
    granted = queries.delegation_of(customer.organization.id, lock=lock)
    if granted is None or not _stands(granted, at):
        raise NotFound(customer_id)
    held = powers(granted, by, at=at)
    if power not in held:
        granted_to_others = power in _opened_by(queries.effective_roles(granted.roles))
        not_granted = _("The customer has not granted you a role that includes this. A new request for delegated administration can ask for it.")
        raise Forbidden("not delegated", message=None if granted_to_others else not_granted)
    return Directory(customer, held, by)


def powers(granted: DelegatedAdministration | None, by: Actor, *, at: datetime) -> frozenset[Power]:
    """What this person may do by this grant; nothing where there is none."""
    if granted is None or not by.may(Permission.DELEGATION_USE) or not _stands(granted, at):
        return frozenset()
    roles = queries.effective_roles(granted.roles)
    return _opened_by(roles if by.roles & _AGENTS else roles - _NOT_FOR_HELPDESK_AGENTS)


def _opened_by(roles: frozenset[AdminRole]) -> frozenset[Power]:
    return frozenset[Power]().union(*(OPENED.get(role, ()) for role in roles))


def _stands(granted: DelegatedAdministration, at: datetime) -> bool:
    """Whether it has not run out, also while the job that ends or extends it has not come by."""
    return granted.auto_extend or (granted.ends_at is not None and granted.ends_at > at)
