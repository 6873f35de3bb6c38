"""Permission, the roles × permissions policy of the domain's tables, and the Actor."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Permission(StrEnum):
    """What a person can be allowed to do. Values are `thing:action`."""

    ANYONE = "anyone"  # the greppable opt-out: no sign-in needed
    SIGNED_IN = "signed-in"  # one's own account, whoever one is

    CUSTOMER_READ = "customer:read"  # see customers, search
    CUSTOMER_ADD = "customer:add"  # add a customer, import
    OWNER_NAME = "owner:name"  # name an owner of a subscription
    CUSTOMER_EDIT = "customer:edit"  # change a customer's details
    CUSTOMER_EXPORT = "customer:export"  # export customers
    REQUEST_READ = "request:read"  # see relationship requests
    REQUEST_SEND = "request:send"  # request a relationship, reinstate one, ask for delegated administration
    DELEGATION_GIVE_UP = "delegation:give-up"  # give up delegated administration
    DELEGATION_USE = "delegation:use"  # use delegated administration in a customer's directory (R30)
    RELATIONSHIP_END = "relationship:end"  # end a relationship
    AGREEMENT_CONFIRM = "agreement:confirm"  # confirm a customer agreement
    BUYING_READ = "buying:read"  # see customer permissions
    BUYING_EDIT = "buying:edit"  # turn customer permissions on or off, set limits
    PURCHASE_APPROVE = "purchase:approve"  # approve or decline a customer's purchase
    CATALOG_READ = "catalog:read"  # see the catalog and prices
    CATALOG_EDIT = "catalog:edit"  # edit the catalog and prices
    SUBSCRIPTION_READ = "subscription:read"  # see subscriptions and orders
    SUBSCRIPTION_ORDER = "subscription:order"  # order, change quantity, renew, suspend, reactivate, cancel
    SUPPORT_CONTACT_NAME = "support-contact:name"  # name a support contact
    LEAD_WORK = "lead:work"  # see and answer leads, convert them
    PROFILE_EDIT = "profile:edit"  # edit the business profile
    PARTNERSHIP_READ = "partnership:read"  # see partnerships (providers, resellers)
    PARTNERSHIP_CHANGE = "partnership:change"  # request, accept or end a partnership
    INVOICE_READ = "invoice:read"  # see invoices
    INVOICE_ISSUE = "invoice:issue"  # issue invoices, record payments
    SERVICE_REQUEST_WORK = "service-request:work"  # see and open service requests, answer them
    ACTIVITY_READ = "activity:read"  # see and export the activity log
    USER_MANAGE = "user:manage"  # manage the partner's users and roles
    OUTBOX_READ = "outbox:read"  # see the outbox, send again
    SETTINGS_EDIT = "settings:edit"  # organization settings, security policy, API clients, webhooks

    MY_CONSENT = "my:consent"  # accept or decline requests and agreements; see partners; remove delegated administration
    MY_USERS = "my:users"  # manage the customer's users and roles
    MY_DETAILS = "my:details"  # edit the customer's legal details
    MY_SUBSCRIPTIONS = "my:subscriptions"  # see subscriptions
    MY_ORDERS = "my:orders"  # see orders, reservations, invoices
    MY_BUY = "my:buy"  # buy, when permitted and owner of the subscription concerned
    MY_SERVICE_REQUESTS = "my:service-requests"  # open and answer service requests
    MY_ACTIVITY = "my:activity"  # see the activity that concerns the customer
    MY_HOME = "my:home"  # the customer's own front page


class Role(StrEnum):
    """The seven roles of a partner's users and the three of a customer's."""

    GLOBAL_ADMIN = "global_admin"
    USER_ADMIN = "user_admin"
    BILLING_ADMIN = "billing_admin"
    ADMIN_AGENT = "admin_agent"
    SALES_AGENT = "sales_agent"
    HELPDESK_AGENT = "helpdesk_agent"
    REFERRALS_ADMIN = "referrals_admin"

    CUSTOMER_ADMIN = "customer_admin"
    PURCHASER = "purchaser"
    MEMBER = "member"


class Side(StrEnum):
    PARTNER = "partner"
    CUSTOMER = "customer"


class PartnerType(StrEnum):
    DIRECT_BILL = "direct_bill"
    INDIRECT_PROVIDER = "indirect_provider"
    INDIRECT_RESELLER = "indirect_reseller"


class Cloud(StrEnum):
    PUBLIC = "public"
    US_GOVERNMENT = "us_government"


PARTNER_ROLES = tuple(Role)[:7]
CUSTOMER_ROLES = tuple(Role)[7:]

_P = Permission
# One row a permission, one letter a role, in the order of PARTNER_ROLES: Global admin, User management admin, Billing admin,
# Admin agent, Sales agent, Helpdesk agent, Referrals admin.
_PARTNER_TABLE = """
    CUSTOMER_READ         G U B A S H .
    CUSTOMER_ADD          G U . A S . .
    OWNER_NAME            G . . A S . .
    CUSTOMER_EDIT         G . . A S H .
    CUSTOMER_EXPORT       G . . A . . .
    REQUEST_READ          G U . A S H .
    REQUEST_SEND          G U . A S . .
    DELEGATION_GIVE_UP    G . . A . . .
    DELEGATION_USE        G . . A . H .
    RELATIONSHIP_END      G . . . . . .
    AGREEMENT_CONFIRM     G . . A S . .
    BUYING_READ           G . . A S H .
    BUYING_EDIT           G . . A . . .
    PURCHASE_APPROVE      G . . A S . .
    CATALOG_READ          G . B A S H .
    CATALOG_EDIT          G . B . . . .
    SUBSCRIPTION_READ     G . B A S H .
    SUBSCRIPTION_ORDER    G . . A S . .
    SUPPORT_CONTACT_NAME  G . . A . H .
    LEAD_WORK             G . . . S . R
    PROFILE_EDIT          G . . . . . R
    PARTNERSHIP_READ      G U . A S . .
    PARTNERSHIP_CHANGE    G . . . . . .
    INVOICE_READ          G . B A S H .
    INVOICE_ISSUE         G . B . . . .
    SERVICE_REQUEST_WORK  G U B A S H .
    ACTIVITY_READ         G U B A S H .
    USER_MANAGE           G U . . . . .
    OUTBOX_READ           G U . . . . .
    SETTINGS_EDIT         G . . . . . .
