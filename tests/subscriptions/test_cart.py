"""The cart and its review: offers with prices and reasons, lines changed in place, ordered once or not at all (R17, R80, R81, R84)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.access import Cloud, Side
from portal.core.db import db, uuid7, writing
from portal.core.money import Money
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, RelationshipState
from portal.subscriptions import advancing, catalog, ordering
from portal.subscriptions.models import Cart, Charge, Offer, Order, OrderLine, Subscription
from tests.subscriptions import rows, world
from tests.subscriptions.test_lifecycle import seller  # noqa: F401  (a fixture)
from tests.support import mail, make
from tests.test_surface import Counted

SALES, AGENT, ADMIN = "sales@atelier-nuage.example", "agent@atelier-nuage.example", "admin@atelier-nuage.example"
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
MODELS = (Order, OrderLine, Subscription, Charge)


def offers(*names, by=SALES, **details):
    """Public keys of new offers."""
    who = make.actor(by)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        made = [str(rows.offer(name.replace(" ", "-"), by=who, at=clock.now(), name=name, **details).public_id) for name in names]
        db.session.commit()
    return made if len(made) > 1 else made[0]


def of_offer(public_id, what, **options):
    """Something of the catalog done to an offer."""
    who = make.actor(SALES)
    db.session.rollback()
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        what(
            db.session.scalars(sa.select(Offer).where(Offer.public_id == sa.type_coerce(public_id, sa.Uuid(as_uuid=False)))).one(),
            by=who,
            at=clock.now(),
            **options,
        )
        db.session.commit()


def counts():
    db.session.rollback()
    with scoped(EVERYTHING):
        return tuple(db.session.scalar(sa.select(sa.func.count(model.id))) for model in MODELS)


def cart(visitor, customer=None, query=""):
    return visitor.get(f"{customer or world.tellier()}/cart{query}")


def put(visitor, offer, quantity=1, *, customer=None, **options):
    """From the list of offers into the cart."""
    customer = customer or world.tellier()
    return visitor.submit(cart(visitor, customer), f"{customer}/cart/lines/{offer}", quantity=str(quantity), **options)


def lines(page):
    """The cart's lines: quantity by name."""
    return {str(item.select_one("p").get_text(strip=True)): item.select_one("[name=quantity]")["value"] for item in page.soup.select(".cart-lines > li")}


def totals(page):
    return [" ".join(item.get_text(" ").split()) for item in page.soup.select(".totals > div")]


def order(visitor, review=None, status=200, customer=None, **options):
    customer = customer or world.tellier()
    return visitor.submit(review or visitor.get(f"{customer}/cart/review"), f"{customer}/orders", status=status, **options)


def missing_agreement():
    return f"/customers/{make.customer('Sans Contrat', 'sans-contrat.example').public_id}"


# --- offers


def test_offers_stand_with_price_and_range_and_what_cannot_be_had_says_why(people):
    """R80, R81"""
    offers("Suite", minimum=2, maximum=300)
    offers("Room", add_on_of="Suite")
    offers("Unpriced", price=None)
    offers("School Suite", segment="education")
    offers("American", markets=["US"])
    offers("Gone")
    with scoped(EVERYTHING):
        gone = db.session.scalars(sa.select(Offer.public_id).where(Offer.name == "Gone")).one()
    of_offer(str(gone), catalog.withdraw, reason="End of sale.")
    sales = people(SALES)

    page = cart(sales)
    listed = {row.select_one("td").get_text(" ", strip=True).split("  ")[0].split(" Nordlicht")[0]: row for row in page.soup.select("#shop tbody tr")}

    assert [name.split(" Add-on")[0] for name in listed] == ["Room", "Suite", "Unpriced"]
    assert "€12.00 a month" in listed["Suite"].get_text()
    assert "2 to 300" in listed["Suite"].get_text()
    assert listed["Suite"].select_one("[name=quantity]")["value"] == "2"
    assert "needs an active subscription of its base offer" in page.text
    assert "no price in the customer's currency" in page.text
    assert "School Suite" not in page.text
    others = sales.get(page.soup.select_one("a[href*='show=others']")["href"])
    for name, reason in (("School Suite", "another segment"), ("American", "customer's market"), ("Gone", "withdrawn from the catalog. End of sale.")):
        row = next(row for row in others.soup.select("#shop tbody tr") if name in row.get_text())
        assert reason in row.get_text()
        assert row.select_one("form") is None
    assert "Suite" not in [row.select_one("td").get_text(strip=True) for row in others.soup.select("#shop tbody tr")]


