"""A partner's agents in the customer's directory: what delegated administration opens, to whom, and until when (R30, R31)."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from portal.accounts import service as accounts
from portal.accounts import signing_in
from portal.accounts.models import User, UserSession, UserState
from portal.accounts.service import Colleague
from portal.core import audit, clock, throttle
from portal.core.access import Role
from portal.core.audit import LogEntry
from portal.core.db import db, writing
from portal.core.errors import Forbidden
from portal.core.scope import EVERYTHING, scoped
from portal.relationships import delegation
from portal.relationships.models import AdminRole
from tests.support import mail, make
from tests.support.page import Visitor

ADMIN, AGENT, HELPDESK, SALES = (f"{name}@atelier-nuage.example" for name in ("admin", "agent", "helpdesk", "sales"))
CLAIRE, BUYER, STAFF = (f"{name}@maison-tellier.example" for name in ("admin", "buyer", "staff"))
NEW = "zoe@maison-tellier.example"
TELLIER = "maison-tellier.example"
READER, HELPER, MANAGER, SUPPORT, LICENCES, GLOBAL = AdminRole

SEE = {"list", "person"}
HELP = {"invitation", "password-reset", "sign-out"}
MANAGE = {"new", "invite", "roles", "deactivation page", "deactivation", "reactivation"}
OPENED = {READER: SEE, HELPER: SEE | HELP, MANAGER: SEE | MANAGE, SUPPORT: set(), LICENCES: set(), GLOBAL: SEE | HELP | MANAGE}


def grant(*roles: AdminRole, domain: str = TELLIER, days: int = 90, auto_extend: bool = False) -> None:
    """The customer's admin has granted this to Atelier Nuage."""
    request = make.request(f"admin@{domain}", roles=tuple(roles), days=days, auto_extend=auto_extend, draft=True)
    company, claire, at = make.organization(domain), make.actor(f"admin@{domain}"), clock.now()
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        delegation.grant(db.session.merge(request), company, by=claire, at=at)
        db.session.commit()


def url_of(email: str = "") -> str:
    base = f"/customers/{make.organization(TELLIER).public_id}/users"
    return f"{base}/{person(email).public_id}" if email else base


def person(email: str) -> User:
    db.session.rollback()
    return db.session.scalars(sa.select(User).where(User.email_key == email).order_by(User.id.desc())).one()


def invited(email: str = NEW, role: Role = Role.MEMBER, language: str = "fr") -> None:
    """The customer's admin has invited this person."""
    claire, company, at = make.actor(CLAIRE), make.organization(TELLIER), clock.now()
    with writing():
        accounts.invite_user(company, Colleague("Zoé Aubert", email, [role], language), by=claire, at=at)
        db.session.commit()


def log(domain: str) -> list[LogEntry]:
    db.session.rollback()
    organization_id = make.organization(domain).id
    assert audit.verify(organization_id) is None
    return list(db.session.scalars(sa.select(LogEntry).where(LogEntry.organization_id == organization_id).order_by(LogEntry.id)))


def open_sessions(email: str) -> int:
    user_id = person(email).id
    return len(db.session.scalars(sa.select(UserSession.id).where(UserSession.user_id == user_id, UserSession.ended_at.is_(None))).all())


def attempts(visitor: Visitor) -> dict[str, Callable[[], int]]:
    """Everything there is to do in the directory; each tells the status of the answer."""

    def get(url: str) -> int:
        return visitor.client.get(url).status_code

    def post(url: str, **data: object) -> int:
        return visitor.client.post(url, data={"csrf_token": visitor.csrf_token(), **data}).status_code

    staff, new = url_of(STAFF), url_of(NEW)
    version = person(STAFF).version
    return {
        "list": lambda: get(url_of()),
        "person": lambda: get(staff),
        "invitation": lambda: post(f"{new}/invitation"),
        "sign-out": lambda: post(f"{staff}/sign-out"),
        "new": lambda: get(f"{url_of()}/new"),
        "invite": lambda: post(url_of(), name="Paul Roux", email="paul@maison-tellier.example", language="fr", roles="member"),
        "roles": lambda: post(f"{staff}/roles", roles="purchaser", version=version),
        "password-reset": lambda: post(f"{staff}/password-reset"),
        "deactivation page": lambda: get(f"{staff}/deactivation"),
        "deactivation": lambda: post(f"{staff}/deactivation"),
        "reactivation": lambda: post(f"{staff}/reactivation"),
    }


