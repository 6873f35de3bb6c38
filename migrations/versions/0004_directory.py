"""directory"""

import sqlalchemy as sa
from alembic import op

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "directory_entry",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("logo_public_id", sa.Uuid(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("terms", sa.UnicodeText(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_directory_entry_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_entry")),
        sa.UniqueConstraint("public_id", name=op.f("uq_directory_entry_public_id")),
    )
    with op.batch_alter_table("directory_entry", schema=None) as batch_op:
        batch_op.create_index("ix_directory_entry_country", ["country"], unique=False)
        batch_op.create_index("ix_directory_entry_partner", ["partner_id"], unique=False)
        batch_op.create_index("ix_directory_entry_rank", ["rank", "id"], unique=False)

    op.create_table(
        "inquiry",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entry_public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("typed", sa.JSON(), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_id", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["one_time_link.id"], name=op.f("fk_inquiry_link_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_inquiry_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiry")),
        sa.UniqueConstraint("public_id", name=op.f("uq_inquiry_public_id")),
    )
    with op.batch_alter_table("inquiry", schema=None) as batch_op:
        batch_op.create_index("ix_inquiry_asked", ["asked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inquiry_link_id"), ["link_id"], unique=False)

    op.create_table(
        "profile_logo",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.Unicode(length=40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_profile_logo_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_logo")),
        sa.UniqueConstraint("public_id", name=op.f("uq_profile_logo_public_id")),
    )
    op.create_table(
        "business_profile",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("state", sa.Enum("draft", "published", "taken_back", name="profilestate", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("description", sa.Unicode(length=2500), nullable=False),
        sa.Column("website", sa.Unicode(length=300), nullable=False),
        sa.Column("linkedin", sa.Unicode(length=300), nullable=False),
        sa.Column("sizes", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("logo_id", KEY, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["logo_id"], ["profile_logo.id"], name=op.f("fk_business_profile_logo_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_business_profile_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_profile")),
        sa.UniqueConstraint("partner_id", "country", name=op.f("uq_business_profile_partner_id_country")),
        sa.UniqueConstraint("public_id", name=op.f("uq_business_profile_public_id")),
    )
    with op.batch_alter_table("business_profile", schema=None) as batch_op:
        batch_op.create_index("ix_business_profile_stale", ["state", "changed_at"], unique=False)

    op.create_table(
        "directory_place",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", KEY, nullable=False),
        sa.Column("city", sa.Unicode(length=100), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("z", sa.Double(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["directory_entry.id"], name=op.f("fk_directory_place_entry_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_place")),
        sa.UniqueConstraint("public_id", name=op.f("uq_directory_place_public_id")),
    )
    with op.batch_alter_table("directory_place", schema=None) as batch_op:
        batch_op.create_index("ix_directory_place_entry", ["entry_id", "x", "y", "z"], unique=False)

    op.create_table(
        "profile_location",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("profile_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Unicode(length=100), nullable=False),
        sa.Column("street", sa.Unicode(length=300), nullable=False),
        sa.Column("district", sa.Unicode(length=100), nullable=False),
        sa.Column("city", sa.Unicode(length=100), nullable=False),
        sa.Column("region", sa.Unicode(length=100), nullable=False),
        sa.Column("postal_code", sa.Unicode(length=20), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_profile_location_partner_id")),
        sa.ForeignKeyConstraint(["profile_id"], ["business_profile.id"], name=op.f("fk_profile_location_profile_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_location")),
        sa.UniqueConstraint("public_id", name=op.f("uq_profile_location_public_id")),
    )
    with op.batch_alter_table("profile_location", schema=None) as batch_op:
        batch_op.create_index("ix_profile_location_profile", ["profile_id", "position"], unique=False)
    suspended = sa.text("suspended_at IS NOT NULL")
    op.create_index("ix_organization_suspended", "organization", ["id"], sqlite_where=suspended, postgresql_where=suspended)
    for statement in SEARCH[op.get_bind().dialect.name]:
        op.execute(statement)


# ADR 0007: on SQLite the rows of the full-text index lie in the order in which results are shown.
PLACE = "{row}.rank * 1099511627776 + {row}.id"
REMOVED = f"INSERT INTO directory_entry_search(directory_entry_search, rowid, terms) VALUES ('delete', {PLACE.format(row='old')}, old.terms)"
ADDED = f"INSERT INTO directory_entry_search(rowid, terms) VALUES ({PLACE.format(row='new')}, new.terms)"
SEARCH = {
    "sqlite": [
        "CREATE VIRTUAL TABLE directory_entry_search USING fts5(terms, content='', tokenize=\"ascii tokenchars '_'\", detail='none', columnsize=0, prefix='3 4 5 6 7 8 9 10')",
        f"CREATE TRIGGER directory_entry_search_added AFTER INSERT ON directory_entry BEGIN {ADDED}; END",
        f"CREATE TRIGGER directory_entry_search_removed AFTER DELETE ON directory_entry BEGIN {REMOVED}; END",
        f"CREATE TRIGGER directory_entry_search_changed AFTER UPDATE OF rank, terms ON directory_entry BEGIN {REMOVED}; {ADDED}; END",
    ],
    "postgresql": [
        # Long texts apart from the rows, so that many rows can be put in order quickly; and a price that keeps the planner from computing it for each row.
        "ALTER TABLE directory_entry SET (toast_tuple_target = 128)",
        "CREATE FUNCTION directory_terms(terms text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100000 AS"
        " $$ BEGIN RETURN array_to_tsvector(string_to_array(btrim(terms), ' ')); END $$",
        "CREATE INDEX ix_directory_entry_search ON directory_entry USING gin (directory_terms(terms))",
    ],
}
NO_SEARCH = {
    "sqlite": [f"DROP TRIGGER directory_entry_search_{event}" for event in ("added", "removed", "changed")] + ["DROP TABLE directory_entry_search"],
    "postgresql": ["DROP INDEX ix_directory_entry_search", "DROP FUNCTION directory_terms(text)"],
}


def downgrade() -> None:
    for statement in NO_SEARCH[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_index("ix_organization_suspended", "organization")
    with op.batch_alter_table("profile_location", schema=None) as batch_op:
        batch_op.drop_index("ix_profile_location_profile")

    op.drop_table("profile_location")
    with op.batch_alter_table("directory_place", schema=None) as batch_op:
        batch_op.drop_index("ix_directory_place_entry")

    op.drop_table("directory_place")
    with op.batch_alter_table("business_profile", schema=None) as batch_op:
        batch_op.drop_index("ix_business_profile_stale")

    op.drop_table("business_profile")
    op.drop_table("profile_logo")
    with op.batch_alter_table("inquiry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inquiry_link_id"))
        batch_op.drop_index("ix_inquiry_asked")

    op.drop_table("inquiry")
    with op.batch_alter_table("directory_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_directory_entry_rank")
        batch_op.drop_index("ix_directory_entry_partner")
        batch_op.drop_index("ix_directory_entry_country")

    op.drop_table("directory_entry")
