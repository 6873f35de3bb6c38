"""Who uses a reservation is chosen with its order, and goes with what a reseller asks of its provider (R41, R73)."""

from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.core.db import db
from portal.core.scope import EVERYTHING, scoped
from portal.subscriptions import service
from portal.subscriptions.models import OrderLine, Reservation, ReservationScope, Subscription
from tests.subscriptions import world
from tests.subscriptions.reserved import offered
from tests.subscriptions.test_cart import BOTH_SHAPES, SALES, counts, offers, order, put
from tests.subscriptions.test_reseller_orders import RESELLERS_SALES, catalogued, one, shared
from tests.subscriptions.test_reseller_orders import SALES as PROVIDER
from tests.subscriptions.world import change, sold
from tests.test_surface import Counted

RESERVED = {"instance_type": "D4", "region": "West Europe", "cycle": "annual", "price": 90_000}


@pytest.fixture
def usage(app):
    """The public key of a subscription that is billed by use."""
    return sold("Cloud plan", quantity=1, billing="usage", term_months=1)[0]


def choices(page) -> dict[str, str]:
    return {option.get_text(): option["value"] for option in page.soup.select("[name=used_by] option")}


def scopes() -> list[tuple[str, str, str | None]]:
    """Name, scope and subscription of what is reserved."""
    db.session.rollback()
    with scoped(EVERYTHING):
        statement = sa.select(Reservation.name, Reservation.scope, Subscription.name).outerjoin(Subscription, Subscription.id == Reservation.subscription_id)
        return [tuple(row) for row in db.session.execute(statement.order_by(Reservation.name))]


@BOTH_SHAPES
def test_the_seller_chooses_who_uses_a_reservation_when_ordering(people, usage, htmx):
    """R73"""
    sales = people(SALES)
    sold("Office Suite")
    small = offered("Small server")
    put(sales, small)
    put(sales, offers("Suite"))
    review = sales.get(f"{world.tellier()}/cart/review")
    assert list(choices(review)) == ["Shared by all subscriptions", "Only Cloud plan"]

    order(sales, review, used_by=choices(review)["Only Cloud plan"], htmx=htmx)

    assert scopes() == [("Small server", ReservationScope.SINGLE, "Cloud plan")]
    page = sales.get(sales.get(f"{world.tellier()}/orders").soup.select_one("td.title a")["href"])
    assert "Only Cloud plan" in page.text
    assert [cell.get_text() for cell in page.soup.select("[data-label=Then]")] == ["–", "€12.00 a month"]  # a reservation is paid for its whole term (R73)
    assert sales.get(page.soup.select_one("a[href*='/reservations/']")["href"]).h1.startswith("Small server")


def test_each_reservation_of_an_order_has_its_own_user(people, usage):
    sales = people(SALES)
    for offer in (small := offered("Small server"), offered("Large server")):
        put(sales, offer)
    review = sales.get(f"{world.tellier()}/cart/review")

    order(sales, review, used_by=[f"{small} {usage}"])

    assert scopes() == [("Large server", ReservationScope.SHARED, None), ("Small server", ReservationScope.SINGLE, "Cloud plan")]


def test_without_a_subscription_that_is_billed_by_use_all_share_it(people):
    sales = people(SALES)
    put(sales, offered("Small server"))
    review = sales.get(f"{world.tellier()}/cart/review")
    assert choices(review) == {}
    assert "All subscriptions of the customer share what is reserved" in review.text

    order(sales, review)

    assert scopes() == [("Small server", ReservationScope.SHARED, None)]


@BOTH_SHAPES
def test_one_that_is_suspended_meanwhile_is_told_before_anything_is_ordered(people, usage, htmx):
    sales = people(SALES)
    put(sales, small := offered("Small server"))
    review = sales.get(f"{world.tellier()}/cart/review")
    change(usage, service.suspend)
    before = counts()

    page = order(sales, review, status=409, used_by=f"{small} {usage}", htmx=htmx)

    assert "was to use Small server is not active any more" in page.errors[""]
    assert (counts(), scopes()) == (before, [])
    order(sales, None if htmx else page)
    assert scopes() == [("Small server", ReservationScope.SHARED, None)]


def test_what_was_chosen_stays_while_something_else_is_mended(people, usage):
    sales = people(SALES)
    put(sales, small := offered("Small server"))
    review = sales.get(f"{world.tellier()}/cart/review")

    page = sales.post(
        f"{world.tellier()}/orders", {"cart": review.soup.select_one("[name=cart]")["value"], "line": "x", "used_by": f"{small} {usage}"}, status=409
    )

    assert page.soup.select_one("[name=used_by] option[selected]").get_text() == "Only Cloud plan"


