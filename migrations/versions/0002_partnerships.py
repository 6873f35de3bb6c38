"""partnerships"""

import sqlalchemy as sa
from alembic import op

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ACTIVE = sa.text("state = 'active'")

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "partnership",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column(
            "state",
            sa.Enum("sent", "active", "declined", "expired", "revoked", "ended", name="partnershipstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("organization", sa.Unicode(length=200), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("subject", sa.Unicode(length=200), nullable=False),
        sa.Column("body", sa.UnicodeText(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Unicode(length=400), nullable=True),
        sa.Column("decline_reason", sa.Unicode(length=1000), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Unicode(length=400), nullable=True),
        sa.Column("ending_reason", sa.Unicode(length=1000), nullable=True),
        sa.Column("author_id", KEY, nullable=True),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("author_email", sa.Unicode(length=254), nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_partnership_author_id")),
        sa.ForeignKeyConstraint(["link_id"], ["one_time_link.id"], name=op.f("fk_partnership_link_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_partnership_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_partnership_reseller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partnership")),
        sa.UniqueConstraint("public_id", name=op.f("uq_partnership_public_id")),
    )
    with op.batch_alter_table("partnership", schema=None) as batch_op:
        batch_op.create_index("ix_partnership_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_partnership_state", ["partner_id", "state", "id"], unique=False)
        batch_op.create_index("ix_partnership_reseller", ["reseller_id", "id"], unique=False)
        batch_op.create_index("ix_partnership_due", ["state", "expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_partnership_link_id"), ["link_id"], unique=False)
        batch_op.create_index("uq_partnership_active", ["partner_id", "reseller_id"], unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE)

    # Added in place: a rebuilt table would have to be dropped while others point at it.
    provider = sa.Column("provider_id", KEY, sa.ForeignKey("organization.id", name=op.f("fk_relationship_request_provider_id")), nullable=True)
    op.add_column("relationship_request", provider, inline_references=True)
    _plan("200000 100000 2000 2 1")  # a provider has many resellers: who asks for one wants few of its customers


def _plan(statistics: str) -> None:
    """What SQLite's planner is told of customers by reseller (ADR 0003)."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"UPDATE sqlite_stat1 SET stat = '{statistics}' WHERE idx = 'ix_customer_reseller'")


def downgrade() -> None:
    _plan("200000 100000 50000 2 1")
    op.drop_column("relationship_request", "provider_id")
    with op.batch_alter_table("partnership", schema=None) as batch_op:
        batch_op.drop_index("uq_partnership_active", sqlite_where=ACTIVE, postgresql_where=ACTIVE)
        batch_op.drop_index(batch_op.f("ix_partnership_link_id"))
        batch_op.drop_index("ix_partnership_due")
        batch_op.drop_index("ix_partnership_reseller")
        batch_op.drop_index("ix_partnership_state")
        batch_op.drop_index("ix_partnership_newest")

    op.drop_table("partnership")
