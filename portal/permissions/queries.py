"""Reads of what customers may buy for themselves: the checklist, the switch, what the month has seen, and purchases."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from portal.accounts.models import Organization, User, UserRole, UserState
from portal.core import lists
from portal.core.access import Role
from portal.core.db import Key, db, find
from portal.core.errors import NotFound
from portal.core.lists import ListQuery, Page, Sort
from portal.core.money import Money
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.permissions.models import BuyingPermission, Category, Purchase, PurchaseState
from portal.subscriptions.models import Billing, Order, Subscription, SubscriptionOwner, SubscriptionState

BUYERS = (Role.CUSTOMER_ADMIN, Role.PURCHASER)
EVERY = "all"  # the filter's value for every state; without one, the list shows what waits
FILTERS: dict[str, Any] = {"state": [*list(PurchaseState)[1:], EVERY], "customer": None}
OLDEST, NEWEST = Sort(Purchase.id, Purchase.id), Sort(Purchase.id, Purchase.id, descending=True)
COLUMNS = (
    Purchase.id,
    Purchase.public_id,
    Purchase.wanted,
    Purchase.quantity,
    Purchase.total_minor,
    Purchase.currency,
    Purchase.state,
    Purchase.author_name,
    Purchase.asked_at,
    Customer.name.label("customer_name"),
    Customer.public_id.label("customer_public_id"),
)
_BUYER = sa.exists().where(UserRole.user_id == User.id, UserRole.role.in_(BUYERS))
ABLE = sa.and_(User.state == UserState.ACTIVE, _BUYER)  # a person who may buy, when named owner
# The partner's record of the customer. One that became another company's waits for that one's consent, and nothing of it is open (R11, R19).
_RECORD = sa.and_(Customer.customer_id == Purchase.customer_id, Customer.partner_id == Purchase.partner_id, Customer.state != RelationshipState.PENDING)


@dataclass(frozen=True)
class Checklist:
    """The three things that R71 asks for, and what helps to mend them: public keys of usage-based subscriptions, and whether anybody could be an owner."""

    relationship: bool
    active: UUID | None
    owner: bool
    suspended: UUID | None
    buyers: bool

    @property
    def subscription(self) -> bool:
        return self.active is not None

    @property
    def complete(self) -> bool:
        return self.relationship and self.subscription and self.owner

    @property
    def met(self) -> int:
        return sum((self.relationship, self.subscription, self.owner))


@dataclass(frozen=True)
class Spending:
    """What counts against the limit of a month: what was bought in it, and all that waits, whenever it was asked for; and how many purchases wait."""

    placed: Money
    waiting: Money
    number_waiting: int

    @property
    def counted(self) -> Money:
        return self.placed + self.waiting


_PARTNER, _CUSTOMER = sa.bindparam("partner", type_=Key), sa.bindparam("customer", type_=Key)


def _checklist_statement() -> sa.Select:
    S, Owner = Subscription, SubscriptionOwner
    mine = sa.and_(S.partner_id == _PARTNER, S.customer_id == _CUSTOMER, S.billing == Billing.USAGE)
    active = sa.and_(mine, S.state == SubscriptionState.ACTIVE)
    newest = sa.select(S.public_id).order_by(S.id.desc()).limit(1)
    owned = sa.select(Owner.id).join(S, S.id == Owner.subscription_id).join(User, User.id == Owner.user_id).where(active, ABLE)
    return sa.select(
        newest.where(active).scalar_subquery().label("active"),
        owned.limit(1).scalar_subquery().label("owner"),
        newest.where(mine, S.state == SubscriptionState.SUSPENDED, S.base_id.is_(None)).scalar_subquery().label("suspended"),
        sa.select(User.id).where(User.organization_id == _CUSTOMER, ABLE).limit(1).scalar_subquery().label("buyers"),
    )


_CHECKLIST = _checklist_statement()
_SWITCH = (
    _CHECKLIST.add_columns(BuyingPermission, User.name.label("turned_by"))
    .select_from(Organization)
    .outerjoin(
        BuyingPermission,
        sa.and_(
            BuyingPermission.partner_id == _PARTNER,
            BuyingPermission.customer_id == _CUSTOMER,
            BuyingPermission.category == sa.bindparam("category", type_=BuyingPermission.category.type),
        ),
    )
    .outerjoin(User, User.id == BuyingPermission.changed_by_id)
    .where(Organization.id == _CUSTOMER)
)


def checklist(customer: Customer) -> Checklist:
    """Active relationship, an active usage-based subscription of this partner's, and a purchaser named owner of one (R71)."""
    return _checked(customer, db.session.execute(_CHECKLIST, {"partner": customer.partner_id, "customer": customer.customer_id}).one())


