"""The whole story of the main job without JavaScript, over plain HTTP: R11, R12, R16, R20–R25, R30, R35–R37."""

from tests.support import mail
from tests.support.page import Page, Visitor

ADMIN, SALES, PASSWORD = "admin@atelier-nuage.example", "sales@atelier-nuage.example", "demo portal 2026"
JEANNE, COMPANY = "jeanne@verger-lointain.example", "Verger Lointain"


def sign_in(visitor: Visitor, email: str) -> Page:
    return visitor.submit(visitor.get("/sign-in"), "/sign-in", email=email, password=PASSWORD)


def follow(visitor: Visitor, page: Page, words: str) -> Page:
    """Through the link with these words."""
    link = next(link for link in page.soup.select("main a[href], nav a[href]") if words in link.get_text(" "))
    return visitor.open(str(link["href"]))


def search(visitor: Visitor, words: str) -> list[str]:
    """Names in the customer list."""
    page = visitor.submit(visitor.get("/customers"), "/customers", q=words)
    return [summary.get_text() for summary in page.soup.select("details.unfold > summary")]


def test_from_finding_a_customer_to_having_one_back(people):
    """Issue 2."""
    sales = people.visitor()
    home = sign_in(sales, SALES)
    assert home.h1 == "Home"

    # finds a customer
    assert search(sales, "TELLI") == ["Maison Tellier"]

    # adds one in steps, with a warning that is looked at and overridden
    form = follow(sales, sales.get("/customers"), "Add a customer")
    refused = sales.submit(form, "/customers/new", status=422, name="BCDX")
    assert {"street", "postal_code", "city", "domain", "first_name", "last_name", "email"} <= refused.errors.keys()
    offers = sales.submit(
        refused, "/customers/new", street="Sentier du Lac", postal_code="74000", city="Annecy", domain="https://www.BCDX-annecy.example/",
        first_name="Paule", last_name="Dumas", email="paule@bcdx-annecy.example",
    )  # fmt: skip
    review = follow(sales, offers, "Go on without subscriptions")
    assert "only an acronym" in review.text
    warned = sales.submit(review, status=422)
    added = sales.submit(warned, meant="y")
    assert "BCDX was added." in added.flashes[0]
    assert mail.latest("paule@bcdx-annecy.example").link.startswith("/activation/")

    # asks another by e-mail: draft, edit, send
    form = follow(sales, sales.get("/customers"), "Request a relationship")
    draft = sales.submit(form, email=JEANNE, organization=COMPANY, delegated_administration=True, roles=["directory_reader"], duration_days="60")
    assert draft.h1 == f"Request to {COMPANY}"
    edit = follow(sales, draft, "Change")
    text = edit.soup.select_one("[name=body]").get_text()
    draft = sales.submit(edit, body=f"Hello Jeanne,\n\nas we said at the fair.\n\n{text}")
    sent = sales.submit(draft, f"{draft.url}/sending", "portal")
    assert f"Sent to {JEANNE}" in sent.flashes[0]
    request = mail.latest(JEANNE)
    assert "as we said at the fair" in request.text

    # the customer opens the link, opens an account and accepts
    jeanne = people.visitor()
    offer = jeanne.open(request.link)
    assert offer.h1 == "Atelier Nuage asks to be your partner"
    assert request.link.rsplit("/", 1)[1] not in offer.url
    form = follow(jeanne, offer, "Create an account")
    confirmation = jeanne.submit(
        form, name=COMPANY, street="7 chemin des Pommiers", postal_code="14100", city="Lisieux", domain="verger-lointain.example", person="Jeanne Aubry",
    )  # fmt: skip
    offer = jeanne.submit(confirmation, "#form", code=mail.latest(JEANNE).code, password="violet kayak sings softly")
    assert "Welcome, Jeanne Aubry." in offer.flashes[0]
    receipt = jeanne.submit(offer, f"{offer.url}/acceptance", agreement=True)
    assert receipt.h1 == "Receipt of acceptance"
    assert "Directory reader" in receipt.text
    assert "Atelier Nuage" in jeanne.get("/my/partners").text

    # the customer stands in the partner's list
    assert "has accepted" in mail.latest(SALES).subject
    assert search(sales, "verger") == [COMPANY]

    # a global admin ends the relationship
    admin = people.visitor()
    sign_in(admin, ADMIN)
    customer = follow(admin, admin.submit(admin.get("/customers"), "/customers", q="verger"), "verger-lointain.example")
    ending = follow(admin, customer, "End the relationship")
    refused = admin.submit(ending, typed_name="Verger", reason="Moved to another partner.", status=422)
    former = admin.submit(refused, typed_name=COMPANY)
    assert former.h1 == "Former customers"
    assert COMPANY in former.text
    assert search(admin, "verger") == []

    # and asks to have it back, which the customer accepts
    form = follow(admin, admin.submit(former, "/customers/former", q="verger"), "Reinstate")
    assert form.soup.select_one("[name=roles][value=directory_reader]").has_attr("checked")
    draft = admin.submit(form, email=JEANNE)
    admin.submit(draft, f"{draft.url}/sending", "portal")
    offer = jeanne.open(mail.latest(JEANNE).link)
    assert offer.h1 == "Atelier Nuage asks to be your partner again"
    assert jeanne.submit(offer, f"{offer.url}/acceptance").h1 == "Receipt of acceptance"
    assert search(sales, "verger") == [COMPANY]

    # every step stands in the log
    log = [title.find(["summary", "span"]).get_text() for title in admin.get("/activity").soup.select("td.title")]
    assert log[: len(LOG)] == LOG[::-1]


LOG = [
    "Signed in",
    "Organization created", "Relationship started", "Person invited", "Customer added",
    "Relationship request drafted", "Relationship request changed", "Relationship request sent",
    "Relationship started", "Customer agreement accepted", "Relationship request accepted", "Delegated administration granted",
    "Signed in",
    "Relationship ended", "Delegated administration ended",
    "Relationship request drafted", "Relationship request sent",
    "Relationship started", "Relationship request accepted", "Delegated administration granted",
]  # fmt: skip
