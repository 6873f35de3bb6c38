"""A company that is new to the portal: typed, mailbox proven, account opened, request answered (R11, R18, R23)."""

import pytest

from portal.accounts.models import Organization, User
from portal.accounts.service import Colleague, invite_user
from portal.core import clock, jobs
from portal.core.db import db, writing
from portal.core.scope import Scope, scoped
from portal.relationships.models import Registration, RelationshipRequest
from tests.relationships.rows import count, delegations, fresh, record, records, request
from tests.support import mail, make

PASSWORD = "violet kayak sings softly"
COMPANY = {
    "name": "Scierie des Vosges", "country": "FR", "street": "3 route de la Forêt", "postal_code": "88000", "city": "Épinal",
    "domain": "scierie-vosges.example", "person": "Hélène Thiriet",
}  # fmt: skip


def page_of(row: RelationshipRequest) -> str:
    return f"/connect/requests/{row.public_id}"


def typed(people, row: RelationshipRequest, email: str = "helene@scierie-vosges.example", status: int = 200, visitor=None, **changes: str):
    """A visitor who has opened the link and sent in the first form."""
    visitor = visitor or people.visitor()
    visitor.open(make.link_of(row))
    form = visitor.get(f"{page_of(row)}/account")
    return visitor, visitor.submit(form, "#form", **{**COMPANY, "email": email, **changes}, status=status)


def registered(people, row: RelationshipRequest, email: str = "helene@scierie-vosges.example", **changes: str):
    """… and has confirmed the code."""
    visitor, confirmation = typed(people, row, email, **changes)
    return visitor, visitor.submit(confirmation, "#form", code=mail.latest(email).code, password=PASSWORD)


def company(domain: str = "scierie-vosges.example") -> Organization:
    db.session.rollback()
    return make.organization(domain)


# --- the story


def test_a_new_company_creates_its_account_and_accepts(people):
    """R23: on the way in."""
    row = request("helene@scierie-vosges.example", roles=("user_administrator",))

    visitor, offer = registered(people, row)
    assert offer.h1 == "Atelier Nuage asks to be your partner"
    assert offer.flashes == ["Welcome, Hélène Thiriet. Your account is open; the request still waits for your answer."]
    receipt = visitor.submit(offer, f"{page_of(row)}/acceptance", agreement=True)

    assert receipt.h1 == "Receipt of acceptance"
    assert "Hélène Thiriet <helene@scierie-vosges.example>" in receipt.text
    assert company().domain_proven_at is not None
    assert company().city == "Épinal"
    customer = record("scierie-vosges.example")
    assert (customer.state, customer.first_name, customer.last_name) == ("active", "Hélène", "Thiriet")
    assert delegations("scierie-vosges.example")[0].state == "active"
    assert count(Registration) == 0
    assert visitor.get("/my").h1 == "Scierie des Vosges"


def test_a_link_proves_no_mailbox(people):
    """R23: nothing exists before the code was entered."""
    row = request("helene@scierie-vosges.example")
    before = count(Organization), count(User)

    visitor, confirmation = typed(people, row)
    for code in ("000000", "abc", "12345678"):
        refused = visitor.submit(confirmation, "#form", code=code, password=PASSWORD, status=422)
        assert "not the code" in refused.errors["code"]

    assert (count(Organization), count(User)) == before


def test_guessing_the_code_ends_after_a_few_tries(people):
    """S18."""
    row = request("helene@scierie-vosges.example")
    visitor, confirmation = typed(people, row)
    code = mail.latest("helene@scierie-vosges.example").code
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(6):
        visitor.submit(confirmation, "#form", code=wrong, password=PASSWORD, status=422)

    refused = visitor.submit(confirmation, "#form", code=code, password=PASSWORD, status=422)

    assert "not the code" in refused.errors["code"]


def test_a_weak_password_does_not_use_up_the_code(people):
    """S13."""
    row = request("helene@scierie-vosges.example")
    visitor, confirmation = typed(people, row)
    code = mail.latest("helene@scierie-vosges.example").code

    refused = visitor.submit(confirmation, "#form", code=code, password="password1234", status=422)
    visitor.submit(refused, "#form", code=code, password=PASSWORD)

    assert company().domain_proven_at is not None


