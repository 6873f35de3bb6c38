"""The subscriptions step of adding a customer: offers chosen before the customer exists, ordered or kept in its cart (R16, R17)."""

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db
from portal.core.money import Money
from portal.core.scope import EVERYTHING, scoped
from portal.onboarding.models import CustomerDraft
from portal.subscriptions import catalog
from portal.subscriptions.models import Cart, Order, Subscription
from tests.onboarding.test_adding import COMPANY, SALES, added, company, counted, everything, submit
from tests.subscriptions.test_cart import lines, of_offer, offers, totals
from tests.test_surface import Counted

BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def begin(visitor, **changes):
    """The account information, sent in: the subscriptions step."""
    page = visitor.submit(visitor.get("/customers/new"), "/customers/new", **{**COMPANY, **changes})
    assert page.h1 == "Subscriptions"
    return page


def line(page, offer):
    return f"{page.url.partition('?')[0].partition('/lines')[0]}/lines/{offer}"


def choose(visitor, page, offer, quantity=1, **options):
    return visitor.submit(page, line(page, offer), quantity=str(quantity), **options)


def review(visitor, page):
    return visitor.get(page.soup.select_one("#cart a[href$=review]")["href"])


def test_four_steps_and_what_is_chosen_waits_in_the_cart_without_an_agreement(people):
    """R16, R17"""
    suite, plan = offers("Suite", "Plan", price=1200)
    before = everything()
    sales = people(SALES)
    page = begin(sales)
    assert [item.get_text(strip=True) for item in page.soup.select(".steps .step-label")] == ["Account information", "Subscriptions", "Review", "Confirmation"]
    assert page.soup.select_one(".steps [aria-current=step]").get_text(strip=True) == "2Subscriptions"

    page = choose(sales, page, suite, 3)
    page = choose(sales, page, plan, 2)
    checked = review(sales, page)
    assert totals(checked) == ["Charged today, without tax €60.00", "Then each month €60.00"]
    assert everything() == before  # nothing is created before Submit
    done = submit(sales, checked)

    customer = f"/customers/{company().public_id}"
    assert done.has_link(f"{customer}/cart")
    assert "wait in the cart" in done.text
    assert lines(sales.get(f"{customer}/cart")) == {"Plan": "2", "Suite": "3"}
    assert (counted(Order), counted(Subscription)) == (0, 0)
    assert sales.open(checked.url).has_link(f"{customer}/cart")  # a second click leads to the same


@BOTH_SHAPES
def test_with_an_attested_agreement_the_chosen_is_ordered_at_submit(people, htmx):
    """R16, R17"""
    suite = offers("Suite")
    sales = people(SALES)
    checked = review(sales, choose(sales, begin(sales), suite, 3))

    answer = submit(sales, checked, attested=True, htmx=htmx)

    customer = f"/customers/{company().public_id}"
    done = sales.get(f"{customer}/activation?added=order") if htmx else answer
    assert "The subscriptions are ordered" in done.text
    assert done.has_link(f"{customer}/orders")
    assert (counted(Order), counted(Subscription)) == (1, 1)
    assert lines(sales.get(f"{customer}/cart")) == {}
    assert "Hélène Thiriet" in sales.get(f"{customer}/agreement").text
    submit(sales, checked, attested=True)
    assert (counted(Order), counted(Subscription)) == (1, 1)


def test_the_step_is_optional(people):
    """R16"""
    offers("Suite")

    done = added(people)

    assert "First customer admin" in done.h1
    assert not done.has_link(f"/customers/{company().public_id}/cart")
    assert (counted(Order), counted(Cart)) == (0, 0)


def test_leaving_half_way_loses_nothing_of_what_was_chosen(people):
    """R16"""
    suite = offers("Suite")
    sales = people(SALES)
    page = choose(sales, begin(sales), suite, 3)
    step = page.url.partition("/lines")[0]

    later = people(SALES)  # another day, another browser
    account = later.get(later.get("/customers/new").soup.select_one("main li a")["href"])
    again = later.submit(account, "/customers/new", city="Nancy")

    assert lines(again) == {"Suite": "3"}
    assert lines(later.get(step)) == {"Suite": "3"}
    assert "Nancy" in review(later, again).text
    sales.post("/customers/new/typed", {"draft": step.split("/")[3], "name": "Renamed", "country": "FR", "language": "fr", "segment": "commercial"}, 204)
    with scoped(EVERYTHING):
        db.session.rollback()
        assert db.session.scalars(sa.select(CustomerDraft)).one().lines == {suite: 3}


@BOTH_SHAPES
def test_chosen_lines_are_corrected_and_mistakes_stand_beside_their_field(people, htmx):
    """R16"""
    suite = offers("Suite", minimum=2, maximum=300)
    sales = people(SALES)
    page = begin(sales)

    wrong = choose(sales, page, suite, 1, status=422, htmx=htmx, target="shop")
    assert wrong.errors["quantity"] == "Give a number from 2 to 300."
    assert wrong.soup.select_one("tbody [name=quantity]")["value"] == "1"
    page = choose(sales, sales.get(page.url), suite, 5)
    other = sales.get(page.url.partition("/lines")[0])
    page = sales.submit(page, line(page, suite), quantity="6", htmx=htmx, target="shop")
    assert lines(page) == {"Suite": "6"}
    stale = sales.submit(other, line(other, suite), quantity="7", status=409, htmx=htmx, target="shop")
    assert "changed in another window meanwhile" in stale.text

    checked = sales.get(f"{other.url.partition('/subscriptions')[0]}/review")
    page = sales.get(next(link["href"] for link in checked.soup.select("main .panel a") if link["href"].endswith("/subscriptions")))
    page = sales.submit(page, line(page, suite), button="1")
    assert lines(page) == {}