def allowed(visitor: Visitor) -> set[str]:
    statuses = {name: attempt() for name, attempt in attempts(visitor).items()}
    assert set(statuses.values()) <= {200, 303, 403}, statuses
    return {name for name, status in statuses.items() if status != 403}


@pytest.mark.parametrize("role", list(AdminRole))
@pytest.mark.parametrize("agent", [ADMIN, AGENT, HELPDESK])
def test_each_role_opens_its_powers_and_no_others(people, role, agent):
    """R30: a user administrator's powers are not a helpdesk agent's."""
    invited()
    grant(role)

    expected = OPENED[role] - MANAGE if agent == HELPDESK else OPENED[role]
    if agent == HELPDESK and role is MANAGER:
        expected = set()
    assert allowed(people(agent)) == expected


def test_roles_add_up(people):
    invited()
    grant(READER, HELPER, MANAGER)

    assert allowed(people(AGENT)) == SEE | HELP | MANAGE


@pytest.mark.parametrize("role", [READER, HELPER, MANAGER, GLOBAL])
def test_the_pages_offer_what_is_granted_and_nothing_else(people, role):
    """R2."""
    invited()
    grant(role)
    agent = people(AGENT)

    listed, staff, new = agent.get(url_of()), agent.get(url_of(STAFF)), agent.get(url_of(NEW))

    helps, manages = bool(OPENED[role] & HELP), bool(OPENED[role] & MANAGE)
    assert listed.has_link(f"{url_of()}/new") is manages
    assert ("Send a password link" in staff.text) is ("End all sessions" in staff.text) is helps
    assert ("Send the invitation again" in new.text) is helps
    assert staff.has_link(f"{url_of(STAFF)}/deactivation") is new.has_link(f"{url_of(NEW)}/deactivation") is manages
    assert bool(staff.soup.select("#form")) is manages


@pytest.mark.parametrize("email", [SALES, "users@atelier-nuage.example", "billing@atelier-nuage.example", "referrals@atelier-nuage.example", CLAIRE, BUYER])
def test_it_is_for_global_admins_admin_agents_and_helpdesk_agents_only(people, email):
    """R30."""
    invited()
    grant(GLOBAL)

    visitor = people(email)
    assert allowed(visitor) == set()
    if email == SALES:
        assert not visitor.get(f"/customers/{make.organization(TELLIER).public_id}").has_link(url_of())


def test_another_partner_sees_nothing_of_it(people):
    """R2."""
    invited()
    grant(GLOBAL)

    rival = people("admin@studio-cumulus.example")
    assert {attempt() for attempt in attempts(rival).values()} == {404}


def test_without_delegated_administration_there_is_no_directory(people):
    """R30."""
    invited()
    admin = people(ADMIN)

    assert {attempt() for attempt in attempts(admin).values()} == {404}
    assert not admin.get(f"/customers/{make.organization(TELLIER).public_id}").has_link(url_of())
    for domain in ("brasserie-pendante.example", "ancienne-forge.example", "verrerie-odile.example"):
        admin.get(f"/customers/{make.organization(domain).public_id}/users", 404)


def test_the_customers_page_leads_to_its_people(people):
    grant(READER)
    url = f"/customers/{make.organization(TELLIER).public_id}"

    assert people(HELPDESK).get(url).has_link(url_of())
    grant(SUPPORT, LICENCES)
    refused = people(ADMIN).get(url_of(), 403)
    assert "The customer has not granted you a role that includes this." in refused.text
    assert not people(ADMIN).get(url).has_link(url_of())


def remove(people) -> None:
    people(CLAIRE).post(f"/my/partners/{make.organization('atelier-nuage.example').public_id}/delegated-administration/ending")


