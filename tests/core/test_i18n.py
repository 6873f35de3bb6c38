"""The portal speaks French: the catalogue is whole, every word of a page goes through it, and everybody reads their own language."""

import ast
import functools
import gc
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.support import NullTranslations, Translations
from bs4 import BeautifulSoup, Comment, NavigableString
from flask import Flask

from portal.accounts.models import Organization, User
from portal.core import clock
from portal.core.db import db
from portal.core.outbox import Mail
from portal.core.scope import EVERYTHING, scoped
from portal.directory.models import BusinessProfile, Inquiry, ProfileLocation, ProfileLogo
from portal.leads.models import Lead
from portal.onboarding.models import CustomerDraft
from portal.permissions.models import Category, Purchase
from portal.relationships.models import Partnership, RelationshipRequest
from portal.subscriptions.models import CatalogImport, Offer, Order, Reservation, Subscription
from tests.directory import entry_rows
from tests.directory.pictures import picture
from tests.permissions import world as buying
from tests.relationships.test_shared import share
from tests.subscriptions import reserved
from tests.subscriptions import world as subscriptions
from tests.support import databases, mail, make, translations
from tests.support.page import Visitor

ADMIN, CUSTOMER = "admin@atelier-nuage.example", "admin@maison-tellier.example"
PROVIDER, RESELLER = "admin@grossiste-azur.example", "admin@relais-breton.example"
HOLE = re.compile(r"%\(\w+\)s|\{\w+\}")
NO_BREAK = "\u00a0"
one_engine = pytest.mark.parametrize("engine", databases.ENGINES[:1], indirect=True)  # words are the same on every database


@pytest.fixture(scope="module")
def french() -> Catalog:
    return translations.french()


def messages(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def strings(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, tuple | list) else [message.string]


def sources(message: Message) -> list[str]:
    return list(message.id) if isinstance(message.id, tuple | list) else [message.id]


def test_the_catalogue_holds_what_the_code_says_and_nothing_else(french: Catalog) -> None:
    said = {(str(message.id), message.context) for message in messages(translations.extracted())}
    known = {(str(message.id), message.context) for message in messages(french)}
    assert said == known, "run `make translations`, then translate what is new"
    assert not french.obsolete


def test_every_message_is_translated(french: Catalog) -> None:
    assert not [message.id for message in messages(french) if message.fuzzy or not all(strings(message))]


def test_translations_keep_the_placeholders(french: Catalog) -> None:
    for message in messages(french):
        wanted = sorted(HOLE.findall(sources(message)[-1]))
        assert all(sorted(HOLE.findall(text)) == wanted for text in strings(message)), message.id


def test_french_is_set_with_its_own_spaces_and_apostrophes(french: Catalog) -> None:
    for message in messages(french):
        for text in strings(message):
            bare = HOLE.sub("x", text)
            assert "'" not in bare, text
            assert not re.search(rf"[^{NO_BREAK}?!][;?!](?!\w)|\w:(?!\w)|[^{NO_BREAK}]:|[^{NO_BREAK}]»|«[^{NO_BREAK}]| [:;?!»]", bare), text


def test_no_french_name_follows_a_word_that_would_be_elided(french: Catalog) -> None:
    """“de %(name)s” is wrong before a vowel: names follow a noun, a comma or a parenthesis. Numbers may."""
    for message in messages(french):
        for text in strings(message):
            assert not re.search(
                r"\b(de|que|si|le|la|du|au) %\((?!number|num|least|shortest|days|day|moment|amount|quantity|price|now|before)", text, re.IGNORECASE
            ), text


TOLD = {"flash", "Refused", "Stale", "ValidationError", "StopValidation", "Problem"}
SAID = {"_", "_l", "N_", "gettext", "ngettext", "lazy_gettext", "lazy_ngettext", "lazy_pgettext"}


def test_what_people_are_told_goes_through_gettext() -> None:
    found = []
    for source in sorted(translations.ROOT.glob("portal/**/*.py")):
        for call in (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            first = call.args[0] if call.args else None
            first = first.left if isinstance(first, ast.BinOp) else first
            bare = isinstance(first, ast.JoinedStr) if name in SAID else isinstance(first, ast.JoinedStr | ast.Constant) if name in TOLD else False
            found += [f"{source}:{call.lineno}"] if bare else []
    assert not found


# --- Who reads which language.


def spoken(visitor: Visitor, url: str, **headers: str) -> str:
    html = visitor.get(url, **headers).soup.html
    assert html is not None
    return str(html["lang"])


def choose(visitor: Visitor, language: str) -> None:
    visitor.submit(visitor.get("/account"), "/account", language=language)


@one_engine
@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("fr", "fr"), ("fr-CA,fr;q=0.8,en;q=0.5", "fr"), ("en-GB", "en"), ("de", "en"), ("de,fr;q=0.3", "fr"), ("", "en")],
)
def test_the_browser_chooses_before_sign_in(people: Any, accepted: str, expected: str) -> None:
    assert spoken(people.visitor(), "/sign-in", **{"Accept-Language": accepted}) == expected


