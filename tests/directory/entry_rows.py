"""Rows of the public directory for tests, put there as publishing does."""

from typing import Any
from uuid import UUID

from portal.core import clock
from portal.core.db import db, uuid7, writing
from portal.core.scope import EVERYTHING, scoped
from portal.directory import entries, inquiries, queries, taxonomy
from portal.directory.inquiries import InquiryEntry
from portal.directory.models import DirectoryEntry, Inquiry
from tests.support import make

NANTES, ANGERS, PARIS = ("Nantes", 47.21725, -1.55336), ("Angers", 47.47156, -0.55202), ("Paris", 48.85341, 2.3488)


def content(name: str = "Atelier Nuage", *, cities: Any = (NANTES,), **changes: Any) -> dict[str, Any]:
    locations = [
        {
            "id": str(uuid7()), "name": "", "street": "3 quai de la Fosse", "district": "", "city": city, "region": "", "postal_code": "44000",
            "phone": "+33 2 40 00 00 00", "latitude": latitude, "longitude": longitude,
        }
        for city, latitude, longitude in cities
    ]  # fmt: skip
    whole = {
        "name": name, "country": "FR", "description": "We move companies to the cloud.\nAnd we stay.", "website": "https://www.atelier-nuage.example/", "linkedin": "",
        "sizes": ["10-49"], "tags": {"industry": ["retail"], "service": ["migration"], "skill": ["power bi"]}, "locations": locations,
    }  # fmt: skip
    return {**whole, **changes}


def publish(name: str = "Atelier Nuage", *, partner: str = "atelier-nuage.example", rank: int = 500, public_id: UUID | None = None, **changes: Any) -> UUID:
    """A profile in the directory; returns its id."""
    public_id = public_id or uuid7()
    whole = content(name, **changes)
    partner_id = make.organization(partner).id
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        labels = taxonomy.labels(whole["tags"])
        entries.put(public_id, partner_id=partner_id, country=whole["country"], content=whole, labels=labels, logo_public_id=None, rank=rank, at=clock.now())
        db.session.commit()
    return public_id


def take_back(public_id: UUID) -> None:
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        entries.remove(public_id)
        db.session.commit()


def count() -> int:
    db.session.rollback()
    return db.session.query(DirectoryEntry).count()


ASKED = {
    "company": "Tissages Morel", "first_name": "Aline", "last_name": "Morel", "email": "aline@tissages-morel.example", "phone": "+33 2 41 00 00 00", "country": "FR", "city": "Angers",
    "size": "10-49", "message": "We are 25 people and want to move our mail to the cloud before summer.", "wants_contact": True,
}  # fmt: skip


def inquiry(public_id: UUID, **changes: Any) -> Inquiry:
    """An inquiry to this profile that waits for its confirmation."""
    at, number = clock.now(), uuid7()
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        assert inquiries.ask(queries.entry(public_id), InquiryEntry(**{**ASKED, **changes}), number, language="en", at=at)
        db.session.commit()
    made = db.session.query(Inquiry).filter_by(public_id=number).one()
    db.session.rollback()
    return made
