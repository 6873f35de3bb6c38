"""The log: one hash chain per organization, written in the transaction of what it tells (R95, R96)."""

import argparse
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal import cli
from portal.core import audit, clock, jobs
from portal.core.access import PORTAL
from portal.core.audit import LogChain, LogEntry
from portal.core.db import attempt, db, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, scoped
from tests.support import make

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def partner(app):
    return make.actor("sales@atelier-nuage.example")


@pytest.fixture
def other(app):
    return make.actor("admin@studio-cumulus.example")


def recorded(by, *, action="customer.updated", seen_by=(), **after):
    audit.record(action, by=by, at=AT, seen_by=seen_by, after=after)


def committed(by, number=5, **options):
    """So many entries in this person's chain, in one transaction."""
    db.session.rollback()
    with writing():
        for index in range(number):
            recorded(by, name=f"change {index}", **options)
        db.session.commit()


def doubled(by):
    """A line that the database refuses."""
    with attempt():
        recorded(by, name="refused")
        db.session.add(LogChain(organization_id=by.organization_id, sequence=0, hash="0" * 64))


def chain(organization_id):
    db.session.rollback()
    return list(db.session.scalars(sa.select(LogEntry).where(LogEntry.organization_id == organization_id).order_by(LogEntry.sequence)))


def tamper(statement):
    """Somebody with the database in hand."""
    db.session.rollback()
    with writing():
        assert db.session.execute(statement.execution_options(synchronize_session=False)).rowcount
        db.session.commit()


def entry(organization_id, sequence):
    return sa.update(LogEntry).where(LogEntry.organization_id == organization_id, LogEntry.sequence == sequence)


class TestVerify:
    """R96: the log is tamper-evident."""

    def test_every_chain_of_the_world_is_intact(self, app):
        assert list(audit.chains())
        assert all(audit.verify(organization_id) is None for organization_id in audit.chains())

    def test_an_organization_without_a_log_is_intact(self, app):
        assert audit.verify(999_999) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"actor_name": "Somebody else"},
            {"customer_name": "Another company"},
            {"details": {"after": {"name": "not what it was"}}},
            {"action": "customer.added"},
            {"at": AT + timedelta(seconds=1)},
            {"actor_id": None},
            {"customer_id": 1},
            {"salt": "0" * 32},
            {"salt": None},
            {"digest": "0" * 64},
            {"previous_hash": "0" * 64},
            {"hash": "0" * 64},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_changed_row_is_found(self, partner, change):
        committed(partner)
        broken = chain(partner.organization_id)[-3].sequence

        tamper(entry(partner.organization_id, broken).values(**change))

        assert audit.verify(partner.organization_id) == broken

    def test_an_entry_told_anew_without_its_salt_is_found(self, partner):
        committed(partner)
        broken = chain(partner.organization_id)[-3].sequence

        tamper(entry(partner.organization_id, broken).values(salt=None, actor_name="Somebody else", details=None))

        assert audit.verify(partner.organization_id) == broken

    def test_a_removed_row_is_found(self, partner):
        committed(partner)
        removed = chain(partner.organization_id)[-3].sequence

        tamper(sa.delete(LogEntry).where(LogEntry.organization_id == partner.organization_id, LogEntry.sequence == removed))

        assert audit.verify(partner.organization_id) == removed

    def test_the_latest_rows_cut_off_are_found(self, partner):
        committed(partner)
        cut = chain(partner.organization_id)[-2].sequence

        tamper(sa.delete(LogEntry).where(LogEntry.organization_id == partner.organization_id, LogEntry.sequence >= cut))

        assert audit.verify(partner.organization_id) == cut

    def test_two_swapped_rows_are_found(self, partner):
        committed(partner)
        first, second = (row.sequence for row in chain(partner.organization_id)[-4:-2])

        for old, new in ((first, -1), (second, first), (-1, second)):
            tamper(entry(partner.organization_id, old).values(sequence=new))

        assert audit.verify(partner.organization_id) == first

    @pytest.mark.parametrize("change", [{"hash": "f" * 64}, {"sequence": 1_000_000}], ids=["hash", "sequence"])
    def test_a_changed_head_is_found(self, partner, change):
        committed(partner)
        length = len(chain(partner.organization_id))

        tamper(sa.update(LogChain).where(LogChain.organization_id == partner.organization_id).values(**change))

        assert audit.verify(partner.organization_id) == length + 1

    def test_a_removed_head_is_found(self, partner):
        committed(partner)

        tamper(sa.delete(LogChain).where(LogChain.organization_id == partner.organization_id))

        assert partner.organization_id in set(audit.chains())
        assert audit.verify(partner.organization_id) is not None

    def test_erasing_what_names_a_person_leaves_the_chain_intact(self, partner):
        committed(partner)
        db.session.rollback()
        with writing():
            erased = db.session.scalars(
                sa.select(LogEntry).where(LogEntry.organization_id == partner.organization_id).order_by(LogEntry.id.desc()).limit(2)
            ).all()
            for row in erased:
                audit.erase(row)
            db.session.commit()

        assert all((row.actor_name, row.details, row.salt) == (None, None, None) for row in chain(partner.organization_id)[-2:])
        assert audit.verify(partner.organization_id) is None

    def test_entries_written_during_the_walk_are_no_alarm(self, app, partner, monkeypatch):
        committed(partner)
        db.session.remove()
        head, rounds = audit._head, []

        def meanwhile():
            with app.app_context():
                committed(partner, 1)
                db.session.remove()

        def read(organization_id):
            found = head(organization_id)
            if not rounds:
                writer = threading.Thread(target=meanwhile)
                writer.start()
                writer.join(20)
            rounds.append(found)
            return found

        monkeypatch.setattr(audit, "_head", read)

        assert audit.verify(partner.organization_id) is None
        assert len(rounds) == 2