def give_up(people) -> None:
    people(ADMIN).post(f"{url_of().removesuffix('/users')}/delegated-administration/ending")


def end(people) -> None:
    people(ADMIN).post(f"{url_of().removesuffix('/users')}/ending", {"typed_name": "Maison Tellier", "reason": "Moved."})


def narrow(people) -> None:
    grant(LICENCES)


@pytest.mark.parametrize(("close", "status"), [(remove, 404), (give_up, 404), (end, 404), (narrow, 403)])
def test_what_the_customer_takes_back_is_closed_at_once(people, close, status):
    """R31, R36: also for a page that was open at that moment."""
    invited()
    grant(GLOBAL)
    agent = people(AGENT)
    page = agent.get(url_of(STAFF))

    close(people)

    agent.submit(page, f"{url_of(STAFF)}/password-reset", status=status)
    assert {attempt() for attempt in attempts(agent).values()} == {status}
    assert not [sent for sent in mail.all_to(STAFF) if sent.mail.kind == "accounts/reset"]
    assert person(STAFF).state is UserState.ACTIVE


@pytest.mark.parametrize(("auto_extend", "status"), [(False, 404), (True, 200)])
def test_it_ends_on_its_day_whether_the_job_has_come_by_or_not(people, auto_extend, status):
    """R30."""
    grant(READER, days=1, auto_extend=auto_extend)

    with clock.shifted(timedelta(days=1, seconds=1)):
        people(AGENT).get(url_of(), status)


@pytest.mark.parametrize("who", ["active", "invited"])
def test_nobody_of_a_partner_touches_a_customer_admin(people, who):
    """R30, R1."""
    email = CLAIRE if who == "active" else NEW
    if who == "invited":
        invited(role=Role.CUSTOMER_ADMIN)
    grant(GLOBAL)
    admin, url, version = people(ADMIN), url_of(email), person(email).version
    sent = len(mail.all_to(email))

    page = admin.get(url)
    assert "The customer looks after its own admins." in page.text
    assert not page.soup.select("main form")
    assert not page.has_link(f"{url}/deactivation")
    for action in ("invitation", "password-reset", "sign-out", "deactivation", "reactivation"):
        admin.post(f"{url}/{action}", status=403)
    admin.post(f"{url}/roles", {"roles": "member", "version": version}, status=403)
    admin.get(f"{url}/deactivation", 403)

    assert person(email).roles == {Role.CUSTOMER_ADMIN}
    assert len(mail.all_to(email)) == sent


@pytest.mark.parametrize("role", ["customer_admin", "global_admin", "nonsense", ""])
def test_nobody_of_a_partner_makes_a_customer_admin(people, role):
    """R30: not by forging the forms either (S27)."""
    grant(GLOBAL)
    admin = people(ADMIN)
    for page in (admin.get(f"{url_of()}/new"), admin.get(url_of(STAFF))):
        assert {box["value"] for box in page.soup.select("input[name=roles]")} == {"purchaser", "member"}

    admin.post(f"{url_of(STAFF)}/roles", {"roles": ["member", role], "version": person(STAFF).version}, status=422)
    admin.post(url_of(), {"name": "Eve", "email": NEW, "language": "en", "roles": role}, status=422)

    assert person(STAFF).roles == {Role.MEMBER}
    assert not mail.all_to(NEW)


def test_the_service_says_so_too(app):
    """R30, R1: whatever a page lets through."""
    admin, claire, staff, at = make.actor(ADMIN), person(CLAIRE), person(STAFF), clock.now()
    company = make.organization(TELLIER)
    promotion = frozenset({Role.CUSTOMER_ADMIN, Role.MEMBER})

    for attempt in (
        lambda: accounts.change_roles(staff, promotion, version=None, by=admin, at=at),
        lambda: accounts.invite_user(company, Colleague("Eve", NEW, [Role.CUSTOMER_ADMIN]), by=admin, at=at),
        lambda: accounts.change_roles(claire, frozenset({Role.MEMBER}), version=None, by=admin, at=at),
        lambda: accounts.deactivate(claire, by=admin, at=at),
        lambda: signing_in.send_reset(claire, by=admin, at=at),
        lambda: signing_in.end_all_sessions(claire, by=admin, at=at),
        lambda: accounts.change_roles(staff, promotion, version=None, by=make.actor("admin@verrerie-odile.example"), at=at),
    ):
        with pytest.raises(Forbidden):
            attempt()
        db.session.rollback()


