"""Machine: a transition table used by every lifecycle; nothing else assigns a state column."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from flask_babel import lazy_gettext as _l

from portal.core import audit
from portal.core.access import Actor
from portal.core.errors import Refused

StateT = TypeVar("StateT", bound=StrEnum)


class Machine(Generic[StateT]):
    """A lifecycle: which action leads from which state to which other one.

    The table draws the buttons (`may`), guards the change (`apply`) and drives the property tests.
    """

    def __init__(self, name: str, transitions: Mapping[tuple[str, StateT], StateT]) -> None:
        self.name = name
        self.transitions = dict(transitions)

    def may(self, state: StateT, action: str) -> bool:
        return (action, state) in self.transitions

    def actions(self, state: StateT) -> set[str]:
        return {action for action, source in self.transitions if source == state}

    def final(self) -> set[StateT]:
        """States that nothing leads out of."""
        return set(self.transitions.values()) - {source for _, source in self.transitions}

    def apply(
        self,
        row: Any,
        action: str,
        *,
        by: Actor,
        at: datetime,
        customer: audit.Customer | None = None,
        seen_by: tuple[int | None, ...] = (),
        details: dict[str, Any] | None = None,
    ) -> None:
        """Move `row` on and log it as `<name>.<new state>`; Refused when the table has no such way."""
        before = row.state
        after = self.transitions.get((action, before))
        if after is None:
            raise Refused(_l("This has changed meanwhile, so it was not done. Look at its present state and try again."))
        row.state = after
        row.state_at = at
        audit.record(
            f"{self.name}.{after.value}",
            by=by,
            at=at,
            customer=customer,
            seen_by=seen_by,
            before={"state": before.value},
            after={"state": after.value, **(details or {})},
            subject=getattr(row, "public_id", None),
        )