class TestChains:
    def test_an_entry_stands_in_the_chain_of_everyone_who_may_see_it_and_no_other(self, partner, other):
        """R96: an entry in each chain that may see the event."""
        customer = make.organization("maison-tellier.example").id
        before = {organization_id: len(chain(organization_id)) for organization_id in audit.chains()}

        committed(partner, 1, seen_by=(customer, None, partner.organization_id))

        after = {organization_id: len(chain(organization_id)) for organization_id in audit.chains()}
        grown = {organization_id for organization_id, length in after.items() if length != before.get(organization_id, 0)}
        assert grown == {partner.organization_id, customer}
        assert other.organization_id not in grown
        assert chain(partner.organization_id)[-1].event_id == chain(customer)[-1].event_id

    def test_an_event_that_nobody_may_see_is_in_no_chain(self, app):
        number = db.session.scalar(sa.select(sa.func.count()).select_from(LogEntry))

        with writing():
            audit.record("session.refused", by=PORTAL, at=AT, seen_by=(None,))
            db.session.commit()

        assert db.session.scalar(sa.select(sa.func.count()).select_from(LogEntry)) == number

    def test_a_word_that_is_not_in_the_vocabulary_is_refused(self, partner):
        with pytest.raises(ValueError, match="vocabulary"):
            audit.record("customer.vanished", by=partner, at=AT)

    def test_recent_entries_are_those_of_one_chain_about_one_customer(self, partner, other):
        customer = make.customer().logged
        committed(partner, 1)
        with writing():
            audit.record("customer.updated", by=partner, at=clock.now(), customer=customer, after={"name": "Ours"})
            audit.record("customer.updated", by=other, at=clock.now(), customer=customer, after={"name": "Theirs"})
            db.session.commit()

        rows = audit.recent(partner.organization_id, customer.organization_id, 10)

        assert rows[0].details == {"after": {"name": "Ours"}}
        assert {row.customer_id for row in rows} == {customer.organization_id}
        assert len(audit.recent(partner.organization_id, limit=2)) == 2