@pytest.mark.parametrize("email", [SALES, "admin@verrerie-odile.example", "admin@studio-cumulus.example"])
def test_only_this_customers_people_are_in_it(people, email):
    """R2, S25."""
    grant(GLOBAL)
    admin, url = people(ADMIN), url_of(email)

    admin.get(url, 404)
    admin.get(f"{url}/deactivation", 404)
    for action in ("invitation", "password-reset", "sign-out", "deactivation", "reactivation", "roles"):
        admin.post(f"{url}/{action}", {"roles": "member"}, status=404)


def test_the_list_is_searched_filtered_and_cards_on_a_phone(people):
    invited()
    grant(READER)
    agent = people(HELPDESK)

    page = agent.get(url_of())
    assert page.h1 == "People of Maison Tellier"
    for shown in (STAFF, "Nadia Lemoine", "Member", "Purchaser", "Invited", "Active"):
        assert shown in page.text
    assert len(agent.get(f"{url_of()}?q=lemoine", htmx=True).soup.select("#results tbody tr")) == 1
    assert [cell.get_text(strip=True) for cell in agent.get(f"{url_of()}?role=purchaser").soup.select("td.title")] == ["Hugo Vasseur"]
    assert [cell.get_text(strip=True) for cell in agent.get(f"{url_of()}?state=invited").soup.select("td.title")] == ["Zoé Aubert"]
    assert "Nobody matches" in agent.get(f"{url_of()}?q=kerbrat").text
    assert all(cell.get("data-label") or "title" in cell.get("class", []) for cell in page.soup.select("tbody td"))


def test_the_list_is_paged(people):
    grant(READER)
    claire, company, at = make.actor(CLAIRE), make.organization(TELLIER), clock.now()
    with writing():
        for number in range(60):
            accounts.invite_user(company, Colleague(f"Person {number:02}", f"p{number}@maison-tellier.example", [Role.MEMBER]), by=claire, at=at, mailed=False)
        db.session.commit()
    agent = people(AGENT)

    first = agent.get(url_of())
    onward = first.soup.select_one("a[rel=next]")
    rest = agent.get(str(onward["href"]))

    assert [len(page.soup.select("tbody tr")) for page in (first, rest)] == [50, 13]


def test_an_invited_person_gets_a_new_link_in_their_language(people):
    """R30, S15."""
    invited()
    grant(HELPER)
    old = mail.latest(NEW).link
    helpdesk = people(HELPDESK)

    done = helpdesk.submit(helpdesk.get(url_of(NEW)), f"{url_of(NEW)}/invitation")

    sent = mail.latest(NEW)
    assert sent.mail.language == "fr"
    assert "Loïc Briand" in sent.text
    assert "Atelier Nuage" in sent.text
    assert sent.link not in str(done.soup)
    visitor = people.visitor()
    assert visitor.open(old).h1 != visitor.open(sent.link).h1
    helpdesk.post(f"{url_of(STAFF)}/invitation", status=409)


def test_a_reset_link_is_mailed_and_shown_to_nobody_of_the_partner(people):
    """R30, S19, S16."""
    grant(HELPER)
    helpdesk, page = people(HELPDESK), url_of(STAFF)
    helpdesk.submit(helpdesk.get(page), f"{page}/password-reset")
    first = mail.latest(STAFF)

    done = helpdesk.submit(helpdesk.get(page), f"{page}/password-reset")

    assert f"A link to set a new password is on its way to {STAFF}." in done.flashes[0]
    sent = mail.latest(STAFF)
    assert sent.link != first.link
    assert sent.link.rpartition("/")[2] not in str(done.soup)
    assert "Loïc Briand of Atelier Nuage sends you this address" in sent.text
    assert sent.mail.reply_to is not None
    assert HELPDESK in sent.mail.reply_to
    assert STAFF not in people(ADMIN).get("/outbox").text
    people(ADMIN).get(f"/outbox/{sent.mail.public_id}", 404)
    nadia = people.visitor()
    assert nadia.client.get(first.link).status_code == 410
    nadia.submit(nadia.open(sent.link), "#form", password="a fresh and long one 7")
    assert mail.latest(STAFF).mail.kind == "accounts/password_changed"


