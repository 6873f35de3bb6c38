"""The demo world: the organizations, accounts and customers that the contract names, with every state of every lifecycle."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from portal.accounts import passwords
from portal.accounts import service as accounts
from portal.accounts.models import Organization, User, UserRole, UserState
from portal.agreements import service as agreements
from portal.agreements.models import AgreementText
from portal.agreements.service import AttestationEntry
from portal.core import clock
from portal.core.access import PORTAL, Actor, Cloud, PartnerType, Role, Side, permissions_of
from portal.core.db import db
from portal.core.money import Money
from portal.core.outbox import Mail, MailState
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, CustomerTag, RelationshipState, Segment
from portal.customers.service import enter_record
from portal.relationships import answers, delegation, ending
from portal.relationships import service as relationships
from portal.relationships.models import AdminRole, DelegatedAdministration, RelationshipRequest, RequestPurpose, RequestState, SendingWay
from portal.relationships.service import RequestEntry
from portal.subscriptions import catalog
from portal.subscriptions.catalog import OfferEntry
from portal.subscriptions.models import Offer

ATELIER = "atelier-nuage.example"
ACCOUNTS = [
    ("admin@atelier-nuage.example", "global admin of Atelier Nuage, a direct-bill partner"),
    ("users@atelier-nuage.example", "user management admin"),
    ("billing@atelier-nuage.example", "billing admin"),
    ("agent@atelier-nuage.example", "admin agent"),
    ("sales@atelier-nuage.example", "sales agent"),
    ("helpdesk@atelier-nuage.example", "helpdesk agent"),
    ("referrals@atelier-nuage.example", "referrals admin"),
    ("admin@grossiste-azur.example", "global admin of Grossiste Azur, an indirect provider"),
    ("sales@grossiste-azur.example", "sales agent"),
    ("admin@relais-breton.example", "global admin of Relais Breton, an indirect reseller"),
    ("sales@relais-breton.example", "sales agent"),
    ("admin@studio-cumulus.example", "global admin of Studio Cumulus, a competitor"),
    ("admin@potomac-stratus.example", "global admin of Potomac Stratus, US government cloud"),
    ("admin@maison-tellier.example", "customer admin of Maison Tellier, a customer of Atelier Nuage"),
    ("buyer@maison-tellier.example", "purchaser"),
    ("staff@maison-tellier.example", "member"),
    ("admin@verrerie-odile.example", "customer admin of Verrerie Odile, a customer of nobody yet"),
]

# name, domain, side and type, cloud, country, street, postal code, city, region, people (address before the @, name, role)
_ORGANIZATIONS = [
    ("Atelier Nuage", ATELIER, PartnerType.DIRECT_BILL, Cloud.PUBLIC, ("FR", "14 rue des Carmes", "44000", "Nantes", ""), [
        ("admin", "Solène Kerbrat", Role.GLOBAL_ADMIN), ("users", "Yann Le Goff", Role.USER_ADMIN), ("billing", "Maud Perrin", Role.BILLING_ADMIN),
        ("agent", "Théo Marchand", Role.ADMIN_AGENT), ("sales", "Inès Caradec", Role.SALES_AGENT), ("helpdesk", "Loïc Briand", Role.HELPDESK_AGENT),
        ("referrals", "Anaïs Hamon", Role.REFERRALS_ADMIN)]),
    ("Grossiste Azur", "grossiste-azur.example", PartnerType.INDIRECT_PROVIDER, Cloud.PUBLIC, ("FR", "8 quai Rauba Capeu", "06300", "Nice", ""), [
        ("admin", "Fabrice Giordan", Role.GLOBAL_ADMIN), ("sales", "Livia Rostagni", Role.SALES_AGENT)]),
    ("Relais Breton", "relais-breton.example", PartnerType.INDIRECT_RESELLER, Cloud.PUBLIC, ("FR", "3 place du Parlement", "35000", "Rennes", ""), [
        ("admin", "Gwenaëlle Tanguy", Role.GLOBAL_ADMIN), ("sales", "Erwan Quéré", Role.SALES_AGENT)]),
    ("Studio Cumulus", "studio-cumulus.example", PartnerType.DIRECT_BILL, Cloud.PUBLIC, ("FR", "27 rue Sainte-Catherine", "33000", "Bordeaux", ""), [
        ("admin", "Bastien Lacaze", Role.GLOBAL_ADMIN)]),
    ("Potomac Stratus", "potomac-stratus.example", PartnerType.DIRECT_BILL, Cloud.US_GOVERNMENT, ("US", "1200 19th Street NW", "20036", "Washington", "DC"), [
        ("admin", "Dana Whitfield", Role.GLOBAL_ADMIN)]),
    ("Maison Tellier", "maison-tellier.example", None, Cloud.PUBLIC, ("FR", "5 rue du Gros-Horloge", "76000", "Rouen", ""), [
        ("admin", "Claire Tellier", Role.CUSTOMER_ADMIN), ("buyer", "Hugo Vasseur", Role.PURCHASER), ("staff", "Nadia Lemoine", Role.MEMBER)]),
    ("Verrerie Odile", "verrerie-odile.example", None, Cloud.PUBLIC, ("FR", "41 rue des Verriers", "57260", "Dieuze", ""), [
        ("admin", "Odile Schmitt", Role.CUSTOMER_ADMIN)]),
]  # fmt: skip

_TRADES = {
    "FR": ["Boulangerie", "Menuiserie", "Cabinet", "Atelier", "Librairie", "Transports", "Imprimerie", "Jardins", "Pharmacie", "Ferronnerie"],
    "BE": ["Brouwerij", "Chocolaterie", "Drukkerij", "Bureau"],
    "DE": ["Tischlerei", "Druckerei", "Gärtnerei", "Apotheke", "Spedition"],
    "IT": ["Officina", "Libreria", "Cantina", "Studio"],
    "ES": ["Bodegas", "Talleres", "Librería", "Clínica"],
    "NL": ["Bakkerij", "Ingenieursbureau", "Kwekerij"],
    "GB": ["Harbour", "Meadow", "Priory"],
    "CH": ["Fromagerie", "Uhrenatelier"],
}
_NAMES = {
    "FR": ["Moreau", "Delacroix", "Rousselet", "Guilloux", "Ferrand", "Chabrol", "Lenôtre", "Beaufils", "Garnier", "Quesnel", "Vidal", "Aubrac"],
    "BE": ["Claes", "Lambrecht", "Dumortier", "Wouters"],
    "DE": ["Brandt", "Köhler", "Weiß", "Lindner", "Schäfer"],
    "IT": ["Bellini", "Ferraro", "Conti", "Marchetti"],
    "ES": ["Ibáñez", "Cabrera", "Núñez", "Soler"],
    "NL": ["de Vries", "Jansen", "Hoekstra"],
    "GB": ["Whitcombe", "Ashdown", "Fairley"],
    "CH": ["Aebischer", "Perret"],
}
_PLACES = {
    "FR": [("12 rue Nationale", "37000", "Tours"), ("6 place Bellecour", "69002", "Lyon"), ("19 rue de la Monnaie", "59800", "Lille"), ("2 cours Mirabeau", "13100", "Aix-en-Provence"), ("30 rue Gambetta", "87000", "Limoges")],
    "BE": [("Meir 24", "2000", "Antwerpen"), ("Rue Neuve 8", "1000", "Bruxelles")],
    "DE": [("Lindenstraße 17", "50674", "Köln"), ("Marktplatz 3", "79098", "Freiburg")],
    "IT": [("Via Garibaldi 9", "10122", "Torino"), ("Corso Italia 41", "34122", "Trieste")],
    "ES": [("Calle Mayor 15", "28013", "Madrid"), ("Avenida del Puerto 60", "46023", "Valencia")],
    "NL": [("Oudegracht 112", "3511 AW", "Utrecht"), ("Hoogstraat 5", "3011 PE", "Rotterdam")],
    "GB": [("22 Park Row", "BS1 5LJ", "Bristol"), ("7 George Street", "EH2 2PB", "Edinburgh")],
    "CH": [("Bahnhofstrasse 10", "3011", "Bern"), ("Rue du Rhône 44", "1204", "Genève")],
}  # fmt: skip
# SKU, publisher, name, category, billing, cycle, months of the term, price in EUR, what else there is to say
_OFFERS = [
    ("NL-BASIC-M1", "Nordlicht", "Suite Basic (monthly)", "Productivity", "licence", "monthly", 1, "6.00", {"description": "Mail, calendar and documents in the browser."}),
    ("NL-BASIC-M12", "Nordlicht", "Suite Basic (1 year, paid monthly)", "Productivity", "licence", "monthly", 12, "5.10", {"description": "Mail, calendar and documents in the browser."}),
    ("NL-BASIC-Y12", "Nordlicht", "Suite Basic (1 year)", "Productivity", "licence", "annual", 12, "60.00", {"description": "Mail, calendar and documents in the browser."}),
    ("NL-STD-M1", "Nordlicht", "Suite Standard (monthly)", "Productivity", "licence", "monthly", 1, "13.20", {"description": "The office programs, on up to five devices a person."}),
    ("NL-STD-M12", "Nordlicht", "Suite Standard (1 year, paid monthly)", "Productivity", "licence", "monthly", 12, "11.70", {"description": "The office programs, on up to five devices a person."}),
    ("NL-STD-Y12", "Nordlicht", "Suite Standard (1 year)", "Productivity", "licence", "annual", 12, "138.00", {"description": "The office programs, on up to five devices a person."}),
    ("NL-STD-TRIAL", "Nordlicht", "Suite Standard (trial)", "Productivity", "licence", "monthly", 12, "11.70", {"trial_days": 30, "one_per_customer": True, "maximum": 25}),
    ("NL-PREM-M12", "Nordlicht", "Suite Premium (1 year, paid monthly)", "Productivity", "licence", "monthly", 12, "20.60", {"description": "Suite Standard with device management."}),
    ("NL-PREM-Y12", "Nordlicht", "Suite Premium (1 year)", "Productivity", "licence", "annual", 12, "242.40", {"description": "Suite Standard with device management."}),
    ("NL-PREM-M36", "Nordlicht", "Suite Premium (3 years, paid monthly)", "Productivity", "licence", "monthly", 36, "19.20", {"minimum": 10}),
    ("NL-PREM-Y36", "Nordlicht", "Suite Premium (3 years)", "Productivity", "licence", "annual", 36, "226.80", {"minimum": 10}),
    ("NL-EDU-Y12", "Nordlicht", "Suite Standard for schools (1 year)", "Productivity", "licence", "annual", 12, "34.80", {"segment": "education", "minimum": 20}),
    ("NL-EDU-M12", "Nordlicht", "Suite Basic for schools (1 year, paid monthly)", "Productivity", "licence", "monthly", 12, "1.90", {"segment": "education"}),
    ("NL-NP-Y12", "Nordlicht", "Suite Premium for associations (1 year)", "Productivity", "licence", "annual", 12, "60.00", {"segment": "nonprofit", "maximum": 300}),
    ("NL-VOICE-M12", "Nordlicht", "Telephony for Suite Standard", "Communication", "licence", "monthly", 12, "7.50", {"add_on_of": "NL-STD-M12"}),
    ("NL-ROOM-M12", "Nordlicht", "Meeting room for Suite Premium", "Communication", "licence", "monthly", 12, "34.00", {"add_on_of": "NL-PREM-M12", "maximum": 50}),
    ("NL-ARCH-M12", "Nordlicht", "Archive for Suite Basic", "Security", "licence", "monthly", 12, "2.80", {"add_on_of": "NL-BASIC-M12"}),
    ("CQ-SHIELD-M1", "Calanque", "Shield (monthly)", "Security", "licence", "monthly", 1, "3.40", {"description": "Protects computers and phones."}),
    ("CQ-SHIELD-M12", "Calanque", "Shield (1 year, paid monthly)", "Security", "licence", "monthly", 12, "2.90", {"description": "Protects computers and phones."}),
    ("CQ-SHIELD-Y36", "Calanque", "Shield (3 years)", "Security", "licence", "annual", 36, "29.90", {"description": "Protects computers and phones."}),
    ("CQ-SHIELD-TRIAL", "Calanque", "Shield (trial)", "Security", "licence", "monthly", 12, "2.90", {"trial_days": 14, "one_per_customer": True, "maximum": 10}),
    ("CQ-HUNT-M12", "Calanque", "Threat hunting for Shield", "Security", "licence", "monthly", 12, "4.60", {"add_on_of": "CQ-SHIELD-M12"}),
    ("CQ-ID-M12", "Calanque", "Identity (1 year, paid monthly)", "Security", "licence", "monthly", 12, "5.60", {}),
    ("CQ-ID-Y12", "Calanque", "Identity (1 year)", "Security", "licence", "annual", 12, "65.00", {}),
    ("CQ-ID-GOV", "Calanque", "Identity for public services (1 year)", "Security", "licence", "annual", 12, "58.00", {"segment": "government"}),
    ("CQ-MAIL-M12", "Calanque", "Mail Classic", "Security", "licence", "monthly", 12, "1.60", {}),
    ("CQ-BACKUP-U", "Calanque", "Backup by volume", "Security", "usage", "monthly", 1, "0.12", {"description": "Charged for what is kept; the price is for one unit."}),
    ("MC-PLAN-U", "Meridian Cloud", "Cloud plan", "Infrastructure", "usage", "monthly", 1, "1.00", {"one_per_customer": True, "maximum": 1, "description": "Charged for what is consumed. Reservations lower the price of what always runs."}),
    ("MC-STORE-U", "Meridian Cloud", "Object storage", "Infrastructure", "usage", "monthly", 1, "0.02", {"description": "Charged for what is kept; the price is for one unit."}),
    ("MC-NET-U", "Meridian Cloud", "Network by volume", "Infrastructure", "usage", "monthly", 1, "0.07", {}),
    ("MC-CARE-M1", "Meridian Cloud", "Support around the clock", "Support", "licence", "monthly", 1, "89.00", {"one_per_customer": True, "maximum": 1}),
    ("AB-SALES-M12", "Atlas Bureau", "Sales desk", "Business applications", "licence", "monthly", 12, "61.00", {"description": "Contacts, offers and follow-up."}),
    ("AB-SERVICE-M12", "Atlas Bureau", "Service desk", "Business applications", "licence", "monthly", 12, "47.00", {}),
    ("AB-FORECAST", "Atlas Bureau", "Forecast for Sales desk", "Business applications", "licence", "monthly", 12, "18.00", {"add_on_of": "AB-SALES-M12"}),
    ("AB-LEDGER-Y12", "Atlas Bureau", "Ledger (1 year)", "Business applications", "licence", "annual", 12, "684.00", {"maximum": 100}),
    ("AB-LEDGER-TRIAL", "Atlas Bureau", "Ledger (trial)", "Business applications", "licence", "annual", 12, "684.00", {"trial_days": 30, "one_per_customer": True, "maximum": 5}),
    ("VG-BUILD-M1", "Voltigeur", "Build (monthly)", "Developer tools", "licence", "monthly", 1, "42.00", {}),
    ("VG-BUILD-Y12", "Voltigeur", "Build (1 year)", "Developer tools", "licence", "annual", 12, "441.00", {}),
    ("VG-RUN-U", "Voltigeur", "Build minutes", "Developer tools", "usage", "monthly", 1, "0.01", {}),
]  # fmt: skip
# Instance type and what it costs for a year in the first region
_INSTANCES = {"B2 (2 vCPU, 8 GiB)": 290, "D4 (4 vCPU, 16 GiB)": 980, "D8 (8 vCPU, 32 GiB)": 1960, "E8 (8 vCPU, 64 GiB)": 2580, "F16 (16 vCPU, 32 GiB)": 3720, "N6 (6 vCPU, 1 GPU)": 6900}  # fmt: skip

_LANGUAGES = {"FR": "fr", "BE": "fr", "CH": "fr"}
_REGIONS = {"IT": {"Torino": "TO", "Trieste": "TS"}, "ES": {"Madrid": "M", "Valencia": "V"}}
_PEOPLE = [
    "Camille Renard",
    "Jonas Keller",
    "Giulia Rossi",
    "Lucía Romero",
    "Sander Visser",
    "Emma Clarke",
    "Noé Lambert",
    "Greta Huber",
    "Manon Fabre",
    "Pieter Maes",
]
_TAGS = ["VIP", "renewal 2027", "education offer", "migrated", "needs training", "monthly call"]


def load(password: str) -> bool:
    """Load the whole world once; False when it is there already. Commits."""
    if db.session.scalar(sa.select(Organization.id).where(Organization.domain == ATELIER)) is not None:
        return False
    at = clock.now()
    load_organizations(password, at=at)
    _many_customers(at)
    _catalog(at)
    _answers(at)
    db.session.commit()
    return True


def load_organizations(password: str, *, at: datetime) -> None:
    """Organizations and accounts of the contract, and Maison Tellier as a customer of Atelier Nuage."""
    founded = at - timedelta(days=400)
    for name, domain, partner_type, cloud, (country, street, postal_code, city, region), people in _ORGANIZATIONS:
        side = Side.PARTNER if partner_type else Side.CUSTOMER
        organization = accounts.create_organization(
            name=name, domain=domain, side=side, partner_type=partner_type, cloud=cloud, country=country, by=PORTAL, at=founded,
            street=street, postal_code=postal_code, city=city, region=region,
        )  # fmt: skip
        for local, person, role in people:
            _user(organization, f"{local}@{domain}", person, role, password, at=founded)
        organization.domain_proven_at = founded
    db.session.flush()
    atelier, tellier = _organization(ATELIER), _organization("maison-tellier.example")
    with scoped(Scope(partner_id=atelier.id)):
        customer = enter_record(
            tellier, partner_id=atelier.id, state=RelationshipState.ACTIVE, by=actor("sales@atelier-nuage.example"), at=founded + timedelta(days=10),
            first_name="Claire", last_name="Tellier", email="admin@maison-tellier.example", phone="+33 2 35 08 81 00", language="fr",
        )  # fmt: skip
        agreements.attest(
            tellier,
            AttestationEntry("Claire", "Tellier", "admin@maison-tellier.example", "", founded.date() + timedelta(days=10)),
            by=actor("sales@atelier-nuage.example"),
            at=founded + timedelta(days=10),
        )
        db.session.add(CustomerTag(partner_id=atelier.id, record_id=customer.id, tag="VIP"))


def actor(email: str) -> Actor:
    """This person as the one who does something."""
    user = db.session.scalars(sa.select(User).where(User.email_key == email, User.state != UserState.INVITED)).one()
    organization = user.organization
    return Actor(
        user_id=user.id, name=user.name, email=user.email, organization_id=organization.id, organization_name=organization.name,
        organization_public_id=organization.public_id, side=organization.side, partner_type=organization.partner_type, cloud=organization.cloud,
        country=organization.country, roles=user.roles, permissions=permissions_of(user.roles, organization.partner_type, organization.cloud),
        language=user.language, time_zone=user.time_zone,
    )  # fmt: skip


def _organization(domain: str) -> Organization:
    return db.session.scalars(sa.select(Organization).where(Organization.domain == domain).order_by(Organization.id).limit(1)).one()


def _user(organization: Organization, email: str, name: str, role: Role, password: str, *, at: datetime) -> User:
    user = User(
        organization=organization, email=email, email_key=email, name=name, name_key=accounts.name_key(name), state=UserState.ACTIVE, state_at=at,
        password_hash=passwords.hash_password(password) if password else None, time_zone="Europe/Paris" if organization.country == "FR" else "America/New_York", role_rows=[UserRole(role=role)],
    )  # fmt: skip
    db.session.add(user)
    return user


def _many_customers(at: datetime) -> None:
    """About 120 customers of Atelier Nuage in all states, and a few of the other partners."""
    dice = random.Random(20)  # noqa: S311  (the same world every time)
    agent, sales = actor("agent@atelier-nuage.example"), actor("sales@atelier-nuage.example")
    body = db.session.scalars(sa.select(AgreementText.body).where(AgreementText.language == "fr").limit(1)).one()
    with scoped(Scope(partner_id=agent.organization_id)):
        for number, (country, name, domain) in enumerate(_companies(dice)):
            when = at - timedelta(days=dice.randint(20, 380), minutes=dice.randint(0, 1400))
            street, postal_code, city = dice.choice(_PLACES[country])
            person = dice.choice(_PEOPLE)
            organization = accounts.create_organization(
                name=name, domain=domain, side=Side.CUSTOMER, country=country, by=sales, at=when, added_by_id=sales.organization_id,
                street=street, postal_code=postal_code, city=city, region=_REGIONS.get(country, {}).get(city, ""),
            )  # fmt: skip
            state = RelationshipState.PENDING if number % 17 == 16 else RelationshipState.ACTIVE
            first, _space, last = person.partition(" ")
            customer = enter_record(
                organization, partner_id=sales.organization_id or 0, state=state, by=dice.choice([agent, sales]), at=when, first_name=first, last_name=last,
                email=f"{_slug(first)}.{_slug(last)}@{domain}", language=_LANGUAGES.get(country, "en"),
                segment=dice.choice([Segment.COMMERCIAL] * 6 + [Segment.EDUCATION, Segment.NONPROFIT]),
            )  # fmt: skip
            if state is RelationshipState.ACTIVE and number % 4:
                agreements.attest(organization, AttestationEntry(first, last, customer.email, "", when.date()), by=sales, at=when)
            if number % 3 == 0:
                db.session.add(CustomerTag(partner_id=customer.partner_id, record_id=customer.id, tag=dice.choice(_TAGS)))
            if number in (7, 31, 58):
                ending.end_relationship(
                    customer, typed_name=name, reason="Moved to another supplier.", by=actor("admin@atelier-nuage.example"), at=at - timedelta(days=number)
                )
            if state is RelationshipState.ACTIVE and number % 9 == 2:
                _delegated(
                    customer,
                    organization,
                    days=dice.choice([90, 180, 365]),
                    started=at - timedelta(days=dice.choice([20, 62, 85, 88])),
                    extend=number % 2 == 0,
                    by=sales,
                )
    with scoped(EVERYTHING):
        agreements.publish(country="BE", language="fr", body=body.replace("Contrat client", "Contrat client (Belgique)"), version=2, at=at - timedelta(days=12))
    for domain, partner in (
        ("hotel-des-dunes.example", "admin@studio-cumulus.example"),
        ("pecherie-marec.example", "sales@relais-breton.example"),
        ("comptoir-riviera.example", "sales@grossiste-azur.example"),
    ):
        seller = actor(partner)
        with scoped(Scope(partner_id=seller.organization_id)):
            company = accounts.create_organization(
                name=domain.partition(".")[0].replace("-", " ").title(), domain=domain, side=Side.CUSTOMER, country="FR", by=seller, at=at - timedelta(days=30),
                added_by_id=seller.organization_id, street="1 rue du Port", postal_code="29900", city="Concarneau",
            )  # fmt: skip
            enter_record(
                company,
                partner_id=seller.organization_id or 0,
                state=RelationshipState.ACTIVE,
                by=seller,
                at=at - timedelta(days=30),
                email=f"contact@{domain}",
            )
    federal = actor("admin@potomac-stratus.example")
    with scoped(Scope(partner_id=federal.organization_id)):
        bureau = accounts.create_organization(
            name="Harbor Survey Bureau", domain="harbor-survey.example", side=Side.CUSTOMER, cloud=Cloud.US_GOVERNMENT, country="US", by=federal,
            at=at - timedelta(days=60), added_by_id=federal.organization_id, street="400 Water Street SW", postal_code="20024", city="Washington", region="DC",
        )  # fmt: skip
        enter_record(
            bureau,
            partner_id=federal.organization_id or 0,
            state=RelationshipState.ACTIVE,
            by=federal,
            at=at - timedelta(days=60),
            email="it@harbor-survey.example",
        )


def _delegated(customer: Customer, organization: Organization, *, days: int, started: datetime, extend: bool, by: Actor) -> DelegatedAdministration:
    entry = RequestEntry(
        customer.email, customer.name, customer.language, True, [AdminRole.DIRECTORY_READER, AdminRole.SERVICE_SUPPORT_ADMINISTRATOR], days, extend
    )
    request = relationships.draft_request(entry, by=by, at=started, named=organization)
    _mark_answered(request, RequestState.ACCEPTED, at=started)
    granter = Actor(user_id=None, name=f"{customer.first_name} {customer.last_name}", email=customer.email, side=Side.CUSTOMER)
    return delegation.grant(request, organization, by=granter, at=started)


def _answers(at: datetime) -> None:
    """Relationship requests in every state, a new colleague, a deactivated one, and mail in every state."""
    sales, admin = actor("sales@atelier-nuage.example"), actor("admin@atelier-nuage.example")
    with scoped(Scope(partner_id=sales.organization_id)):
        plain = {"delegated_administration": False, "language": "fr"}
        waiting = [
            ("direction@scierie-vosges.example", "Scierie des Vosges", 3),
            ("it@clinique-arvor.example", "Clinique d'Arvor", 12),
            ("gerance@moulin-bleu.example", "Moulin Bleu", 27),
        ]
        for address, company, days in waiting:
            request = relationships.draft_request(RequestEntry(address, company, **plain), by=sales, at=at - timedelta(days=days))  # type: ignore[arg-type]
            relationships.send_request(request, way=SendingWay.PORTAL, by=sales, at=at - timedelta(days=days))
        relationships.draft_request(RequestEntry("bonjour@cave-saintpaul.example", "Cave Saint-Paul", **plain), by=sales, at=at - timedelta(hours=5))  # type: ignore[arg-type]
        finished = [
            ("achats@papeterie-loire.example", "Papeterie de Loire", "decline", 9),
            ("contact@garage-bellevue.example", "Garage Bellevue", "expire", 40),
            ("office@domaine-clair.example", "Domaine Clair", "revoke", 15),
        ]
        for address, company, action, days in finished:
            when = at - timedelta(days=days)
            request = relationships.draft_request(RequestEntry(address, company, **plain), by=sales, at=when)  # type: ignore[arg-type]
            relationships.send_request(request, way=SendingWay.COPY, by=sales, at=when)
            if action == "decline":
                answers.decline_request(
                    request, reason="We already work with somebody.", by=Actor(user_id=None, name=address, email=address), at=when + timedelta(days=2)
                )
            elif action == "revoke":
                relationships.revoke_request(request, by=sales, at=when + timedelta(days=1))
        tellier = _organization("maison-tellier.example")
        entry = RequestEntry("admin@maison-tellier.example", "Maison Tellier", "fr", True, [AdminRole.DIRECTORY_READER, AdminRole.HELPDESK_ADMINISTRATOR], 90)
        request = relationships.draft_request(entry, by=sales, at=at - timedelta(days=70), named=tellier, purpose=RequestPurpose.EXTEND)
        _mark_answered(request, RequestState.ACCEPTED, at=at - timedelta(days=69))
        delegation.grant(request, tellier, by=actor("admin@maison-tellier.example"), at=at - timedelta(days=69))
        accounts.invite_user(
            _organization(ATELIER),
            accounts.Colleague("Malo Guivarch", "malo@atelier-nuage.example", [Role.HELPDESK_AGENT], "fr"),
            by=admin,
            at=at - timedelta(days=1),
        )
        gone = _user(_organization(ATELIER), "ancien@atelier-nuage.example", "Pierrick Le Bihan", Role.SALES_AGENT, "", at=at - timedelta(days=300))
        db.session.flush()
        accounts.deactivate(gone, by=admin, at=at - timedelta(days=50))
        db.session.flush()
    relationships.expire_requests(at=at)
    states = [MailState.SENT, MailState.FAILED, MailState.SENT, MailState.SUPERSEDED]
    for mail, state in zip(db.session.scalars(sa.select(Mail).where(Mail.link_id.is_(None)).order_by(Mail.id).limit(len(states))), states, strict=False):
        mail.state, mail.attempts = state, 1
        mail.sent_at = mail.created_at + timedelta(seconds=4) if state is MailState.SENT else None
        mail.error = "550 5.1.1 no such user here" if state is MailState.FAILED else None


def _mark_answered(request: RelationshipRequest, state: RequestState, *, at: datetime) -> None:
    """A request that was sent and answered before the log of this world begins."""
    request.state, request.state_at, request.sent_at, request.sending_way = state, at, at - timedelta(days=1), SendingWay.COPY
    request.answered_by = request.email


def _catalog(at: datetime) -> None:
    """About 60 offers of Atelier Nuage in three currencies, and smaller catalogs of the other partners that sell themselves."""
    founded = at - timedelta(days=399)
    atelier = actor("billing@atelier-nuage.example")
    with scoped(Scope(partner_id=atelier.organization_id)):
        offers = _fill_catalog(_OFFERS, {"EUR": "1", "CHF": "1.02", "GBP": "0.87"}, ("France Central", "West Europe"), 6, by=atelier, at=founded)
        raised = Money(25_800, "EUR")
        catalog.set_price(offers["NL-PREM-Y12"], raised, cost=raised.times(Decimal("0.83")), from_on=at.date() + timedelta(days=60), by=atelier, at=at)
        catalog.withdraw(offers["CQ-MAIL-M12"], reason="Calanque ends Mail Classic; offer Shield instead.", by=atelier, at=at - timedelta(days=25))
    for email, rows, rates, regions in (
        ("admin@grossiste-azur.example", _OFFERS[:20], {"EUR": "0.93", "CHF": "0.95"}, ("France Central",)),
        ("admin@studio-cumulus.example", _OFFERS[3:9] + _OFFERS[27:29], {"EUR": "1.04"}, ("West Europe",)),
        ("admin@potomac-stratus.example", _OFFERS[1:9] + _OFFERS[22:24] + _OFFERS[27:29], {"USD": "1.12"}, ("Potomac East",)),
    ):
        seller = actor(email)
        with scoped(Scope(partner_id=seller.organization_id)):
            _fill_catalog(rows, rates, regions, 2, by=seller, at=founded)


def _fill_catalog(rows: list[Any], rates: dict[str, str], regions: tuple[str, ...], instances: int, *, by: Actor, at: datetime) -> dict[str, Offer]:
    reserved: list[Any] = [
        (f"MC-{instance.split()[0]}-{region[0]}{months}", "Meridian Cloud", f"{instance.split()[0]} in {region} ({months // 12} y)", "Reservations", "licence",
         "annual", months, str(price * (1 if months == 12 else 2.6) * (1 + number / 20)), {"instance_type": instance, "region": region})
        for instance, price in list(_INSTANCES.items())[:instances]
        for number, region in enumerate(regions)
        for months in (12, 36)
    ]  # fmt: skip
    made = {}
    for sku, publisher, name, category, billing, cycle, months, price, more in rows + reserved:
        offer = made[sku] = catalog.add_offer(OfferEntry(sku, publisher, name, category, billing, cycle, months, **more), by=by, at=at)
        for currency, rate in rates.items():
            amount = Money(100, currency).times(Decimal(price) * Decimal(rate))
            catalog.set_price(offer, amount, cost=amount.times(Decimal("0.72") + Decimal(len(name) % 5) / 40), from_on=at.date(), by=by, at=at)
    return made


def _companies(dice: random.Random) -> Iterable[tuple[str, str, str]]:
    countries = ["FR"] * 70 + ["DE"] * 12 + ["BE"] * 9 + ["IT"] * 8 + ["ES"] * 8 + ["NL"] * 6 + ["GB"] * 4 + ["CH"] * 2
    seen: set[str] = set()
    for country in countries:
        while True:
            name = f"{dice.choice(_TRADES[country])} {dice.choice(_NAMES[country])}" + (
                f" {dice.choice(['& Fils', 'SARL', 'Sud', 'Ouest', 'Nord', 'et Associés'])}" if country == "FR" and dice.random() < 0.5 else ""
            )
            domain = f"{_slug(name)}.example"
            if domain not in seen:
                break
            country_extra = dice.choice(["Group", "Plus", "Union", "Nova", "Alba"])
            name, domain = f"{name} {country_extra}", f"{_slug(name)}-{country_extra.lower()}.example"
            if domain not in seen:
                break
        seen.add(domain)
        yield country, name, domain


def _slug(name: str) -> str:
    from portal.core.words import normalise

    return "-".join(normalise(name).split())