def test_only_the_customers_own_that_are_billed_by_use_are_taken(people, usage):
    """S25"""
    (suite,) = sold("Office Suite")
    sales = people(SALES)
    put(sales, small := offered("Small server"))
    review = sales.get(f"{world.tellier()}/cart/review")

    for wrong in (suite, str(uuid4()), "nonsense", "\x00", "' OR 1=1"):
        order(sales, review, status=409, used_by=f"{small} {wrong}")

    assert scopes() == []


# --- a reseller's


def asked_for(people, *, naming: bool = True):
    """The address of a reseller's order for a reservation that one subscription alone is to use, and that subscription's key."""
    customer, reseller, provider = shared(), people(RESELLERS_SALES), people(PROVIDER)
    put(provider, catalogued("Cloud plan", billing="usage", term_months=1), 1, customer=customer)
    order(provider, customer=customer)
    key = str(one(Subscription).public_id)
    if not naming:
        world.update(key, reseller_id=None)
    put(reseller, catalogued("Small server", **RESERVED), 1, customer=customer)
    review = reseller.get(f"{customer}/cart/review")
    chosen = choices(review).get("Only Cloud plan")
    return customer, order(reseller, review, customer=customer, **({"used_by": chosen} if chosen else {})).response.request.path, key


@BOTH_SHAPES
def test_what_a_reseller_chose_is_placed_by_its_provider(people, htmx):
    """R41, R73"""
    _customer, url, usage = asked_for(people)
    reseller, provider = people(RESELLERS_SALES), people(PROVIDER)
    assert "Only Cloud plan" in reseller.get(url).text
    page = provider.get(url)
    assert "Only Cloud plan" in page.text

    provider.submit(page, f"{url}/placement", htmx=htmx)

    assert scopes() == [("Small server", ReservationScope.SINGLE, "Cloud plan")]
    with scoped(EVERYTHING):
        assert db.session.scalars(sa.select(OrderLine.subscription_id).where(OrderLine.reservation_id.is_not(None))).all() == [None]
    for visitor in (reseller, provider):
        assert "Only Cloud plan" in visitor.get(url).text
    world.update(usage, reseller_id=None)
    assert "Cloud plan" not in reseller.get(url).text


def test_what_a_reseller_chose_is_checked_again_when_it_is_placed(people):
    _customer, url, usage = asked_for(people)
    provider = people(PROVIDER)
    page = provider.get(url)
    change(usage, service.suspend, by=PROVIDER)

    refused = provider.submit(page, f"{url}/placement", status=409)

    assert "Cloud plan, which alone is to use it, is not active any more." in refused.text
    assert refused.has_link(f"{url}/declining")
    assert scopes() == []
    change(usage, service.reactivate, by=PROVIDER)
    provider.submit(provider.get(url), f"{url}/placement")
    assert scopes() == [("Small server", ReservationScope.SINGLE, "Cloud plan")]


def test_a_reseller_chooses_among_the_subscriptions_that_name_it(people):
    """R41: of others it knows nothing."""
    customer, _url, usage = asked_for(people, naming=False)
    with scoped(EVERYTHING):
        assert db.session.scalars(sa.select(OrderLine.subscription_id).where(OrderLine.scope == ReservationScope.SHARED)).all() == [None]
    reseller = people(RESELLERS_SALES)
    put(reseller, large := catalogued("Large server", **RESERVED), 1, customer=customer)
    review = reseller.get(f"{customer}/cart/review")
    assert choices(review) == {}

    values = {"cart": review.soup.select_one("[name=cart]")["value"], "line": review.soup.select_one("[name=line]")["value"]}
    reseller.post(f"{customer}/orders", values | {"used_by": f"{large} {usage}"}, status=409)


def test_reviews_with_a_reservation_cost_at_most_six_statements(people):
    customer, url, _usage = asked_for(people)
    put(people(RESELLERS_SALES), catalogued("Large server", **RESERVED), 1, customer=customer)
    put(people(SALES), offered("Server"))
    for who, path in ((SALES, f"{world.tellier()}/cart/review"), (RESELLERS_SALES, f"{customer}/cart/review"), (RESELLERS_SALES, url), (PROVIDER, url)):
        visitor = people(who)
        visitor.get(path)
        with Counted(db.engine) as counting:
            visitor.get(path)
        assert len(counting.statements) <= 6, path + "\n" + "\n".join(counting.statements)
