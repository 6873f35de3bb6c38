"""The lives of an order, a subscription (R82, R83), a reservation and what a customer asks about it (R74)."""

from portal.core.states import Machine
from portal.subscriptions.models import AskedState as A
from portal.subscriptions.models import OrderState as O
from portal.subscriptions.models import ReservationState as R
from portal.subscriptions.models import SubscriptionState as S

LIVE = (S.ACTIVE, S.SUSPENDED)  # of a subscription that is not over
ORDER = Machine("order", {("place", O.REQUESTED): O.PLACED, ("decline", O.REQUESTED): O.DECLINED, ("withdraw", O.REQUESTED): O.WITHDRAWN})
SUBSCRIPTION = Machine(
    "subscription",
    {
        ("suspend", S.ACTIVE): S.SUSPENDED,
        ("reactivate", S.SUSPENDED): S.ACTIVE,
        ("expire", S.ACTIVE): S.EXPIRED,
        ("expire", S.SUSPENDED): S.EXPIRED,
        ("cancel", S.ACTIVE): S.CANCELLED,
        ("cancel", S.SUSPENDED): S.CANCELLED,
    },
)
RESERVATION = Machine(
    "reservation",
    {("expire", R.ACTIVE): R.EXPIRED, ("cancel", R.ACTIVE): R.CANCELLED, ("exchange", R.ACTIVE): R.EXCHANGED},
)
RESERVATION_REQUEST = Machine("reservation_request", {("do", A.OPEN): A.DONE, ("decline", A.OPEN): A.DECLINED, ("withdraw", A.OPEN): A.WITHDRAWN})
