"""Jobs that were not run for days: whatever is done meanwhile comes out as if they had been on time (R82-R84, R90)."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, writing
from portal.core.errors import Refused
from portal.core.scope import Scope, scoped
from portal.subscriptions import advancing, service, terms
from portal.subscriptions.models import Charge, Subscription
from tests.subscriptions import rows
from tests.subscriptions.world import SALES, change, row, sold, tellier
from tests.support import databases, make

JANUARY_31 = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
DONE = {
    "more licences": lambda row, **who: service.set_quantity(row, 9, version=None, **who),
    "fewer licences": lambda row, **who: service.set_quantity(row, 2, version=None, **who),
    "renewal off": lambda row, **who: service.set_renewal(row, auto_renew=False, **who),
    "renewal on": lambda row, **who: service.set_renewal(row, auto_renew=True, **who),
    "suspended": service.suspend,
    "cancelled": service.cancel,
    "converted": service.convert_trial,
}
SOLD = {
    "monthly": {"term_months": 1},
    "billed monthly for a year": {},
    "a trial": {"trial_days": 30, "term_months": 1},
    "one that ends": {"term_months": 1},
    "with fewer from the renewal on": {"term_months": 1},
}


@pytest.mark.parametrize("sold", SOLD)
@pytest.mark.parametrize("done", DONE)
def test_what_is_done_while_the_jobs_stand_still_comes_out_as_if_they_had_run(app, engine, sold, done):
    """R82, R83, R84, R90."""
    assert _outcome(engine, sold, done, on_time=False) == _outcome(engine, sold, done, on_time=True)


def _outcome(engine: str, sold: str, done: str, *, on_time: bool) -> list[object]:
    databases.database(engine).fresh()
    db.session.rollback()
    who = make.actor(SALES)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        item = rows.offer("LATE", by=who, at=JANUARY_31, **SOLD[sold])
        rows.place({item: 5}, by=who, at=JANUARY_31)
        subscription = rows.subscription_of(item)
        if sold == "one that ends":
            service.set_renewal(subscription, auto_renew=False, by=who, at=JANUARY_31)
        if sold == "with fewer from the renewal on":
            service.set_quantity(subscription, 3, version=None, by=who, at=JANUARY_31)
        later = JANUARY_31 + timedelta(days=40)
        if on_time:
            advancing.advance_due(at=later)
        try:
            DONE[done](service.locked(rows.tellier(), subscription.public_id, at=later), by=who, at=later)
            refused = False
        except Refused:
            refused = True
        advancing.advance_due(at=later + timedelta(hours=1))
        advancing.advance_due(at=later + timedelta(days=30))
        found = [refused, *_standing(subscription)]
    db.session.rollback()
    db.session.remove()
    return found


def _standing(subscription: Subscription) -> list[object]:
    charges = db.session.scalars(sa.select(Charge).where(Charge.subscription_id == subscription.id).order_by(Charge.from_on, Charge.id))
    names = ("state", "quantity", "next_quantity", "starts_on", "ends_on", "billed_to", "auto_renew", "cancels")
    return [*(getattr(subscription, name) for name in names), *((row.kind, row.quantity, row.amount_minor, row.from_on, row.to_on) for row in charges)]


@pytest.mark.parametrize("door", ["its own page", "several at once", "coming up", "ending the relationship"])
def test_every_page_that_changes_one_does_first_what_the_jobs_have_not(people, door):
    """R35, R38, R84: a month that began before is charged, whatever happens to it now."""
    (key,) = sold("Office Suite", at=clock.now() - timedelta(days=40))
    agent, url = people("admin@atelier-nuage.example"), tellier()

    if door == "its own page":
        agent.submit(agent.get(f"{url}/subscriptions/{key}/suspension"), f"{url}/subscriptions/{key}/suspension")
    elif door == "several at once":
        asked = agent.submit(agent.get(f"{url}/subscriptions"), f"{url}/subscriptions/changes", change="suspend", line=[key])
        agent.submit(asked, f"{url}/subscriptions/changes")
    elif door == "coming up":
        change(key, service.set_renewal, at=clock.now() - timedelta(days=40), auto_renew=False)
        agent.post("/coming-up/extension", {"line": f"subscription:{key}"}, status=200)
    else:
        agent.submit(agent.get(f"{url}/ending"), f"{url}/ending/clearing")

    assert row(key).billed_to == terms.add_months(row(key).anchor_on, 2)