@BOTH_SHAPES
def test_offers_are_searched_and_filtered(people, htmx):
    """R81"""
    offers("Suite", publisher="Nordlicht", category="Productivity")
    offers("Shield", publisher="Calanque", category="Security")
    offers("Plan", publisher="Calanque", category="Cloud", billing="usage", term_months=1)
    offers("Nonprofit Suite", publisher="Nordlicht", segment="commercial")
    sales = people(SALES)

    def found(query):
        page = sales.get(f"{world.tellier()}/cart{query}", htmx=htmx, target="shop")
        return [
            name
            for name in ("Shield", "Plan", "Nonprofit Suite", "Suite")
            if any(name == cell.get_text(" ", strip=True).split(" Calanque")[0].split(" Nordlicht")[0] for cell in page.soup.select("tbody td.title"))
        ]

    assert found("?q=shie") == ["Shield"]
    assert found("?publisher=Calanque") == ["Shield", "Plan"]
    assert found("?publisher=Calanque&category=Security") == ["Shield"]
    assert found("?billing=usage") == ["Plan"]
    assert found("?segment=commercial") == ["Nonprofit Suite"]
    assert found("?q=nothing-like-it") == []
    page = cart(sales)
    assert {option["value"] for option in page.soup.select("select[name=publisher] option")} == {"", "Calanque", "Nordlicht"}


def test_the_offers_are_paged(people):
    """R101"""
    offers(*[f"Offer {number:03}" for number in range(60)])
    sales = people(SALES)

    pages = [cart(sales)]
    while following := pages[-1].soup.select_one("a[rel=next]"):
        pages.append(sales.get(following["href"]))

    assert [len(page.soup.select("#shop tbody tr")) for page in pages] == [25, 25, 10]
    assert "More than 25" in pages[0].text
    added = sales.submit(pages[-1], str(pages[-1].soup.select_one("#shop tbody form")["action"]), quantity="3")
    assert len(added.soup.select("#shop tbody tr")) == 10  # back where one was


# --- the cart


@BOTH_SHAPES
def test_an_offer_is_added_changed_and_removed(people, htmx):
    """R81"""
    suite = offers("Suite", price=1200)
    sales = people(SALES)
    line = f"{world.tellier()}/cart/lines/{suite}"

    page = put(sales, suite, 3, htmx=htmx, target="shop")
    assert lines(page) == {"Suite": "3"}
    assert totals(page) == ["Charged today, without tax €36.00", "Then each month €36.00"]
    assert "In the cart: 3" in page.text

    page = sales.submit(cart(sales), line, htmx=htmx, target="shop", quantity="5")
    assert lines(page) == {"Suite": "5"}

    page = sales.submit(cart(sales), line, button="1", htmx=htmx, target="shop")
    assert lines(page) == {}
    assert "Nothing chosen yet" in page.text


def test_the_cart_survives_leaving_and_is_ones_own(people):
    """R81"""
    suite = offers("Suite")
    sales, agent = people(SALES), people(AGENT)
    put(sales, suite, 3)

    assert lines(cart(people(SALES))) == {"Suite": "3"}
    assert lines(cart(agent)) == {}
    put(agent, suite, 7)
    assert lines(cart(sales)) == {"Suite": "3"}
    with scoped(EVERYTHING):
        db.session.rollback()
        assert db.session.scalar(sa.select(sa.func.count(Cart.id))) == 2


