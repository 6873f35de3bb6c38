"""The `portal` command, as an operator types it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa

from portal import cli, config, create_app
from portal.accounts.models import Organization
from portal.activity import kinds
from portal.core import clock, jobs
from portal.core.access import Actor, Cloud, PartnerType, Side
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.outbox import Mail, MailState
from portal.subscriptions import advancing, reservations
from tests.support import databases
from tests.support.page import Visitor
from tests.support.smtp import Server

PARTNER = [
    "create-partner",
    "--name",
    "Nimbus Conseil",
    "--domain",
    "nimbus.example",
    "--country",
    "FR",
    "--type",
    "direct_bill",
    "--admin-email",
    "ada@nimbus.example",
]
# What does not depend on the database is tried on one.
on_one_engine = pytest.mark.parametrize("engine", databases.ENGINES[:1])
SECRET = "k7VZ0u2Lw9sQe4RtY1uI8oP3aSdF6gHj"


@pytest.fixture
def environ(engine, tmp_path, monkeypatch):
    """A fresh machine: nothing set but where things lie, nothing in the database."""
    for name in list(os.environ):
        if name.startswith("PORTAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PORTAL_INSTANCE", str(tmp_path))
    if engine == "postgres":
        cluster = databases.database("postgres").cluster
        cluster.execute("DROP DATABASE IF EXISTS cli WITH (FORCE)", "CREATE DATABASE cli")
        monkeypatch.setenv("PORTAL_DATABASE_URL", cluster.url("cli"))
    return monkeypatch


@pytest.fixture
def portal(environ, capsys):
    """Run a command; returns exit status, what it printed, and what it complained about."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(list(arguments))
        printed = capsys.readouterr()
        code = end.value.code
        return (code, printed.out, printed.err) if not isinstance(code, str) else (1, printed.out, code)

    return run


@pytest.fixture
def served(environ):
    """The application as these commands see it; a factory."""
    made = []

    def make():
        app = create_app(config.from_environment())
        app.config.update(TESTING=True, JOBS_MUTED=True)
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


# --- create-partner


def test_a_new_partner_s_first_admin_gets_in_by_the_link_that_is_printed(portal, served):
    """From nothing to signed in: the link once, the code to standard error while there is no mail server."""
    code, out, err = portal(*PARTNER)

    assert code == 0
    (link,) = out.strip().splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/activation/[\w-]{27}", link)
    visitor = Visitor(served())
    page = visitor.open(link.removeprefix("http://127.0.0.1:8000"))
    home = visitor.submit(page, code=re.search(r"\b\d{6}\b", err).group(0), password="correct horse battery")
    assert home.url == "/"
    assert visitor.get("/settings")
    assert "ada@nimbus.example" in visitor.get("/users").text
    visitor.get(link.removeprefix("http://127.0.0.1:8000"), status=410)


@on_one_engine
def test_with_a_mail_server_the_code_goes_out_by_mail_only(portal, served, environ):
    environ.setenv("PORTAL_MAIL_SERVER", "127.0.0.1")
    code, out, err = portal(*PARTNER)

    assert code == 0
    assert "/activation/" in out
    assert not re.search(r"\b\d{6}\b", err)
    with served().app_context():
        assert {mail.recipient for mail in db.session.scalars(sa.select(Mail))} == {"ada@nimbus.example"}


@on_one_engine
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--admin-email": "not an address"}, "--admin-email is not an e-mail address"),
        ({"--country": "France"}, "--country takes two letters"),
        ({"--domain": "no domain"}, "--domain"),
    ],
)
def test_what_cannot_be_is_refused_with_the_option_s_name(portal, changed, words):
    arguments = list(PARTNER)
    for option, value in changed.items():
        arguments[arguments.index(option) + 1] = value

    code, out, err = portal(*arguments)

    assert code == 1
    assert words in err
    assert out == ""


@on_one_engine
def test_a_partner_is_created_once(portal):
    portal(*PARTNER)

    code, _, err = portal(*PARTNER)

    assert code == 1
    assert "a partner of domain nimbus.example is already here" in err


@on_one_engine
def test_a_domain_may_be_typed_as_an_address_of_a_page(portal, served):
    arguments = list(PARTNER)
    arguments[arguments.index("--domain") + 1] = "HTTPS://Nimbus.example/about"

    assert portal(*arguments)[0] == 0
    assert portal(*PARTNER)[0] == 1


# --- the log


