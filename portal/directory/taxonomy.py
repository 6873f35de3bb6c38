"""The lists that the tags of business profiles are taken from (R60). Skills are free words and in no list."""

from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l

from portal.core.i18n import speaking
from portal.core.words import normalise
from portal.directory.models import TagKind

LISTS: dict[TagKind, dict[str, Any]] = {
    TagKind.INDUSTRY: {
        "agriculture": _l("Agriculture and food"),
        "associations": _l("Associations and charities"),
        "automotive": _l("Automotive"),
        "banking": _l("Banking and insurance"),
        "construction": _l("Construction and property"),
        "education": _l("Education and research"),
        "energy": _l("Energy and utilities"),
        "health": _l("Health and care"),
        "hospitality": _l("Hotels, restaurants and tourism"),
        "justice": _l("Law and accounting"),
        "logistics": _l("Transport and logistics"),
        "manufacturing": _l("Manufacturing"),
        "media": _l("Media and culture"),
        "public": _l("Public administration"),
        "real_estate": _l("Housing and facility management"),
        "retail": _l("Retail and wholesale"),
        "software": _l("Software and internet"),
        "sport": _l("Sport and leisure"),
        "telecommunications": _l("Telecommunications"),
        "trades": _l("Crafts and small businesses"),
    },
    TagKind.PRODUCT: {
        "ai": _l("Artificial intelligence"),
        "analytics": _l("Data analytics and reporting"),
        "backup": _l("Backup and recovery"),
        "business_apps": _l("Business applications (ERP)"),
        "containers": _l("Containers and orchestration"),
        "crm": _l("Customer relations (CRM)"),
        "database": _l("Databases"),
        "desktop": _l("Virtual desktops"),
        "developer_tools": _l("Developer tools"),
        "device_management": _l("Device management"),
        "identity": _l("Identity and access"),
        "integration": _l("Integration and interfaces"),
        "iot": _l("Internet of things"),
        "low_code": _l("Low-code applications"),
        "mail_calendar": _l("Mail and calendar"),
        "office": _l("Office and collaboration"),
        "security": _l("Security and threat protection"),
        "servers": _l("Virtual servers"),
        "storage": _l("Storage and file sharing"),
        "telephony": _l("Telephony and meetings"),
    },
    TagKind.SERVICE: {
        "adoption": _l("Training and adoption"),
        "application_development": _l("Application development"),
        "architecture": _l("Architecture and design"),
        "audit": _l("Audit and assessment"),
        "compliance": _l("Data protection and compliance"),
        "consulting": _l("Consulting"),
        "cost_control": _l("Cost control"),
        "deployment": _l("Deployment"),
        "helpdesk": _l("Helpdesk for users"),
        "integration": _l("System integration"),
        "licensing": _l("Licence advice"),
        "managed_services": _l("Managed services"),
        "migration": _l("Migration to the cloud"),
        "project_management": _l("Project management"),
        "support": _l("Support around the clock"),
    },
}


def name(kind: TagKind, code: str) -> str:
    """The name of a listed tag in the language of the page; empty for a code that no list has."""
    return str(LISTS.get(kind, {}).get(code, ""))


def choices(kind: TagKind) -> list[tuple[str, str]]:
    """Codes and names of one list, in the order of the names."""
    return sorted(((code, str(name)) for code, name in LISTS[kind].items()), key=lambda choice: normalise(choice[1]))


def labels(tags: dict[str, list[str]]) -> list[str]:
    """The names of the listed tags in every language of the portal: a search may use any of them."""
    found: dict[str, None] = {}
    for language in current_app.config["LANGUAGES"]:
        with speaking(language):
            found |= {label: None for kind in LISTS for code in tags.get(kind, ()) if (label := name(kind, code))}
    return list(found)
