"""People and roles of a partner and of a customer; who may change whom."""

import threading

import pytest

from portal.accounts.models import User
from portal.core.db import db
from tests.support import mail

ADMIN = "admin@atelier-nuage.example"
USERS = "users@atelier-nuage.example"
SALES = "sales@atelier-nuage.example"
TELLIER = "admin@maison-tellier.example"
PASSWORD = "demo portal 2026"


def url_of(email, base="/users"):
    db.session.rollback()
    return f"{base}/{db.session.query(User).filter_by(email_key=email).one().public_id}"


def roles_of(email):
    db.session.rollback()
    return {role.value for role in db.session.query(User).filter_by(email_key=email).one().roles}


def choices(page):
    return {box["value"] for box in page.soup.select("input[name=roles]")}


def test_the_list_is_searched_and_filtered_by_role_and_state(people):
    admin = people(ADMIN)

    assert len(admin.get("/users").soup.select("tbody tr")) == 7
    assert admin.get("/users?q=ines").soup.select_one("tbody td").get_text(strip=True) == "Inès Caradec"
    assert [row.get_text(strip=True) for row in admin.get("/users?role=billing_admin").soup.select("td.title")] == ["Maud Perrin"]
    assert admin.get("/users?state=invited").h1 == "People"
    assert "Nobody matches" in admin.get("/users?q=zzz").text
    block = admin.get("/users?q=helpdesk", htmx=True)
    assert len(block.soup.select("#results tbody tr")) == 1


def test_a_global_admin_may_grant_every_role_and_changes_hold_at_once(people):
    """R3, S9"""
    admin, sales = people(ADMIN), people(SALES)
    page = admin.get(url_of(SALES))
    assert len(choices(page)) == 7

    saved = admin.submit(page, "#form", roles=["user_admin", "sales_agent"])

    assert "They hold from now on" in saved.flashes[0]
    assert sales.get("/users").status == 200
    assert "Sales agent" in mail.latest(SALES).text


def test_a_user_admin_may_grant_all_but_the_two_admin_roles(people):
    """R3"""
    users = people(USERS)

    assert choices(users.get(url_of(SALES))) == {"billing_admin", "admin_agent", "sales_agent", "helpdesk_agent", "referrals_admin"}
    assert "global_admin" not in choices(users.get("/users/new"))


@pytest.mark.parametrize("role", ["global_admin", "user_admin", "customer_admin", "nonsense"])
def test_a_user_admin_cannot_grant_more_by_forging_the_form(people, role):
    """R3, S26, S27"""
    users = people(USERS)

    users.post(url_of(SALES) + "/roles", {"roles": role}, status=422)
    users.post("/users", {"name": "Eve", "email": "eve@atelier-nuage.example", "language": "en", "roles": role}, status=422)

    assert roles_of(SALES) == {"sales_agent"}
    assert not mail.all_to("eve@atelier-nuage.example")


def test_a_user_admin_touches_no_global_admins_account(people):
    """R3"""
    users, url = people(USERS), url_of(ADMIN)
    page = users.get(url)

    assert "Only a global admin changes the roles of a global admin." in page.text
    assert not page.soup.select("main form")
    users.post(f"{url}/roles", {"roles": "sales_agent"}, status=403)
    users.post(f"{url}/deactivation", status=403)
    assert roles_of(ADMIN) == {"global_admin"}


def test_nobody_changes_their_own_roles(people):
    """R3"""
    admin, url = people(ADMIN), url_of(ADMIN)
    page = admin.get(url)

    assert "Nobody changes their own roles" in page.text
    assert not page.soup.select("main form")
    refused = admin.post(f"{url}/roles", {"roles": ["sales_agent"]}, status=422)
    assert "Nobody changes their own roles" in refused.text
    assert roles_of(ADMIN) == {"global_admin"}


def test_roles_that_are_not_ones_to_take_stay(people):
    """R3"""
    admin, users = people(ADMIN), people(USERS)
    admin.submit(admin.get(url_of(SALES)), "#form", roles=["user_admin", "sales_agent"])

    page = users.get(url_of(SALES))
    assert "Also holds: User management admin." in page.text
    users.submit(page, "#form", roles=["helpdesk_agent"])

    assert roles_of(SALES) == {"user_admin", "helpdesk_agent"}


def test_somebody_must_keep_a_role(people):
    admin = people(ADMIN)

    refused = admin.submit(admin.get(url_of(SALES)), "#form", roles=None, status=422)

    assert refused.errors


def test_the_second_of_two_editors_is_told(people):
    """R104"""
    admin = people(ADMIN)
    first, second = admin.get(url_of(SALES)), admin.get(url_of(SALES))
    admin.submit(first, "#form", roles=["billing_admin"])

    stale = admin.submit(second, "#form", roles=["helpdesk_agent"], status=409)

    assert "Somebody else changed" in stale.errors[""]
    assert roles_of(SALES) == {"billing_admin"}