def test_verify_log_finds_the_first_entry_that_was_changed(portal, served):
    """R96"""
    portal(*PARTNER)
    code, out, _ = portal("verify-log")
    assert (code, out) == (0, "Intact: 1 chains.\n")
    with served().app_context(), writing():
        first = db.session.scalars(sa.select(LogEntry).order_by(LogEntry.sequence).limit(1)).one()
        sequence, organization = first.sequence, first.organization_id
        db.session.execute(sa.update(LogEntry).where(LogEntry.id == first.id).values(action="user.deactivated"))
        db.session.commit()

    code, out, _ = portal("verify-log")

    assert code == 1
    assert out == f"Broken: organization {organization}, entry {sequence}.\n"


# --- doctor, migrate


def test_doctor_finds_nothing_to_mend_on_a_fresh_machine(portal):
    portal("migrate")

    code, out, _ = portal("doctor")

    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["ok   configuration", "ok   database", "ok   clock", "ok   mail", "ok   jobs", "ok   disk"]


def test_doctor_says_what_needs_mending(portal, environ):
    """Plain http in production, a database without tables, a mail server that does not answer."""
    environ.setenv("PORTAL_BASE_URL", "http://portal.example")
    environ.setenv("PORTAL_SECRET_KEY", SECRET)
    environ.setenv("PORTAL_MAIL_SERVER", "127.0.0.1")
    environ.setenv("PORTAL_MAIL_PORT", "1")

    code, out, _ = portal("doctor")

    assert code == 1
    broken = {line.split()[1] for line in out.splitlines() if line.startswith("MEND")}
    assert broken - {"jobs:"} == {"configuration:", "database:", "mail:"}
    assert "run portal migrate" in out


def test_migrating_twice_is_no_harm(portal, served):
    assert portal("migrate") == portal("migrate") == (0, "The database is up to date.\n", "")
    with served().app_context():
        assert cli._revision() == cli.head()


@on_one_engine
def test_a_database_out_of_reach_is_a_sentence_and_no_trace(portal, environ):
    environ.setenv("PORTAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")

    for command in ("verify-log", "migrate"):
        code, _, err = portal(command)
        assert code == 1
        assert err.startswith("portal: the database: ")
    assert portal("doctor")[0] == 1


@on_one_engine
def test_a_weak_secret_stops_every_command_in_production(portal, environ):
    """S20"""
    environ.setenv("PORTAL_BASE_URL", "https://portal.example")

    for command in (["serve"], ["migrate"], ["doctor"], ["worker"]):
        code, _, err = portal(*command)
        assert code == 1
        assert "token_urlsafe(48)" in err


# --- demo


def test_the_demo_world_is_loaded_once(portal, served):
    assert portal("demo") == (0, "The demo world is loaded.\n", "")
    with served().app_context():
        before = rows()
        assert (advancing.advance_due(at=clock.now()), reservations.expire(at=clock.now())) == (0, 0), "nothing in it is overdue"
        assert told_by_kind() <= offered_by_kind()

    assert portal("demo") == (0, "The demo world was loaded before.\n", "")

    app = served()
    with app.app_context():
        assert rows() == before
    assert portal("verify-log")[0] == 0
    visitor = Visitor(app)
    visitor.submit(visitor.get("/sign-in"), "/sign-in", email="admin@atelier-nuage.example", password="demo portal 2026")
    assert len(visitor.get("/customers").soup.select("tbody tr")) >= 50


def rows():
    from portal.core.db import Base

    return {table.name: db.session.connection().execute(sa.select(sa.func.count()).select_from(table)).scalar() for table in Base.metadata.sorted_tables}


def told_by_kind():
    """Every action that stands in a log of the demo world, with the kind of organization whose log it is."""
    told = sa.select(Organization.side, Organization.partner_type, Organization.cloud, LogEntry.action)
    return {tuple(row) for row in db.session.execute(told.join(Organization, Organization.id == LogEntry.organization_id).distinct())}


def offered_by_kind():
    sorts = [(Side.CUSTOMER, None), *((Side.PARTNER, kind) for kind in PartnerType)]
    actors = [Actor(None, "", side=side, partner_type=kind, cloud=cloud) for side, kind in sorts for cloud in Cloud]
    return {(actor.side, actor.partner_type, actor.cloud, action) for actor in actors for action in kinds.possible(actor)}


@on_one_engine
def test_the_demo_world_is_not_for_production(portal, environ):
    environ.setenv("PORTAL_BASE_URL", "https://portal.example")
    environ.setenv("PORTAL_SECRET_KEY", SECRET)

    code, out, err = portal("demo")

    assert code == 1
    assert "not for production" in err
    assert out == ""


# --- mail


