"""Who waits for whom: a row that somebody holds keeps nobody else from writing the log, which would end in a deadlock."""

import threading

import pytest
import sqlalchemy as sa

from portal.accounts.models import Organization
from portal.core import audit, clock
from portal.core.db import db, find
from portal.core.scope import Scope, scoped
from portal.customers import queries as customers
from tests.support import make

AGENT, BUYER = "agent@atelier-nuage.example", "buyer@maison-tellier.example"


def _held_record(by):
    customers.record(customers.record_of(make.organization("maison-tellier.example").id).public_id, lock=True)


def _held_record_of(by):
    customers.record_of(make.organization("maison-tellier.example").id, lock=True)


def _held_organization(by):
    find(Organization, by.organization_public_id, lock=True)


@pytest.mark.parametrize("hold", [_held_record, _held_record_of, _held_organization])
@pytest.mark.parametrize("who", [AGENT, BUYER])
def test_what_is_held_keeps_nobody_from_the_log(engine, app, hold, who):
    """S29, R95: entries of the log refer to the organizations that read them."""
    if engine == "sqlite":
        return  # one writer at a time, whatever it holds
    agent, other = make.actor(AGENT), make.actor(who)
    db.session.rollback()
    written = threading.Event()

    def write():
        with app.app_context():
            db.session.execute(sa.text("SET lock_timeout = '3s'"))
            audit.record("session.opened", by=other, at=clock.now())
            db.session.commit()
            written.set()
            db.session.remove()

    with scoped(Scope(partner_id=agent.organization_id)):
        hold(agent)
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(10)
        db.session.rollback()

    assert written.is_set()
