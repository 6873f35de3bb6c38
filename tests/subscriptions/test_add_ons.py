"""An add-on ends together with its base: every page says so (R80, R82, R38)."""

from datetime import timedelta

import pytest

from portal.core import clock
from portal.subscriptions import service
from portal.subscriptions.models import SubscriptionState
from tests.coming_up.test_subscriptions import groups
from tests.subscriptions.world import SALES, change, row, sold, tellier, update

BUYER = "buyer@maison-tellier.example"


@pytest.fixture
def pair(app) -> tuple[str, str]:
    """A base and its add-on, 20 days before their term is over."""
    base, extra = *sold("Office Suite"), *sold("Mail Guard", add_on_of="Office-Suite")
    day = clock.today() + timedelta(days=20)
    for key in (base, extra):
        update(key, ends_on=day, turns_on=day)
    return base, extra


@pytest.mark.parametrize("stops", ["renewal off", "cancelled"])
def test_with_its_bases_renewal_off_an_add_on_renews_nowhere(people, pair, stops):
    base, extra = pair
    sales, buyer = people(SALES), people(BUYER)
    said = {"partner": f"{tellier()}/subscriptions", "page": f"{tellier()}/subscriptions/{extra}", "customer": tellier()}
    assert all("Renews" in sales.get(url).text for url in said.values())
    assert "Renews" in buyer.get(f"/my/subscriptions/{extra}").text

    if stops == "cancelled":
        change(base, service.cancel, at=clock.now() + timedelta(days=2))
    else:
        change(base, service.set_renewal, auto_renew=False)

    assert [url for url in said.values() if "Renews" in sales.get(url).text] == []
    assert [url for url in ("/my/subscriptions", f"/my/subscriptions/{extra}") if "Renews" in buyer.get(url).text] == []
    assert "It adds to Office Suite, which does not renew itself, and ends together with it." in sales.get(said["page"]).text
    assert groups(sales.get("/coming-up")) == {"In 8 to 30 days": ["Office Suite"]}
    assert "Mail Guard" not in sales.get("/subscriptions?renewing=1").text

    change(base, service.set_renewal, auto_renew=True)

    assert all("Renews" in sales.get(url).text for url in said.values())
    assert groups(sales.get("/coming-up")) == {"Renews by itself": ["Office Suite", "Mail Guard"]}


def test_an_add_on_renews_itself_only_with_its_base(people, pair):
    """R84"""
    base, extra = pair
    change(base, service.set_renewal, auto_renew=False)
    change(extra, service.set_renewal, auto_renew=False)

    sales, url = people(SALES), f"{tellier()}/subscriptions"
    asked = sales.submit(sales.get(url), f"{url}/changes", change="renewal_on", line=[extra])
    assert "Office Suite, which this adds to, does not renew itself. Turn its auto-renewal on first." in sales.submit(asked, f"{url}/changes").text
    asked = sales.submit(sales.get(url), f"{url}/changes", change="renewal_on", line=[extra, base])
    sales.submit(asked, f"{url}/changes")
    assert (row(base).auto_renew, row(extra).auto_renew) == (True, True)
    assert row(extra).state is SubscriptionState.ACTIVE