@on_one_engine
def test_a_code_is_shown_on_the_host_while_there_is_no_mail_server(portal, environ):
    """Also in production, where the outbox masks it."""
    environ.setenv("PORTAL_BASE_URL", "https://portal.example")
    environ.setenv("PORTAL_SECRET_KEY", SECRET)
    portal(*PARTNER)
    code, out, _ = portal("show-mail-link", "ADA@nimbus.example")

    assert code == 0
    assert re.search(r"^\d{6}$", out, re.MULTILINE)
    assert "{code}" not in out


@on_one_engine
def test_no_link_is_shown_for_an_unknown_address_or_with_a_mail_server(portal, environ):
    portal("migrate")
    assert portal("show-mail-link", "nobody@nimbus.example")[0] == 1

    environ.setenv("PORTAL_MAIL_SERVER", "127.0.0.1")
    code, _, err = portal("show-mail-link", "nobody@nimbus.example")

    assert code == 1
    assert "by mail only" in err


# --- agreements


@on_one_engine
def test_a_new_agreement_text_is_the_next_version(portal, tmp_path):
    portal("migrate")
    text = tmp_path / "agreement.txt"
    text.write_text("The agreement, once more.\n", encoding="utf-8")

    assert portal("publish-agreement", str(text), "--language", "en") == (0, "Version 2 is published.\n", "")
    code, _, err = portal("publish-agreement", str(tmp_path / "missing.txt"), "--language", "en")
    assert code == 1
    assert "missing.txt" in err


# --- serve, worker: processes of their own


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def started(environ):
    """Start the command as a process; it is ended when the test is."""
    processes = []

    def start(*arguments, **env):
        command = [sys.executable, "-W", "ignore", "-m", "portal.cli", *arguments]
        processes.append(subprocess.Popen(command, cwd=cli.ROOT, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ready(process, port, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, process.stdout.read()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    return False


def stopped(process, seconds=30):
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=seconds)
    return process.returncode, out


def post():
    from portal.core import clock, outbox

    with writing():
        outbox.post_text("test", to="camille@papeterie.example", organization_id=None, at=clock.now(), in_language="en", subject="Hello", text="Hello")
        db.session.commit()


def test_serve_migrates_answers_delivers_mail_and_stops_cleanly(started, served):
    """A fresh machine: one command; jobs are embedded."""
    port = free_port()
    with Server() as smtp:
        process = started("serve", "--port", str(port), "--workers", "2", PORTAL_MAIL_SERVER="127.0.0.1", PORTAL_MAIL_PORT=str(smtp.port))
        assert ready(process, port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=10) as answer:
            assert b"<h1" in answer.read()
        app = served()
        app.config["JOBS_MUTED"] = False
        with app.app_context():
            post()
        smtp.wait_for("camille@papeterie.example")

        code, out = stopped(process)

    assert code == 0, out
    assert f"The portal serves on http://127.0.0.1:{port}" in out
    assert "Traceback" not in out
    with app.app_context():
        assert db.session.scalars(sa.select(Mail.state)).all() == [MailState.SENT]
        app.extensions["jobs"].storage.close()


@on_one_engine
def test_without_jobs_they_are_left_to_a_worker(started, served):
    port = free_port()
    with Server() as smtp:
        mail = {"PORTAL_MAIL_SERVER": "127.0.0.1", "PORTAL_MAIL_PORT": str(smtp.port)}
        web = started("serve", "--port", str(port), "--workers", "1", "--no-jobs", **mail)
        assert ready(web, port)
        app = served()
        app.config["JOBS_MUTED"] = False
        with app.app_context():
            post()
        time.sleep(1.5)
        assert smtp.received == []

        worker = started("worker", **mail)
        smtp.wait_for("camille@papeterie.example")

        for process in (worker, web):
            code, out = stopped(process)
            assert code == 0, out
            assert "Traceback" not in out
    with app.app_context():
        app.extensions["jobs"].storage.close()


def web_processes(process) -> list[int]:
    return [int(number) for number in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout.split()]


@on_one_engine
def test_web_processes_share_one_runner_and_survive_the_death_of_one(started, environ):
    """A killed web process is replaced, and its open work goes on elsewhere."""
    port = free_port()
    process = started("serve", "--port", str(port), "--workers", "2")
    assert ready(process, port)
    children, until = web_processes(process), time.monotonic() + 20
    while len(children) < 2 and time.monotonic() < until:  # the second one starts a moment later
        time.sleep(0.1)
        children = web_processes(process)
    assert len(children) == 2

    for child in children:
        os.kill(child, signal.SIGKILL)

    assert ready(process, port)
    code, out = stopped(process)
    assert code == 0, out


def test_jobs_known_to_the_worker_are_those_of_the_portal():
    assert {"deliver_mail", "sweep_counts", "expire_requests", "answer_reset_wishes", "forget_drafts", "run_out_delegations"} <= set(jobs.names())