def make_second_admin(people):
    admin = people(ADMIN)
    admin.submit(admin.get(url_of(SALES)), "#form", roles=["global_admin"])
    return admin, people(SALES)


def test_the_last_global_admin_cannot_be_demoted_or_deactivated(people):
    """R1"""
    admin, second = make_second_admin(people)
    second.submit(second.get(f"{url_of(ADMIN)}/deactivation"), "#form")
    admin.get("/users", status=303)

    for path, data in (("/roles", {"roles": "sales_agent"}), ("/deactivation", {})):
        refused = second.post(url_of(SALES) + path, data, status=422)
        assert refused.text

    assert roles_of(SALES) == {"global_admin"}


def test_the_last_customer_admin_stays(people):
    """R1"""
    tellier = people(TELLIER)
    buyer = "buyer@maison-tellier.example"
    tellier.submit(tellier.get(url_of(buyer, "/my/users")), "#form", roles=["customer_admin", "purchaser"])
    second = people(buyer)

    second.submit(second.get(url_of(TELLIER, "/my/users")), "#form", roles=["member"])
    refused = tellier.get("/my/users", status=403)
    assert refused.h1 == "Not permitted"
    second.post(url_of(buyer, "/my/users") + "/deactivation", status=422)

    assert roles_of(buyer) == {"customer_admin", "purchaser"}


def test_two_admins_cannot_take_each_other_out_at_the_same_moment(app, people):
    """R1, S29"""
    admin, second = make_second_admin(people)
    urls = {admin: url_of(SALES), second: url_of(ADMIN)}
    tokens = {visitor: visitor.csrf_token() for visitor in urls}
    db.session.rollback()
    start = threading.Barrier(2)
    statuses = []

    def demote(visitor):
        start.wait()
        statuses.append(visitor.client.post(urls[visitor] + "/roles", data={"roles": "sales_agent", "csrf_token": tokens[visitor]}).status_code)

    threads = [threading.Thread(target=demote, args=(visitor,)) for visitor in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [roles_of(ADMIN), roles_of(SALES)].count({"global_admin"}) >= 1, statuses


def test_deactivating_asks_first_and_can_be_undone(people):
    """R102"""
    admin = people(ADMIN)
    asked = admin.open(url_of(SALES) + "/deactivation")
    assert "Open sessions end at once" in asked.text
    people.visitor().post("/sign-in", {"email": SALES, "password": PASSWORD})

    done = admin.submit(asked, "#form")
    people.visitor().post("/sign-in", {"email": SALES, "password": PASSWORD}, status=422)
    admin.submit(done, f"{url_of(SALES)}/reactivation")

    people.visitor().post("/sign-in", {"email": SALES, "password": PASSWORD})


def test_another_organizations_people_do_not_exist(people):
    """R2, S24, S25"""
    stranger = people("admin@studio-cumulus.example")
    url = url_of(SALES)

    stranger.get(url, status=404)
    for path in ("/roles", "/invitation", "/deactivation", "/reactivation"):
        stranger.post(url + path, {"roles": "sales_agent"}, status=404)
    assert "Caradec" not in stranger.get("/users").text
    people(TELLIER).get(url.replace("/users", "/my/users"), status=404)


def test_people_without_the_permission_are_refused(people):
    """S26"""
    for email, status in ((SALES, 403), (TELLIER, 403)):
        people(email).get("/users", status=status)
    people("buyer@maison-tellier.example").get("/my/users", status=403)
    people(ADMIN).get("/my/users", status=403)


def test_a_customer_admin_invites_with_customer_roles(people):
    """R3"""
    tellier = people(TELLIER)
    page = tellier.get("/my/users/new")
    assert choices(page) == {"customer_admin", "purchaser", "member"}

    done = tellier.submit(page, "#form", name="Léa Petit", email="lea@maison-tellier.example", roles=["member"], language="fr")

    assert done.url.startswith("/my/users/")
    assert "Maison Tellier" in mail.latest("lea@maison-tellier.example").text


@pytest.mark.parametrize(
    ("values", "field"), [({"email": "not an address"}, "email"), ({"name": ""}, "name"), ({"email": SALES}, "email"), ({"name": "x" * 200}, "name")]
)
def test_bad_input_is_answered_beside_its_field(people, values, field):
    admin = people(ADMIN)

    refused = admin.submit(
        admin.get("/users/new"), "#form", status=422, **{"name": "Jade", "email": "jade@atelier-nuage.example", "roles": ["sales_agent"], **values}
    )

    assert field in refused.errors
