"""Delegated administration: shown on both sides, removed, given up, extended, reminded of, run out (R30, R31)."""

from portal.core import clock, jobs
from tests.relationships.rows import delegations, record, request
from tests.relationships.test_ending import connected
from tests.support import mail, make

ADMIN, ODILE, SALES = "admin@atelier-nuage.example", "admin@verrerie-odile.example", "sales@atelier-nuage.example"
ROLES = ("directory_reader", "licence_administrator")
MY = "/my/partners"


def atelier() -> str:
    return f"{MY}/{make.organization('atelier-nuage.example').public_id}"


def state() -> str:
    return delegations("verrerie-odile.example")[-1].state.value


def test_both_sides_see_what_is_granted_and_until_when(people):
    """R30, R31."""
    url = connected(people, roles=ROLES, auto_extend=True)

    theirs, ours = people(ODILE).get(atelier()), people(SALES).get(url)

    for page in (theirs, ours):
        assert "Licence administrator" in page.text
        assert "extends itself" in page.text
    assert "Assigns licences to people." in theirs.text
    assert theirs.has_link(f"{atelier()}/delegated-administration/ending")
    assert ours.has_link(f"/relationship-requests/new?customer={record('verrerie-odile.example').public_id}")
    assert "Until" in people(ODILE).get(MY).text


def test_requests_of_one_day_are_lines_of_a_list(people):
    """Terms of a description list would have to differ, and days of requests do not."""
    url = connected(people, roles=ROLES)
    request(ODILE, roles=ROLES, named="verrerie-odile.example")

    page = people(SALES).get(url)

    assert len(page.soup.select("#requests li time")) == 2
    assert page.soup.select("#requests dt") == []


def test_the_customer_removes_it_and_the_relationship_stays(people):
    """R31."""
    connected(people, roles=ROLES)
    odile = people(ODILE)

    confirm = odile.get(f"{atelier()}/delegated-administration/ending")
    assert state() == "active"
    done = odile.submit(confirm, f"{atelier()}/delegated-administration/ending")

    assert "You have granted none" in done.text
    assert state() == "ended"
    assert record("verrerie-odile.example").state == "active"
    assert {message.mail.recipient for message in mail.all_to() if message.mail.kind == "relationships/delegation_removed"} == {ADMIN, SALES}
    odile.post(f"{atelier()}/delegated-administration/ending", {}, 404)


def test_only_the_customers_admin_removes_it(people):
    connected(people, roles=ROLES)

    for email in ("buyer@maison-tellier.example", "staff@maison-tellier.example"):
        people(email).post(f"{atelier()}/delegated-administration/ending", {}, 403)
    people("admin@maison-tellier.example").post(f"{atelier()}/delegated-administration/ending", {}, 404)
    assert state() == "active"


def test_the_partner_gives_it_up_and_the_customer_is_told(people):
    url = connected(people, roles=ROLES)
    agent = people("agent@atelier-nuage.example")
    people(SALES).get(f"{url}/delegated-administration/ending", 403)

    agent.submit(agent.get(f"{url}/delegated-administration/ending"), f"{url}/delegated-administration/ending")

    assert state() == "ended"
    assert mail.latest(ODILE).subject == "Atelier Nuage has given up delegated administration"
    agent.post(f"{url}/delegated-administration/ending", {}, 404)


def test_extending_is_a_new_request_that_the_customer_accepts(people):
    """R30: the new grant replaces the old one."""
    url = connected(people, roles=ROLES, days=30)
    sales, odile = people(SALES), people(ODILE)

    draft = sales.submit(sales.get(f"/relationship-requests/new?customer={url.rpartition('/')[2]}"), "#form", duration_days="200")
    assert "Extend delegated administration" in draft.text
    sales.submit(draft, f"{draft.url}/sending", button="portal")
    offer = odile.open(mail.latest(ODILE).link)
    odile.submit(offer, f"{offer.url}/acceptance")

    rows = delegations("verrerie-odile.example")
    assert [(row.state.value, row.duration_days) for row in rows] == [("ended", 30), ("active", 200)]


def test_it_runs_out_and_the_partner_is_told(app, people):
    """R30."""
    connected(people, roles=ROLES, days=10)
    jobs.run("run_out_delegations")
    assert state() == "active"

    with clock.shifted(make.days(10.1)):
        jobs.run("run_out_delegations")
        jobs.run("run_out_delegations")

    assert state() == "ended"
    assert [message.mail.recipient for message in mail.all_to() if message.mail.kind == "relationships/delegation_lapsed"] == [ADMIN, SALES]


def test_it_extends_itself_by_180_days_when_the_customer_agreed(app, people):
    """R30."""
    connected(people, roles=ROLES, days=10, auto_extend=True)
    ends = delegations("verrerie-odile.example")[0].ends_at

    with clock.shifted(make.days(11)):
        jobs.run("run_out_delegations")

    row = delegations("verrerie-odile.example")[0]
    assert (row.state, row.ends_at) == ("active", ends + make.days(180))
    assert mail.latest(ODILE).mail.kind == "relationships/delegation_extended_customer"
    assert mail.latest(ADMIN).mail.kind == "relationships/delegation_extended"


def test_it_does_not_extend_itself_after_the_relationship_ended(app, people):
    url = connected(people, roles=ROLES, days=10, auto_extend=True)
    admin = people(ADMIN)
    admin.post(f"{url}/ending", {"typed_name": "Verrerie Odile", "reason": "x"})

    with clock.shifted(make.days(11)):
        jobs.run("run_out_delegations")

    assert state() == "ended"


def test_reminders_go_out_30_7_and_1_day_before_each_once(app, people):
    """R30."""
    connected(people, roles=ROLES, days=90)
    counts = []
    for day in (59, 61, 62, 82, 84, 88, 89.5, 89.6):
        with clock.shifted(make.days(day)):
            jobs.run("remind_of_delegations")
        counts.append(len([1 for message in mail.all_to(ADMIN) if message.mail.kind == "relationships/delegation_lapsing"]))

    assert counts == [0, 1, 1, 1, 2, 2, 3, 3]


def test_a_short_one_is_not_reminded_of_three_times_at_once(app, people):
    connected(people, roles=ROLES, days=1)

    with clock.shifted(make.days(0.5)):
        jobs.run("remind_of_delegations")
        jobs.run("remind_of_delegations")

    assert len([1 for message in mail.all_to(ADMIN) if message.mail.kind == "relationships/delegation_lapsing"]) == 1


def test_every_text_of_every_message_says_whom_and_what(app, people):
    """Both languages' templates render; no placeholder is left over."""
    connected(people, roles=ROLES, days=10)
    request("z@scierie.example", language="fr", roles=ROLES, days=1)
    with clock.shifted(make.days(31)):
        jobs.run("run_out_delegations")
        jobs.run("expire_requests")

    for message in mail.all_to():
        if message.mail.kind.startswith("relationships/"):
            assert "%(" not in message.subject + message.text
            assert "None" not in message.text.split()
            assert "&#" not in message.text
            assert "\n\n\n" not in message.text