def test_a_new_code_replaces_the_old_one_and_belongs_to_the_address_typed_last(people):
    row = request("helene@scierie-vosges.example")
    visitor, _page = typed(people, row)
    first = mail.latest("helene@scierie-vosges.example").code
    _visitor, confirmation = typed(people, row, "other@scierie-vosges.example", visitor=visitor)

    visitor.submit(confirmation, "#form", code=first, password=PASSWORD, status=422)
    visitor.submit(confirmation, "#form", code=mail.latest("other@scierie-vosges.example").code, password=PASSWORD)

    assert "other@scierie-vosges.example" in visitor.get("/account").text


def test_a_code_lives_twenty_minutes(people):
    row = request("helene@scierie-vosges.example")
    visitor, confirmation = typed(people, row)
    code = mail.latest("helene@scierie-vosges.example").code

    with clock.shifted(make.days(21 / 1440)):
        visitor.submit(confirmation, "#form", code=code, password=PASSWORD, status=422)


def test_the_page_does_not_tell_whether_an_address_has_an_account(people):
    """S12."""
    row = request("helene@scierie-vosges.example")

    _visitor, unknown = typed(people, row, "helene@scierie-vosges.example")
    visitor, known = typed(people, row, "admin@maison-tellier.example")

    assert known.text.replace("admin@maison-tellier.example", "X") == unknown.text.replace("helene@scierie-vosges.example", "X")
    assert mail.latest("admin@maison-tellier.example").mail.kind == "accounts/already_known"
    visitor.submit(known, "#form", code="123456", password=PASSWORD, status=422)


def test_in_production_no_outbox_shows_the_code(people, app, monkeypatch):
    """R23: the partner holds the link too; it must not get the code."""
    row = request("helene@scierie-vosges.example")
    monkeypatch.setitem(app.config, "MAIL_SERVER", "mail.example")

    typed(people, row)

    assert mail.latest("helene@scierie-vosges.example").mail.organization_id is None


# --- what was typed


def test_what_was_typed_survives_every_detour_and_only_for_who_typed_it(people):
    """R23."""
    row = request("helene@scierie-vosges.example", language="en")
    visitor, _page = typed(people, row)

    visitor.get(page_of(row))
    visitor.get("/sign-in")
    again = visitor.get(f"{page_of(row)}/account")
    other = people.visitor()
    other.open(make.link_of(row))
    elsewhere = other.get(f"{page_of(row)}/account")

    assert again.soup.select_one("[name=street]")["value"] == "3 route de la Forêt"
    assert again.soup.select_one("[name=person]")["value"] == "Hélène Thiriet"
    assert "Thiriet" not in elsewhere.response.get_data(as_text=True)
    assert "Forêt" not in elsewhere.response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "x" * 201), ("postal_code", "1234"), ("domain", "not a domain"), ("domain", "192.168.0.1"), ("email", "nobody"), ("person", ""),
        ("country", ""), ("street", ""),
    ],
)  # fmt: skip
def test_bad_input_is_answered_beside_its_field(people, field, value):
    row = request("helene@scierie-vosges.example")

    _visitor, refused = typed(people, row, **({"email": value} if field == "email" else {field: value}), status=422)

    assert refused.errors[field]
    assert refused.soup.select_one("[name=city]")["value"] == "Épinal"
    assert not mail.all_to("helene@scierie-vosges.example")[1:]


def test_choosing_a_country_brings_its_own_fields_and_saves_nothing(people):
    row = request("helene@scierie-vosges.example")
    visitor = people.visitor()
    visitor.open(make.link_of(row))
    form = visitor.get(f"{page_of(row)}/account")

    spain = visitor.submit(form, "#form", button="Update fields", **{**COMPANY, "country": "ES"}, email="x@y.example")

    assert spain.soup.select_one("select[name=region]")
    assert count(Registration) == 0