@BOTH_SHAPES
def test_a_line_changed_in_another_tab_is_told(people, htmx):
    """R104"""
    suite = offers("Suite")
    sales = people(SALES)
    put(sales, suite, 3)
    one, other = cart(sales), cart(sales)
    line = f"{world.tellier()}/cart/lines/{suite}"
    sales.submit(one, line, quantity="5")

    page = sales.submit(other, line, quantity="4", status=409, htmx=htmx, target="shop")

    assert "changed in another window meanwhile" in page.text
    assert lines(page) == {"Suite": "5"}
    assert lines(cart(sales)) == {"Suite": "5"}
    assert lines(sales.submit(other, line, quantity="5")) == {"Suite": "5"}  # what holds already is no conflict


@BOTH_SHAPES
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("1", "Give a number from 2 to 300."),
        ("301", "Give a number from 2 to 300."),
        ("many", "Give a whole number."),
        ("-3", "Give a whole number."),
        ("9" * 40, "Give a number from 2 to 300."),
        ("", "Give a whole number."),
    ],
    ids=str,
)
def test_a_quantity_out_of_range_stands_beside_its_field(people, htmx, typed, message):
    """R80, R81"""
    suite = offers("Suite", minimum=2, maximum=300)
    sales = people(SALES)

    page = put(sales, suite, typed, status=422, htmx=htmx, target="shop")
    assert page.errors["quantity"] == message
    assert page.soup.select_one("tbody [name=quantity]")["value"] == typed
    assert lines(page) == {}

    put(sales, suite, 20)
    page = sales.submit(cart(sales), f"{world.tellier()}/cart/lines/{suite}", status=422, htmx=htmx, target="shop", quantity=typed)
    assert page.errors["quantity"] == message
    assert lines(cart(sales)) == {"Suite": "20"}


@BOTH_SHAPES
def test_adding_none_is_out_of_range_too(people, htmx):
    """R81"""
    suite = offers("Suite", minimum=2, maximum=300)
    sales = people(SALES)

    page = put(sales, suite, 0, status=422, htmx=htmx, target="shop")

    assert page.errors["quantity"] == "Give a number from 2 to 300."
    assert lines(page) == {}


@BOTH_SHAPES
def test_an_offer_that_cannot_be_had_is_not_added(people, htmx):
    """R81"""
    school = offers("School Suite", segment="education")
    sales = people(SALES)

    page = sales.post(f"{world.tellier()}/cart/lines/{school}", {"quantity": "3", "was": "0"}, 422, htmx=htmx, target="shop")

    assert "another segment" in page.errors[""]
    assert lines(cart(sales)) == {}


def test_an_add_on_can_be_had_along_with_its_base_but_not_with_a_trial(people):
    """R81"""
    base = offers("Base")
    add_on = offers("Extra", add_on_of="Base")
    trial = offers("Trial Base", trial_days=30)
    trial_extra = offers("Trial Extra", add_on_of="Trial-Base")
    sales = people(SALES)

    put(sales, base)
    put(sales, add_on, 2)
    put(sales, trial)
    sales.post(f"{world.tellier()}/cart/lines/{trial_extra}", {"quantity": "1", "was": "0"}, 422)

    page = cart(sales)
    assert lines(page) == {"Base": "1", "Extra": "2", "Trial Base": "1"}
    page = sales.submit(page, f"{world.tellier()}/cart/lines/{base}", button="1")
    assert "needs an active subscription of its base offer" in page.soup.select_one(f"#line-{add_on}").get_text()
    review = sales.get(f"{world.tellier()}/cart/review")
    assert "Not everything can be ordered" in review.text
    assert review.soup.select_one("form[action$=orders]") is None


