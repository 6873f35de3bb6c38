"""The `portal` command."""

import argparse
import shutil
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg
import sqlalchemy as sa
from flask import Flask

from portal import config, create_app
from portal.core import clock
from portal.core.db import db, writing
from portal.core.scope import EVERYTHING, scoped

ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        settings = config.from_environment(port=getattr(options, "port", None) or 8000)
    except config.ConfigurationError as problem:
        sys.exit(f"portal: {problem}")
    try:
        sys.exit(options.run(settings, options))
    except (sa.exc.DBAPIError, psycopg.Error) as problem:
        sys.exit(f"portal: the database: {str(getattr(problem, 'orig', problem)).strip()[:300]}. Does it answer, and is it migrated (portal migrate)?")
    except OSError as problem:
        sys.exit(f"portal: {problem}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="portal", description="A self-hosted portal for cloud resellers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    serve = command("serve", _serve, "Migrate, then serve.")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--workers", type=int, default=2)
    serve.add_argument("--no-jobs", action="store_true", help="leave the jobs to `portal worker`")
    command("worker", _worker, "Run jobs in a process of their own.")
    command("migrate", _migrate, "Bring the database up to date.")
    command("demo", _demo, "Load the demo world, once.")
    create = command("create-partner", _create_partner, "Create a partner; prints the activation link of its first global admin.")
    for name in ("name", "domain", "country", "admin-email"):
        create.add_argument(f"--{name}", required=True)
    create.add_argument("--type", required=True, choices=["direct_bill", "indirect_provider", "indirect_reseller"])
    create.add_argument("--cloud", default="public", choices=["public", "us_government"])
    publish = command("publish-agreement", _publish_agreement, "Publish a new version of the customer agreement from a text file.")
    publish.add_argument("file", type=Path)
    publish.add_argument("--language", required=True)
    publish.add_argument("--country", default="", help="two letters; leave out for every country without a text of its own")
    command("verify-log", _verify_log, "Walk the hash chains; exit 1 with the first broken entry.")
    command("doctor", _doctor, "Check configuration, database, mail, jobs and clock.")
    show = command("show-mail-link", _show_mail_link, "Show the personal link in the latest message to an address, while there is no mail server.")
    show.add_argument("address")
    return parser


def _serve(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.server import PortalServer

    app = create_app(settings)
    _up_to_date(app)

    print(f"The portal serves on http://{options.host}:{options.port}", flush=True)
    if not settings.production:
        _print_demo_accounts(app)
    PortalServer(app, host=options.host, port=options.port, workers=max(1, options.workers), run_jobs=not options.no_jobs).run()
    return 0


def _worker(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.core import jobs

    jobs.work_forever(create_app(settings))
    return 0


def _migrate(settings: config.Settings, options: argparse.Namespace) -> int:
    migrate(create_app(settings))
    print("The database is up to date.")
    return 0


def _demo(settings: config.Settings, options: argparse.Namespace) -> int:
    if settings.production:
        sys.exit("portal: the demo world is not for production; PORTAL_BASE_URL is not on loopback.")
    from portal import demo

    app = create_app(settings)
    migrate(app)
    with app.app_context(), writing(), scoped(EVERYTHING):
        loaded = demo.load(settings.demo_password)
    print("The demo world is loaded." if loaded else "The demo world was loaded before.")
    return 0


def _create_partner(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.accounts import queries, service
    from portal.core.access import PORTAL, Cloud, PartnerType, Role, Side
    from portal.core.forms import valid_email
    from portal.core.places import COUNTRIES
    from portal.core.words import domain_name

    app = create_app(settings)
    migrate(app)
    email, country = valid_email(options.admin_email), options.country.upper()
    try:
        domain = domain_name(options.domain)
    except ValueError as problem:
        sys.exit(f"portal: --domain: {problem}")
    if email is None:
        sys.exit("portal: --admin-email is not an e-mail address.")
    if country not in COUNTRIES:
        sys.exit("portal: --country takes two letters, such as FR.")
    with app.app_context(), writing(), scoped(EVERYTHING):
        if queries.organization_by_domain(domain, side=Side.PARTNER) is not None:
            sys.exit(f"portal: a partner of domain {domain} is already here.")
        at = clock.now()
        partner = service.create_organization(
            name=options.name,
            domain=domain,
            country=country,
            side=Side.PARTNER,
            partner_type=PartnerType(options.type),
            cloud=Cloud(options.cloud),
            by=PORTAL,
            at=at,
        )
        entry = service.Colleague(name=email.partition("@")[0], email=email, roles=[Role.GLOBAL_ADMIN])
        user = service.invite_user(partner, entry, by=PORTAL, at=at, mailed=settings.mail_server is not None)
        service.mail_code(user, at=at)
        assert user.activation_link is not None and user.code_link is not None
        link = f"{settings.base_url}/activation/{user.activation_link.token}"
        code = user.code_link.code
        db.session.commit()
    print(link)
    if settings.mail_server is None:
        print(f"There is no mail server yet: the code to enter is {code} (good for 20 minutes).", file=sys.stderr)
    return 0


def _publish_agreement(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.agreements import service

    app = create_app(settings)
    with app.app_context(), writing(), scoped(EVERYTHING):
        text = service.publish(country=options.country.upper(), language=options.language, body=options.file.read_text(encoding="utf-8"), at=clock.now())
        print(f"Version {text.version} is published.")
        db.session.commit()
    return 0


def _verify_log(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.core import audit

    with create_app(settings).app_context():
        checked = 0
        for organization_id in audit.chains():
            broken = audit.verify(organization_id)
            if broken is not None:
                print(f"Broken: organization {organization_id}, entry {broken}.")
                return 1
            checked += 1
    print(f"Intact: {checked} chains.")
    return 0


def _doctor(settings: config.Settings, options: argparse.Namespace) -> int:
    findings: list[tuple[str, bool, str]] = []
    app = create_app(settings)
    if not settings.production:
        findings.append(("configuration", True, f"not in production ({settings.base_url})"))
    elif settings.secure:
        findings.append(("configuration", True, settings.base_url))
    else:
        findings.append(("configuration", False, "PORTAL_BASE_URL is plain http in production: passwords and links travel in the clear; put https in front"))
    with app.app_context():
        findings.append(_finding("database", _database_check))
        findings.append(_finding("clock", _clock_check))
        findings.append(_finding("mail", lambda: _mail_check(settings)))
        findings.append(_finding("jobs", lambda: f"{app.extensions['jobs'].pending_count()} waiting"))
    free = shutil.disk_usage(settings.instance).free // 2**20
    findings.append(("disk", free > 200, f"{free} MB free"))
    for name, good, text in findings:
        print(f"{'ok  ' if good else 'MEND'} {name}: {text}")
    return 0 if all(good for _, good, _ in findings) else 1


def _finding(name: str, check: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, check()
    except Exception as problem:
        return name, False, f"{type(problem).__name__}: {str(problem)[:200]}"


def _database_check() -> str:
    db.session.execute(sa.text("SELECT 1"))
    revision = _revision()
    if revision != head():
        raise ValueError(f"revision {revision or 'none'}, not {head()}: run portal migrate")
    return f"{db.engine.dialect.name}, revision {revision}"


def _clock_check() -> str:
    theirs = db.session.execute(sa.text("SELECT CURRENT_TIMESTAMP")).scalar_one()
    if isinstance(theirs, str):
        theirs = datetime.fromisoformat(theirs)
    drift = abs((clock.now().replace(tzinfo=None) - theirs.replace(tzinfo=None) if theirs.tzinfo is None else clock.now() - theirs).total_seconds())
    if drift > 30:
        raise ValueError(f"database and portal differ by {drift:.0f} s")
    return "agrees with the database"


def _mail_check(settings: config.Settings) -> str:
    if settings.mail_server is None:
        if settings.production:
            raise ValueError("PORTAL_MAIL_SERVER is not set; mail waits in the outbox")
        return "no server set; mail waits in the outbox and can be read there"
    with socket.create_connection((settings.mail_server, settings.mail_port), timeout=5):
        return f"{settings.mail_server}:{settings.mail_port} answers"


def _show_mail_link(settings: config.Settings, options: argparse.Namespace) -> int:
    from portal.core.outbox import Mail, personal

    if settings.mail_server is not None:
        sys.exit("portal: a mail server is set; the link goes out by mail only.")
    with create_app(settings).app_context():
        mail = db.session.scalar(
            sa.select(Mail).where(sa.func.lower(Mail.recipient) == options.address.casefold(), Mail.link_id.is_not(None)).order_by(Mail.id.desc()).limit(1)
        )
        if mail is None:
            sys.exit("portal: no message with a link to this address.")
        print(personal(mail, mail.text))
    return 0


def _up_to_date(app: Flask) -> None:
    """Import Alembic only when the database is behind: it takes longer than everything else."""
    with app.app_context():
        current = _revision()
    if current != head():
        migrate(app)


def _revision() -> str | None:
    try:
        return str(db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())
    except sa.exc.SQLAlchemyError:
        return None
    finally:
        db.session.rollback()


def head() -> str:
    """The newest revision: the one that no other names as the one before it."""
    import re

    revisions, parents = set(), set()
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        revisions.update(re.findall(r'^revision = "(\w+)"', text, re.M))
        parents.update(re.findall(r'^down_revision = "(\w+)"', text, re.M))
    (newest,) = revisions - parents
    return newest


def migrate(app: Flask) -> None:
    """Bring the database up to date, and put the texts in that come with the portal."""
    import flask_migrate
    from flask_migrate import Migrate

    from portal.agreements import service
    from portal.core import jobs

    jobs.make_tables(app)
    Migrate(app, db, directory=str(ROOT / "migrations"), render_as_batch=True, compare_type=True)
    with app.app_context(), writing():
        flask_migrate.upgrade()
        with scoped(EVERYTHING):
            service.publish_first_texts(at=clock.now())
        db.session.commit()


def _print_demo_accounts(app: Flask) -> None:
    with app.app_context():
        from portal.accounts import queries

        if queries.organization_by_domain("atelier-nuage.example") is None:
            return
    from portal.demo import ACCOUNTS

    print(f"Sign in with the password “{app.config['SETTINGS'].demo_password}” as one of:")
    for address, what in ACCOUNTS:
        print(f"  {address:38} {what}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
