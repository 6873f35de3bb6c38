"""Adding a customer: account information, review, confirmation; drafts, duplicates, warnings, who may (R11, R12, R16, R18)."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.accounts.models import Organization, User
from portal.core import clock, jobs, throttle
from portal.core.access import Cloud
from portal.core.audit import LogEntry
from portal.core.db import db
from portal.core.outbox import Mail
from portal.core.scope import EVERYTHING, scoped
from portal.customers.models import Customer
from portal.onboarding.models import CustomerDraft
from tests.support import mail, make

SALES, AGENT = "sales@atelier-nuage.example", "agent@atelier-nuage.example"
COMPANY = {
    "name": "Scierie des Vosges", "domain": "scierie-vosges.example", "street": "3 route de la Forêt", "postal_code": "88000", "city": "Épinal",
    "first_name": "Hélène", "last_name": "Thiriet", "email": "helene@scierie-vosges.example",
}  # fmt: skip
NOBODYS = "01a20396-4f89-7b76-a9a9-679bd203c673"
# What does not differ between databases.
ONCE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BOTH_SHAPES = pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])


def fill(visitor, status=200, page=None, **changes):
    """The account information, sent in, and no subscriptions: the review, or the form again."""
    page = visitor.submit(page or visitor.get("/customers/new"), "/customers/new", status=status, **{**COMPANY, **changes})
    following = page.soup.select_one("main a.primary[href$=review]")
    return visitor.get(following["href"]) if following else page


def submit(visitor, review, status=200, **fields):
    return visitor.submit(review, review.form("#form")["action"], status=status, **fields)


def added(people, who=SALES, **changes):
    visitor = people(who)
    return submit(visitor, fill(visitor, **changes))


def company(domain="scierie-vosges.example"):
    db.session.rollback()
    return make.organization(domain)


def counted(model=Organization):
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def everything():
    """How much there is of all that adding a customer makes."""
    return tuple(counted(model) for model in (Organization, Customer, User, Mail))


def draft_of(page):
    return page.soup.select_one("input[name=draft]")["value"]


def logged(action):
    db.session.rollback()
    return list(db.session.execute(sa.select(LogEntry.actor_name, LogEntry.details).where(LogEntry.action == action).order_by(LogEntry.id)))


# --- the whole way


def test_a_customer_is_added_and_its_first_admin_invited(people):
    """R16, R18"""
    before = everything()
    sales = people(SALES)

    review = fill(
        sales, domain=" https://www.Scierie-Vosges.example/contact ", email="  helene@scierie-vosges.example ", segment="nonprofit", tax_id="FR 40 303 265 045"
    )
    assert review.h1 == "Review"
    for shown in ("Scierie des Vosges", "scierie-vosges.example", "88000", "Épinal", "Hélène Thiriet", "Nonprofit", "40303265045"):
        assert shown in review.text
    assert everything() == before  # nothing is created before Submit
    page = submit(sales, review)

    assert page.h1 == "Scierie des Vosges: First customer admin"
    assert page.flashes == ["Scierie des Vosges was added. The activation link is on its way to helene@scierie-vosges.example."]
    assert page.soup.select_one(".steps [aria-current=step]").get_text(strip=True) == "4Confirmation"
    assert everything() == tuple(number + 1 for number in before)
    assert "Reseller" in sales.get("/customers?q=scierie").text
    assert company().added_by_id == make.organization("atelier-nuage.example").id
    assert company().domain_proven_at is None
    assert "Hélène Thiriet" in sales.get(f"/customers/{company().public_id}").text
    sent = mail.latest("helene@scierie-vosges.example")
    assert page.soup.select_one(".copy input")["value"].endswith(sent.link)
    assert people.visitor().open(sent.link).h1
    assert [name for name, _ in logged("customer.added")] == ["Inès Caradec"]


def test_the_link_can_be_passed_on_by_hand_instead(people):
    """R16"""
    before = counted(Mail)
    sales = people(SALES)

    page = submit(sales, fill(sales), way="self")

    assert counted(Mail) == before
    assert "Pass the activation link on yourself" in page.flashes[0]
    assert people.visitor().open(page.soup.select_one(".copy input")["value"].removeprefix("http://localhost")).h1


@BOTH_SHAPES
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(people, htmx):
    sales = people(SALES)

    page = sales.submit(sales.get("/customers/new"), "/customers/new", status=422, htmx=htmx, **{**COMPANY, "postal_code": "1000 AA", "email": "nobody"})

    assert set(page.errors) == {"", "postal_code", "email"}
    for name, value in {**COMPANY, "email": "nobody", "postal_code": "1000 AA"}.items():
        assert page.soup.select_one(f"[name={name}]")["value"] == value
    assert fill(sales, page=sales.get("/customers/new")).h1 == "Review"


@BOTH_SHAPES
def test_another_country_brings_its_fields_and_saves_nothing(people, htmx):
    """R10"""
    sales = people(SALES)
    page = sales.get("/customers/new")

    page = sales.submit(page, "/customers/new", button="Update fields", htmx=htmx, **{**COMPANY, "country": "IT"})

    assert page.soup.select_one("select[name=region]") is not None
    assert page.soup.select_one("[name=domain]")["value"] == COMPANY["domain"]
    assert counted(CustomerDraft) == 0


def test_every_step_can_be_corrected_from_the_review(people):
    """R16"""
    sales = people(SALES)
    review = fill(sales)
    back = [link["href"] for link in review.soup.select("main a[href*=draft]")]
    assert {link.partition("#")[2] for link in back} == {"name", "first_name"}
    assert any(link["href"].endswith("/subscriptions") for link in review.soup.select("main .panel a"))

    corrected = sales.get(back[-1].partition("#")[0])
    assert corrected.soup.select_one("[name=city]")["value"] == "Épinal"
    review = fill(sales, page=corrected, name="Scierie Thiriet", first_name="Léa")

    assert "Scierie Thiriet" in review.text
    assert "Léa Thiriet" in submit(sales, review).text
    assert company().name == "Scierie Thiriet"


def test_a_review_that_was_overtaken_is_shown_again_before_anything_is_made(people):
    """R104: what is made is what was reviewed."""
    before = counted()
    sales = people(SALES)
    review = fill(sales)
    fill(sales, page=sales.get(review.soup.select_one("main a[href*=draft]")["href"]), name="Renamed in Another Tab")

    page = submit(sales, review, status=409)

    assert counted() == before
    assert "Renamed in Another Tab" in page.text
    assert "changed after this review was opened" in page.errors[""]
    submit(sales, page)
    assert company().name == "Renamed in Another Tab"


def test_a_submit_without_a_version_makes_nothing(people):
    before = counted()
    sales = people(SALES)
    action = fill(sales).form("#form")["action"]

    sales.post(action, {"way": "mail"}, 409)

    assert counted() == before


# --- drafts


def test_leaving_half_way_loses_nothing(people):
    """R16"""
    sales = people(SALES)
    fill(sales, status=422, email="nobody", city="")

    page = sales.get("/customers/new")
    link = page.soup.select_one("main li a")
    assert link.get_text() == "Scierie des Vosges"
    later = people(SALES)  # another day, another browser
    again = later.get(link["href"])

    assert again.soup.select_one("[name=email]")["value"] == "nobody"
    assert again.soup.select_one("[name=street]")["value"] == COMPANY["street"]
    assert fill(later, page=again).h1 == "Review"
    assert counted(CustomerDraft) == 1


def test_a_draft_can_be_kept_for_later_as_it_is(people):
    sales = people(SALES)

    page = sales.submit(sales.get("/customers/new"), "/customers/new", button="Save for later", name="Only a Name")

    assert page.h1 == "Customers"
    assert "Kept." in page.flashes[0]
    assert "Only a Name" in sales.get("/customers/new").text


def test_what_is_typed_is_saved_quietly_into_one_draft(people):
    """R16: the answer is empty, so that nothing is replaced under the hands."""
    sales = people(SALES)
    page = sales.get("/customers/new")
    trigger = page.soup.select_one("[data-hx-post='/customers/new/typed']")
    assert trigger["data-hx-swap"] == "none"

    for name in ("S", "Sc", "Scierie"):
        answer = sales.post("/customers/new/typed", {"draft": draft_of(page), "name": name, "country": "FR"}, 204, htmx=True)
        assert answer.response.get_data() == b""

    assert counted(CustomerDraft) == 1
    assert sales.get(f"/customers/new?draft={draft_of(page)}").soup.select_one("[name=name]")["value"] == "Scierie"


def test_a_save_that_was_overtaken_changes_nothing(people):
    """R16: the browser says when it sent each; an older one may come in after a newer one."""
    sales = people(SALES)
    draft = draft_of(sales.get("/customers/new"))
    for order, name in (("20", "Scierie"), ("10", "Sc"), ("", "Scierie Thiriet"), ("30", "Scierie Thiriet SARL")):
        sales.post("/customers/new/typed", {"draft": draft, "name": name, "country": "FR", "order": order}, 204, htmx=True)
        if order == "10":
            assert sales.get(f"/customers/new?draft={draft}").soup.select_one("[name=name]")["value"] == "Scierie"

    assert sales.get(f"/customers/new?draft={draft}").soup.select_one("[name=name]")["value"] == "Scierie Thiriet SARL"


def test_two_saves_at_once_keep_one_draft(people, app):
    """S29"""
    sales = people(SALES)
    draft = draft_of(sales.get("/customers/new"))
    at_once(app, [lambda who: who.post("/customers/new/typed", {"draft": draft, "name": "Scierie", "country": "FR"}, 204)] * 4, lambda: people(SALES))

    assert counted(CustomerDraft) == 1


def test_drafts_are_ones_own(people):
    """R16"""
    sales, agent, stranger = people(SALES), people(AGENT), people("admin@studio-cumulus.example")
    review = fill(sales)
    path = review.form("#form")["action"]
    draft = path.split("/")[3]

    for other in (agent, stranger):
        assert "Scierie" not in other.get("/customers/new").text
        assert "Scierie" not in other.get(f"/customers/new?draft={draft}").text
        other.get(path, 404)
        other.post(path, {"version": "1"}, 404)
        other.get(f"/customers/new/{draft}/discarding", 404)
        other.post(f"/customers/new/{draft}/discarding", status=404)
    agent.post("/customers/new/typed", {"draft": draft, "name": "Stolen"}, 404)

    assert "Scierie des Vosges" in sales.get(path).text


def test_a_draft_is_discarded_after_one_question(people):
    """R102"""
    sales = people(SALES)
    fill(sales, status=422, email="")
    page = sales.open(sales.get("/customers/new").soup.select_one("main li a[href$=discarding]")["href"])
    assert "Scierie des Vosges" in page.text

    page = sales.submit(page)

    assert page.flashes == ["The draft is gone."]
    assert counted(CustomerDraft) == 0


def test_drafts_that_nobody_came_back_to_are_forgotten(people):
    fill(people(SALES), status=422, email="")

    jobs.run("forget_drafts")
    assert counted(CustomerDraft) == 1
    with clock.shifted(timedelta(days=91)):
        jobs.run("forget_drafts")

    assert counted(CustomerDraft) == 0


def test_an_incomplete_draft_has_no_review_and_cannot_be_submitted(people):
    sales = people(SALES)
    draft = draft_of(sales.get("/customers/new"))
    sales.post("/customers/new/typed", {"draft": draft, "name": "Scierie", "country": "FR"}, 204)

    for page in (sales.open(f"/customers/new/{draft}/review"), sales._followed(sales.post(f"/customers/new/{draft}/review").response, "")):
        assert page.h1 == "Add a customer"
        assert "still missing" in page.flashes[0]


# --- once


def test_a_second_submit_leads_to_the_same_confirmation(people):
    """S29"""
    sales = people(SALES)
    review = fill(sales)
    first = submit(sales, review)
    after = everything()

    second = submit(sales, review)

    assert second.url == first.url
    assert everything() == after
    assert sales.open(review.url).url == first.url


def test_two_submits_at_the_same_moment_add_once(people, app):
    """S29"""
    before = counted()
    review = fill(people(SALES))
    done = at_once(app, [lambda who: who.client.post(review.form("#form")["action"], data=_sent(who, review)).location] * 4, lambda: people(SALES))

    assert done == [f"/customers/{company().public_id}/activation?added=1"] * 4
    assert counted() == before + 1
    assert len(mail.all_to(COMPANY["email"])) == 1


def test_two_drafts_of_one_domain_at_the_same_moment_add_once(people, app):
    """R11, S29"""
    before = counted()
    reviews = {SALES: fill(people(SALES)), AGENT: fill(people(AGENT))}
    done = at_once(
        app,
        [lambda who, email=email: who.client.post(reviews[email].form("#form")["action"], data=_sent(who, reviews[email])).status_code for email in reviews],
        *[lambda email=email: people(email) for email in reviews],
    )

    assert sorted(done) == [303, 422]
    assert counted() == before + 1


def _sent(visitor, review):
    return {"version": review.soup.select_one("[name=version]")["value"], "way": "mail", "csrf_token": visitor.csrf_token()}


def at_once(app, acts, *visitors):
    """Several requests on threads of their own; what each gave."""
    made = [visitors[index % len(visitors)]() for index in range(len(acts))]
    db.session.rollback()
    results, start = [None] * len(acts), threading.Barrier(len(acts))

    def run(index):
        start.wait()
        results[index] = acts[index](made[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


# --- duplicates


@BOTH_SHAPES
def test_a_proven_domain_is_refused_and_a_relationship_offered(people, htmx):
    """R11, R2"""
    before = everything()
    sales = people(SALES)

    page = sales.submit(sales.get("/customers/new"), "/customers/new", status=422, htmx=htmx, **{**COMPANY, "domain": "verrerie-odile.example"})

    assert "already here" in page.errors["domain"]
    assert page.has_link("/relationship-requests/new?domain=verrerie-odile.example")
    assert "Odile" not in page.text  # nothing of it but the domain that was typed
    assert page.soup.select_one("[name=name]")["value"] == COMPANY["name"]
    assert everything() == before
    assert logged("organization.domain_asked") == [("Inès Caradec", {"after": {"domain": "verrerie-odile.example"}})]


def test_asking_for_domains_is_limited(people, monkeypatch):
    """R2, S10"""
    monkeypatch.setattr(throttle, "DOMAIN_PROBES", throttle.Limit("domain-probes", "2/hour"))
    sales = people(SALES)
    for domain in ("verrerie-odile.example", "nobody-has-this.example"):
        sales.post(
            "/customers/new", {**COMPANY, "country": "FR", "language": "en", "segment": "commercial", "domain": domain}, 422 if "odile" in domain else 303
        )

    page = sales.post("/customers/new", {**COMPANY, "country": "FR", "language": "en", "segment": "commercial"}, 429)

    assert "Too many" in page.h1
    sales.post("/customers/new", {**COMPANY, "country": "FR", "email": "nobody"}, 422)  # what is wrong by itself asks for no domain


def test_a_domain_proven_after_the_review_is_refused_at_submit(people):
    """R11"""
    sales = people(SALES)
    review = fill(sales)
    with scoped(EVERYTHING):
        db.session.rollback()
        make.organization("verrerie-odile.example").domain = COMPANY["domain"]
        db.session.commit()

    page = submit(sales, review, status=422, way="self")

    assert page.has_link(f"/relationship-requests/new?domain={COMPANY['domain']}")
    assert page.soup.select_one("#way-self").has_attr("checked")
    assert len(logged("organization.domain_asked")) == 1


@pytest.mark.parametrize("domain", ["maison-tellier.example", "brasserie-pendante.example"])
def test_ones_own_customer_is_linked_instead(people, domain):
    """R11"""
    page = fill(people(SALES), status=422, domain=domain)

    assert "already stands in your list" in page.errors["domain"]
    assert page.has_link(f"/customers/{make.organization(domain).public_id}")
    assert logged("organization.domain_asked") == []


def test_an_unproven_claim_blocks_nobody(people):
    """R11"""
    make.customer("Other Partner's Claim", COMPANY["domain"], by="admin@studio-cumulus.example")

    assert added(people).h1 == "Scierie des Vosges: First customer admin"


def test_ones_own_domain_is_no_customers(people):
    """R27"""
    page = fill(people(SALES), status=422, domain="atelier-nuage.example")

    assert "your own organization" in page.errors["domain"]


# --- warnings, market, cloud


@ONCE
@pytest.mark.parametrize(
    ("changes", "said"), [({"name": "Test Company"}, "looks like a test"), ({"name": "SNCF"}, "acronym"), ({"street": "rue des Bois"}, "looks incomplete")]
)
def test_a_warning_is_overridden_knowingly_or_nothing_is_made(people, changes, said):
    """R12"""
    before = counted()
    sales = people(SALES)

    review = fill(sales, **changes)
    assert said in review.text
    refused = submit(sales, review, status=422, way="self")
    assert counted() == before
    assert "Look at the warnings first" in refused.errors[""]
    assert refused.soup.select_one("#way-self").has_attr("checked")
    submit(sales, refused, meant=True)

    assert counted() == before + 1


def test_another_market_is_neither_offered_nor_accepted(people):
    """R27"""
    sales = people(SALES)
    offered = {option["value"] for option in sales.get("/customers/new").soup.select("[name=country] option")}
    assert {"FR", "DE", "CH", "GB"} <= offered
    assert not {"US", "JP"} & offered

    page = sales.post("/customers/new", {**COMPANY, "country": "US", "region": "NY", "postal_code": "10001", "language": "en", "segment": "commercial"}, 422)

    assert page.errors["country"]
    assert counted(CustomerDraft) == 1


def test_a_customer_lands_in_the_cloud_of_its_partner(people):
    """R21: nothing crosses clouds, not even a proven domain."""
    washington = {"name": "Potomac Bakery", "country": "US", "street": "1200 19th Street NW", "city": "Washington", "region": "DC", "postal_code": "20036"}

    page = added(people, "admin@potomac-stratus.example", **washington, domain="verrerie-odile.example", email="amy@verrerie-odile.example")

    assert page.h1.startswith("Potomac Bakery")
    db.session.rollback()
    clouds = db.session.scalars(sa.select(Organization.cloud).where(Organization.domain == "verrerie-odile.example").order_by(Organization.id)).all()
    assert clouds == [Cloud.PUBLIC, Cloud.US_GOVERNMENT]
    assert "Potomac Bakery" not in people(SALES).get("/customers?q=potomac").text


# --- who may


@ONCE
@pytest.mark.parametrize("who", ["billing@atelier-nuage.example", "helpdesk@atelier-nuage.example", "admin@maison-tellier.example"])
def test_who_may_not_add_is_refused(people, who):
    visitor = people(who)

    visitor.get("/customers/new", 403)
    visitor.post("/customers/new", COMPANY, 403)
    visitor.post("/customers/new/typed", {"name": "X"}, 403)
    visitor.get(f"/customers/new/{NOBODYS}/review", 403)
    visitor.post(f"/customers/new/{NOBODYS}/review", {}, 403)


@ONCE
@pytest.mark.parametrize(
    "who", ["admin@atelier-nuage.example", "users@atelier-nuage.example", AGENT, "sales@relais-breton.example", "sales@grossiste-azur.example"]
)
def test_who_may_add_adds(people, who):
    assert added(people, who).h1 == "Scierie des Vosges: First customer admin"


@ONCE
@pytest.mark.parametrize("path", ["/customers/new/not-a-uuid/review", f"/customers/new/{NOBODYS}/review", "/customers/new/x/discarding"])
def test_a_malformed_or_unknown_draft_is_not_found(people, path):
    people(SALES).get(path, 404)


@pytest.mark.parametrize("draft", ["nonsense", "\x00", NOBODYS, "9" * 5000])
def test_a_draft_that_is_none_begins_an_empty_form(people, draft):
    page = people(SALES).client.get("/customers/new", query_string={"draft": draft})

    assert page.status_code == 200