def test_the_panel_shows_what_is_charged_today_and_after(people):
    """R84: an add-on is charged for the rest of its base's period; a trial, and what is billed by use, not at all."""
    began = clock.now() - timedelta(days=10)
    world.sold("Base", at=began, quantity=1, price=3000)
    add_on = offers("Extra", add_on_of="Base", price=3000)
    annual, trial, plan, reserved = offers("Yearly", cycle="annual", price=12000), offers("Trial", trial_days=30), offers("Plan", billing="usage", term_months=1), offers("Machine", instance_type="D4", region="West", price=90000)  # fmt: skip
    sales = people(SALES)
    for offer in (add_on, annual, trial, plan, reserved):
        put(sales, offer, 2)

    page = cart(sales)
    shown = {item.select_one("p").get_text(strip=True): " ".join(item.select_one("dl").get_text(" ").split()) for item in page.soup.select(".cart-lines > li")}

    assert "Charged today €240.00 Then €240.00 a year" in shown["Yearly"]
    assert "Charged today €0.00 Then €24.00 a month Trial until" in shown["Trial"]
    assert "Charged today €0.00 Term ends" in shown["Plan"]
    assert "€12.00 a unit, by use" in shown["Plan"]
    assert "Price of one €900.00 for the whole term Charged today €1,800.00 Term ends" in shown["Machine"]
    today = {name: float(text.split("Charged today €")[1].split(" ")[0].replace(",", "")) for name, text in shown.items()}
    assert 0 < today["Extra"] < 60
    assert totals(page)[0] == f"Charged today, without tax €{sum(today.values()):,.2f}"
    assert totals(page)[1:] == ["Then each month €84.00", "Then each year €240.00"]


@pytest.mark.parametrize("term", [1, 12])
@pytest.mark.parametrize("cycle", ["monthly", "annual"])
@pytest.mark.parametrize("days", [0, 1, 17, 40])
@pytest.mark.parametrize("along", [False, True], ids=["joins", "along"])
def test_what_the_panel_says_is_what_is_charged(seller, term, cycle, days, along):  # noqa: F811
    """R84: an add-on joins the base that is there, or the one that is ordered along with it, whose period begins today."""
    began = datetime(2027, 1, 31, 9, tzinfo=UTC)
    at = began + timedelta(days=days)
    base = rows.offer("BASE", by=seller, at=began, price=3100, term_months=term)
    extra = rows.offer("EXTRA", by=seller, at=began, price=1700, add_on_of="BASE", cycle=cycle, term_months=12)
    rows.place({base: 1}, by=seller, at=began)
    advancing.advance_due(at=at)
    wanted = {str(extra.public_id): 4, **({str(base.public_id): 2} if along else {})}
    quoted = ordering.quotes(wanted, rows.tellier(), cloud=Cloud.PUBLIC, today=at.date())

    placed = ordering.place(uuid7(), quoted, rows.tellier(), side=Side.PARTNER, by=seller, at=at)

    assert placed.total == ordering.totals(quoted, "EUR").today
    assert {line.offer.id: line.ends_on for line in quoted} == {line.offer.id: rows.subscription_of(line.offer).ends_on for line in quoted}


@pytest.mark.parametrize("chosen", [0, 1, 12])
def test_a_cart_costs_six_statements_however_many_lines_it_has(people, chosen):
    """Its offers, prices, bases and what the customer has come in one each; so they do in the steps of adding a customer."""
    made = offers("Base", *[f"Offer {number}" for number in range(12)])
    world.sold("Had")
    sales = people(SALES)
    for offer in made[:chosen]:
        sales.post(f"{world.tellier()}/cart/lines/{offer}", {"quantity": "1", "was": "0"})
    for path in (f"{world.tellier()}/cart", f"{world.tellier()}/cart/review"):
        sales.get(path)
        with Counted(db.engine) as counted:
            sales.get(path)
        assert len(counted.statements) <= 6, "\n".join(counted.statements)


# --- the review and the order


