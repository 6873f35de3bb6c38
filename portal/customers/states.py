"""The life of a relationship between a partner and a customer (R25)."""

from portal.core.states import Machine
from portal.customers.models import RelationshipState as S

RELATIONSHIP = Machine(
    "relationship",
    {
        ("accept", S.PENDING): S.ACTIVE,
        ("reinstate", S.ENDED): S.ACTIVE,
        ("end", S.ACTIVE): S.ENDED,
        ("yield", S.ACTIVE): S.PENDING,  # another claim to the domain was proven (R11)
    },
)