@one_engine
def test_a_visitor_can_choose_otherwise(people: Any) -> None:
    visitor = people.visitor()
    visitor.post("/language", {"language": "fr", "next": "/sign-in"})
    assert spoken(visitor, "/sign-in", **{"Accept-Language": "en"}) == "fr"
    assert visitor.get("/sign-in").h1 == "Se connecter"


def test_the_choice_on_the_account_wins(people: Any) -> None:
    admin = people(ADMIN)
    choose(admin, "fr")
    assert spoken(admin, "/customers", **{"Accept-Language": "en"}) == "fr"
    assert admin.get("/customers").h1 == "Clients"
    choose(admin, "")
    assert spoken(admin, "/customers", **{"Accept-Language": "en"}) == "en"


@one_engine
def test_errors_and_refusals_are_french(people: Any) -> None:
    admin = people(ADMIN)
    choose(admin, "fr")
    page = admin.submit(admin.get("/users/new"), "/users", status=422, name="", email="nobody", roles=[])
    assert page.errors["email"] == "Ce n’est pas une adresse électronique. Elle doit ressembler à nom@entreprise.example."
    assert page.errors["name"] == "Remplissez ce champ."
    page = admin.submit(
        admin.get("/relationship-requests/new"),
        "/relationship-requests",
        status=422,
        email="a@verrerie-odile.example",
        language="xx",
        delegated_administration=True,
        duration_days="many",
    )
    assert page.errors["language"] == "Choisissez dans la liste."
    assert page.errors["duration_days"] == "Indiquez un nombre entier."
    assert admin.get("/no-such-page", status=404).h1 == "Introuvable"
    assert people.visitor().get("/no-such-page", status=404, **{"Accept-Language": "fr"}).h1 == "Introuvable"


def test_mail_goes_out_in_the_recipients_language(people: Any) -> None:
    choose(people("users@atelier-nuage.example"), "fr")
    choose(people("sales@atelier-nuage.example"), "en")
    admin = people(ADMIN)
    choose(admin, "en")
    found = {}
    with scoped(EVERYTHING):
        ids = dict(db.session.execute(sa.select(User.email, User.public_id)).all())
    for name in ("users", "sales"):
        email = f"{name}@atelier-nuage.example"
        url = f"/users/{ids[email]}"
        admin.submit(admin.get(url), f"{url}/roles", roles=["helpdesk_agent"])
        found[name] = mail.latest(email)
    assert found["users"].subject == "Vos rôles dans le portail partenaires ont changé"
    assert "Agent du support technique" in found["users"].text
    assert 'lang="fr"' in found["users"].html
    assert found["sales"].subject == "Your roles in the partner portal were changed"


@one_engine
def test_numbers_and_places_follow_the_language(people: Any) -> None:
    """R100."""
    customer = people(CUSTOMER)
    choose(customer, "fr")
    options = {str(option["value"]): option.get_text() for option in customer.get("/my/company").soup.select("select[name=country] option")}
    assert options["DE"] == "Allemagne"


# --- Every page, in French and in a language of brackets.