"""
_CUSTOMER_TABLE = """
    MY_CONSENT            C . .
    MY_USERS              C . .
    MY_DETAILS            C . .
    MY_SUBSCRIPTIONS      C P M
    MY_ORDERS             C P .
    MY_BUY                C P .
    MY_SERVICE_REQUESTS   C P M
    MY_ACTIVITY           C . .
    MY_HOME               C P M
"""


def _policy() -> dict[Role, frozenset[Permission]]:
    granted: dict[Role, set[Permission]] = {role: {Permission.SIGNED_IN} for role in Role}
    for table, roles in ((_PARTNER_TABLE, PARTNER_ROLES), (_CUSTOMER_TABLE, CUSTOMER_ROLES)):
        for line in table.split("\n"):
            if not line.strip():
                continue
            name, *marks = line.split()
            for role, mark in zip(roles, marks, strict=True):
                if mark != ".":
                    granted[role].add(Permission[name])
    return {role: frozenset(permissions) for role, permissions in granted.items()}


POLICY = _policy()
# What the partner type takes away (R17, R35, R41), and what the cloud does (R62).
WITHHELD_FROM_TYPE = {
    PartnerType.DIRECT_BILL: frozenset({_P.PARTNERSHIP_READ, _P.PARTNERSHIP_CHANGE}),
    PartnerType.INDIRECT_PROVIDER: frozenset[Permission](),
    PartnerType.INDIRECT_RESELLER: frozenset({_P.RELATIONSHIP_END, _P.AGREEMENT_CONFIRM, _P.CATALOG_EDIT}),  # it sells from its provider's catalog
}
WITHHELD_IN_CLOUD = {
    Cloud.PUBLIC: frozenset[Permission](),
    Cloud.US_GOVERNMENT: frozenset({_P.LEAD_WORK, _P.PROFILE_EDIT, _P.PARTNERSHIP_READ, _P.PARTNERSHIP_CHANGE}),
}


def permissions_of(roles: frozenset[Role], partner_type: PartnerType | None, cloud: Cloud) -> frozenset[Permission]:
    """What the roles allow ∩ what the partner type allows ∩ what the cloud allows."""
    allowed = frozenset[Permission]().union(*(POLICY[role] for role in roles), {Permission.SIGNED_IN})
    if partner_type is not None:
        allowed -= WITHHELD_FROM_TYPE[partner_type]
    return allowed - WITHHELD_IN_CLOUD[cloud]


def grantable_roles(actor: "Actor") -> tuple[Role, ...]:
    """The roles this person may grant and take (R3)."""
    if Role.GLOBAL_ADMIN in actor.roles:
        return PARTNER_ROLES
    if Role.USER_ADMIN in actor.roles:
        return tuple(role for role in PARTNER_ROLES if role not in (Role.GLOBAL_ADMIN, Role.USER_ADMIN))
    if Role.CUSTOMER_ADMIN in actor.roles:
        return CUSTOMER_ROLES
    return ()


@dataclass(frozen=True)
class Actor:
    """Who does something: a person signed in, or the portal itself. Frozen: not the user row."""

    user_id: int | None
    name: str
    email: str = ""
    organization_id: int | None = None
    organization_name: str = ""
    organization_public_id: UUID | None = None
    side: Side = Side.PARTNER
    partner_type: PartnerType | None = None
    cloud: Cloud = Cloud.PUBLIC
    country: str = ""
    roles: frozenset[Role] = frozenset()
    permissions: frozenset[Permission] = frozenset()
    language: str | None = None
    time_zone: str = "UTC"
    session_id: int | None = None
    session_token: str = field(default="", repr=False)
    authenticated_at: datetime | None = None
    last_seen_at: datetime | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    # What flask-login asks of a user object.
    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        return self.session_token


PORTAL = Actor(user_id=None, name="Portal")