def test_a_company_of_another_market_is_told_so(people):
    """R27."""
    row = request("ann@outaouais.example")
    visitor = people.visitor()
    visitor.open(make.link_of(row))
    form = visitor.submit(visitor.get(f"{page_of(row)}/account"), "#form", button="Update fields", country="CA")

    refused = visitor.submit(
        form, "#form", status=422, name="Outaouais", street="10 Bank Street", postal_code="K1A 0B1", region="ON", city="Ottawa", domain="outaouais.example",
        person="Ann", email="ann@outaouais.example",
    )  # fmt: skip

    assert "sells in another market" in refused.errors["country"]
    assert not mail.all_to("ann@outaouais.example")[1:]


# --- who is it really? (R11, R18)


def test_the_domain_of_a_proven_organization_is_not_registered_again(people):
    """R11: said only after a mailbox was proven."""
    row = request("eve@verrerie-odile.example")
    before = count(Organization), count(User)

    visitor, confirmation = typed(people, row, "eve@verrerie-odile.example", domain="verrerie-odile.example")
    assert "already in the portal" not in confirmation.text
    page = visitor.submit(confirmation, "#form", code=mail.latest("eve@verrerie-odile.example").code, password=PASSWORD, status=409)

    assert page.h1 == "Your company is already in the portal"
    assert (count(Organization), count(User)) == before
    assert fresh(row).state == "sent"
    visitor.submit(confirmation, "#form", code=mail.latest("eve@verrerie-odile.example").code, password=PASSWORD, status=422)


def test_an_address_elsewhere_proves_no_domain(people):
    """R11: an unproven claim blocks nobody."""
    first, second = request("a@gmail.com"), request("b@scierie-vosges.example")

    registered(people, first, "claimant@gmail.com")
    assert company().domain_proven_at is None
    registered(people, second, "helene@scierie-vosges.example")

    db.session.rollback()
    owners = db.session.scalars(make.sa.select(Organization).where(Organization.domain == "scierie-vosges.example").order_by(Organization.id)).all()
    assert [owner.domain_proven_at is not None for owner in owners] == [False, True]


def test_a_mailbox_in_the_domain_of_an_added_company_adopts_it(people):
    """R11, R18: the requesting partner's own one if there is one; the invitation that it had sent stops."""
    make.customer("Scierie (Cumulus)", "scierie-vosges.example", by="admin@studio-cumulus.example")
    own_id = make.customer("Scierie (Atelier)", "scierie-vosges.example").customer_id
    who = make.actor("sales@atelier-nuage.example")
    with writing(), scoped(Scope(partner_id=who.organization_id)):
        invite_user(
            db.session.get_one(Organization, own_id),
            Colleague("Somebody", "boss@gmail.com", ["customer_admin"], "en"),
            by=who,
            at=clock.now(),
            about="first_admin",
        )
        db.session.commit()
    stale = mail.latest("boss@gmail.com").link
    row = request("helene@scierie-vosges.example")

    visitor, offer = registered(people, row)
    visitor.submit(offer, f"{page_of(row)}/acceptance", agreement=True)

    mine, theirs = record("scierie-vosges.example"), record("scierie-vosges.example", "studio-cumulus.example")
    assert (mine.customer_id, mine.state, mine.name) == (own_id, "active", "Scierie (Atelier)"), "R13: each partner's own billing name"
    assert (theirs.customer_id, theirs.state) == (own_id, "pending"), "other claims become pending records of the proven one (R11)"
    assert "Scierie des Vosges" in visitor.get("/my").text
    people.visitor().get(stale, 410)
    assert "Hélène" in mail.latest("admin@atelier-nuage.example").text


def test_without_an_own_one_the_oldest_added_company_is_adopted(people):
    """R11."""
    other = make.customer("Scierie (Cumulus)", "scierie-vosges.example", by="admin@studio-cumulus.example").customer_id
    row = request("helene@scierie-vosges.example")

    visitor, offer = registered(people, row)
    visitor.submit(offer, f"{page_of(row)}/acceptance", agreement=True)

    assert {row.customer_id for row in records("scierie-vosges.example")} == {other}
    assert [row.state for row in records("scierie-vosges.example")] == ["active", "active"]