class TestTransactions:
    """R95: logged in the same transaction."""

    def test_a_rollback_leaves_nothing(self, partner):
        length = len(chain(partner.organization_id))

        with writing():
            recorded(partner, name="never")
            db.session.rollback()
            db.session.commit()

        assert len(chain(partner.organization_id)) == length

    def test_a_released_savepoint_writes_nothing_yet(self, partner):
        length = len(chain(partner.organization_id))

        with writing():
            with db.session.begin_nested():
                recorded(partner, name="inside")
            recorded(partner, name="after")
            assert db.session.scalar(sa.select(sa.func.count()).where(LogEntry.organization_id == partner.organization_id)) == length
            db.session.rollback()

        assert len(chain(partner.organization_id)) == length

    def test_an_undone_line_leaves_no_entry_and_takes_no_other_line_s(self, partner):
        length = len(chain(partner.organization_id))

        with writing():
            for line in range(4):
                try:
                    with attempt():
                        recorded(partner, name=f"line {line}")
                        if line % 2:
                            raise Refused("not this one")
                except Refused:
                    pass
            recorded(partner, name="at last")
            db.session.commit()

        names = [row.details["after"]["name"] for row in chain(partner.organization_id)[length:]]
        assert names == ["line 0", "line 2", "at last"]
        assert audit.verify(partner.organization_id) is None

    def test_a_line_that_the_database_refuses_leaves_no_entry(self, partner):
        length = len(chain(partner.organization_id))

        with writing(), scoped(EVERYTHING):
            recorded(partner, name="before")
            with pytest.raises(sa.exc.IntegrityError):
                doubled(partner)
            db.session.commit()

        assert [row.details["after"]["name"] for row in chain(partner.organization_id)[length:]] == ["before"]

    def test_mail_is_sent_after_the_outermost_commit_only(self, app, partner, monkeypatch):
        woken = []
        monkeypatch.setattr(jobs, "wake", woken.append)

        with writing():
            db.session.info["mail"] = True
            with attempt():
                pass
            with pytest.raises(Refused), attempt():
                raise Refused("no")
            assert woken == []
            db.session.commit()

        assert woken == ["deliver_mail"]

    def test_transactions_at_the_same_moment_keep_the_chain_whole(self, app, partner, other):
        chains = (partner.organization_id, other.organization_id)
        lengths = {organization_id: len(chain(organization_id)) for organization_id in chains}
        db.session.remove()
        together, problems = threading.Barrier(4), []

        def work(who):
            with app.app_context():
                try:
                    together.wait(10)
                    for _ in range(5):
                        with writing():
                            recorded(who, seen_by=chains, name=threading.current_thread().name)
                            db.session.commit()
                except Exception as problem:
                    problems.append(problem)
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=work, args=(who,)) for who in (partner, other, partner, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert problems == []
        for organization_id in chains:
            assert len(chain(organization_id)) == lengths[organization_id] + 20
            assert audit.verify(organization_id) is None

    def test_the_first_entries_of_a_new_chain_at_the_same_moment(self, app, partner):
        customer = make.customer(domain="neuve.example").customer_id
        tamper(sa.delete(LogEntry).where(LogEntry.organization_id == customer))
        tamper(sa.delete(LogChain).where(LogChain.organization_id == customer))
        db.session.remove()
        together, problems = threading.Barrier(3), []

        def work():
            with app.app_context():
                try:
                    together.wait(10)
                    with writing():
                        audit.record("customer.updated", by=PORTAL, at=AT, seen_by=(customer,), after={"name": "first"})
                        db.session.commit()
                except Exception as problem:
                    problems.append(problem)
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert problems == []
        assert [row.sequence for row in chain(customer)] == [1, 2, 3]
        assert audit.verify(customer) is None


class TestCommand:
    """`portal verify-log`: 0 intact, 1 with the first broken entry."""

    @pytest.fixture
    def run(self, app, monkeypatch):
        monkeypatch.setattr(cli, "create_app", lambda settings: app)
        return lambda: cli._verify_log(app.config["SETTINGS"], argparse.Namespace())

    def test_an_intact_log_is_0(self, run, capsys):
        assert run() == 0
        assert capsys.readouterr().out.startswith("Intact: ")

    def test_a_broken_log_is_1_and_names_the_entry(self, run, capsys, partner):
        committed(partner)
        broken = chain(partner.organization_id)[-2].sequence
        tamper(entry(partner.organization_id, broken).values(actor_name="Somebody else"))

        assert run() == 1
        assert capsys.readouterr().out == f"Broken: organization {partner.organization_id}, entry {broken}.\n"


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdéß ", max_size=5), inner, max_size=3),
    max_leaves=6,
)
details = st.dictionaries(
    st.sampled_from(["name", "roles", "notes", "état"]), plain | st.floats(allow_nan=False) | st.datetimes() | st.dates() | st.uuids(), max_size=4
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(details, details), min_size=1, max_size=4), chosen=st.integers(0, 3))
def test_whatever_is_logged_is_intact_and_any_change_is_found(app, told, chosen):
    """R96: what is hashed is what is read back, whatever the words; and one changed entry breaks the chain at itself."""
    who = make.actor("sales@atelier-nuage.example")
    db.session.rollback()
    with writing():
        for before, after in told:
            audit.record("customer.updated", by=who, at=clock.now(), before=before, after=after)
        db.session.commit()
    assert audit.verify(who.organization_id) is None

    row = chain(who.organization_id)[-1 - chosen % len(told)]
    original = row.details
    tamper(entry(who.organization_id, row.sequence).values(details={"after": {"name": "forged", "was": original}}))
    assert audit.verify(who.organization_id) == row.sequence

    tamper(entry(who.organization_id, row.sequence).values(details=original))
    assert audit.verify(who.organization_id) is None
