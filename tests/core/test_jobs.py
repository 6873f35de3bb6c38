"""Jobs really run: woken by a commit, in the embedded runner, over the queue of each database."""

import importlib
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import SUBSCRIBERS, create_app
from portal.core import audit, clock, jobs, outbox
from portal.core.access import PORTAL
from portal.core.db import Base, db, writing
from portal.core.outbox import Mail, MailState
from tests.support import databases

for module in SUBSCRIBERS:
    importlib.import_module(module)
# The runner's threads leave their connections to the queue behind when they end.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def running(app, smtp, tmp_path):
    """The portal over the same database with its job runner on, as under `portal serve`; a factory of runners."""
    with writing():
        db.session.execute(sa.delete(Mail))
        db.session.commit()
    url = db.engine.url.render_as_string(hide_password=False)
    db.session.remove()
    served = create_app(databases.settings(url, tmp_path, mail_server="127.0.0.1", mail_port=smtp.port))
    runners = []

    def start():
        runners.append(jobs.Runner(served, tmp_path / "jobs.lock"))
        runners[-1].start()
        return runners[-1]

    with served.app_context():
        served.start = start
        yield served
        for runner in runners:
            runner.stop()
        for thread in threading.enumerate():
            if thread.name == "jobs":
                thread.join(10)
        jobs.stopping.clear()
        served.extensions["jobs"].storage.close()
        db.session.remove()
        db.engine.dispose()


def post(to="camille@papeterie.example"):
    with writing():
        outbox.post_text("test", to=to, organization_id=None, at=clock.now(), in_language="en", subject="Hello", text="Hello")
        db.session.commit()


def eventually(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_a_commit_wakes_runs_in_the_embedded_runner(running, smtp):
    running.start()
    post()

    smtp.wait_for("camille@papeterie.example")

    def sent():
        db.session.rollback()
        return db.session.scalar(sa.select(Mail.state)) is MailState.SENT

    eventually(sent)


def test_what_was_committed_while_no_runner_was_there_is_done_when_one_comes(running, smtp):
    post()
    assert smtp.received == []

    running.start()

    smtp.wait_for("camille@papeterie.example")


def test_a_second_runner_waits_until_the_first_one_is_gone(running, smtp):
    first = running.start()
    eventually(lambda: first.consumer is not None)

    second = running.start()
    time.sleep(0.3)

    assert second.consumer is None


def test_a_failing_job_stops_neither_the_others_nor_itself_the_next_time(running, smtp, monkeypatch):
    failed = []

    def deliver_nothing():
        failed.append(1)
        raise RuntimeError("always")

    monkeypatch.setitem(jobs._jobs, "sweep_counts", jobs._Job(deliver_nothing, 60))
    running.start()
    jobs.wake("sweep_counts")
    post()
    smtp.wait_for("camille@papeterie.example")
    jobs.wake("sweep_counts")

    eventually(lambda: len(failed) >= 2)
    post("again@papeterie.example")
    smtp.wait_for("again@papeterie.example")


def test_a_runner_that_is_told_to_stop_finishes_the_message_in_hand_and_no_more(running, smtp):
    """R103: a restart of the server is not a crash; nothing is sent twice."""
    for number in range(5):
        post(f"n{number}@papeterie.example")
    smtp.pauses = {"data": 0.5}
    runner = running.start()
    eventually(lambda: smtp.received)

    runner.stop()

    number = len(smtp.received)
    assert 1 <= number < 5
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count(Mail.id)).where(Mail.state == MailState.SENT)) == number
    assert db.session.scalar(sa.select(sa.func.count(Mail.id)).where(Mail.state == MailState.SENDING)) == 0


def test_a_queue_out_of_reach_fails_no_request(app, people, monkeypatch):
    """The schedule does it within a minute."""

    def broken(task):
        raise ConnectionError("no queue")

    monkeypatch.setitem(app.config, "JOBS_MUTED", False)
    monkeypatch.setattr(app.extensions["jobs"], "enqueue", broken)
    admin = people("admin@atelier-nuage.example")

    admin.submit(admin.get("/users/new"), "#form", name="Jade Morel", email="jade@atelier-nuage.example", roles=["sales_agent"])

    assert db.session.scalar(sa.select(Mail.id).where(Mail.recipient == "jade@atelier-nuage.example"))


def test_every_job_is_registered_with_the_queue(app):
    tasks = {name.rpartition(".")[2] for name in app.extensions["jobs"]._registry._registry}

    assert set(jobs.names()) <= tasks
    assert {f"every_{name}" for name in jobs.names() if jobs._jobs[name].minutes} <= tasks


def to_be_sent():
    with writing():
        db.session.execute(sa.delete(Mail))
        db.session.commit()
    for number in range(7):
        post(f"n{number}@papeterie.example")
    return sa.select(Mail).where(Mail.state == MailState.QUEUED).order_by(Mail.id)


def sent():
    db.session.rollback()
    return list(db.session.scalars(sa.select(Mail.recipient).where(Mail.state == MailState.SENT).order_by(Mail.id)))


def test_a_row_that_always_fails_is_undone_alone_and_holds_up_none_behind_it(app, monkeypatch, caplog):
    """Even as many as are done at once, at the head of the queue."""
    due, taken = to_be_sent(), db.session.scalar(sa.select(Mail.message_id).order_by(Mail.id.desc()))
    poisoned = {row.public_id for row in db.session.scalars(due.limit(3))}
    monkeypatch.setattr(jobs, "AT_ONCE", 3)

    def work(row):
        row.state = MailState.SENT
        audit.record("mail.retried", by=PORTAL, at=clock.now(), seen_by=(1,))
        if row.public_id in poisoned:
            row.message_id = taken  # which the database refuses

    with writing():
        done = jobs.each(due, work)
        assert [row.recipient for row in done] == ["n3@papeterie.example", "n4@papeterie.example", "n5@papeterie.example"]
        assert len(db.session.info["log"]) == 3
        db.session.commit()
        jobs.each(due, work)
        db.session.commit()

    assert sent() == [f"n{number}@papeterie.example" for number in (3, 4, 5, 6)]
    assert all(f"Mail {public_id} failed" in caplog.text for public_id in poisoned)


def test_when_nothing_works_a_job_stops_trying(app, monkeypatch):
    due, tried = to_be_sent(), []
    monkeypatch.setattr(jobs, "AT_ONCE", 1)
    monkeypatch.setattr(jobs, "MOST_FAILURES", 4)

    def work(row):
        tried.append(row.public_id)
        raise ValueError("always")

    assert jobs.each(due, work) == []
    assert len(set(tried)) == len(tried) == 4


def test_a_database_that_does_not_answer_is_no_fault_of_a_row(app):
    due = to_be_sent()

    def work(row):
        raise sa.exc.OperationalError("", {}, Exception("gone"))

    with pytest.raises(sa.exc.OperationalError):
        jobs.each(due, work)


@pytest.mark.parametrize("name", jobs.names())
def test_every_job_does_no_harm_when_it_runs_twice(app, smtp, name):
    """Any number of runners may be there; each job therefore needs no leader."""

    def run():
        with clock.shifted(timedelta(days=45)):
            jobs.run(name)
        db.session.rollback()
        return {table.name: sorted(map(repr, db.session.connection().execute(sa.select(table)))) for table in Base.metadata.sorted_tables}

    once = run()
    db.session.remove()

    assert run() == once