def test_a_lapsed_claim_is_not_adopted(people):
    """R11: 30 days without an active relationship."""
    old = make.customer(
        "Scierie (Cumulus)", "scierie-vosges.example", by="admin@studio-cumulus.example", state="pending", at=clock.now() - make.days(40)
    ).customer_id
    row = request("helene@scierie-vosges.example")

    registered(people, row)

    assert record("scierie-vosges.example", "studio-cumulus.example").customer_id != old, "the pending record follows the proven domain"


def test_an_imported_customer_registers_with_an_address_in_its_domain(people):
    """R19, R22: the request names it; only a mailbox there opens it."""
    brasserie = make.organization("brasserie-pendante.example").id
    row = request("chef@gmail.com", named="brasserie-pendante.example")
    visitor = people.visitor()
    visitor.open(make.link_of(row))
    form = visitor.get(f"{page_of(row)}/account")
    assert form.soup.select_one("[name=domain][readonly]")["value"] == "brasserie-pendante.example"
    assert form.soup.select_one("[name=name]")["value"] == "Brasserie Pendante"

    refused = visitor.submit(form, "#form", person="Chef", email="chef@gmail.com", status=422)
    assert "brasserie-pendante.example" in refused.errors["email"]
    confirmation = visitor.submit(form, "#form", person="Chef", email="chef@brasserie-pendante.example", domain="atelier-nuage.example")
    offer = visitor.submit(confirmation, "#form", code=mail.latest("chef@brasserie-pendante.example").code, password=PASSWORD)
    visitor.submit(offer, f"{page_of(row)}/acceptance", agreement=True)

    customer = record("brasserie-pendante.example")
    assert (customer.state, customer.customer_id) == ("active", brasserie)
    assert company("brasserie-pendante.example").domain_proven_at is not None


def test_a_pending_record_and_its_request_follow_the_company_that_proves_the_domain(people):
    """R11, R22: else the right company could never accept."""
    named, other = (
        request("x@brasserie-pendante.example", named="brasserie-pendante.example"),
        request("y@brasserie-pendante.example", by="admin@studio-cumulus.example"),
    )
    make.organization("brasserie-pendante.example").added_by_id = None  # known from elsewhere, not added: so a new organization proves the domain
    db.session.commit()

    visitor, _offer = registered(people, other, "y@brasserie-pendante.example", domain="brasserie-pendante.example")
    visitor.open(page_of(named))

    assert fresh(named).customer_id == record("brasserie-pendante.example").customer_id
    assert visitor.get(page_of(named)).h1 == "Atelier Nuage asks to be your partner"


def test_a_named_company_that_has_an_admin_offers_no_account(people):
    row = request("x@verrerie-odile.example", named="verrerie-odile.example")
    visitor = people.visitor()

    offer = visitor.open(make.link_of(row))

    assert not offer.has_link(f"{page_of(row)}/account")
    assert visitor.get(f"{page_of(row)}/account", 409).h1 == "Your company is already in the portal"


def test_codes_have_a_limit_per_address(people):
    """S10: 6 an hour."""
    row = request("helene@scierie-vosges.example")
    visitor = None
    for _ in range(6):
        visitor, _page = typed(people, row, visitor=visitor)

    typed(people, row, visitor=visitor, status=429)


def test_what_was_never_confirmed_is_forgotten(app, people):
    typed(people, request("helene@scierie-vosges.example"))
    jobs.run("forget_registrations")
    assert count(Registration) == 1

    with clock.shifted(make.days(31)):
        jobs.run("forget_registrations")

    assert count(Registration) == 0


def test_whoever_is_signed_in_registers_nothing(people):
    row = request("helene@scierie-vosges.example")
    odile = people("admin@verrerie-odile.example")
    odile.open(make.link_of(row))

    for path in ("/account", "/account/confirmation"):
        assert odile.get(page_of(row) + path, 303).response.location == page_of(row)
        assert odile.post(page_of(row) + path, {**COMPANY, "email": "helene@scierie-vosges.example"}).response.location == page_of(row)
    assert count(Registration) == 0
