"""leads"""

import sqlalchemy as sa
from alembic import op

from portal.core.search import drop_ddl, index_ddl

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("customer_draft", sa.Column("origin", sa.Uuid(), nullable=True))
    op.create_table(
        "lead",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column(
            "state",
            sa.Enum("received", "accepted", "won", "lost", "declined", "expired", name="leadstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "source",
            sa.Enum("inquiry", "marketing_qualified", "sales_qualified", name="leadsource", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("qualified", sa.Integer(), sa.Computed("CASE WHEN source = 'inquiry' THEN 0 ELSE 1 END", persisted=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("search_text", sa.Unicode(length=1200).with_variant(sa.Unicode(length=1200, collation="C"), "postgresql"), nullable=False),
        sa.Column("company", sa.Unicode(length=200), nullable=False),
        sa.Column("company_key", sa.Unicode(length=200).with_variant(sa.Unicode(length=200, collation="C"), "postgresql"), nullable=False),
        sa.Column("domain", sa.Unicode(length=253), nullable=False),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("city", sa.Unicode(length=100), nullable=False),
        sa.Column(
            "size",
            sa.Enum("1-9", "10-49", "50-249", "250-999", "1000+", name="companysize", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("first_name", sa.Unicode(length=100), nullable=False),
        sa.Column("last_name", sa.Unicode(length=100), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("message", sa.UnicodeText(), nullable=False),
        sa.Column("wants_contact", sa.Boolean(), nullable=False),
        sa.Column("deal_name", sa.Unicode(length=200), nullable=False),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Unicode(length=3), nullable=True),
        sa.Column("purchase_on", sa.Date(), nullable=True),
        sa.Column("wishes", sa.UnicodeText(), nullable=False),
        sa.Column("crm_id", sa.Unicode(length=100), nullable=False),
        sa.Column("campaign_id", sa.Unicode(length=100), nullable=False),
        sa.Column(
            "decline_reason",
            sa.Enum(
                "no_capacity",
                "not_our_field",
                "not_our_region",
                "too_small",
                "cannot_reach",
                "referred",
                "not_a_lead",
                "other",
                name="declinereason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column(
            "loss_reason",
            sa.Enum(
                "price",
                "competitor",
                "postponed",
                "no_budget",
                "no_answer",
                "referred",
                "other",
                name="lossreason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("closing_notes", sa.Unicode(length=2000), nullable=False),
        sa.Column("entered_by_id", KEY, nullable=True),
        sa.Column("referrer_id", KEY, nullable=True),
        sa.Column("referred_to_id", KEY, nullable=True),
        sa.Column("profile_id", KEY, nullable=True),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("request_id", KEY, nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_lead_customer_id")),
        sa.ForeignKeyConstraint(["entered_by_id"], ["user.id"], name=op.f("fk_lead_entered_by_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_lead_partner_id")),
        sa.ForeignKeyConstraint(["referred_to_id"], ["lead.id"], name=op.f("fk_lead_referred_to_id")),
        sa.ForeignKeyConstraint(["referrer_id"], ["organization.id"], name=op.f("fk_lead_referrer_id")),
        sa.ForeignKeyConstraint(["request_id"], ["relationship_request.id"], name=op.f("fk_lead_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead")),
        sa.UniqueConstraint("public_id", name=op.f("uq_lead_public_id")),
    )
    with op.batch_alter_table("lead", schema=None) as batch_op:
        batch_op.create_index("ix_lead_answered", ["partner_id", "received_at"], unique=False)
        batch_op.create_index("ix_lead_closed", ["partner_id", "state", "state_at"], unique=False)
        batch_op.create_index("ix_lead_company", ["partner_id", "qualified", "company_key", "id", "state", "source", "search_text"], unique=False)
        batch_op.create_index("ix_lead_customer", ["partner_id", "customer_id"], unique=False)
        batch_op.create_index("ix_lead_due", ["state", "due_at", "id"], unique=False)
        batch_op.create_index("ix_lead_newest", ["partner_id", "qualified", "received_at", "id", "search_text"], unique=False)
        batch_op.create_index("ix_lead_referred_to", ["referred_to_id"], unique=False)
        batch_op.create_index("ix_lead_referrer", ["referrer_id", "id"], unique=False)
        batch_op.create_index("ix_lead_request", ["request_id"], unique=False)
        batch_op.create_index("ix_lead_source", ["partner_id", "source", "received_at", "id"], unique=False)
        batch_op.create_index("ix_lead_stage", ["partner_id", "state", "due_at", "id"], unique=False)
        batch_op.create_index("ix_lead_state", ["partner_id", "qualified", "state", "received_at", "id"], unique=False)

    op.create_table(
        "lead_entry",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("lead_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", KEY, nullable=True),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("action", sa.Unicode(length=64), nullable=True),
        sa.Column("text", sa.UnicodeText(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_lead_entry_author_id")),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_lead_entry_lead_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_lead_entry_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_entry")),
        sa.UniqueConstraint("public_id", name=op.f("uq_lead_entry_public_id")),
    )
    with op.batch_alter_table("lead_entry", schema=None) as batch_op:
        batch_op.create_index("ix_lead_entry_lead", ["lead_id", "id"], unique=False)

    op.create_table(
        "lead_favorite",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("lead_id", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_lead_favorite_lead_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_lead_favorite_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_lead_favorite_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_favorite")),
        sa.UniqueConstraint("user_id", "lead_id", name=op.f("uq_lead_favorite_user_id_lead_id")),
    )
    with op.batch_alter_table("lead_favorite", schema=None) as batch_op:
        batch_op.create_index("ix_lead_favorite_lead", ["lead_id"], unique=False)

    op.create_table(
        "lead_person",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("lead_id", KEY, nullable=False),
        sa.Column("kind", sa.Enum("contact", "team", name="personkind", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_lead_person_lead_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_lead_person_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_person")),
        sa.UniqueConstraint("public_id", name=op.f("uq_lead_person_public_id")),
    )
    with op.batch_alter_table("lead_person", schema=None) as batch_op:
        batch_op.create_index("ix_lead_person_lead", ["lead_id", "id"], unique=False)
    dialect = op.get_bind().dialect.name
    for statement in index_ddl(dialect, "lead"):
        op.execute(statement)
    if dialect == "sqlite":
        _plan(STATISTICS)


def _plan(statistics: dict[str, str]) -> None:
    """Tell SQLite's planner how large installations look, as 0001 does for customers.

    What it then measured of the empty search tables goes: with two rows in mind, SQLite reads through the whole index at each insert.
    """
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl LIKE '%search%'")
    for index, numbers in statistics.items():
        op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('lead', '{index}', '{numbers}')")


STATISTICS = {
    "ix_lead_newest": "200000 100000 50000 1 1 1",
    "ix_lead_state": "200000 100000 50000 15000 1 1",
    "ix_lead_company": "200000 100000 50000 2 1 1 1 1",
    "ix_lead_source": "200000 100000 40000 1 1",
    "ix_lead_stage": "200000 100000 25000 1 1",
    "ix_lead_due": "200000 40000 1 1",
    "ix_lead_answered": "200000 100000 1",
    "ix_lead_closed": "200000 100000 25000 1",
    "ix_lead_referrer": "200000 20000 1",
    "ix_lead_customer": "200000 100000 10",
    "ix_lead_request": "200000 2",
    "ix_lead_referred_to": "200000 2",
}


def downgrade() -> None:
    for statement in drop_ddl(op.get_bind().dialect.name, "lead"):
        op.execute(statement)
    with op.batch_alter_table("lead_person", schema=None) as batch_op:
        batch_op.drop_index("ix_lead_person_lead")

    op.drop_table("lead_person")
    with op.batch_alter_table("lead_favorite", schema=None) as batch_op:
        batch_op.drop_index("ix_lead_favorite_lead")

    op.drop_table("lead_favorite")
    with op.batch_alter_table("lead_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_lead_entry_lead")

    op.drop_table("lead_entry")
    with op.batch_alter_table("lead", schema=None) as batch_op:
        batch_op.drop_index("ix_lead_state")
        batch_op.drop_index("ix_lead_stage")
        batch_op.drop_index("ix_lead_source")
        batch_op.drop_index("ix_lead_request")
        batch_op.drop_index("ix_lead_referrer")
        batch_op.drop_index("ix_lead_referred_to")
        batch_op.drop_index("ix_lead_newest")
        batch_op.drop_index("ix_lead_due")
        batch_op.drop_index("ix_lead_customer")
        batch_op.drop_index("ix_lead_company")
        batch_op.drop_index("ix_lead_closed")
        batch_op.drop_index("ix_lead_answered")

    op.drop_table("lead")
    op.drop_column("customer_draft", "origin")