def world(people: Any) -> None:
    """Something of everything, so that pages have something to show."""
    admin, odile = people(ADMIN), people("admin@verrerie-odile.example")
    taken = make.request(roles=("directory_reader", "global_administrator"), auto_extend=True, by=ADMIN)
    odile.get(make.link_of(taken), status=303)
    page = odile.get(f"/connect/requests/{taken.public_id}")
    odile.submit(page, agreement=True)
    for number, options in enumerate(({"draft": True}, {"way": "copy"}, {"roles": ("helpdesk_administrator",)}, {})):
        make.request(f"contact{number}@brasserie-pendante.example", by=ADMIN, **options)  # type: ignore[arg-type]
    revoked = make.request("late@brasserie-pendante.example", by=ADMIN)
    admin.post(f"/relationship-requests/{revoked.public_id}/revocation")
    make.request(CUSTOMER, named="maison-tellier.example", roles=("user_administrator",), by=ADMIN, purpose="extend")
    make.customer(by=ADMIN)
    form = admin.get("/customers/new")
    admin.submit(form, "/customers/new", button="Save for later", name="Filature Royer", domain="filature-royer.example")
    share("Crêperie Marec", "creperie-marec.example")
    make.request("joint@brasserie-pendante.example", by=RESELLER, provider="grossiste-azur.example")
    make.partnership("it@cap-nuage.example", organization="Cap Nuage")
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    former = make.partnership("admin@escale.example", accepted_by="admin@escale.example")
    people(PROVIDER).post(f"/partnerships/{former.public_id}/ending")
    profile = make.profile("FR", logo=picture()).public_id
    entry_rows.inquiry(profile)
    confirmed, nobody = entry_rows.inquiry(profile, company="Confirmed"), people.visitor()
    nobody.submit(nobody.open(f"/directory/inquiries/links/{confirmed.link.token}"))
    make.profile("BE", state="draft", locations=0)
    make.profile("CH", at=clock.now() - timedelta(days=200))
    make.lead(wants_contact=True, message="Vingt boîtes", size="10-49")
    make.accepted_lead()
    make.lead("Verger Lanvaux", source="sales_qualified", by=PROVIDER, referrer="grossiste-azur.example", at=clock.now() - timedelta(days=3))
    linked = make.won_lead("Tellier", email="achats@maison-tellier.example")
    admin.post(f"/leads/{linked.public_id}/conversion", {"way": "customer"})
    make.won_lead("Scierie des Vosges", email="helene@scierie-vosges.example")
    admin.submit(admin.get("/users/new"), "/users", name="Mona Riou", email="mona@atelier-nuage.example", roles=["sales_agent"])
    catalog(admin)
    selling(admin)


def selling(admin: Visitor) -> None:
    """Subscriptions with their orders, and carts of a customer and of a draft."""
    tellier = subscriptions.tellier()
    subscriptions.sold("Verger Vif", "Verger Doux", by=ADMIN)
    subscriptions.sold("Verger Compté", by=ADMIN, billing="usage", term_months=1)
    subscriptions.sold("Essai Rosier", by=ADMIN, trial_days=30)
    reserved.asked(reserved.reserved("Verger Serre", instance_type="S4", region="Ouest", category="Jardinage"), "exchange", "Serre")
    reserved.asked(reserved.reserved("Verger Enclos", instance_type="S4", region="Ouest", category="Jardinage"), "renew", "Enclos")
    buying.turned_on(by=ADMIN, month=900_000, above=150_000, notice="all_agents")
    for quantity in (1, 2):
        buying.bought(quantity)
    declined = buying.bought(3)
    admin.post(f"/purchases/{declined}/declining", {"reason": "Trop de vergers."})
    for row in admin.get(f"{tellier}/cart").soup.select("#shop tbody form")[:4]:
        admin.post(str(row["action"]), {"quantity": "2", "was": "0"})
    account = {
        "street": "3 rue Basse",
        "postal_code": "49000",
        "city": "Angers",
        "first_name": "Ann",
        "last_name": "Royer",
        "email": "ann@filature-royer.example",
    }
    step = admin.submit(admin.get(str(admin.get("/customers/new").soup.select_one("main li a")["href"])), "/customers/new", **account)  # type: ignore[index]
    admin.post(str(step.soup.select("#shop tbody form")[0]["action"]), {"quantity": "1", "was": "0"})


def catalog(admin: Visitor) -> None:
    """A base, an add-on, a trial and a reservation, one of them withdrawn, and a file with every kind of line."""
    header = (
        "SKU,Publisher,Name,Category,Billing,Billing cycle,Term in months,Add-on of,Trial days,Instance type,Region,Segment,Currency,Price,Cost,From,Withdrawn"
    )
    lines = (
        "V1,Verdure,Verger,Jardinage,licence,monthly,12,,,,,education,EUR,12,9,,",
        "V1,,,,,,,,,,,,EUR,15,12,2099-01-01,",
        "V2,Verdure,Verger Plus,Jardinage,usage,monthly,1,V1,,,,,,,,,",
        "V3,Verdure,Essai Verger,Jardinage,licence,annual,36,,30,,,,CHF,1,,,Terminé.",
        "V4,Verdure,Serre,Jardinage,licence,annual,12,,,S4,Ouest,nonprofit,EUR,90,,,",
    )
    for more in (
        "",
        "\nV1,,Potager,,,,,,,,,,,,,,\nV9,Verdure,Rosier,Jardinage,rent,monthly,7,,,,,,EURO,x,,,\nV10,Verdure,Lilas,Jardinage,usage,monthly,1,,,,,,,,,,",
    ):
        page = admin.submit(admin.get("/catalog/import"), file=(io.BytesIO("\n".join((header, *lines)).encode() + more.encode()), "v.csv"))
        if not more:
            admin.submit(page, str(page.form()["action"]))


