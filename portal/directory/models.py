"""Business profiles as their partners edit them, and what of them is published for the directory to search."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Public, Versioned, choice
from portal.core.scope import Owned
from portal.core.tokens import OneTimeLink

MOST_LOCATIONS = 5
LONGEST_DESCRIPTION = 2500
WIDEST_LOGO = 300  # pixels


class TagKind(StrEnum):
    INDUSTRY = "industry"
    PRODUCT = "product"
    SERVICE = "service"
    SKILL = "skill"  # free-form


class ProfileState(StrEnum):
    DRAFT = "draft"  # never published
    PUBLISHED = "published"
    TAKEN_BACK = "taken_back"


class BusinessProfile(Owned, Public, Versioned, Base):
    """How a partner presents itself in one country (R60): the working copy. The directory shows what was last published.

    `changed_at` is the last change or the last "still right".
    """

    __tablename__ = "business_profile"
    __table_args__ = (
        sa.UniqueConstraint("partner_id", "country"),
        sa.Index("ix_business_profile_stale", "state", "changed_at"),
    )
    state: Mapped[ProfileState] = mapped_column(choice(ProfileState), default=ProfileState.DRAFT)
    state_at: Mapped[datetime]
    country: Mapped[str] = mapped_column(sa.Unicode(2))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    description: Mapped[str] = mapped_column(sa.Unicode(LONGEST_DESCRIPTION), default="")
    website: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    linkedin: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    sizes: Mapped[list[str]] = mapped_column(default=list)  # target customers, as leads' CompanySize
    tags: Mapped[dict[str, Any]] = mapped_column(default=dict)  # TagKind -> list of codes, or of words for skills
    logo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("profile_logo.id"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]


class ProfileLocation(Owned, Public, Base):
    """One of the 1 to 5 places of a profile, with address and coordinates in degrees (WGS 84)."""

    __tablename__ = "profile_location"
    __table_args__ = (sa.Index("ix_profile_location_profile", "profile_id", "position"),)
    profile_id: Mapped[int] = mapped_column(sa.ForeignKey("business_profile.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    street: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    district: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    city: Mapped[str] = mapped_column(sa.Unicode(100))
    region: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    postal_code: Mapped[str] = mapped_column(sa.Unicode(20), default="")
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    latitude: Mapped[float]
    longitude: Mapped[float]


class ProfileLogo(Owned, Public, Base):
    """A logo as we encoded it ourselves: nothing of the uploaded file is kept (S38)."""

    __tablename__ = "profile_logo"
    content: Mapped[bytes]
    media_type: Mapped[str] = mapped_column(sa.Unicode(40))
    width: Mapped[int]
    height: Mapped[int]
    uploaded_at: Mapped[datetime]


class DirectoryEntry(Base):
    """A published profile, as everybody may see it (R2, R61). Written by entries.put() and entries.remove() alone.

    `public_id` is the profile's. `rank` is the responsiveness (R57), 0 to 1000. `card` is what a list shows, `content` what its page does:
    the shape of both is told in entries.py. `terms` is what the search looks through (ADR 0007).
    """

    __tablename__ = "directory_entry"
    __table_args__ = (
        sa.Index("ix_directory_entry_rank", "rank", "id"),
        sa.Index("ix_directory_entry_country", "country"),
        sa.Index("ix_directory_entry_partner", "partner_id"),
    )
    public_id: Mapped[UUID] = mapped_column(unique=True)
    partner_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    country: Mapped[str] = mapped_column(sa.Unicode(2))
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    rank: Mapped[int] = mapped_column(default=0)
    logo_public_id: Mapped[UUID | None]
    published_at: Mapped[datetime]
    card: Mapped[dict[str, Any]]
    terms: Mapped[str] = mapped_column(sa.UnicodeText)
    content: Mapped[dict[str, Any]]


class DirectoryPlace(Base):
    """A location of a published profile. `public_id` is the location's; x, y and z are its point on a sphere of radius 1."""

    __tablename__ = "directory_place"
    __table_args__ = (sa.Index("ix_directory_place_entry", "entry_id", "x", "y", "z"),)
    public_id: Mapped[UUID] = mapped_column(unique=True)
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("directory_entry.id", ondelete="CASCADE"))
    city: Mapped[str] = mapped_column(sa.Unicode(100))
    latitude: Mapped[float]
    longitude: Mapped[float]
    x: Mapped[float]
    y: Mapped[float]
    z: Mapped[float]
    content: Mapped[dict[str, Any]]


class Inquiry(Base, Public):
    """What a visitor wrote to a partner, until the confirmation mail is followed; then it is a lead and its words are gone from here (R61).

    Nobody signed in wrote it, so it belongs to no one: found by its link alone.
    """

    __tablename__ = "inquiry"
    __table_args__ = (sa.Index("ix_inquiry_asked", "asked_at"),)
    entry_public_id: Mapped[UUID]
    partner_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    typed: Mapped[dict[str, Any]]
    language: Mapped[str] = mapped_column(sa.Unicode(8))
    asked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    link_id: Mapped[int] = mapped_column(sa.ForeignKey("one_time_link.id"), index=True)
    link: Mapped[OneTimeLink] = sa.orm.relationship(lazy="joined")
