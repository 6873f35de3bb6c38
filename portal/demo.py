"""The demo world: the organizations, accounts and customers that the contract names, with every state of every lifecycle."""

import random
from collections.abc import Generator, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import sqlalchemy as sa
from PIL import Image, ImageDraw

from portal.accounts import passwords
from portal.accounts import service as accounts
from portal.accounts.models import Organization, User, UserRole, UserState
from portal.agreements import service as agreements
from portal.agreements.models import AgreementState, AgreementText
from portal.agreements.service import AttestationEntry
from portal.core import clock
from portal.core.access import PORTAL, Actor, Cloud, PartnerType, Role, Side, permissions_of
from portal.core.db import db, uuid7
from portal.core.money import Money
from portal.core.outbox import Mail, MailState
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.customers.models import Customer, CustomerTag, RelationshipState, Segment
from portal.customers.service import edition, enter_record
from portal.directory import logos
from portal.directory import service as directory
from portal.directory.service import AboutEntry, LocationEntry
from portal.leads import conversion, referrals
from portal.leads import service as leads
from portal.leads.models import CompanySize, DeclineReason, Lead, LeadSource, LeadState, LossReason, PersonKind
from portal.leads.referrals import ReferralEntry
from portal.leads.service import DealEntry, DeclineEntry, LossEntry, NewLead, PersonEntry, WinEntry
from portal.onboarding import service as onboarding
from portal.onboarding.service import AccountEntry
from portal.permissions import service as permissions
from portal.permissions.models import Category, Notice, Purchase
from portal.permissions.service import Wish
from portal.relationships import answers, delegation, ending, partnerships
from portal.relationships import service as relationships
from portal.relationships.models import (
    AdminRole,
    DelegatedAdministration,
    Partnership,
    PartnershipState,
    RelationshipRequest,
    RequestPurpose,
    RequestState,
    SendingWay,
)
from portal.relationships.partnerships import PartnershipEntry
from portal.relationships.service import RequestEntry
from portal.relationships.states import PARTNERSHIP
from portal.relationships.texts import draft_partnership
from portal.subscriptions import advancing, catalog, naming, ordering, reselling, reservation_requests, reservations
from portal.subscriptions import service as subscriptions
from portal.subscriptions.catalog import OfferEntry
from portal.subscriptions.models import Offer, Order, RequestKind, Reservation, ReservationScope, Subscription

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
_REGIONS = {"IT": {"Genova": "GE", "Torino": "TO", "Trieste": "TS"}, "ES": {"Madrid": "M", "Valencia": "V"}}
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
# Companies that ask or were met somewhere: company, domain, country, city, who asks.
_PROSPECTS = [
    ("Ébénisterie Vauclair", "ebenisterie-vauclair.example", "FR", "Angers", "Delphine Vauclair"), ("Laiterie des Aravis", "laiterie-aravis.example", "FR", "Annecy", "Rémi Blanchet"),
    ("Kunstgießerei Haller", "kunstgiesserei-haller.example", "DE", "München", "Anneliese Haller"), ("Orfebrería Salazar", "orfebreria-salazar.example", "ES", "Córdoba", "Joaquín Salazar"),
    ("Vetreria Lagunare", "vetreria-lagunare.example", "IT", "Venezia", "Tommaso Zanella"), ("Zeilmakerij Van Dam", "zeilmakerij-vandam.example", "NL", "Enkhuizen", "Femke van Dam"),
    ("Clinique des Tilleuls", "clinique-tilleuls.example", "FR", "Dijon", "Mathilde Royer"), ("Conserverie Belle-Île", "conserverie-belleile.example", "FR", "Lorient", "Ronan Le Port"),
    ("Papierfabrik Eschenbach", "papierfabrik-eschenbach.example", "DE", "Nürnberg", "Konrad Eschenbach"), ("Brasserie du Canal", "brasserie-canal.example", "BE", "Namur", "Quentin Delvaux"),
    ("Horlogerie Matthey", "horlogerie-matthey.example", "CH", "Neuchâtel", "Sylvie Matthey"), ("Tessitura Brunelli", "tessitura-brunelli.example", "IT", "Prato", "Chiara Brunelli"),
    ("Cotswold Saddlery", "cotswold-saddlery.example", "GB", "Cheltenham", "Imogen Pryce"), ("Viveros Almendral", "viveros-almendral.example", "ES", "Murcia", "Rocío Almendral"),
    ("Miellerie du Ventoux", "miellerie-ventoux.example", "FR", "Carpentras", "Bruno Estève"), ("Lycée Jeanne-Barret", "lycee-jeanne-barret.example", "FR", "Nantes", "Philippe Aubert"),
    ("Schiffswerft Petersen", "schiffswerft-petersen.example", "DE", "Flensburg", "Hauke Petersen"), ("Galerie Perspective", "galerie-perspective.example", "FR", "Paris", "Éléonore Vidal"),
    ("Steenbakkerij Mertens", "steenbakkerij-mertens.example", "BE", "Gent", "Lieve Mertens"), ("Coopérative du Léon", "cooperative-leon.example", "FR", "Morlaix", "Annick Abgrall"),
    ("Fonderie de Cloches Paccaud", "cloches-paccaud.example", "CH", "Lausanne", "Gaspard Paccaud"), ("Cartiera Valdarno", "cartiera-valdarno.example", "IT", "Arezzo", "Lorenzo Bandini"),
    ("Hôtel des Remparts", "hotel-remparts.example", "FR", "Saint-Malo", "Océane Leroux"), ("Vingård Fjordview", "fjordview.example", "DK", "Aarhus", "Søren Dahl"),
    ("Orgelbau Wiesner", "orgelbau-wiesner.example", "AT", "Linz", "Magdalena Wiesner"), ("Confiserie Lachaume", "confiserie-lachaume.example", "FR", "Clermont-Ferrand", "Étienne Lachaume"),
    ("Atelier de Lutherie Marchal", "lutherie-marchal.example", "FR", "Mirecourt", "Judith Marchal"), ("Pastelaria Ribeira", "pastelaria-ribeira.example", "PT", "Porto", "Duarte Nogueira"),
    ("Savonnerie du Soleil", "savonnerie-soleil.example", "FR", "Marseille", "Farid Benali"), ("Tuchfabrik Lausitz", "tuchfabrik-lausitz.example", "DE", "Cottbus", "Jördis Nowak"),
    ("Transports Kervella", "transports-kervella.example", "FR", "Brest", "Goulven Kervella"), ("Bibliotheek De Zwaan", "dezwaan.example", "NL", "Zwolle", "Marit Zwaan"),
    ("Distillerie Hautecombe", "distillerie-hautecombe.example", "FR", "Chambéry", "Agathe Pernod"), ("Talleres Ormaechea", "talleres-ormaechea.example", "ES", "Bilbao", "Iker Ormaechea"),
    ("Cabinet Fournel Architectes", "fournel-architectes.example", "FR", "Lyon", "Benoît Fournel"), ("Uhrenmanufaktur Rhön", "uhren-rhoen.example", "DE", "Fulda", "Birgit Sauer"),
    ("Pêcheries d'Étaples", "pecheries-etaples.example", "FR", "Étaples", "Noémie Caloin"), ("Musée de la Dentelle", "musee-dentelle.example", "FR", "Calais", "Hervé Dubrulle"),
    ("Frantoio San Rocco", "frantoio-sanrocco.example", "IT", "Imperia", "Elisa Ramoino"), ("Imprimerie du Marais", "imprimerie-marais.example", "FR", "La Rochelle", "Sabine Chauvet"),
]  # fmt: skip
_WISHES = [
    "We want to leave our two servers behind before the lease ends and need somebody who moves files and mail for 35 people.",
    "Looking for licences with support in our language, and training for the workshop.",
    "Our present supplier answers too slowly. We would like an offer for 60 seats, backup included.",
    "We open a second site in spring and need mail, telephony and a shared calendar there.",
    "Please advise us how to protect our accounts; we had an incident last month.",
]
# Whose profile, country, name, what it says, LinkedIn, industries, products, services, skills, sizes, colour of the logo, days since the last change, what follows
# ("draft", "publish", "take_back" or "change"), and its locations: name, street, postal code, city, telephone, latitude, longitude.
_PROFILES = [
    ("referrals@atelier-nuage.example", "FR", "Atelier Nuage", ("Nous accompagnons les entreprises de l'Ouest vers le cloud depuis 2011 : messagerie, fichiers, téléphonie et sauvegarde, "
     "sans interrompre le travail.\n\nUn premier échange sur place est gratuit. Ensuite, une seule personne suit votre projet du devis à la formation, et notre support répond en moins d'une heure."),
     "https://www.linkedin.com/company/atelier-nuage", ["retail", "trades", "education", "health"], ["office", "backup", "telephony", "security"], ["migration", "helpdesk", "managed_services", "adoption"],
     ["Power BI", "Intune", "Reprise d'activité"], ["1-9", "10-49", "50-249"], "#2456a6", 20, "publish", [
         ("Siège", "14 rue des Carmes", "44000", "Nantes", "+33 2 40 35 11 20", 47.215926, -1.552612),
         ("Agence", "22 quai Duguay-Trouin", "35000", "Rennes", "+33 2 99 30 44 18", 48.109845, -1.682901),
         ("Agence", "9 rue Bressigny", "49100", "Angers", "+33 2 41 20 17 65", 47.466402, -0.545371)]),
    ("referrals@atelier-nuage.example", "BE", "Atelier Nuage Belgique", ("Our team in Brussels moves associations and public bodies to the cloud, in French, Dutch and English.\n\n"
     "We know the rules for public tenders and for data that must stay in Europe."), "", ["associations", "public"], ["office", "identity", "storage"], ["migration", "compliance", "consulting"],
     ["Nederlands", "Marchés publics"], ["10-49", "50-249", "250-999"], "#2456a6", 45, "publish", [("", "Rue du Page 61", "1050", "Bruxelles", "+32 2 537 12 40", 50.824781, 4.360127)]),
    ("referrals@atelier-nuage.example", "CH", "Atelier Nuage Suisse", "Bientôt à Genève.", "", [], ["office"], [], [], [], "", 2, "draft", []),
    ("admin@studio-cumulus.example", "FR", "Studio Cumulus", ("Des applications sur mesure et les données qui vont avec : nous concevons, développons et exploitons.\n\n"
     "Viticulture, agroalimentaire, industrie : nous connaissons vos métiers et vos saisons."), "https://www.linkedin.com/company/studio-cumulus", ["agriculture", "manufacturing", "retail"],
     ["ai", "analytics", "containers", "database", "developer_tools"], ["application_development", "architecture", "integration"], ["Python", "Terraform", "Traçabilité"], ["50-249", "250-999"],
     "#b3541e", 90, "change", [("", "27 rue Sainte-Catherine", "33000", "Bordeaux", "+33 5 56 44 80 31", 44.839215, -0.574088)]),
    ("admin@grossiste-azur.example", "FR", "Grossiste Azur", ("Distributeur cloud pour les revendeurs du Sud : catalogue, facturation, avant-vente et support de niveau 2.\n\n"
     "Plus de quatre-vingts revendeurs nous font confiance entre Nice et Perpignan."), "https://www.linkedin.com/company/grossiste-azur", ["telecommunications", "software"],
     ["office", "servers", "security", "backup", "identity"], ["licensing", "support", "architecture"], ["Avant-vente", "Marque blanche"], ["10-49", "50-249", "250-999", "1000+"], "#0b7a75", 60, "publish", [
         ("Siège", "8 quai Rauba Capeu", "06300", "Nice", "+33 4 93 55 10 07", 43.694861, 7.279743),
         ("Entrepôt et formation", "115 rue de la République", "13002", "Marseille", "+33 4 91 90 62 14", 43.303417, 5.367981)]),
    ("admin@grossiste-azur.example", "IT", "Grossiste Azur Italia", "Distribuzione cloud per i rivenditori della Liguria.", "", ["software"], ["office", "servers"], ["licensing"], [], ["10-49"], "#0b7a75", 120,
     "take_back", [("", "Via XX Settembre 32", "16121", "Genova", "+39 010 561 248", 44.405318, 8.939702)]),
    ("admin@relais-breton.example", "FR", "Relais Breton", "L'informatique de proximité pour les artisans, les commerces et les pêcheurs de Bretagne.\n\nNous passons vous voir, nous installons, nous expliquons.",
     "", ["trades", "retail", "agriculture", "hospitality"], ["office", "mail_calendar", "device_management"], ["helpdesk", "deployment", "adoption"], ["Brezhoneg"], ["1-9", "10-49"], "#3a3f8f", 215, "publish", [
         ("", "3 place du Parlement", "35000", "Rennes", "+33 2 99 79 26 03", 48.112437, -1.677629),
         ("Atelier du port", "18 quai Carnot", "29900", "Concarneau", "+33 2 98 97 05 52", 47.871884, -3.915209)]),
]  # fmt: skip
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
    _partnerships(at)
    _leads(at)
    _referred_leads(at)
    _profiles(at)
    _resold(at)
    _sales(at)
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
    _partners(_organization("relais-breton.example"), "admin@relais-breton.example", at=founded + timedelta(days=20))


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
    for name, domain, partner in (
        ("Hôtel des Dunes", "hotel-des-dunes.example", "admin@studio-cumulus.example"),
        ("Pêcherie Marec", "pecherie-marec.example", "sales@relais-breton.example"),
        ("Comptoir Riviera", "comptoir-riviera.example", "sales@grossiste-azur.example"),
    ):
        seller = actor(partner)
        with scoped(Scope(partner_id=seller.organization_id)):
            company = accounts.create_organization(
                name=name, domain=domain, side=Side.CUSTOMER, country="FR", by=seller, at=at - timedelta(days=30),
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


def _partners(reseller: Organization, accepted_by: str, *, at: datetime) -> Partnership:
    """An active partnership of Grossiste Azur, from before the mail of this world begins."""
    provider, partner = actor("admin@grossiste-azur.example"), actor(accepted_by)
    with scoped(EVERYTHING):
        row = Partnership(
            partner_id=provider.organization_id, reseller_id=reseller.id, state=PartnershipState.SENT, state_at=at, email=accepted_by,
            organization=reseller.name, language="fr", subject="Partenariat", body="{link}\n", sent_at=at - timedelta(days=2), expires_at=at + timedelta(days=28),
            answered_at=at, answered_by=f"{partner.name} <{partner.email}>", author_id=provider.user_id, author_name=provider.name, author_email=provider.email,
        )  # fmt: skip
        db.session.add(row)
        db.session.flush()
        details = {"provider": provider.organization_name, "reseller": reseller.name, "accepted_by": accepted_by}
        PARTNERSHIP.apply(row, "accept", by=partner, at=at, seen_by=(provider.organization_id, reseller.id), details=details)
        db.session.flush()
    return row


def _partnerships(at: datetime) -> None:
    """A shared customer; requests for a partnership that wait, were declined and withdrawn; one that ended; an invitation for two at once."""
    provider, reseller = actor("admin@grossiste-azur.example"), actor("sales@relais-breton.example")
    escale = accounts.create_organization(
        name="Escale Numérique", domain="escale-numerique.example", side=Side.PARTNER, partner_type=PartnerType.INDIRECT_RESELLER, country="FR", by=PORTAL,
        at=at - timedelta(days=300), street="11 quai de la Fosse", postal_code="44000", city="Nantes",
    )  # fmt: skip
    _user(escale, "admin@escale-numerique.example", "Corentin Mahé", Role.GLOBAL_ADMIN, "", at=at - timedelta(days=300))
    db.session.flush()
    former = _partners(escale, "admin@escale-numerique.example", at=at - timedelta(days=200))
    partnerships.end(former, reason="Moved to another distributor.", by=actor("admin@escale-numerique.example"), at=at - timedelta(days=25))
    with scoped(Scope(partner_id=provider.organization_id)):
        for domain in ("pecherie-marec.example", "hotel-des-dunes.example"):  # the reseller's own customer, and one that is not
            enter_record(
                _organization(domain), partner_id=provider.organization_id or 0, state=RelationshipState.ACTIVE, by=provider, at=at - timedelta(days=18),
                email=f"contact@{domain}", language="fr", reseller_id=reseller.organization_id,
            )  # fmt: skip
        sent = {}
        for address, company, days in (
            ("direction@cap-nuage.example", "Cap Nuage", 4),
            ("contact@tribord-conseil.example", "Tribord Conseil", 20),
            ("bonjour@ajoncs.example", "Ajoncs Informatique", 33),
            ("achats@vent-douest.example", "Vent d'Ouest", 9),
        ):
            subject, body = draft_partnership(language="fr", provider=provider.organization_name, author=provider.name)
            entry = PartnershipEntry(address, company, "fr", subject, body)
            sent[company] = partnerships.request_partnership(entry, by=provider, at=at - timedelta(days=days))
        partnerships.decline(
            sent["Tribord Conseil"], reason="We work with one distributor only.", by=Actor(user_id=None, name="Tribord Conseil"), at=at - timedelta(days=19)
        )
        partnerships.revoke(sent["Vent d'Ouest"], by=provider, at=at - timedelta(days=8))
    with scoped(Scope(partner_id=reseller.organization_id)):
        joint = RequestEntry(
            "mairie@ile-aux-ajoncs.example", "Île-aux-Ajoncs", "fr", False, provider=str(provider.organization_public_id)
        )  # one link, one acceptance, both relationships
        request = relationships.draft_request(joint, by=reseller, at=at - timedelta(days=2))
        relationships.send_request(request, way=SendingWay.PORTAL, by=reseller, at=at - timedelta(days=2))
    partnerships.expire(at=at)


def _leads(at: datetime) -> None:
    """Leads of Atelier Nuage of every source and in every stage, urgent ones fresh and past their 72 hours; a few of other partners."""
    dice = random.Random(7)  # noqa: S311  (the same world every time)
    sales, agent = actor("sales@atelier-nuage.example"), actor("referrals@atelier-nuage.example")
    partner_id = sales.organization_id or 0
    fates = ["received", "accepted", "won", "declined", "received", "lost", "accepted", "expired"]
    fresh = iter([2, 9, 30, 50, 70, 90, 120, 170, 220, 310])  # hours ago
    plan = []
    for number, prospect in enumerate(_PROSPECTS[:38]):
        fate = fates[number % len(fates)]
        age = timedelta(hours=next(fresh)) if fate == "received" else timedelta(days=dice.randint(20, 200), hours=dice.randint(0, 23))
        source = [LeadSource.INQUIRY, LeadSource.INQUIRY, LeadSource.SALES_QUALIFIED, LeadSource.MARKETING_QUALIFIED][(number // 2) % 4]
        plan.append((at - age, fate, source, number, prospect))
    with scoped(Scope(partner_id=partner_id)):
        for when, fate, source, number, prospect in sorted(plan):
            entry = _prospect(prospect, wants_contact=source is LeadSource.INQUIRY and number % 4 != 1, message=dice.choice(_WISHES))
            lead = leads.receive_lead(entry, partner_id=partner_id, source=source, by=PORTAL if source is LeadSource.INQUIRY else sales, at=when)
            if fate not in ("received", "expired"):
                _work(lead, fate, dice, by=dice.choice([sales, agent]), answered=when + timedelta(hours=dice.randint(3, 200)))
            if number % 5 == 0:
                leads.set_favorite(lead, True, by=sales)
            if fate == "expired":
                leads.expire_leads(at=lead.due_at + timedelta(minutes=3))
    azur, breton, cumulus = actor("sales@grossiste-azur.example"), actor("sales@relais-breton.example"), actor("admin@studio-cumulus.example")
    for number, owner, prospect in ((5, cumulus, _PROSPECTS[38]), (1, breton, _PROSPECTS[39])):
        leads.receive_lead(
            _prospect(prospect, message=_WISHES[0]), partner_id=owner.organization_id or 0, source=LeadSource.INQUIRY, by=PORTAL, at=at - timedelta(days=number)
        )
    for number, company in ((3, "Chantier Naval Cornouaille"), (11, "Abattoirs de Guer")):
        met = NewLead(company, "FR", "Youenn", "Le Dantec", f"contact@{_slug(company)}.example", domain=f"{_slug(company)}.example", language="fr")
        sent = at - timedelta(days=number)
        lead = leads.receive_lead(
            met, partner_id=breton.organization_id or 0, source=LeadSource.SALES_QUALIFIED, by=azur, at=sent, referrer_id=azur.organization_id
        )
        if number > 10:
            with scoped(Scope(partner_id=breton.organization_id)):
                _work(lead, "accepted", dice, by=breton, answered=sent + timedelta(days=2))


def _referred_leads(at: datetime) -> None:
    """Grossiste Azur refers two leads to Relais Breton, which wins one; won leads of Atelier Nuage become customers in both ways."""
    azur, breton, sales = actor("sales@grossiste-azur.example"), actor("sales@relais-breton.example"), actor("sales@atelier-nuage.example")
    reseller = str(_organization("relais-breton.example").public_id)
    for company, days, note in (("Cidrerie du Blavet", 21, "They know you already."), ("Menuiserie Kervella", 4, "")):
        when = at - timedelta(days=days)
        asked = NewLead(
            company, "FR", "Maëlle", "Quéré", f"contact@{_slug(company)}.example", domain=f"{_slug(company)}.example", city="Pontivy", language="fr"
        )
        with scoped(Scope(partner_id=azur.organization_id)):
            ours = leads.receive_lead(asked, partner_id=azur.organization_id or 0, source=LeadSource.INQUIRY, by=PORTAL, at=when)
            theirs = referrals.refer_lead(ours, ReferralEntry(reseller, LeadSource.SALES_QUALIFIED, note), by=azur, at=when + timedelta(days=1))
        if days > 14:
            with scoped(Scope(partner_id=breton.organization_id)):
                _work(theirs, "won", random.Random(3), by=breton, answered=when + timedelta(days=2))  # noqa: S311
    with scoped(Scope(partner_id=sales.organization_id)):
        won = sa.select(Lead).where(Lead.state == LeadState.WON, Lead.country == "FR", Lead.state_at < at - timedelta(days=9)).order_by(Lead.id).limit(2)
        for number, lead in enumerate(db.session.scalars(won).all()):
            when = lead.state_at + timedelta(days=1)
            if number:
                entry = RequestEntry(lead.email, lead.company, lead.language, False)
                conversion.request_relationship(lead, entry, conversion.ways(lead, by=sales), by=sales, at=at - timedelta(days=2))
                continue
            account = AccountEntry(
                lead.company, lead.domain, lead.country, "6 quai Lamartine", "", lead.city, "", "71000", "", lead.first_name, lead.last_name, lead.email,
                lead.phone, lead.language, Segment.COMMERCIAL,
            )  # fmt: skip
            onboarding.add_customer(conversion.start_account(lead, by=sales, at=when), account, by=sales, at=when, mailed=True, overridden=True)


def _prospect(prospect: tuple[str, str, str, str, str], *, message: str, wants_contact: bool = False) -> NewLead:
    company, domain, country, city, person = prospect
    first, _space, last = person.partition(" ")
    return NewLead(
        company, country, first, last, f"{_slug(first)}.{_slug(last)}@{domain}", phone="+33 2 55 50 12 34" if country == "FR" else "", domain=domain, city=city,
        size=list(CompanySize)[len(company) % 4].value, language=_LANGUAGES.get(country, "en"), message=message, wants_contact=wants_contact,
    )  # fmt: skip


def _work(lead: Lead, fate: str, dice: random.Random, *, by: Actor, answered: datetime) -> None:
    """Answer a lead, and close it where that is its fate."""
    if fate == "declined":
        reason = dice.choice([DeclineReason.NOT_OUR_REGION, DeclineReason.NO_CAPACITY, DeclineReason.TOO_SMALL])
        leads.decline_lead(lead, DeclineEntry(reason, "Nobody is free before the summer."), by=by, at=answered)
        return
    value = Money(dice.randint(8, 240) * 50000, "EUR")
    deal = DealEntry(
        dice.choice(["Move to the cloud", "Licences and training", "New site", "Accounts made safe"]), value, answered.date() + timedelta(days=dice.randint(20, 120)), lead.message or "Licences and a move of the mail.",
        crm_id=f"CRM-{dice.randint(1000, 9999)}", contacts=(PersonEntry("Accounts department", "", f"accounts@{lead.domain}"),),
    )  # fmt: skip
    leads.accept_lead(lead, deal, by=by, at=answered)
    leads.add_person(lead, PersonKind.TEAM, PersonEntry("Théo Marchand", "+33 2 40 12 34 56", "agent@atelier-nuage.example"), by=by, at=answered)
    leads.add_note(lead, "Called: they decide after their general meeting and want references.", by=by, at=answered + timedelta(days=1))
    if fate == "won":
        leads.win_lead(lead, WinEntry(Money(value.minor * 9 // 10, "EUR")), by=by, at=answered + timedelta(days=10))
    elif fate == "lost":
        loss = LossEntry(dice.choice([LossReason.PRICE, LossReason.COMPETITOR, LossReason.POSTPONED]), "They took the cheaper offer.")
        leads.lose_lead(lead, loss, by=by, at=answered + timedelta(days=9))


def _profiles(at: datetime) -> None:
    """Business profiles in every state: published with and without later changes, taken back, a draft, and one that may be out of date."""
    for email, country, name, text, linkedin, industries, products, services, skills, sizes, colour, days, then, places in _PROFILES:
        who, when = actor(email), at - timedelta(days=days)
        website = f"https://www.{email.partition('@')[2]}"
        with scoped(Scope(partner_id=who.organization_id)):
            profile = directory.create(country, name, by=who, at=when)
            entry = AboutEntry(name, text, website, linkedin, industries, products, services, skills, sizes)
            directory.change(profile, entry, version=edition(directory.about(profile)), by=who, at=when)
            for title, street, postal_code, city, phone, latitude, longitude in places:
                region = _REGIONS.get(country, {}).get(city, "")
                location = LocationEntry(title, street, "", city, region, postal_code, phone, latitude, longitude)
                directory.add_location(profile, location, key=uuid7(), by=who, at=when)
            if colour:
                directory.set_logo(profile, logos.read(_drawn(colour)), by=who, at=when)
            if then != "draft":
                directory.publish(profile, by=who, at=when)
            if then == "take_back":
                directory.take_back(profile, by=who, at=when + timedelta(days=30))
            if then == "change":
                entry = replace(entry, skills=[*skills, "Rust"])
                directory.change(profile, entry, version=edition(directory.about(profile)), by=who, at=at - timedelta(days=3))


def _drawn(colour: str) -> bytes:
    """A logo: a cloud of this colour."""
    picture = Image.new("RGBA", (240, 160))
    pen = ImageDraw.Draw(picture)
    for box in ((20, 70, 100, 150), (60, 30, 160, 130), (130, 60, 220, 150)):
        pen.ellipse(box, fill=colour)
    pen.rounded_rectangle((40, 100, 200, 150), 25, fill=colour)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


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


def _sales(at: datetime) -> None:
    """What Atelier Nuage's customers bought in the last year, in the order of the days, and between them what time brings."""
    sales, agent, dice = actor("sales@atelier-nuage.example"), actor("agent@atelier-nuage.example"), random.Random(4)  # noqa: S311
    tellier = _organization("maison-tellier.example").id
    with scoped(Scope(partner_id=sales.organization_id)):
        home, *others = db.session.scalars(
            sa.select(Customer)
            .where(Customer.state == RelationshipState.ACTIVE, Customer.agreement == AgreementState.ATTESTED, Customer.country == "FR")
            .order_by(Customer.customer_id != tellier, Customer.id)
        )
    stories = [_subscriptions(home), _reservations(home, *others[:2]), _permissions(home)]
    for customer in others[2:]:
        for sku in dice.sample(
            ["NL-STD-M12", "NL-BASIC-M12", "NL-PREM-Y12", "CQ-SHIELD-M12", "VG-BUILD-M1", "MC-PLAN-U", "CQ-ID-Y12"], dice.choice([0, 0, 1, 1, 2])
        ):
            quantity = 1 if sku == "MC-PLAN-U" else dice.randint(3, 60)
            stories.append(_sale(customer, sku, quantity, by=dice.choice([sales, agent]), days=dice.randint(2, 380), hours=dice.randint(0, 9)))
    waiting = [(next(story), story) for story in stories]
    for days in range(max(days for days, _story in waiting), -1, -1):
        moment = at - timedelta(days=days)
        advancing.advance_due(at=moment)
        reservations.expire(at=moment)
        with scoped(Scope(partner_id=sales.organization_id)):
            waiting = [(_told(story, days, at=moment) if when == days else when, story) for when, story in waiting]


# What happened to some customers: it yields how many days ago the next thing happens, and is told the moment.
Story = Generator[int, datetime, None]


def _told(story: Story, days: int, *, at: datetime) -> int:
    """Everything of that day; returns the next one, or -1 at the end."""
    now = days
    while now == days:
        try:
            now = story.send(at)
        except StopIteration:
            return -1
    return now


def _sale(customer: Customer, sku: str, quantity: int, *, by: Actor, days: int, hours: int) -> Story:
    at = yield days
    _subscribed(customer, sku, quantity, by=by, at=at - timedelta(hours=hours))


def _subscriptions(home: Customer) -> Story:
    """Maison Tellier has them in every state, with a past and a few things planned."""
    sales, agent = actor("sales@atelier-nuage.example"), actor("agent@atelier-nuage.example")
    at = yield 380
    build = _subscribed(home, "VG-BUILD-Y12", 2, by=sales, at=at)
    at = yield 345
    premium = _subscribed(home, "NL-PREM-Y12", 6, by=sales, at=at)
    at = yield 320
    desk = _subscribed(home, "AB-SALES-M12", 2, by=sales, at=at)
    at = yield 300
    offices = _subscribed(home, "NL-STD-M12", 25, by=sales, at=at)
    at = yield 299
    naming.rename(offices, "Workshop and offices", version=None, by=sales, at=at)
    at = yield 200
    _subscribed(home, "NL-VOICE-M12", 10, by=sales, at=at)
    at = yield 170
    shield = _subscribed(home, "CQ-SHIELD-M12", 12, by=agent, at=at)
    at = yield 90
    subscriptions.set_renewal(build, auto_renew=False, by=sales, at=at)
    at = yield 78
    subscriptions.suspend(shield, by=agent, at=at)
    at = yield 64
    subscriptions.cancel(_subscribed(home, "NL-BASIC-M1", 4, by=sales, at=at), by=sales, at=at + timedelta(hours=3))
    at = yield 45
    subscriptions.set_quantity(offices, 28, version=None, by=agent, at=at)
    at = yield 30
    subscriptions.set_renewal(premium, auto_renew=False, by=agent, at=at)
    at = yield 22
    _subscribed(home, "AB-LEDGER-TRIAL", 3, by=sales, at=at)
    at = yield 12
    subscriptions.cancel(desk, by=sales, at=at)
    at = yield 3
    subscriptions.set_quantity(offices, 24, version=None, by=sales, at=at)


def _subscribed(customer: Customer, sku: str, quantity: int, *, by: Actor, at: datetime) -> Subscription:
    order = _sold(customer, sku, quantity, by=by, at=at)
    return db.session.scalars(sa.select(Subscription).where(Subscription.order_id == order.id)).one()


def _reservations(home: Customer, renewing: Customer, other: Customer) -> Story:
    """Reservations in every state: of Maison Tellier one for one subscription alone, and one about which it asks."""
    sales, agent, buyer = actor("sales@atelier-nuage.example"), actor("agent@atelier-nuage.example"), actor("buyer@maison-tellier.example")
    at = yield 385
    _reserved(home, "MC-B2-F12", 4, by=sales, at=at)
    at = yield 340
    ending = _reserved(home, "MC-D4-F12", 2, by=sales, at=at)
    at = yield 300
    renewed, _later = (_reserved(customer, "MC-D4-F12", 1, by=sales, at=at) for customer in (renewing, other))
    at = yield 200
    storage = _subscribed(home, "MC-STORE-U", 1, by=sales, at=at)
    at = yield 120
    bought = _reserved(home, "MC-E8-W36", 1, by=buyer, at=at, alone=storage)
    at = yield 60
    mistaken = _reserved(home, "MC-D8-W12", 1, by=agent, at=at)
    at = yield 45
    small = _reserved(home, "MC-B2-W12", 3, by=buyer, at=at)
    at = yield 31
    asked = reservation_requests.ask(bought, RequestKind.RESCOPE, "Our new site could use it too.", by=buyer, at=at)
    at = yield 30
    reservation_requests.decline(asked, bought, reason="The new site is in another region.", by=agent, at=at)
    at = yield 20
    reservations.cancel(mistaken, by=agent, at=at)
    at = yield 10
    proposal = reservations.propose_exchange(small, _offer("MC-D4-W12"), 1, None, customer=home, cloud=sales.cloud, today=at.date())
    reservations.exchange(small, proposal, customer=home, by=sales, at=at)
    at = yield 4
    line = reservations.propose_renewal(renewed, customer=renewing, cloud=sales.cloud, today=at.date())
    reservations.renew(renewed, line, customer=renewing, by=agent, at=at)
    at = yield 2
    reservation_requests.ask(ending, RequestKind.RENEW, "Please renew it for another year: the workshop goes on.", by=buyer, at=at)


def _permissions(home: Customer) -> Story:
    """Maison Tellier's purchaser buys within limits: one purchase bought, one declined, one that waits."""
    agent, sales, buyer = actor("agent@atelier-nuage.example"), actor("sales@atelier-nuage.example"), actor("buyer@maison-tellier.example")
    category = Category.RESERVATIONS

    def buy(sku: str, quantity: int) -> Purchase:
        return permissions.buy(home, Wish(uuid7(), _offer(sku), storage, quantity, ReservationScope.SHARED), cloud=buyer.cloud, by=buyer, at=at)

    at = yield 60
    storage = db.session.scalars(sa.select(Subscription).where(Subscription.customer_id == home.customer_id, Subscription.name == "Object storage")).one()
    naming.name_owner(storage, db.session.get_one(User, buyer.user_id), by=sales, at=at)
    limits = {"monthly_limit": Money(1_200_000, "EUR"), "approval_above": Money(150_000, "EUR")}
    permissions.set_limits(home, category, **limits, notice=Notice.ALL_AGENTS, version=None, by=agent, at=at)
    permissions.turn_on(home, category, by=agent, at=at)
    at = yield 16
    buy("MC-D4-F12", 1)
    at = yield 9
    asked = buy("MC-N6-F12", 1)
    at = yield 8
    permissions.decline(asked, home, reason="Let us look at the load of the last months first.", by=sales, at=at)
    at = yield 1
    buy("MC-D8-W12", 2)


def _resold(at: datetime) -> None:
    """Relais Breton orders through Grossiste Azur for the customer that they share: placed, declined, taken back, and waiting."""
    azur, breton = actor("sales@grossiste-azur.example"), actor("sales@relais-breton.example")
    marec = _organization("pecherie-marec.example")
    with scoped(Scope(partner_id=azur.organization_id)):
        word = AttestationEntry("Yann", "Marec", "contact@pecherie-marec.example", "", (at - timedelta(days=17)).date())
        agreements.attest(marec, word, by=azur, at=at - timedelta(days=17))
        skus = list(db.session.scalars(sa.select(Offer.sku).where(Offer.instance_type.is_(None), Offer.add_on_of_id.is_(None)).order_by(Offer.id).limit(5)))
    for wanted, days, then in ((skus[:2], 15, "place"), (skus[2:3], 9, "decline"), (skus[3:4], 6, "withdraw"), (skus[3:5], 1, "")):
        asked = _asked(marec, wanted, by=breton, at=at - timedelta(days=days))
        when = at - timedelta(days=days) + timedelta(hours=5)
        if then == "withdraw":
            with scoped(Scope(partner_id=breton.organization_id)):
                reselling.withdraw(marec.public_id, asked.public_id, by=breton, at=when)
            continue
        with scoped(Scope(partner_id=azur.organization_id)):
            record = db.session.scalars(sa.select(Customer).where(Customer.customer_id == marec.id)).one()
            if then == "place":
                seals = [line.seal for line in reselling.requested(asked, record, cloud=azur.cloud, today=when.date())]
                reselling.place(asked, record, reviewed=seals, by=azur, at=when)
            elif then == "decline":
                reselling.decline(asked, record, reason="The publisher ends this product in summer: please offer its successor.", by=azur, at=when)


def _asked(organization: Organization, skus: list[str], *, by: Actor, at: datetime) -> Order:
    with scoped(Scope(partner_id=by.organization_id)):
        customer = db.session.scalars(sa.select(Customer).where(Customer.customer_id == organization.id)).one()
        cart, seller = reselling.cart_for(customer, by=by, at=at)
        standing = reselling.standing(customer, seller, by=by)
        with seller.at_work():
            offers = [_offer(sku) for sku in skus]
            chosen = {str(offer.public_id): offer.minimum if offer.one_per_customer else max(5, offer.minimum) for offer in offers}
            seals = [line.seal for line in ordering.quotes_for(chosen, standing, today=at.date())]
        ordering.fill(cart, chosen, at=at)
        return reselling.send(cart, customer, reviewed=seals, by=by, at=at)


def _reserved(customer: Customer, sku: str, quantity: int, *, by: Actor, at: datetime, alone: Subscription | None = None) -> Reservation:
    order = _sold(customer, sku, quantity, by=by, at=at, holding=ordering.Holding(alone.id if alone else None))
    return db.session.scalars(sa.select(Reservation).where(Reservation.order_id == order.id)).one()


def _sold(customer: Customer, sku: str, quantity: int, *, by: Actor, at: datetime, holding: ordering.Holding | None = None) -> Order:
    offer = _offer(sku)
    lines = ordering.quotes({str(offer.public_id): quantity}, customer, cloud=by.cloud, today=at.date())
    return ordering.place(uuid7(), lines, customer, side=by.side, by=by, at=at, holdings={offer.id: holding} if holding else None)


def _offer(sku: str) -> Offer:
    return db.session.scalars(sa.select(Offer).where(Offer.sku == sku)).one()


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
