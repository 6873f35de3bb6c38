"""Whatever people do in whatever order: requests and delegated administration keep to their tables (R22, R24, R25, R30)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import audit, clock
from portal.core.access import Side
from portal.core.db import attempt, db, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.core.states import Machine
from portal.customers import queries as customers
from portal.customers.models import Customer, RelationshipState
from portal.relationships import answers, delegation, ending, queries, service
from portal.relationships.models import DelegatedAdministration, DelegationState, RelationshipRequest, RequestState, SendingWay
from portal.relationships.service import RequestEntry
from portal.relationships.states import DELEGATION, REQUEST
from tests.support import databases, make

ODILE, SALES, ADMIN = "admin@verrerie-odile.example", "sales@atelier-nuage.example", "admin@atelier-nuage.example"
STEPS = ("draft", "send", "send_again", "accept", "accept_again", "decline", "revoke", "wait", "end", "remove", "give_up")


@pytest.mark.parametrize("machine", [REQUEST, DELEGATION], ids=lambda machine: machine.name)
def test_every_state_is_reached_and_the_final_ones_lead_nowhere(machine: Machine):
    """R24."""
    states = {state for _action, state in machine.transitions} | set(machine.transitions.values())

    assert states == set(type(next(iter(states))))
    assert all(not machine.actions(state) for state in machine.final())
    assert RequestState.SENT not in machine.final()


def test_accepted_declined_expired_and_revoked_are_final():
    """R24."""
    assert REQUEST.final() == {RequestState.ACCEPTED, RequestState.DECLINED, RequestState.EXPIRED, RequestState.REVOKED}
    assert DELEGATION.final() == {DelegationState.ENDED}


class World:
    """One partner and one customer, and time that only goes forward; each step is what a person or a job does."""

    def __init__(self) -> None:
        self.at: datetime = clock.now()
        self.sales, self.admin, self.odile = make.actor(SALES), make.actor(ADMIN), make.actor(ODILE)
        self.partner = Scope(partner_id=self.sales.organization_id)
        self.seen: dict[int, RequestState] = {}

    def step(self, name: str) -> None:
        self.at += timedelta(minutes=1)
        try:
            with scoped(EVERYTHING), attempt():
                getattr(self, name)()
                db.session.flush()
        except Refused:
            pass

    def latest(self) -> RelationshipRequest:
        row = db.session.scalars(make.sa.select(RelationshipRequest).order_by(RelationshipRequest.id.desc()).limit(1)).first()
        if row is None:
            raise Refused("nothing yet")
        return row

    def draft(self) -> None:
        with scoped(self.partner):
            service.draft_request(RequestEntry(ODILE, "", "en", True, ["directory_reader"], 40, True), by=self.sales, at=self.at)

    def send(self) -> None:
        service.send_request(self.latest(), way=SendingWay.COPY, by=self.sales, at=self.at)

    def send_again(self) -> None:
        service.send_again(self.latest(), way=SendingWay.COPY, by=self.sales, at=self.at)

    def accept(self) -> None:
        answers.accept_request(self.latest(), agreement=True, language="en", by=self.odile, at=self.at)

    accept_again = accept

    def decline(self) -> None:
        answers.decline_request(self.latest(), reason="", by=self.odile, at=self.at)

    def revoke(self) -> None:
        service.revoke_request(self.latest(), by=self.sales, at=self.at)

    def wait(self) -> None:
        self.at += timedelta(days=17)
        service.expire_requests(at=self.at)
        delegation.remind(at=self.at)
        delegation.run_out(at=self.at)

    def end(self) -> None:
        with scoped(self.partner):
            customer = customers.record_of(self.odile.organization_id or 0)
            if customer is None or customer.state is not RelationshipState.ACTIVE:
                raise Refused("nothing to end")
            ending.end_relationship(customer, typed_name=customer.name, reason="x", by=self.admin, at=self.at)

    def remove(self) -> None:
        with scoped(Scope(customer_id=self.odile.organization_id)):
            delegation.remove(self.granted(), by=self.odile, at=self.at)

    def give_up(self) -> None:
        with scoped(self.partner):
            customer = customers.record_of(self.odile.organization_id or 0)
            assert customer is not None or queries.delegation_of(self.odile.organization_id or 0) is None
            delegation.give_up(self.granted(), customer, by=self.admin, at=self.at)

    def granted(self) -> DelegatedAdministration:
        row = queries.delegation_of(self.odile.organization_id or 0)
        if row is None:
            raise Refused("none")
        return row

    def check(self) -> None:
        with scoped(EVERYTHING):
            rows = db.session.scalars(make.sa.select(RelationshipRequest)).all()
            held = db.session.scalars(make.sa.select(DelegatedAdministration)).all()
            records = db.session.scalars(make.sa.select(Customer).where(Customer.customer_id == self.odile.organization_id)).all()
        for row in rows:
            before = self.seen.get(row.id, RequestState.DRAFT)
            assert before not in REQUEST.final() or row.state is before, "a final state is final"
            self.seen[row.id] = row.state
            usable = row.link is not None and row.link.used_at is None and row.link.revoked_at is None
            assert usable == (row.state in (RequestState.SENT, RequestState.EXPIRED)), f"the link lives as long as the request: {row.state}"
            assert (row.state is RequestState.DRAFT) <= (row.link is None)
        accepted = [row for row in rows if row.state is RequestState.ACCEPTED]
        assert len(held) == len(accepted), "every grant has its acceptance"
        active = [row for row in held if row.state is DelegationState.ACTIVE]
        assert len(active) <= 1, "one grant at a time"
        assert len(records) == (1 if accepted else 0), "the same relationship, whatever happens (R37)"
        if active:
            assert records[0].state is RelationshipState.ACTIVE, "no delegated administration without a relationship (R36)"
            assert active[0].ends_at is not None
            assert active[0].ends_at > active[0].starts_at


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=25))
def test_whatever_is_done_in_whatever_order_the_rules_hold(app, engine, steps):
    """R22, R24, R30, R36, R37."""
    databases.database(engine).fresh()
    db.session.rollback()
    with writing():
        world = World()
        db.session.rollback()
        for name in ("draft", "send", *steps):
            world.step(name)
            world.check()
        db.session.commit()
        for chain in (world.sales.organization_id, world.odile.organization_id):
            assert audit.verify(chain or 0) is None
        assert world.odile.side is Side.CUSTOMER
    db.session.rollback()
    db.session.remove()
