"""The life of a customer's own purchase (R76)."""

from portal.core.states import Machine
from portal.permissions.models import PurchaseState as S

PURCHASE = Machine("purchase", {("approve", S.WAITING): S.PLACED, ("decline", S.WAITING): S.DECLINED, ("withdraw", S.WAITING): S.WITHDRAWN})
