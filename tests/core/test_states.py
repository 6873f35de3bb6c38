"""Machine: the table decides, and every step is in the log."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pytest
import sqlalchemy as sa

from portal.core import audit, clock
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.errors import Refused
from portal.core.states import Machine
from portal.relationships.states import DELEGATION, REQUEST
from tests.support import make


class Light(StrEnum):
    RED = "red"
    GREEN = "green"
    BROKEN = "broken"


LIGHT = Machine(
    "light", {("go", Light.RED): Light.GREEN, ("stop", Light.GREEN): Light.RED, ("smash", Light.RED): Light.BROKEN, ("smash", Light.GREEN): Light.BROKEN}
)


@dataclass
class Lamp:
    state: Light = Light.RED
    state_at: datetime | None = None


def test_the_table_says_what_may_be_done():
    assert LIGHT.may(Light.RED, "go")
    assert not LIGHT.may(Light.RED, "stop")
    assert LIGHT.actions(Light.GREEN) == {"stop", "smash"}
    assert LIGHT.actions(Light.BROKEN) == set()
    assert LIGHT.final() == {Light.BROKEN}


def test_a_step_writes_state_moment_and_log(app, monkeypatch):
    monkeypatch.setitem(audit.ACTIONS, "light.green", "Light green")
    lamp, at, who = Lamp(), clock.now(), make.actor("admin@atelier-nuage.example")
    db.session.rollback()
    with writing():
        LIGHT.apply(lamp, "go", by=who, at=at, details={"why": "night"})
        db.session.commit()

    assert (lamp.state, lamp.state_at) == (Light.GREEN, at)
    entry = db.session.scalars(sa.select(LogEntry).order_by(LogEntry.id.desc()).limit(1)).one()
    assert entry.action == "light.green"
    assert entry.actor_name == who.name
    assert entry.at == at


@pytest.mark.parametrize(("state", "action"), [(Light.RED, "stop"), (Light.BROKEN, "go"), (Light.GREEN, "go"), (Light.RED, "unknown")])
def test_a_step_that_the_table_does_not_have_is_refused_and_changes_nothing(app, state, action):
    lamp = Lamp(state)

    with pytest.raises(Refused):
        LIGHT.apply(lamp, action, by=make.actor("admin@atelier-nuage.example"), at=clock.now())

    assert lamp == Lamp(state)


def test_final_states_are_those_of_the_domain():
    """R24, R25"""
    assert {state.value for state in REQUEST.final()} == {"accepted", "declined", "expired", "revoked"}
    assert {state.value for state in DELEGATION.final()} == {"ended"}
