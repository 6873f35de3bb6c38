"""Organizations, users, their roles and sessions. Reached only through a relationship, a partnership or one's own organization."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.access import Cloud, PartnerType, Role, Side
from portal.core.db import Base, Public, Versioned, choice, sort_key
from portal.core.places import Address
from portal.core.tokens import OneTimeLink


class Organization(Public, Versioned, Base):
    """A partner or a customer, never both. For a customer this is the half that all its partners share (R10)."""

    __tablename__ = "organization"
    __table_args__ = (
        # A primary domain is unique within a cloud among proven ones (R11).
        sa.Index(
            "uq_organization_proven_domain",
            "cloud",
            "domain",
            unique=True,
            sqlite_where=sa.text("domain_proven_at IS NOT NULL"),
            postgresql_where=sa.text("domain_proven_at IS NOT NULL"),
        ),
        sa.Index("ix_organization_domain", "domain"),
        sa.Index("ix_organization_suspended", "id", sqlite_where=sa.text("suspended_at IS NOT NULL"), postgresql_where=sa.text("suspended_at IS NOT NULL")),
        sa.CheckConstraint("(side = 'partner') = (partner_type IS NOT NULL)", name="partner_has_type"),
    )
    side: Mapped[Side] = mapped_column(choice(Side))
    partner_type: Mapped[PartnerType | None] = mapped_column(choice(PartnerType))
    cloud: Mapped[Cloud] = mapped_column(choice(Cloud), default=Cloud.PUBLIC)
    name: Mapped[str] = mapped_column(sa.Unicode(200))
    domain: Mapped[str] = mapped_column(sa.Unicode(253))
    domain_proven_at: Mapped[datetime | None]
    country: Mapped[str] = mapped_column(sa.Unicode(2))
    street: Mapped[str] = mapped_column(sa.Unicode(300), default="")
    district: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    city: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    region: Mapped[str] = mapped_column(sa.Unicode(100), default="")
    postal_code: Mapped[str] = mapped_column(sa.Unicode(20), default="")
    tax_id: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    added_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organization.id"))
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def address(self) -> Address:
        return Address(self.street, self.city, self.region, self.postal_code, self.country, self.district)


class UserState(StrEnum):
    INVITED = "invited"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class User(Public, Versioned, Base):
    """A person of exactly one organization. An address is unique among those who have activated; an invitation claims nothing."""

    __tablename__ = "user"
    __table_args__ = (
        sa.Index("uq_user_email_key", "email_key", unique=True, sqlite_where=sa.text("state <> 'invited'"), postgresql_where=sa.text("state <> 'invited'")),
        sa.Index("ix_user_email_key", "email_key"),
        sa.Index("ix_user_organization_name", "organization_id", "name_key", "id"),
    )
    organization_id: Mapped[int] = mapped_column(sa.ForeignKey("organization.id"))
    email: Mapped[str] = mapped_column(sa.Unicode(254))
    email_key: Mapped[str] = mapped_column(sa.Unicode(254))
    name: Mapped[str] = mapped_column(sa.Unicode(120))
    name_key: Mapped[str] = mapped_column(sort_key(400))
    phone: Mapped[str] = mapped_column(sa.Unicode(40), default="")
    state: Mapped[UserState] = mapped_column(choice(UserState), default=UserState.INVITED)
    state_at: Mapped[datetime]
    password_hash: Mapped[str | None] = mapped_column(sa.Unicode(200))
    language: Mapped[str | None] = mapped_column(sa.Unicode(8))
    time_zone: Mapped[str] = mapped_column(sa.Unicode(64), default="UTC")
    activation_link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"), index=True)
    code_link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"))
    reset_link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("one_time_link.id"), index=True)
    organization: Mapped[Organization] = relationship(lazy="joined", innerjoin=True)
    role_rows: Mapped[list["UserRole"]] = relationship(lazy="selectin", cascade="all, delete-orphan", order_by="UserRole.role")
    activation_link: Mapped[OneTimeLink | None] = relationship(foreign_keys=activation_link_id)
    code_link: Mapped[OneTimeLink | None] = relationship(foreign_keys=code_link_id)
    reset_link: Mapped[OneTimeLink | None] = relationship(foreign_keys=reset_link_id)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(row.role for row in self.role_rows)


class UserRole(Base):
    __tablename__ = "user_role"
    __table_args__ = (sa.UniqueConstraint("user_id", "role"),)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(choice(Role))


class UserSession(Public, Base):
    """A sign-in on one device. The cookie holds the token, this row its hash."""

    __tablename__ = "user_session"
    __table_args__ = (sa.Index("ix_user_session_user", "user_id", "ended_at"),)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(sa.Unicode(64), unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    device: Mapped[str] = mapped_column(sa.Unicode(200), default="")
    address: Mapped[str] = mapped_column(sa.Unicode(64), default="")


class ResetWish(Base):
    """Somebody asked for a new password for this address; a job answers, so that the page takes as long for every address (S12)."""

    __tablename__ = "reset_wish"
    email_key: Mapped[str] = mapped_column(sa.Unicode(254))
    asked_at: Mapped[datetime]
