"""The lives of a relationship request (R24), of delegated administration (R25, R30), and of a partnership (R40, R42)."""

from portal.core.states import Machine
from portal.relationships.models import DelegationState as D
from portal.relationships.models import PartnershipState as P
from portal.relationships.models import RequestState as R

REQUEST = Machine(
    "relationship_request",
    {
        ("send", R.DRAFT): R.SENT,
        ("accept", R.SENT): R.ACCEPTED,
        ("decline", R.SENT): R.DECLINED,
        ("expire", R.SENT): R.EXPIRED,
        ("revoke", R.SENT): R.REVOKED,
        ("revoke", R.DRAFT): R.REVOKED,
    },
)
DELEGATION = Machine(
    "delegated_administration",
    {
        ("grant", D.REQUESTED): D.ACTIVE,
        ("end", D.ACTIVE): D.ENDED,
        ("withdraw", D.REQUESTED): D.ENDED,
    },
)
PARTNERSHIP = Machine(
    "partnership",
    {
        ("accept", P.SENT): P.ACTIVE,
        ("decline", P.SENT): P.DECLINED,
        ("expire", P.SENT): P.EXPIRED,
        ("revoke", P.SENT): P.REVOKED,
        ("end", P.ACTIVE): P.ENDED,
    },
)