def addresses(app: Flask) -> Iterator[str]:
    """Every address that can be opened, with everything of the world where the address names something."""
    with scoped(EVERYTHING):
        ids: dict[str, list[Any]] = {
            "customer_id": list(db.session.scalars(sa.select(Organization.public_id).where(Organization.side == "customer"))),
            "partner_id": list(db.session.scalars(sa.select(Organization.public_id).where(Organization.domain == "atelier-nuage.example"))),
            "user_id": list(db.session.scalars(sa.select(User.public_id))),
            "request_id": list(db.session.scalars(sa.select(RelationshipRequest.public_id))),
            "mail_id": list(db.session.scalars(sa.select(Mail.public_id))),
            "draft_id": list(db.session.scalars(sa.select(CustomerDraft.public_id))),
            "offer_id": list(db.session.scalars(sa.select(Offer.public_id))),
            "subscription_id": list(db.session.scalars(sa.select(Subscription.public_id))),
            "reservation_id": list(db.session.scalars(sa.select(Reservation.public_id))),
            "order_id": list(db.session.scalars(sa.select(Order.public_id))),
            "purchase_id": list(db.session.scalars(sa.select(Purchase.public_id))),
            "category": list(Category),
            "import_id": list(db.session.scalars(sa.select(CatalogImport.public_id))),
            "section": ["company", "billing", "contact", "profile", "reseller"],
            "partnership_id": list(db.session.scalars(sa.select(Partnership.public_id))),
            "profile_id": list(db.session.scalars(sa.select(BusinessProfile.public_id))),
            "location_id": list(db.session.scalars(sa.select(ProfileLocation.public_id))),
            "logo_id": list(db.session.scalars(sa.select(ProfileLogo.public_id))),
            "lead_id": list(db.session.scalars(sa.select(Lead.public_id))),
            "inquiry_id": list(db.session.scalars(sa.select(Inquiry.public_id))),
            "number": [0],
            "token": ["unknown"],
        }
        db.session.rollback()
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.rule.startswith(("/static", "/healthz", "/readyz", "/metrics")) or rule.rule.endswith("/export"):
            continue
        filled = [rule.rule]
        for name in rule.arguments:
            assert name in ids, f"say in tests/core/test_i18n.py what stands for {name} in {rule.rule}"
            filled = [re.sub(rf"<[^<>]*\b{name}>", str(value), address) for address in filled for value in ids[name]]
        yield from filled


def pages(app: Flask, visitor: Visitor) -> Iterator[tuple[str, BeautifulSoup]]:
    """Every page that this visitor gets to see, whatever its status."""
    for address in addresses(app):
        response = visitor.client.get(address, headers={"Accept-Language": "fr"})
        assert response.status_code < 500, address
        assert response.status_code != 429, address
        if response.mimetype == "text/html" and response.status_code < 300:
            yield address, BeautifulSoup(response.get_data(as_text=True), "html.parser")


@pytest.fixture
def visitors(app: Flask, people: Any) -> dict[str, Visitor]:
    world(people)
    seen = {
        ADMIN: people(ADMIN),
        CUSTOMER: people(CUSTOMER),
        "staff@maison-tellier.example": people("staff@maison-tellier.example"),
        PROVIDER: people(PROVIDER),
        RESELLER: people(RESELLER),
        "nobody": people.visitor(),
    }
    with scoped(EVERYTHING):
        sent = db.session.scalars(sa.select(RelationshipRequest).where(RelationshipRequest.link_id.is_not(None))).all()
        links = [make.link_of(request) for request in sent]
        links += [make.partnership_link(row) for row in db.session.scalars(sa.select(Partnership).where(Partnership.link_id.is_not(None)))]
        links += [f"/directory/inquiries/links/{inquiry.link.token}" for inquiry in db.session.scalars(sa.select(Inquiry))]
        db.session.rollback()
    for link in links:
        for visitor in (seen["nobody"], seen[CUSTOMER]):
            visitor.client.get(link)
    return seen


@one_engine
def test_every_page_opens_in_french(app: Flask, visitors: dict[str, Visitor]) -> None:
    for name, visitor in visitors.items():
        if name != "nobody":
            choose(visitor, "fr")
        for address, soup in pages(app, visitor):
            assert soup.html is not None and soup.html["lang"] == "fr", f"{address} for {name}"