def switch(customer: Customer, category: Category) -> tuple[BuyingPermission | None, str, Checklist]:
    """The switch with its limits, none where nobody ever touched it; who turned it last; and what it needs."""
    row = db.session.execute(_SWITCH, {"partner": customer.partner_id, "customer": customer.customer_id, "category": category}).one()
    return row.BuyingPermission, row.turned_by or "", _checked(customer, row)


def _checked(customer: Customer, row: Any) -> Checklist:
    active = customer.state is RelationshipState.ACTIVE
    return Checklist(active, row.active, row.owner is not None, row.suspended, row.buyers is not None)


def spending(permission: BuyingPermission, month: str) -> Spending:
    """`month` is the present one, as the text that purchases carry, "2027-03": what waits would be bought in it."""
    whose = {name: getattr(permission, name) for name in ("partner_id", "customer_id", "category", "currency")}
    found = {state: (int(total), number) for state, total, number in db.session.execute(_SPENT, {**whose, "month": month})}
    placed, waiting = (found.get(state, (0, 0)) for state in (PurchaseState.PLACED, PurchaseState.WAITING))
    return Spending(Money(placed[0], permission.currency), Money(waiting[0], permission.currency), waiting[1])


def _spent() -> sa.Select:
    whose = (
        column == sa.bindparam(column.key, type_=column.type) for column in (Purchase.partner_id, Purchase.customer_id, Purchase.category, Purchase.currency)
    )
    in_month = Purchase.month == sa.bindparam("month", type_=Purchase.month.type)
    statement = sa.select(Purchase.state, sa.func.sum(Purchase.total_minor), sa.func.count()).where(
        *whose, sa.or_(in_month, Purchase.state == PurchaseState.WAITING)
    )
    return statement.group_by(Purchase.state)


_SPENT = _spent()


def purchases(query: ListQuery) -> Page:
    """One page of the purchases of all customers that consented, or of one: what waits, the longest first; else the newest first."""
    statement = sa.select(*COLUMNS).join(Customer, _RECORD)
    state = query.filters.get("state", PurchaseState.WAITING)
    if state != EVERY:
        statement = statement.where(Purchase.state == PurchaseState(state))
    if "customer" in query.filters:
        statement = statement.where(Customer.public_id == _key(query.filters["customer"]))
    return lists.fetch(statement, query, NEWEST if "state" in query.filters else OLDEST, lambda row: (row.id, row.id))


def shown(public_id: UUID) -> Any:
    """A purchase with its customer, the subscription that it is for, and its order once it is bought."""
    statement = (
        sa.select(
            Purchase,
            Customer,
            Subscription.public_id.label("subscription_id"),
            sa.func.coalesce(sa.func.nullif(Subscription.nickname, ""), Subscription.name).label("subscription_name"),
            Order.public_id.label("order_id"),
        )
        .join(Customer, _RECORD)
        .join(Subscription, Subscription.id == Purchase.subscription_id)
        .outerjoin(Order, Order.id == Purchase.order_id)
    )
    row = db.session.execute(statement.where(Purchase.public_id == public_id)).one_or_none()
    if row is None:
        raise NotFound(public_id)
    return row


def locked(public_id: UUID) -> tuple[Purchase, Customer]:
    """A purchase and its customer's record, held until the change is committed: the customer first, as everybody locks them."""
    customer = customers.record_of(find(Purchase, public_id).customer_id or 0, lock=True)
    if customer is None or customer.state is RelationshipState.PENDING:
        raise NotFound(public_id)
    return find(Purchase, public_id, lock=True), customer


def _key(value: str) -> UUID:
    """A public key; one that nobody has for what is none."""
    try:
        return UUID(value)
    except ValueError:
        return UUID(int=0)