def test_what_fits_follows_the_country_and_the_segment(people):
    """R81"""
    offers("Suite")
    school = offers("School Suite", segment="education")
    sales = people(SALES)

    page = begin(sales, segment="education")
    assert "School Suite" in page.text
    page = choose(sales, page, school, 1)
    account = sales.get(page.soup.select_one("a.back")["href"])
    page = sales.submit(account, "/customers/new", segment="commercial")

    assert "for customers of another segment" in page.soup.select_one("#cart").get_text()
    checked = review(sales, page)
    refused = submit(sales, checked, status=422, attested=True)
    assert "cannot be ordered as it stands: School Suite" in refused.errors[""]
    assert counted(Order) == 0


@BOTH_SHAPES
def test_a_price_changed_after_the_review_makes_nothing(people, htmx):
    """R81"""
    suite = offers("Suite", price=1200)
    sales = people(SALES)
    checked = review(sales, choose(sales, begin(sales), suite, 3))
    of_offer(suite, catalog.set_price, price=Money(1500, "EUR"), cost=None, from_on=clock.today())
    before = everything()

    page = submit(sales, checked, status=409, attested=True, htmx=htmx)

    assert "Suite: the price of one is €15.00 now. You reviewed €12.00." in page.errors[""]
    assert everything() == before
    assert page.soup.select_one("[name=attested]").has_attr("checked")


def test_lines_chosen_after_the_review_was_opened_are_shown_first(people):
    """R104"""
    suite = offers("Suite")
    sales = people(SALES)
    page = choose(sales, begin(sales), suite, 3)
    checked = review(sales, page)
    sales.submit(page, line(page, suite), quantity="4")

    page = submit(sales, checked, status=409)

    assert "changed after this review was opened" in page.errors[""]
    submit(sales, page)
    assert lines(sales.get(f"/customers/{company().public_id}/cart")) == {"Suite": "4"}


@pytest.mark.parametrize(("day", "message"), [("2199-01-01", "in the future"), ("soon", "Give a date."), ("", "Fill this in.")], ids=str)
def test_an_agreement_is_attested_for_a_day_that_can_be(people, day, message):
    """R17"""
    suite = offers("Suite")
    sales = people(SALES)
    checked = review(sales, choose(sales, begin(sales), suite, 3))
    before = everything()

    page = submit(sales, checked, status=422, attested=True, accepted_on=day)

    assert message in page.errors[""]
    assert everything() == before


def test_who_may_not_sell_has_three_steps(people):
    """R16"""
    offers("Suite")
    users = people("users@atelier-nuage.example")

    page = users.submit(users.get("/customers/new"), "/customers/new", **COMPANY)

    assert page.h1 == "Review"
    assert [item.get_text(strip=True) for item in page.soup.select(".steps .step-label")] == ["Account information", "Review", "Confirmation"]
    assert "Subscriptions" not in page.soup.select_one("#form").get_text()
    users.get(f"{page.url.removesuffix('review')}subscriptions", 403)
    assert submit(users, page).soup.select_one(".steps [aria-current=step]").get_text(strip=True) == "3Confirmation"


def test_a_reseller_chooses_later_and_attests_nothing(people):
    """R17, R41: its provider has no relationship with the customer yet."""
    suite, own = offers("Suite", by="admin@grossiste-azur.example"), offers("Own", by="admin@relais-breton.example")
    reseller = people("sales@relais-breton.example")
    page = begin(reseller)
    assert "You order later, through your provider" in page.text
    for offer in (suite, own):
        reseller.post(line(page, offer), {"quantity": "1", "was": "0"}, 404)

    checked = reseller.get(next(link["href"] for link in page.soup.select("main a") if link["href"].endswith("/review")))

    assert checked.soup.select("[name=attested]") == []


def test_the_step_and_its_review_cost_six_statements(people):
    made = offers(*[f"Offer {number}" for number in range(8)])
    sales = people(SALES)
    page = begin(sales)
    for offer in made[:5]:
        page = choose(sales, page, offer)
    checked = review(sales, page)
    for path in (page.url.partition("/lines")[0], checked.url):
        with Counted(db.engine) as counting:
            sales.get(path)
        assert len(counting.statements) <= 6, "\n".join(counting.statements)


def test_a_colleagues_draft_opens_to_nobody(people):
    """R2"""
    suite = offers("Suite")
    page = begin(people(SALES))
    step = page.url

    for who in ("agent@atelier-nuage.example", "admin@studio-cumulus.example"):
        people(who).get(step, 404)
        people(who).post(line(page, suite), {"quantity": "1", "was": "0"}, 404)