@BOTH_SHAPES
def test_the_cart_is_reviewed_and_ordered(people, htmx):
    """R81"""
    suite, plan = offers("Suite", "Plan")
    sales = people(SALES)
    put(sales, suite, 3)
    put(sales, plan, 2)

    review = sales.get(f"{world.tellier()}/cart/review")
    assert "Attested" in review.text
    assert totals(review) == ["Charged today, without tax €60.00", "Then each month €60.00"]
    if htmx:
        answer = order(sales, review, htmx=True)
        page = sales.get(answer.response.headers["HX-Location"].partition('"path":"')[2].partition('"')[0] or answer.response.headers["HX-Location"])
    else:
        page = order(sales, review)

    assert page.h1.startswith("Order ")
    assert page.flashes == [f"{page.h1} is placed."]
    assert page.text.count("/subscriptions/") == 0
    assert len(page.soup.select("td.title a[href*='/subscriptions/']")) == 2
    assert counts() == (1, 2, 2, 2)
    assert lines(cart(sales)) == {}
    for link in page.soup.select("td.title a"):
        assert sales.get(link["href"]).h1.startswith(("Suite", "Plan"))


def test_the_customers_admins_are_told_in_their_language(people):
    suite = offers("Suite", price=1200)
    sales = people(SALES)
    put(sales, suite, 3)
    page = order(sales)

    sent = mail.latest("admin@maison-tellier.example")

    assert sent.subject == "Atelier Nuage has placed an order for you"
    assert "3 × Suite, €36.00 today" in sent.text
    assert "€36.00 is charged today, without tax." in sent.text
    assert page.h1.removeprefix("Order ") in sent.text
    assert f"/my/orders/{page.url.split('/')[-1]}" in sent.text
    assert [message.mail.recipient for message in mail.all_to() if message.mail.kind == "orders/placed"] == ["admin@maison-tellier.example"]


def test_a_double_click_and_a_retry_order_once(people):
    """R81, S29"""
    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    first = order(sales, review)
    before = counts()

    second = order(sales, review)

    assert second.url == first.url
    assert counts() == before
    assert len(mail.all_to("admin@maison-tellier.example")) == 1


