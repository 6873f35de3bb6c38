"""The life of a lead (R51)."""

from portal.core.states import Machine
from portal.leads.models import LeadState as S

LEAD = Machine(
    "lead",
    {
        ("accept", S.RECEIVED): S.ACCEPTED,
        ("decline", S.RECEIVED): S.DECLINED,
        ("expire", S.RECEIVED): S.EXPIRED,
        ("win", S.ACCEPTED): S.WON,
        ("lose", S.ACCEPTED): S.LOST,
    },
)
