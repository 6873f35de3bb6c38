"""Whatever both sides do in whatever order, while the clock jumps: partnerships and joint invitations keep to their rules (R28, R40-R42)."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import audit, clock
from portal.core.access import Actor
from portal.core.db import attempt, db, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.relationships import answers, partnerships, queries, service
from portal.relationships.models import Partnership, PartnershipState, RelationshipRequest, RequestState, SendingWay
from portal.relationships.partnerships import PartnershipEntry
from portal.relationships.service import RequestEntry
from portal.relationships.states import PARTNERSHIP
from tests.support import databases, make

PROVIDER, RESELLER, ODILE = "admin@grossiste-azur.example", "admin@relais-breton.example", "admin@verrerie-odile.example"
STEPS = ("ask", "ask_again", "accept", "decline", "revoke", "wait", "linger", "provider_ends", "reseller_ends", "invite", "invite_again", "customer_accepts")


def test_every_state_is_reached_and_the_final_ones_lead_nowhere():
    """R40, R42"""
    states = {state for _action, state in PARTNERSHIP.transitions} | set(PARTNERSHIP.transitions.values())

    assert states == set(PartnershipState)
    assert PARTNERSHIP.final() == {PartnershipState.DECLINED, PartnershipState.EXPIRED, PartnershipState.REVOKED, PartnershipState.ENDED}


class World:
    """A provider, a reseller, and a customer of nobody; each step is what a person or a job does, and `seen` what was before."""

    def __init__(self) -> None:
        self.at: datetime = clock.now()
        self.provider, self.reseller, self.odile = make.actor(PROVIDER), make.actor(RESELLER), make.actor(ODILE)
        self.seen: dict[int, PartnershipState] = {}
        self.joined = False

    def step(self, name: str) -> None:
        self.at += timedelta(minutes=1)
        try:
            with scoped(EVERYTHING), attempt():
                getattr(self, name)()
                db.session.flush()
        except Refused:
            pass

    def latest(self, model: type, *conditions: object) -> object:
        row = db.session.scalars(sa.select(model).where(*conditions).order_by(model.id.desc()).limit(1)).first()
        if row is None:
            raise Refused("nothing yet")
        return row

    def ask(self) -> None:
        with scoped(Scope(partner_id=self.provider.organization_id)):
            partnerships.request_partnership(PartnershipEntry(RESELLER, "Relais", "en", "s", "{link}"), by=self.provider, at=self.at)

    def ask_again(self) -> None:
        partnerships.send_again(self.latest(Partnership), by=self.provider, at=self.at)

    def accept(self) -> None:
        partnerships.accept(self.latest(Partnership), confirmed=True, by=self.reseller, at=self.at)

    def decline(self) -> None:
        partnerships.decline(self.latest(Partnership), reason="", by=self.reseller, at=self.at)

    def revoke(self) -> None:
        partnerships.revoke(self.latest(Partnership), by=self.provider, at=self.at)

    def wait(self) -> None:
        self.at += timedelta(days=17)
        partnerships.remind(at=self.at)
        partnerships.expire(at=self.at)
        service.expire_requests(at=self.at)

    def linger(self) -> None:
        """A month goes by and no job runs."""
        self.at += timedelta(days=31)

    def _ended_by(self, who: Actor) -> None:
        partnerships.end(self.latest(Partnership, Partnership.state == PartnershipState.ACTIVE), reason="", by=who, at=self.at)

    def provider_ends(self) -> None:
        self._ended_by(self.provider)

    def reseller_ends(self) -> None:
        self._ended_by(self.reseller)

    def invite(self) -> None:
        with scoped(Scope(partner_id=self.reseller.organization_id)):
            entry = RequestEntry(ODILE, "", "en", False, provider=str(self.provider.organization_public_id))
            service.send_request(service.draft_request(entry, by=self.reseller, at=self.at), way=SendingWay.COPY, by=self.reseller, at=self.at)

    def invite_again(self) -> None:
        service.send_again(self.latest(RelationshipRequest), way=SendingWay.COPY, by=self.reseller, at=self.at)

    def customer_accepts(self) -> None:
        answers.accept_request(self.latest(RelationshipRequest), agreement=True, language="en", by=self.odile, at=self.at)
        assert queries.in_force(self.provider.organization_id, self.reseller.organization_id) is not None, "not after the end (R42)"
        self.joined = True

    def check(self) -> None:
        with scoped(EVERYTHING):
            rows = db.session.scalars(sa.select(Partnership)).all()
            requests = db.session.scalars(sa.select(RelationshipRequest)).all()
            records = db.session.scalars(sa.select(Customer).where(Customer.customer_id == self.odile.organization_id)).all()
        for row in rows:
            before = self.seen.get(row.id, PartnershipState.SENT)
            assert row.state is before or any(PARTNERSHIP.transitions.get((action, before)) is row.state for action in PARTNERSHIP.actions(before))
            self.seen[row.id] = row.state
            if row.link is not None:  # the world's own began before its mail
                usable = row.link.used_at is None and row.link.revoked_at is None
                assert usable == (row.state in (PartnershipState.SENT, PartnershipState.EXPIRED)), "the link lives as long as the request"
            accepted = row.state in queries.ACCEPTED
            assert accepted == (row.reseller_id is not None), "the reseller sees it from its acceptance on"
            assert (row.state is PartnershipState.ENDED) == (row.ended_at is not None)
        active = [row for row in rows if row.state is PartnershipState.ACTIVE]
        assert len(active) <= 1
        waiting = [row for row in rows if row.state is PartnershipState.SENT]
        assert len(waiting) <= 1, "one request to an address at a time"
        assert any(request.state is RequestState.ACCEPTED for request in requests) == self.joined
        assert len(records) == (2 if self.joined else 0), "both or neither, and the end of a partnership takes none away (R28, R42)"
        assert all(record.state is RelationshipState.ACTIVE for record in records)
        for row in active:
            shared = queries.staying(row, self.reseller.organization_id or 0).shared
            assert shared == queries.staying(row, self.provider.organization_id or 0).shared == int(self.joined), "both sides share the same (R41)"
        with scoped(EVERYTHING):
            mine = queries.providers_sharing(records[0]) if records and records[0].partner_id == self.reseller.organization_id else []
        assert bool(mine) <= bool(active)


@pytest.mark.parametrize("known", [True, False], ids=["partners at first", "strangers at first"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=25))
def test_whatever_is_done_in_whatever_order_the_rules_hold(app, engine, known, steps):
    """R28, R40, R41, R42."""
    databases.database(engine).fresh()
    db.session.rollback()
    with writing():
        world = World()
        db.session.rollback()
        world.check()
        for name in (*(() if known else ("provider_ends", "ask")), *steps):
            world.step(name)
            world.check()
        db.session.commit()
        for chain in (world.provider.organization_id, world.reseller.organization_id, world.odile.organization_id):
            assert audit.verify(chain or 0) is None
    db.session.rollback()
    db.session.remove()