def test_no_reset_link_for_somebody_without_an_open_account(people):
    invited()
    grant(GLOBAL)
    agent = people(AGENT)

    refused = agent.post(f"{url_of(NEW)}/password-reset", status=409)
    assert "has no open account" in refused.text
    agent.post(f"{url_of(STAFF)}/deactivation")
    agent.post(f"{url_of(STAFF)}/password-reset", status=409)
    assert not [sent for sent in (*mail.all_to(NEW), *mail.all_to(STAFF)) if sent.mail.kind == "accounts/reset"]


def test_sessions_are_ended_at_once(people):
    """R30, S3."""
    grant(HELPER)
    nadia, buyer, helpdesk = people(STAFF), people(BUYER), people(HELPDESK)
    people(STAFF)
    assert open_sessions(STAFF) == 2

    done = helpdesk.submit(helpdesk.get(url_of(STAFF)), f"{url_of(STAFF)}/sign-out")

    assert done.flashes == ["2 sessions of Nadia Lemoine have ended."]
    assert open_sessions(STAFF) == 0
    nadia.get("/my", 303)
    buyer.get("/my")
    again = helpdesk.submit(helpdesk.get(url_of(STAFF)), f"{url_of(STAFF)}/sign-out")
    assert again.flashes == ["Nadia Lemoine was not signed in anywhere."]


def test_a_person_is_invited_and_comes_in_by_a_code_that_the_partner_cannot_read(people):
    """R30, R23."""
    grant(MANAGER)
    agent = people(AGENT)

    done = agent.submit(agent.get(f"{url_of()}/new"), "#form", name="Zoé Aubert", email=NEW, roles=["purchaser"], language="fr")

    assert done.h1 == "Zoé Aubert"
    sent = mail.latest(NEW)
    assert sent.mail.language == "fr"
    assert person(NEW).roles == {Role.PURCHASER}
    zoe = people.visitor()
    form = zoe.open(sent.link)
    form = form if form.soup.select("input[name=code]") else zoe.submit(form)
    code = mail.latest(NEW)
    assert code.mail.organization_id == make.organization(TELLIER).id
    zoe.submit(form, "#form", code=code.code, password="a fresh and long one 7")
    assert person(NEW).state is UserState.ACTIVE


def test_an_address_is_listed_once(people):
    grant(MANAGER)
    agent = people(AGENT)

    refused = agent.submit(agent.get(f"{url_of()}/new"), "#form", status=422, name="Nadia", email=STAFF.upper(), roles=["member"])

    assert refused.errors["email"] == "Nadia Lemoine is already listed with this address."


def test_roles_change_at_once_and_the_person_is_told_by_whom(people):
    """R30, S9."""
    grant(MANAGER)
    agent = people(AGENT)

    agent.submit(agent.get(url_of(STAFF)), "#form", roles=["purchaser", "member"])

    assert person(STAFF).roles == {Role.PURCHASER, Role.MEMBER}
    assert "Théo Marchand of Atelier Nuage changed your roles. You now hold: Purchaser, Member." in mail.latest(STAFF).text


def test_the_second_of_two_editors_is_told(people):
    """R104."""
    grant(MANAGER)
    agent, claire = people(AGENT), people(CLAIRE)
    page = agent.get(url_of(STAFF))
    own = claire.get(f"/my/users/{person(STAFF).public_id}")
    claire.submit(own, "#form", roles=["purchaser"])

    stale = agent.submit(page, "#form", roles=["member"], status=409)

    assert "Somebody else changed" in stale.errors[""]
    assert person(STAFF).roles == {Role.PURCHASER}


