"""Several subscriptions at once, each line with its own result."""

import pytest

from portal.core import audit
from portal.core.db import db
from portal.subscriptions import bulk, service
from portal.subscriptions.models import SubscriptionState
from tests.subscriptions.world import SALES, change, row, sold, tellier
from tests.support import make

S = SubscriptionState


def results(page) -> list[list[str]]:
    return [[cell.get_text(" ", strip=True) for cell in line.select("td")] for line in page.soup.select("main tbody tr")]


def do(people, what: str, lines: list[str], who: str = SALES):
    """Tick, choose, confirm."""
    visitor, url = people(who), f"{tellier()}/subscriptions"
    asked = visitor.submit(visitor.get(url), f"{url}/changes", change=what, line=lines)
    return visitor.submit(asked, f"{url}/changes")


def test_what_will_happen_is_said_before_anything_does(people):
    """R102"""
    first, second = sold("Office Suite", "Backup")
    sales, url = people(SALES), f"{tellier()}/subscriptions"

    page = sales.submit(sales.get(url), f"{url}/changes", change="suspend", line=[first, second])

    assert page.h1 == "Maison Tellier: Suspend"
    assert "Sign-in stops at once" in page.text
    assert [line[0] for line in results(page)] == ["Backup", "Office Suite"]
    assert (row(first).state, row(second).state) == (S.ACTIVE, S.ACTIVE)


def test_several_are_suspended_with_their_add_ons(people):
    """R82"""
    base, other, third = sold("Office Suite", "Backup", "Calls")
    (extra,) = sold("Mail Guard", add_on_of="Office-Suite")

    page = do(people, "suspend", [extra, other, base])

    assert [line[:2] for line in results(page)] == [["Backup", "Done"], ["Office Suite", "Done"], ["Mail Guard", "Done"]]
    assert "It expires on" in results(page)[0][2]
    assert [row(key).state for key in (base, other, extra, third)] == [S.SUSPENDED, S.SUSPENDED, S.SUSPENDED, S.ACTIVE]
    assert audit.verify(make.organization("atelier-nuage.example").id) is None


def test_renewal_is_set_for_several(people):
    first, second = sold("Office Suite", "Backup")

    page = do(people, "renewal_off", [first, second])
    assert [line[1] for line in results(page)] == ["Done", "Done"]
    assert (row(first).auto_renew, row(second).auto_renew) == (False, False)

    do(people, "renewal_on", [second])
    assert (row(first).auto_renew, row(second).auto_renew) == (False, True)


def test_each_line_has_its_own_result(people):
    """What cannot be done keeps nothing else from being done."""
    active, cancelled = sold("Office Suite", "Backup")
    change(cancelled, service.cancel)
    foreign, unknown = str(make.organization("maison-tellier.example").public_id), "00000000-0000-7000-8000-000000000000"

    page = people(SALES).post(
        f"{tellier()}/subscriptions/changes",
        {"change": "renewal_off", "confirmed": "yes", "line": [cancelled, active, unknown, foreign, "x", active]},
        status=200,
    )

    assert [line[1] for line in results(page)] == ["Not done", "Done", "Not done", "Not done"]
    assert "no longer active" in results(page)[0][2]
    assert "1 of 4" in page.text
    assert not row(active).auto_renew


def test_lines_of_another_customer_or_partner_are_not_there(people):
    """S25"""
    (theirs,) = sold("Office Suite")
    other = make.customer("Chez Cumulus", "chez-cumulus.example", by="admin@studio-cumulus.example").public_id
    mine = make.customer().public_id

    for who, customer in (("admin@studio-cumulus.example", other), (SALES, mine)):
        page = people(who).post(f"/customers/{customer}/subscriptions/changes", {"change": "suspend", "confirmed": "yes", "line": theirs}, status=200)
        assert results(page) == [["A line that is no longer there", "Not done", "Nothing was done: load the page again."]]
    assert row(theirs).state is S.ACTIVE


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"change": "suspend"}, "Tick at least one line first."),
        ({"change": "", "line": "00000000-0000-7000-8000-000000000000"}, "Choose what to do"),
        ({"change": "delete", "line": "00000000-0000-7000-8000-000000000000"}, "Choose what to do"),
        ({"change": "suspend", "line": [f"00000000-0000-7000-8000-{number:012}" for number in range(bulk.MOST + 1)]}, "At most 200 lines"),
    ],
)
def test_what_is_missing_is_said_above_the_list(people, data, message):
    (public_id,) = sold("Office Suite")

    page = people(SALES).post(f"{tellier()}/subscriptions/changes", data, status=422)

    assert message in page.errors[""]
    assert page.has_link(f"{tellier()}/subscriptions/{public_id}")


def test_who_only_reads_ticks_nothing(people):
    sold("Office Suite")
    billing = people("billing@atelier-nuage.example")

    assert not billing.get(f"{tellier()}/subscriptions").soup.select("input[name=line]")
    billing.post(f"{tellier()}/subscriptions/changes", {"change": "suspend"}, status=403)


def test_a_line_that_fails_leaves_no_log_entry(people):
    """Each line is undone alone."""
    active, cancelled = sold("Office Suite", "Backup")
    change(cancelled, service.cancel)

    do(people, "suspend", [active])
    people(SALES).post(f"{tellier()}/subscriptions/changes", {"change": "suspend", "confirmed": "yes", "line": [cancelled]}, status=200)

    db.session.rollback()
    entries = audit.recent(make.organization("atelier-nuage.example").id, limit=5)
    assert [entry.action for entry in entries if entry.action.startswith("subscription")][:2] == ["subscription.suspended", "subscription.cancelled"]