@pytest.fixture
def brackets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalogue that puts every message into brackets: what stands outside them does not go through gettext."""
    for kind in (NullTranslations, Translations):
        monkeypatch.setattr(kind, "ugettext", lambda self, message: f"⟦{message}⟧")
        monkeypatch.setattr(kind, "upgettext", lambda self, context, message: f"⟦{message}⟧")
        monkeypatch.setattr(kind, "ungettext", lambda self, one, many, number: f"⟦{one if number == 1 else many}⟧")
    forget_words()
    yield
    forget_words()


def forget_words() -> None:
    """All that the portal and the macros of its templates have kept, whatever the language: some of it has words in it."""
    for kept in gc.get_objects():
        if isinstance(kept, functools._lru_cache_wrapper) and kept.__module__.startswith(("portal.", "jinja2.")):
            kept.cache_clear()


@one_engine
def test_every_word_of_a_page_goes_through_gettext(app: Flask, visitors: dict[str, Visitor], brackets: None) -> None:
    data = world_words()
    bare: dict[str, str] = {}
    for name, visitor in visitors.items():
        for address, soup in pages(app, visitor):
            bare |= {text: f"{address} for {name}" for text in texts(soup) if unspoken(text, data)}
    assert not bare, "\n".join(f"{where}: {text[:100]}" for text, where in bare.items())


INVALID = {
    ADMIN: (
        "/catalog/new",
        "/customers/new",
        "/relationship-requests/new",
        "/relationship-requests/several",
        "/users/new",
        "/account",
        "/account/password",
        "/settings",
        "/business-profiles/new",
    ),
    CUSTOMER: ("/my/users/new", "/my/company"),
    PROVIDER: ("/partnerships/new",),
    "nobody": ("/sign-in", "/forgotten-password"),
}


@one_engine
def test_every_word_of_a_refused_form_goes_through_gettext(people: Any, brackets: None) -> None:
    data = world_words()
    for name, urls in INVALID.items():
        visitor = people.visitor() if name == "nobody" else people(name)
        for url in urls:
            page = visitor.get(url)
            form = page.form()
            typed = {
                str(field["name"]): ""
                for field in form.select("input[name], textarea[name]")
                if field.get("type") in (None, "text", "email", "password", "tel")
            }
            refused = visitor.submit(page, str(form["action"]), status=422, **typed)
            assert not [text for text in texts(refused.soup) if unspoken(text, data)], url


SILENT = "script, style, time, code, [aria-hidden=true], .letter, form.languages, textarea, select[name=time_zone], select[name=language], select[name=currency], select[name$=country], select[name$=region]"
SPOKEN = ("aria-label", "placeholder", "alt", "data-label", "data-copied", "data-offline-message", "content")


def texts(soup: BeautifulSoup) -> list[str]:
    """What a person reads or hears of a page, without what has a language of its own."""
    for element in soup.select(SILENT):
        element.decompose()
    for element in soup.select(".prose[lang], .prose.scroll"):
        element.decompose()
    found = [str(node) for node in soup.find_all(string=True) if type(node) is NavigableString and not isinstance(node, Comment)]
    found += [str(element[name]) for element in soup.find_all(True) for name in SPOKEN if element.get(name) and element.name != "meta"]
    return [" ".join(text.split()) for text in found if text.strip()]


def unspoken(text: str, data: Callable[[str], str]) -> bool:
    """Whether letters are left when brackets and the world's own words are taken away."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = shorter
    return any(letter.isalpha() for letter in data(text))


def world_words() -> Callable[[str], str]:
    """A function that takes names, addresses and other data of the world out of a text."""
    words = {name for code in ("en", "fr") for name in Locale(code).territories.values()} | {"English", "Français", "Test browser"}
    with db.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            columns = [column for column in table.columns if isinstance(column.type, sa.String | sa.JSON) and not isinstance(column.type, sa.Enum)]
            for row in connection.execute(sa.select(*columns)) if columns else ():
                words |= {" ".join(word.split()) for value in row for word in told(value)}
    names = sorted((word for word in words if not re.fullmatch(r"[a-z_.:/-]*", word)), key=len, reverse=True)  # codes are no data
    months = "|".join(map(re.escape, Locale("fr").months["format"]["abbreviated"].values()))
    plain = re.compile(
        rf"\d{{1,2}} (?:{months}) \d{{4}}|"
        r"[\w.+-]+@[\w.-]+|https?://\S+|[\w-]+\.example|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9]{6}-[0-9A-F]{8}|/[\w/-]+|UTC|GET|POST"
    )

    def without(text: str) -> str:
        text = plain.sub("", text)
        for name in names:
            if name in text:
                text = text.replace(name, "")
        return text

    return without


def told(value: Any) -> Iterator[str]:
    """The texts inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from told(part)
