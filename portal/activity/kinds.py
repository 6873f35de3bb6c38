"""Which actions can stand in the log of which kind of organization: what its filter offers."""

import functools

from portal.core.access import Actor, Cloud, PartnerType, Side
from portal.core.audit import ACTIONS

# Actions, or the first parts of theirs, that no log of this kind ever tells.
_TWO_TIERS = frozenset(
    {"order.declined", "order.requested", "order.withdrawn", "partnership", "subscription.reseller_named", "subscription.support_contacts_returned"}
)
_NEVER: dict[Side | PartnerType | Cloud | None, frozenset[str]] = {
    Side.CUSTOMER: frozenset(
        {
            "catalog",
            "customer",
            "lead",
            "mail",
            "offer",
            "order.declined",
            "order.requested",
            "order.withdrawn",
            "organization.domain_asked",
            "partnership",
            "profile",
            "relationship_request.drafted",
            "relationship_request.updated",
            "reservation.exported",
            "subscription.exported",
            "subscription.support_contacts_returned",
        }
    ),
    PartnerType.DIRECT_BILL: _TWO_TIERS,
    PartnerType.INDIRECT_RESELLER: frozenset(
        {
            "agreement.attested",
            "buying",
            "catalog",
            "offer",
            "partnership.expired",
            "partnership.revoked",
            "partnership.sent",
            "partnership.sent_again",
            "purchase",
            "reservation_request",
            "subscription.support_contacts_returned",
        }
    ),
    Cloud.US_GOVERNMENT: _TWO_TIERS | {"lead", "profile"},
}


def possible(actor: Actor) -> tuple[str, ...]:
    """Actions that the log of this person's organization can tell."""
    return _possible(actor.side, actor.partner_type, actor.cloud)


@functools.cache
def _possible(*kinds: Side | PartnerType | Cloud | None) -> tuple[str, ...]:
    never = frozenset[str]().union(*(_NEVER.get(kind, ()) for kind in kinds))
    return tuple(action for action in ACTIONS if not never & {action, action.partition(".")[0]})