def test_deactivating_asks_first_and_ends_all_access(people):
    """R102, S3."""
    grant(MANAGER)
    agent, nadia = people(AGENT), people(STAFF)

    asked = agent.submit(agent.get(f"{url_of(STAFF)}/deactivation"), f"{url_of(STAFF)}/deactivation")
    assert "has no access any more" in asked.flashes[0]
    assert person(STAFF).state is UserState.DEACTIVATED
    nadia.get("/my", 303)

    agent.submit(asked, f"{url_of(STAFF)}/reactivation")
    assert person(STAFF).state is UserState.ACTIVE


def test_an_invitation_is_withdrawn(people):
    invited()
    grant(MANAGER)
    agent, page = people(AGENT), url_of(NEW)

    done = agent.submit(agent.get(f"{page}/deactivation"), f"{page}/deactivation")

    assert done.h1 == "People of Maison Tellier"
    agent.get(page, 404)
    assert people.visitor().client.get(mail.latest(NEW).link).status_code == 410


def test_both_logs_tell_who_did_what(people):
    """R30, R95: the customer's admin sees it on the customer's own page."""
    invited()
    grant(GLOBAL)
    people(STAFF)
    allowed(people(AGENT))

    chains = SimpleNamespace(ours=log("atelier-nuage.example"), theirs=log(TELLIER))
    told = {
        "user.invited": "paul@maison-tellier.example", "user.invited_again": NEW, "session.ended": STAFF, "user.roles_changed": STAFF,
        "password.reset_requested": STAFF, "user.deactivated": STAFF, "user.reactivated": STAFF,
    }  # fmt: skip
    for chain in (chains.ours, chains.theirs):
        for action, email in told.items():
            entry = next(entry for entry in reversed(chain) if entry.action == action)
            assert entry.actor_name == "Théo Marchand", action
            assert entry.customer_id == make.organization(TELLIER).id
            assert email in (entry.details["after"].get("person"), entry.details["after"].get("email"))
            assert entry.details["after"]["partner"] == "Atelier Nuage"
    shared = {entry.event_id for entry in chains.ours} & {entry.event_id for entry in chains.theirs}
    assert len(shared) >= len(told)
    assert not [entry for entry in log("studio-cumulus.example") if entry.event_id in shared]
    feed = people(CLAIRE).get("/my/activity").text
    for words in ("Théo Marchand", "Password reset requested", "Person deactivated", "Atelier Nuage"):
        assert words in feed


def test_an_admins_own_work_names_no_partner(people):
    invited()

    entry = log(TELLIER)[-1]
    assert entry.action == "user.invited"
    assert "partner" not in entry.details["after"]


def test_links_are_limited(people):
    """S10."""
    grant(GLOBAL)
    agent, actor = people(AGENT), make.actor(AGENT)
    db.session.rollback()
    throttle.hit(throttle.INVITATIONS, f"{actor.organization_id}/{actor.user_id}", times=300)

    for url in (url_of(), f"{url_of(STAFF)}/password-reset", f"{url_of(STAFF)}/invitation"):
        refused = agent.post(url, status=429)
        assert int(refused.response.headers["Retry-After"]) > 0


def test_bringing_in_a_first_admin_stays_the_adding_partners(people):
    """R16, R18: also once more, and not after somebody is in."""
    added = make.customer()
    sales, at = make.actor(SALES), clock.now()
    with writing():
        user = accounts.invite_user(added.organization, Colleague("Ana Sarrault", "ana@fonderie-sarrault.example", [Role.CUSTOMER_ADMIN]), by=sales, at=at)
        accounts.invite_again(user, by=sales, at=at)
        db.session.commit()
    assert len(mail.all_to("ana@fonderie-sarrault.example")) == 2

    user = person("ana@fonderie-sarrault.example")
    user.state = UserState.ACTIVE
    db.session.flush()
    with pytest.raises(Forbidden):
        signing_in.send_reset(user, by=sales, at=at)
    db.session.rollback()
