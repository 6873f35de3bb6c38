"""Whatever people, the job and the clock do in whatever order: leads keep to their table (R51-R54)."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import clock, jobs
from portal.core.access import PORTAL
from portal.core.db import attempt, db, writing
from portal.core.errors import Refused
from portal.core.lists import ListQuery
from portal.core.money import Money
from portal.core.outbox import Mail
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.leads import queries, service
from portal.leads.models import OPEN, Lead, LeadEntry, LeadFavorite, LeadPerson, LeadSource, LeadState, PersonKind
from portal.leads.queries import Tab
from portal.leads.service import DealEntry, DeclineEntry, LossEntry, NewLead, PersonEntry, WinEntry
from portal.leads.states import LEAD
from tests.support import databases, mail, make

SALES, ADMIN = "sales@atelier-nuage.example", "admin@atelier-nuage.example"
AZUR, BRETON = "sales@grossiste-azur.example", "sales@relais-breton.example"
STEPS = ("inquire", "enter", "refer", "accept", "decline", "edit", "win", "lose", "note", "add", "remove", "heart", "unheart", "expire")
JUMPS = (timedelta(0), timedelta(hours=1), timedelta(days=2), timedelta(days=9), timedelta(days=15), timedelta(days=-3))


def test_won_lost_declined_and_expired_are_final():
    """R51"""
    assert LEAD.final() == set(LeadState) - set(OPEN)
    assert {state for _action, state in LEAD.transitions} | set(LEAD.transitions.values()) == set(LeadState)
    assert LEAD.actions(LeadState.RECEIVED) == {"accept", "decline", "expire"}
    assert LEAD.actions(LeadState.ACCEPTED) == {"win", "lose"}


class World:
    """Atelier Nuage and its leads; each step is what a person, a visitor or the job does to one of them, at a time that jumps."""

    def __init__(self) -> None:
        self.at: datetime = clock.now()
        self.people = [make.actor(SALES), make.actor(ADMIN)]
        self.azur = make.actor(AZUR)
        self.partner = Scope(partner_id=self.people[0].organization_id)
        self.number = 0
        self.seen: dict[int, LeadState] = {}
        self.told: Counter[int] = Counter()  # lines that each lead's history must have

    def step(self, name: str, which: int, jump: timedelta) -> None:
        self.at += jump
        self.by = self.people[which % 2]
        try:
            with scoped(self.partner), attempt():
                if name in ("inquire", "enter", "refer"):
                    getattr(self, name)()
                elif name == "expire":
                    self.expire()
                else:
                    getattr(self, name)(self.pick(which))
                db.session.flush()
        except Refused:
            pass
        self.check()

    def pick(self, which: int) -> Lead:
        leads = db.session.scalars(sa.select(Lead).order_by(Lead.id)).all()
        if not leads:
            raise Refused("nothing yet")
        return leads[which % len(leads)]

    def receive(self, source: LeadSource, **options) -> None:
        self.number += 1
        entry = NewLead(f"Lead {self.number:03}", "FR", email=f"lead{self.number:03}@asks.example", wants_contact=self.number % 2 == 0)
        lead = service.receive_lead(entry, partner_id=self.partner.partner_id or 0, source=source, at=self.at, **options)
        self.told[lead.id] += 1

    def inquire(self) -> None:
        self.receive(LeadSource.INQUIRY, by=PORTAL)

    def enter(self) -> None:
        self.receive(LeadSource.MARKETING_QUALIFIED, by=self.by)

    def refer(self) -> None:
        self.receive(LeadSource.SALES_QUALIFIED, by=self.azur, referrer_id=self.azur.organization_id)

    def deal(self, name: str, *contacts: PersonEntry) -> DealEntry:
        return DealEntry(name, Money(self.number * 100, "EUR"), date(9999, 1, 1), "Seats", contacts=contacts)

    def accept(self, lead: Lead) -> None:
        service.accept_lead(lead, self.deal("Accepted", PersonEntry("Paul")), by=self.by, at=self.at)
        self.told[lead.id] += 2

    def decline(self, lead: Lead) -> None:
        service.decline_lead(lead, DeclineEntry("other", "x"), by=self.by, at=self.at)
        self.told[lead.id] += 1

    def edit(self, lead: Lead) -> None:
        changed = self.deal("Edited").deal_name != lead.deal_name or lead.value_minor != self.number * 100
        service.update_deal(lead, self.deal("Edited"), version=lead.version, by=self.by, at=self.at)
        self.told[lead.id] += changed

    def win(self, lead: Lead) -> None:
        corrected = lead.value != Money(7, "CHF")
        service.win_lead(lead, WinEntry(Money(7, "CHF")), by=self.by, at=self.at)
        self.told[lead.id] += 1 + corrected

    def lose(self, lead: Lead) -> None:
        service.lose_lead(lead, LossEntry("price", "x"), by=self.by, at=self.at)
        self.told[lead.id] += 1

    def note(self, lead: Lead) -> None:
        service.add_note(lead, "Called.", by=self.by, at=self.at)
        self.told[lead.id] += 1

    def add(self, lead: Lead) -> None:
        service.add_person(lead, PersonKind.TEAM, PersonEntry("Théo"), by=self.by, at=self.at)
        self.told[lead.id] += 1

    def remove(self, lead: Lead) -> None:
        person = db.session.scalars(sa.select(LeadPerson).where(LeadPerson.lead_id == lead.id)).first()
        if person is None:
            raise Refused("nobody there")
        service.remove_person(lead, person, by=self.by, at=self.at)
        self.told[lead.id] += 1

    def heart(self, lead: Lead) -> None:
        service.set_favorite(lead, True, by=self.by)

    def unheart(self, lead: Lead) -> None:
        service.set_favorite(lead, False, by=self.by)

    def expire(self) -> None:
        due = db.session.scalars(sa.select(Lead.id).where(Lead.state == LeadState.RECEIVED, Lead.due_at <= self.at)).all()
        assert service.expire_leads(at=self.at) == len(due)
        self.told.update(due)

    def check(self) -> None:
        with scoped(self.partner):
            leads = db.session.scalars(sa.select(Lead)).all()
            lines = db.session.execute(sa.select(LeadEntry.lead_id, LeadEntry.action)).all()
        for lead in leads:
            before = self.seen.get(lead.id, LeadState.RECEIVED)
            assert lead.state is before or lead.state in {LEAD.transitions[action, before] for action in LEAD.actions(before)}
            self.seen[lead.id] = lead.state
            assert (lead.answered_at is not None) == (lead.state not in (LeadState.RECEIVED, LeadState.EXPIRED)), "answered by people, and only by them"
            assert lead.answered_at is None or lead.answered_at < lead.due_at, "nobody answers after the deadline"
            assert lead.due_at == lead.received_at + timedelta(days=14)
            assert lead.state is not LeadState.EXPIRED or lead.state_at >= lead.due_at, "nothing expires before it"
            assert (lead.deal_name != "") == (lead.state in (LeadState.ACCEPTED, LeadState.WON, LeadState.LOST))
        assert Counter(line.lead_id for line in lines) == +self.told, "the history is complete"
        stages = Counter((line.lead_id, line.action) for line in lines if line.action in {f"lead.{state.value}" for state in LeadState})
        assert set(stages.values()) <= {1}, "each stage is entered once"
        self.check_mail(leads)

    def check_lists(self) -> None:
        """Counts and pages of the tabs, and columns of the board, say what the rows say."""
        with scoped(self.partner):
            leads = db.session.scalars(sa.select(Lead)).all()
            hearts = set(db.session.scalars(sa.select(LeadFavorite.lead_id).where(LeadFavorite.user_id == self.people[0].user_id)))
            counts = queries.open_counts(self.people[0])
            pages = {tab: queries.page(queries.parse("/leads", {"tab": tab.value}, by=self.people[0], at=self.at)) for tab in Tab}
            board = {tab: queries.board(queries.parse("/leads/board", {"tab": tab.value}, by=self.people[0], at=self.at))[0] for tab in Tab}
        of_tab = {
            Tab.MARKETPLACE: [lead for lead in leads if lead.source is LeadSource.INQUIRY],
            Tab.QUALIFIED: [lead for lead in leads if lead.source is not LeadSource.INQUIRY],
            Tab.FAVORITES: [lead for lead in leads if lead.id in hearts],
        }
        for tab, members in of_tab.items():
            assert counts[tab] == sum(lead.state in OPEN for lead in members)
            assert pages[tab].total == len(members)
            assert {row.id for row in pages[tab].rows} == {lead.id for lead in members}
            for name, states in queries.COLUMNS_OF_BOARD.items():
                assert board[tab][name] == sum(lead.state in states for lead in members)

    def check_mail(self, leads) -> None:
        """R53 and R54: each told exactly once, whoever is to be."""
        sent = db.session.execute(sa.select(Mail.kind, Mail.recipient, Mail.text).where(Mail.kind.like("leads/%"))).all()
        by_customer = Counter((row.kind, row.recipient) for row in sent if row.kind in ("leads/declined", "leads/expired"))
        expected: Counter[tuple[str, str]] = Counter()
        for lead in leads:
            if lead.state is LeadState.DECLINED:
                expected["leads/declined", lead.email] += 1
            if lead.state is LeadState.EXPIRED and lead.source is LeadSource.INQUIRY:
                expected["leads/expired", lead.email] += 1
        assert by_customer == expected
        refused = [row for row in sent if row.kind == "leads/declined_referral"]
        assert len(refused) == sum(lead.state is LeadState.DECLINED and lead.referrer_id is not None for lead in leads)
        told = "\n".join(row.text for row in sent if row.kind == "leads/expired_entered")
        for lead in leads:
            if lead.source is not LeadSource.INQUIRY:
                assert told.count(lead.company) == (lead.state is LeadState.EXPIRED)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.sampled_from(JUMPS)), min_size=1, max_size=30))
def test_whatever_is_done_in_whatever_order_the_rules_hold(app, engine, steps):
    """R50-R54."""
    databases.database(engine).fresh()
    make.profile()  # which connects Atelier Nuage with those who refer leads to it
    db.session.rollback()
    with app.test_request_context(), writing():
        world = World()
        db.session.rollback()
        for name, which, jump in (("inquire", 0, JUMPS[0]), ("enter", 1, JUMPS[0]), ("refer", 0, JUMPS[0]), *steps):
            world.step(name, which, jump)
        world.check_lists()
        db.session.rollback()


# --- really at the same time


def answer_of(url: str, fields: dict[str, str], visitor) -> int:
    return visitor.client.post(url, data={**fields, "csrf_token": visitor.csrf_token()}).status_code


def state_of(lead: Lead) -> LeadState:
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalars(sa.select(Lead.state).where(Lead.public_id == lead.public_id)).one()


DEAL = {"deal_name": "Seats", "value": "1", "currency": "EUR", "purchase_on": "9999-01-01", "wishes": "x"}


def test_of_an_acceptance_and_a_refusal_at_the_same_moment_one_wins(people):
    """S29"""
    lead = make.lead()
    acts = [
        (f"/leads/{lead.public_id}/acceptance", DEAL, people(SALES)),
        (f"/leads/{lead.public_id}/declining", {"reason": "other", "notes": "x"}, people(ADMIN)),
    ]
    db.session.remove()

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(lambda act: answer_of(*act), acts))

    assert sorted(statuses) in ([303, 409], [303, 422])
    won = statuses.index(303)
    assert state_of(lead) is (LeadState.ACCEPTED, LeadState.DECLINED)[won]
    assert len(mail.all_to("aline@tissages-morel.example")) == won
    db.engine.dispose()


def test_of_an_acceptance_and_the_job_at_the_same_second_one_wins(app, people):
    """R54, S29"""
    lead = make.lead(at=clock.now() - timedelta(days=14) + timedelta(seconds=5))
    sales = people(SALES)
    db.session.remove()

    def job(_nothing: object) -> None:
        with app.app_context(), clock.shifted(timedelta(seconds=10)):
            jobs.run("expire_leads")

    with ThreadPoolExecutor(2) as pool:
        expiring = pool.submit(job, None)
        status = answer_of(f"/leads/{lead.public_id}/acceptance", DEAL, sales)
        expiring.result()

    accepted = status == 303
    assert accepted or status in (409, 422)
    assert state_of(lead) is (LeadState.ACCEPTED if accepted else LeadState.EXPIRED)
    assert len(mail.all_to("aline@tissages-morel.example")) == (not accepted)
    db.engine.dispose()


def test_a_history_page_is_the_newest_first(app):
    lead = make.accepted_lead()
    with scoped(Scope(partner_id=lead.partner_id)):
        page = queries.history_of(lead, ListQuery.parse("/x", {}, sorts=["newest"], filters={}))

    assert [row.action for row in page.rows] == ["lead.person_added", "lead.accepted", "lead.received"]


@pytest.mark.parametrize("source", list(LeadSource))
def test_a_lead_of_any_source_starts_the_same_way(app, source):
    """R50, R54"""
    lead = make.lead(source=source.value, by=None if source is LeadSource.INQUIRY else SALES)

    assert (lead.state, lead.due_at - lead.received_at, lead.answered_at) == (LeadState.RECEIVED, timedelta(days=14), None)
