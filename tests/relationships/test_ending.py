"""Ending a relationship: what is in the way, what happens, what stays (R35, R36)."""

from collections.abc import Iterator

import pytest

from portal.core import events
from portal.relationships.events import Obstacle, RelationshipClearing, RelationshipEnded, RelationshipEnding
from tests.relationships.rows import delegations, fresh, record, request
from tests.support import make
from tests.support.page import Page

ADMIN, ODILE = "admin@atelier-nuage.example", "admin@verrerie-odile.example"


def connected(people, **terms) -> str:
    """Verrerie Odile has accepted Atelier Nuage; the address of its page."""
    row = request(ODILE, **terms)
    odile = people(ODILE)
    odile.open(make.link_of(row))
    odile.post(f"/connect/requests/{row.public_id}/acceptance", {"agreement": "y"})
    return f"/customers/{record('verrerie-odile.example').public_id}"


def end(people, url: str, who: str = ADMIN, name: str = "Verrerie Odile", **options) -> Page:
    visitor = people(who)
    return visitor.submit(visitor.get(f"{url}/ending"), f"{url}/ending", typed_name=name, reason="Moved to another partner.", **options)


@pytest.fixture
def veto() -> Iterator[list[str]]:
    """A later feature with something in the way."""
    things = ["Office licences, 12 seats"]

    def object_to(event: RelationshipEnding) -> list[Obstacle]:
        return [Obstacle(thing, f"/customers/{event.customer.public_id}/subscriptions") for thing in things]

    def clear(event: RelationshipClearing) -> None:
        things.clear()

    events._handlers[RelationshipEnding].append(object_to)
    events._handlers[RelationshipClearing].append(clear)
    yield things
    events._handlers[RelationshipEnding].remove(object_to)
    events._handlers[RelationshipClearing].remove(clear)


def test_a_global_admin_ends_a_relationship(people):
    """R36."""
    url = connected(people, roles=("directory_reader",))
    open_one = request(ODILE, named="verrerie-odile.example", purpose="extend", roles=("directory_reader",))
    told: list[RelationshipEnded] = []
    events._handlers[RelationshipEnded].append(told.append)
    page = people(ADMIN).get(f"{url}/ending")
    assert "legal notice is yours to give" in page.text

    former = end(people, url)
    events._handlers[RelationshipEnded].remove(told.append)

    assert former.url == "/customers/former"
    assert "Verrerie Odile" in former.text
    assert "Moved to another partner." in former.text
    customer = record("verrerie-odile.example")
    assert (customer.state, customer.ended_by) == ("ended", "Solène Kerbrat")
    assert [row.state for row in delegations("verrerie-odile.example")] == ["ended"]
    assert fresh(open_one).state == "revoked"
    assert "Verrerie Odile" not in people(ADMIN).get("/customers").text
    assert len(told) == 1
    assert "Relationship ended" in people(ADMIN).get("/activity").text
    people(ADMIN).get(f"{url}/ending", 404)
    people(ADMIN).post(f"{url}/ending", {"typed_name": "Verrerie Odile", "reason": "again"}, 404)


def test_the_company_name_is_typed_and_a_reason_given(people):
    """R36."""
    url = connected(people)

    assert "Verrerie Odile" in end(people, url, name="Verrerie", status=422).errors["typed_name"]
    visitor = people(ADMIN)
    refused = visitor.submit(visitor.get(f"{url}/ending"), f"{url}/ending", typed_name="Verrerie Odile", status=422)
    assert refused.errors["reason"]
    assert record("verrerie-odile.example").state == "active"
    end(people, url, name=" verrerie  odile ")
    assert record("verrerie-odile.example").state == "ended"


def test_what_is_in_the_way_is_listed_and_cleared_in_one_step(people, veto):
    """R35."""
    url = connected(people)
    admin = people(ADMIN)

    page = admin.get(f"{url}/ending")
    assert page.has_link(f"{url}/subscriptions")
    assert not page.soup.select("[name=typed_name]")
    admin.post(f"{url}/ending", {"typed_name": "Verrerie Odile", "reason": "x"}, 422)
    assert record("verrerie-odile.example").state == "active"
    cleared = admin.submit(page, f"{url}/ending/clearing")
    admin.submit(cleared, f"{url}/ending", typed_name="Verrerie Odile", reason="Moved.")

    assert record("verrerie-odile.example").state == "ended"


@pytest.mark.parametrize("who", ["sales", "agent", "users", "helpdesk", "billing"])
def test_nobody_else_ends_it(people, who):
    """R35 and the roles table."""
    url = connected(people)
    visitor = people(f"{who}@atelier-nuage.example")

    visitor.get(f"{url}/ending", 403)
    for path in ("/ending", "/ending/clearing"):
        visitor.post(url + path, {"typed_name": "Verrerie Odile", "reason": "x"}, 403)
    assert not visitor.get(url).has_link(f"{url}/ending")


def test_a_reseller_asks_its_provider_and_a_competitor_finds_nothing(people):
    """R35, R2."""
    url = connected(people)

    people("admin@relais-breton.example").get(f"{url}/ending", 403)
    for path in ("/ending", "/delegated-administration/ending"):
        people("admin@studio-cumulus.example").get(url + path, 404)
        people("admin@studio-cumulus.example").post(url + path, {"typed_name": "Verrerie Odile", "reason": "x"}, 404)
    assert record("verrerie-odile.example").state == "active"


def test_a_provider_is_told_that_a_resellers_request_may_bring_it_back(people):
    """R28, R37: it may not see that request (R2), so the page says whom to ask."""
    make.customer("Comptoir Riviera", "comptoir-riviera.example", by="sales@grossiste-azur.example")
    make.customer()
    provider = people("admin@grossiste-azur.example").get(f"/customers/{make.organization('comptoir-riviera.example').public_id}/ending")
    direct = people(ADMIN).get(f"/customers/{make.organization('fonderie-sarrault.example').public_id}/ending")

    assert "reinstated: ask the reseller" in provider.text
    assert provider.soup.select("main li a[href='/partnerships']")
    assert "reseller" not in direct.soup.select_one("main").get_text()