def test_the_same_review_sent_by_many_at_the_same_moment_orders_once(people, app):
    """R81, S29: through HTTP, on threads of their own."""
    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    sent = {"cart": review.soup.select_one("[name=cart]")["value"], "line": [item["value"] for item in review.soup.select("[name=line]")]}
    path = f"{world.tellier()}/orders"
    visitors = [people(SALES) for _ in range(5)]
    db.session.rollback()
    start, answers = threading.Barrier(len(visitors)), []

    def submit(visitor):
        start.wait()
        answers.append(visitor.client.post(path, data={**sent, "csrf_token": visitor.csrf_token()}))

    threads = [threading.Thread(target=submit, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [answer.status_code for answer in answers] == [303] * 5
    assert len({answer.location for answer in answers}) == 1
    assert counts()[:3] == (1, 1, 1)
    assert len(mail.all_to("admin@maison-tellier.example")) == 1


def test_two_tabs_that_add_at_the_same_moment_share_one_cart(people, app):
    """R81, S29"""
    suite, plan = offers("Suite", "Plan")
    visitors = [people(SALES) for _ in range(4)]
    base = world.tellier()
    db.session.rollback()
    start, answers = threading.Barrier(4), []

    def add(index):
        start.wait()
        visitor = visitors[index]
        answers.append(
            visitor.client.post(
                f"{base}/cart/lines/{(suite, plan)[index % 2]}", data={"quantity": "3", "was": "0", "csrf_token": visitor.csrf_token()}
            ).status_code
        )

    threads = [threading.Thread(target=add, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert answers == [303] * 4
    assert lines(cart(people(SALES))) == {"Plan": "3", "Suite": "3"}
    with scoped(EVERYTHING):
        db.session.rollback()
        assert db.session.scalar(sa.select(sa.func.count(Cart.id))) == 1


@BOTH_SHAPES
def test_a_price_that_changed_after_the_review_is_shown_before_anything_is_ordered(people, htmx):
    """R81"""
    suite = offers("Suite", price=1200)
    sales = people(SALES)
    put(sales, suite, 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    of_offer(suite, catalog.set_price, price=Money(1500, "EUR"), cost=None, from_on=clock.today())
    before = counts()

    page = order(sales, review, status=409, htmx=htmx)

    assert "Nothing was ordered" in page.errors[""]
    assert "Suite: the price of one is €15.00 now. You reviewed €12.00." in page.errors[""]
    assert counts() == before
    assert "€45.00" in totals(page)[0]
    again = order(sales, None if htmx else page)
    assert again.h1.startswith("Order ")
    assert counts()[0] == 1


@BOTH_SHAPES
def test_a_cart_changed_after_the_review_is_shown_before_anything_is_ordered(people, htmx):
    """R81"""
    suite, plan, other = offers("Suite", "Plan", "Other")
    sales = people(SALES)
    put(sales, suite, 3)
    put(sales, plan, 1)
    review = sales.get(f"{world.tellier()}/cart/review")
    sales.submit(cart(sales), f"{world.tellier()}/cart/lines/{suite}", quantity="4")
    sales.submit(cart(sales), f"{world.tellier()}/cart/lines/{plan}", button="1")
    put(sales, other, 2)

    page = order(sales, review, status=409, htmx=htmx)

    assert "Suite: the quantity is 4 now. You reviewed 3." in page.errors[""]
    assert "Other is new in the cart." in page.errors[""]
    assert "Something is no longer in the cart." in page.errors[""]
    assert counts() == (0, 0, 0, 0)


@BOTH_SHAPES
def test_an_offer_withdrawn_after_the_review_is_not_ordered(people, htmx):
    """R81"""
    suite = offers("Suite")
    sales = people(SALES)
    put(sales, suite, 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    of_offer(suite, catalog.withdraw, reason="End of sale.")

    page = order(sales, review, status=409, htmx=htmx)

    assert "cannot be ordered as it stands: Suite" in page.errors[""]
    assert "withdrawn from the catalog" in page.text
    assert page.soup.select_one("form[action$=orders]") is None
    assert counts() == (0, 0, 0, 0)


def test_seals_that_nobody_made_are_only_different(people):
    """S27: what comes with the form is compared, never used."""
    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    key = sales.get(f"{world.tellier()}/cart/review").soup.select_one("[name=cart]")["value"]

    for seals in ([], ["x"], ["a b c d e"], ["\x00 1 ² 3 4"], [f"{key} 3 1 1 2027-01-01"] * 60):
        sales.post(f"{world.tellier()}/orders", {"cart": key, "line": seals}, 409)
    for wrong, status in (("", 409), ("x", 409), (world.tellier().split("/")[-1], 404)):
        sales.post(f"{world.tellier()}/orders", {"cart": wrong}, status)

    assert counts() == (0, 0, 0, 0)


def test_nobody_orders_anothers_cart(people):
    """S25"""
    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    sent = {"cart": review.soup.select_one("[name=cart]")["value"], "line": [item["value"] for item in review.soup.select("[name=line]")]}
    elsewhere = f"/customers/{make.customer().public_id}"

    people(AGENT).post(f"{world.tellier()}/orders", sent, 404)
    people("admin@studio-cumulus.example").post(f"{world.tellier()}/orders", sent, 404)
    sales.post(f"{elsewhere}/orders", sent, 404)

    assert counts() == (0, 0, 0, 0)


# --- what stands in the way


@BOTH_SHAPES
def test_without_an_agreement_nothing_is_ordered_and_the_way_is_shown(people, htmx):
    """R17"""
    customer = missing_agreement()
    sales = people(SALES)
    page = put(sales, offers("Suite"), 3, customer=customer)
    assert page.has_link(f"{customer}/agreement")

    review = sales.get(f"{customer}/cart/review")
    assert review.has_link(f"{customer}/agreement")
    assert review.soup.select_one(f"form[action='{customer}/orders']") is None
    with scoped(EVERYTHING):
        db.session.rollback()
        key = str(db.session.scalars(sa.select(Cart.public_id)).one())
    page = sales.post(f"{customer}/orders", {"cart": key}, 409, htmx=htmx)

    assert "has not accepted the current customer agreement" in page.text
    assert counts() == (0, 0, 0, 0)


@BOTH_SHAPES
def test_an_outdated_agreement_counts_as_none(people, htmx):
    """R17"""
    from portal.agreements import service as agreements

    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        agreements.publish(country="FR", language="en", body="New.", version=99, at=clock.now())
        db.session.commit()

    page = order(sales, review, status=409, htmx=htmx)

    assert "has not accepted the current customer agreement" in page.text
    assert counts() == (0, 0, 0, 0)


@BOTH_SHAPES
@pytest.mark.parametrize("domain", ["brasserie-pendante.example", "ancienne-forge.example"])
def test_only_an_active_relationship_sells(people, htmx, domain):
    """R19, R36"""
    customer = f"/customers/{make.organization(domain).public_id}"
    suite = offers("Suite")
    sales = people(SALES)

    for page in (
        sales.get(f"{customer}/cart", 409, htmx=htmx, target="shop"),
        sales.get(f"{customer}/cart/review", 409, htmx=htmx, target="form"),
        sales.post(f"{customer}/cart/lines/{suite}", {"quantity": "1", "was": "0"}, 409, htmx=htmx, target="shop"),
        sales.post(f"{customer}/orders", {"cart": suite}, 409, htmx=htmx),
    ):
        assert "is not active, so nothing can be ordered" in page.text
    assert counts() == (0, 0, 0, 0)
    assert not sales.get(customer).has_link(f"{customer}/cart")


def test_a_relationship_that_ended_after_the_review_orders_nothing(people):
    """R36"""
    sales = people(SALES)
    put(sales, offers("Suite"), 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    customer = world.tellier()
    admin = people(ADMIN)
    page = admin.get(f"{customer}/ending")
    admin.submit(
        page, f"{customer}/ending", typed_name="Maison Tellier", reason="Moved.", **({"notice": True} if page.soup.select_one("[name=notice]") else {})
    )
    with scoped(EVERYTHING):
        db.session.rollback()
        assert db.session.scalars(sa.select(Customer.state).where(Customer.domain == "maison-tellier.example")).one() is RelationshipState.ENDED

    page = order(sales, review, status=409)

    assert "is not active, so nothing can be ordered" in page.text
    assert counts() == (0, 0, 0, 0)


@BOTH_SHAPES
def test_an_empty_cart_orders_nothing(people, htmx):
    """R81"""
    suite = offers("Suite")
    sales = people(SALES)
    assert "There is nothing in the cart" in sales.get(f"{world.tellier()}/cart/review").text
    put(sales, suite, 3)
    review = sales.get(f"{world.tellier()}/cart/review")
    sales.submit(cart(sales), f"{world.tellier()}/cart/lines/{suite}", button="1")

    page = order(sales, review, status=409, htmx=htmx)

    assert "There is nothing in the cart." in page.errors[""]
    assert counts() == (0, 0, 0, 0)


def test_an_order_has_a_largest_number_of_lines(people):
    made = offers(*[f"Offer {number:02}" for number in range(51)])
    sales = people(SALES)
    for offer in made[:50]:
        sales.post(f"{world.tellier()}/cart/lines/{offer}", {"quantity": "1", "was": "0"})

    page = sales.post(f"{world.tellier()}/cart/lines/{made[50]}", {"quantity": "1", "was": "0"}, 422)

    assert "at most 50 lines" in page.text
    assert len(lines(cart(sales))) == 50


def test_who_may_not_order_sees_no_way_to_sell(people):
    """R2"""
    customer = world.tellier()
    for who, shown in (
        (SALES, True),
        ("billing@atelier-nuage.example", False),
        ("helpdesk@atelier-nuage.example", False),
        ("users@atelier-nuage.example", False),
    ):
        assert people(who).get(customer).has_link(f"{customer}/cart") is shown
