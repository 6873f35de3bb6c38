"""foundation"""

import sqlalchemy as sa
from alembic import op

from portal.core.search import drop_ddl, index_ddl

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "agreement_text",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.UnicodeText(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_text")),
        sa.UniqueConstraint("country", "language", "version", name=op.f("uq_agreement_text_country_language_version")),
        sa.UniqueConstraint("public_id", name=op.f("uq_agreement_text_public_id")),
    )
    op.create_table(
        "one_time_link",
        sa.Column("purpose", sa.Unicode(length=32), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.Unicode(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_link_token_hash")),
    )
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_one_time_link_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "organization",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.Enum("partner", "customer", name="side", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column(
            "partner_type",
            sa.Enum("direct_bill", "indirect_provider", "indirect_reseller", name="partnertype", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("cloud", sa.Enum("public", "us_government", name="cloud", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("domain", sa.Unicode(length=253), nullable=False),
        sa.Column("domain_proven_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("street", sa.Unicode(length=300), nullable=False),
        sa.Column("district", sa.Unicode(length=100), nullable=False),
        sa.Column("city", sa.Unicode(length=100), nullable=False),
        sa.Column("region", sa.Unicode(length=100), nullable=False),
        sa.Column("postal_code", sa.Unicode(length=20), nullable=False),
        sa.Column("tax_id", sa.Unicode(length=40), nullable=False),
        sa.Column("added_by_id", KEY, nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.CheckConstraint("(side = 'partner') = (partner_type IS NOT NULL)", name=op.f("ck_organization_partner_has_type")),
        sa.ForeignKeyConstraint(["added_by_id"], ["organization.id"], name=op.f("fk_organization_added_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("public_id", name=op.f("uq_organization_public_id")),
    )
    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.create_index("ix_organization_domain", ["domain"], unique=False)
        batch_op.create_index(
            "uq_organization_proven_domain",
            ["cloud", "domain"],
            unique=True,
            sqlite_where=sa.text("domain_proven_at IS NOT NULL"),
            postgresql_where=sa.text("domain_proven_at IS NOT NULL"),
        )

    op.create_table(
        "reset_wish",
        sa.Column("email_key", sa.Unicode(length=254), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reset_wish")),
    )
    op.create_table(
        "throttle_count",
        sa.Column("key", sa.Unicode(length=200), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_throttle_count")),
        sa.UniqueConstraint("key", name=op.f("uq_throttle_count_key")),
    )
    with op.batch_alter_table("throttle_count", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_throttle_count_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "customer",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("name_key", sa.Unicode(length=200).with_variant(sa.Unicode(length=200, collation="C"), "postgresql"), nullable=False),
        sa.Column("domain", sa.Unicode(length=253).with_variant(sa.Unicode(length=253, collation="C"), "postgresql"), nullable=False),
        sa.Column("country", sa.Unicode(length=2), nullable=False),
        sa.Column("search_text", sa.Unicode(length=1200).with_variant(sa.Unicode(length=1200, collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "state", sa.Enum("pending", "active", "ended", name="relationshipstate", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.Integer(), sa.Computed("CASE WHEN state = 'ended' THEN 1 ELSE 0 END", persisted=True), nullable=False),
        sa.Column(
            "agreement",
            sa.Enum("missing", "attested", "accepted", "outdated", name="agreementstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column("first_name", sa.Unicode(length=100), nullable=False),
        sa.Column("last_name", sa.Unicode(length=100), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("billing_contact", sa.Unicode(length=200), nullable=False),
        sa.Column("billing_email", sa.Unicode(length=254), nullable=False),
        sa.Column("billing_street", sa.Unicode(length=300), nullable=False),
        sa.Column("billing_district", sa.Unicode(length=100), nullable=False),
        sa.Column("billing_city", sa.Unicode(length=100), nullable=False),
        sa.Column("billing_region", sa.Unicode(length=100), nullable=False),
        sa.Column("billing_postal_code", sa.Unicode(length=20), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column(
            "segment",
            sa.Enum("commercial", "education", "government", "nonprofit", name="segment", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("notes", sa.UnicodeText(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Unicode(length=120), nullable=True),
        sa.Column("ending_reason", sa.Unicode(length=1000), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_customer_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_customer_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_customer_reseller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("customer_id", "partner_id", name=op.f("uq_customer_customer_id_partner_id")),
        sa.UniqueConstraint("public_id", "partner_id", name=op.f("uq_customer_public_id_partner_id")),
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index("ix_customer_agreement", ["partner_id", "ended", "agreement", "name_key", "id"], unique=False)
        batch_op.create_index("ix_customer_domain", ["partner_id", "ended", "domain", "id"], unique=False)
        batch_op.create_index("ix_customer_name", ["partner_id", "ended", "name_key", "id", "search_text"], unique=False)
        batch_op.create_index("ix_customer_newest", ["partner_id", "ended", "id"], unique=False)
        batch_op.create_index("ix_customer_reseller", ["partner_id", "reseller_id", "name_key", "id"], unique=False)
        batch_op.create_index("ix_customer_state", ["partner_id", "state", "name_key", "id"], unique=False)

    op.create_table(
        "log_chain",
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Unicode(length=64), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_log_chain_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_chain")),
        sa.UniqueConstraint("organization_id", name=op.f("uq_log_chain_organization_id")),
    )
    op.create_table(
        "log_entry",
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Unicode(length=64), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("actor_name", sa.Unicode(length=200), nullable=True),
        sa.Column("customer_name", sa.Unicode(length=200), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.Column("salt", sa.Unicode(length=32), nullable=True),
        sa.Column("digest", sa.Unicode(length=64), nullable=False),
        sa.Column("previous_hash", sa.Unicode(length=64), nullable=False),
        sa.Column("hash", sa.Unicode(length=64), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_log_entry_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entry")),
        sa.UniqueConstraint("organization_id", "sequence", name=op.f("uq_log_entry_organization_id_sequence")),
    )
    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.create_index("ix_log_entry_action", ["organization_id", "action", "at", "id"], unique=False)
        batch_op.create_index("ix_log_entry_actor", ["organization_id", "actor_id", "at", "id"], unique=False)
        batch_op.create_index("ix_log_entry_at", ["organization_id", "at", "id"], unique=False)
        batch_op.create_index("ix_log_entry_customer", ["organization_id", "customer_id", "at", "id"], unique=False)

    op.create_table(
        "mail",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", KEY, nullable=True),
        sa.Column("kind", sa.Unicode(length=64), nullable=False),
        sa.Column("message_id", sa.Unicode(length=200), nullable=False),
        sa.Column("recipient", sa.Unicode(length=320), nullable=False),
        sa.Column("reply_to", sa.Unicode(length=600), nullable=True),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("subject", sa.Unicode(length=300), nullable=False),
        sa.Column("text", sa.UnicodeText(), nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("link_generation", sa.Integer(), nullable=True),
        sa.Column("link_path", sa.Unicode(length=100), nullable=True),
        sa.Column(
            "state",
            sa.Enum("queued", "sending", "sent", "failed", "superseded", name="mailstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim", sa.Unicode(length=64), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Unicode(length=500), nullable=True),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["one_time_link.id"], name=op.f("fk_mail_link_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_mail_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_message_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_mail_public_id")),
    )
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.create_index("ix_mail_due", ["state", "next_attempt_at", "id"], unique=False)
        batch_op.create_index("ix_mail_outbox", ["organization_id", "id"], unique=False)

    op.create_table(
        "user",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("email_key", sa.Unicode(length=254), nullable=False),
        sa.Column("name", sa.Unicode(length=120), nullable=False),
        sa.Column("name_key", sa.Unicode(length=400).with_variant(sa.Unicode(length=400, collation="C"), "postgresql"), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("state", sa.Enum("invited", "active", "deactivated", name="userstate", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_hash", sa.Unicode(length=200), nullable=True),
        sa.Column("language", sa.Unicode(length=8), nullable=True),
        sa.Column("time_zone", sa.Unicode(length=64), nullable=False),
        sa.Column("activation_link_id", KEY, nullable=True),
        sa.Column("code_link_id", KEY, nullable=True),
        sa.Column("reset_link_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["activation_link_id"], ["one_time_link.id"], name=op.f("fk_user_activation_link_id")),
        sa.ForeignKeyConstraint(["code_link_id"], ["one_time_link.id"], name=op.f("fk_user_code_link_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_user_organization_id")),
        sa.ForeignKeyConstraint(["reset_link_id"], ["one_time_link.id"], name=op.f("fk_user_reset_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("public_id", name=op.f("uq_user_public_id")),
    )
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_activation_link_id"), ["activation_link_id"], unique=False)
        batch_op.create_index("ix_user_email_key", ["email_key"], unique=False)
        batch_op.create_index("ix_user_organization_name", ["organization_id", "name_key", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_user_reset_link_id"), ["reset_link_id"], unique=False)
        batch_op.create_index(
            "uq_user_email_key", ["email_key"], unique=True, sqlite_where=sa.text("state <> 'invited'"), postgresql_where=sa.text("state <> 'invited'")
        )

    op.create_table(
        "agreement_acceptance",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("text_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_by_id", KEY, nullable=False),
        sa.Column("accepted_by_name", sa.Unicode(length=120), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["accepted_by_id"], ["user.id"], name=op.f("fk_agreement_acceptance_accepted_by_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_agreement_acceptance_organization_id")),
        sa.ForeignKeyConstraint(["text_id"], ["agreement_text.id"], name=op.f("fk_agreement_acceptance_text_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_acceptance")),
        sa.UniqueConstraint("public_id", name=op.f("uq_agreement_acceptance_public_id")),
    )
    with op.batch_alter_table("agreement_acceptance", schema=None) as batch_op:
        batch_op.create_index("ix_agreement_acceptance_customer", ["organization_id", "id"], unique=False)

    op.create_table(
        "agreement_attestation",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_name", sa.Unicode(length=100), nullable=False),
        sa.Column("last_name", sa.Unicode(length=100), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("phone", sa.Unicode(length=40), nullable=False),
        sa.Column("accepted_on", sa.Date(), nullable=False),
        sa.Column("attested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attested_by_id", KEY, nullable=True),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["attested_by_id"], ["user.id"], name=op.f("fk_agreement_attestation_attested_by_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_agreement_attestation_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_agreement_attestation_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_attestation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_agreement_attestation_public_id")),
    )
    with op.batch_alter_table("agreement_attestation", schema=None) as batch_op:
        batch_op.create_index("ix_agreement_attestation_customer", ["partner_id", "customer_id", "id"], unique=False)

    op.create_table(
        "customer_draft",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("author_id", KEY, nullable=False),
        sa.Column("typed", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_public_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_customer_draft_author_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_customer_draft_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_draft")),
        sa.UniqueConstraint("public_id", name=op.f("uq_customer_draft_public_id")),
    )
    with op.batch_alter_table("customer_draft", schema=None) as batch_op:
        batch_op.create_index("ix_customer_draft_author", ["partner_id", "author_id", "id"], unique=False)

    op.create_table(
        "customer_tag",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("tag", sa.Unicode(length=40), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_customer_tag_partner_id")),
        sa.ForeignKeyConstraint(["record_id"], ["customer.id"], name=op.f("fk_customer_tag_record_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_tag")),
        sa.UniqueConstraint("record_id", "tag", name=op.f("uq_customer_tag_record_id_tag")),
    )
    with op.batch_alter_table("customer_tag", schema=None) as batch_op:
        batch_op.create_index("ix_customer_tag_tag", ["partner_id", "tag", "record_id"], unique=False)

    op.create_table(
        "relationship_request",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column(
            "state",
            sa.Enum("draft", "sent", "accepted", "declined", "expired", "revoked", name="requeststate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "purpose", sa.Enum("connect", "reinstate", "extend", name="requestpurpose", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("email", sa.Unicode(length=254), nullable=False),
        sa.Column("organization", sa.Unicode(length=200), nullable=False),
        sa.Column("language", sa.Unicode(length=8), nullable=False),
        sa.Column("delegated_administration", sa.Boolean(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=True),
        sa.Column("auto_extend", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.Unicode(length=200), nullable=False),
        sa.Column("body", sa.UnicodeText(), nullable=False),
        sa.Column(
            "sending_way", sa.Enum("portal", "mail_program", "copy", name="sendingway", native_enum=False, create_constraint=True, length=32), nullable=True
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Unicode(length=400), nullable=True),
        sa.Column("decline_reason", sa.Unicode(length=1000), nullable=True),
        sa.Column("author_id", KEY, nullable=True),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("author_email", sa.Unicode(length=254), nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_relationship_request_author_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_relationship_request_customer_id")),
        sa.ForeignKeyConstraint(["link_id"], ["one_time_link.id"], name=op.f("fk_relationship_request_link_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_relationship_request_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relationship_request")),
        sa.UniqueConstraint("public_id", name=op.f("uq_relationship_request_public_id")),
    )
    with op.batch_alter_table("relationship_request", schema=None) as batch_op:
        batch_op.create_index("ix_relationship_request_customer", ["partner_id", "customer_id", "id"], unique=False)
        batch_op.create_index("ix_relationship_request_due", ["state", "expires_at"], unique=False)
        batch_op.create_index("ix_relationship_request_for", ["customer_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_relationship_request_link_id"), ["link_id"], unique=False)
        batch_op.create_index("ix_relationship_request_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_relationship_request_state", ["partner_id", "state", "id"], unique=False)

    op.create_table(
        "user_role",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "global_admin",
                "user_admin",
                "billing_admin",
                "admin_agent",
                "sales_agent",
                "helpdesk_agent",
                "referrals_admin",
                "customer_admin",
                "purchaser",
                "member",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_role_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_role")),
        sa.UniqueConstraint("user_id", "role", name=op.f("uq_user_role_user_id_role")),
    )
    op.create_table(
        "user_session",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("token_hash", sa.Unicode(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.Unicode(length=200), nullable=False),
        sa.Column("address", sa.Unicode(length=64), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_session_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.UniqueConstraint("public_id", name=op.f("uq_user_session_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_session_token_hash")),
    )
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.create_index("ix_user_session_user", ["user_id", "ended_at"], unique=False)

    op.create_table(
        "delegated_administration",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column(
            "state", sa.Enum("requested", "active", "ended", name="delegationstate", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=False),
        sa.Column("auto_extend", sa.Boolean(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_days", sa.Integer(), nullable=True),
        sa.Column("ended_by", sa.Unicode(length=200), nullable=True),
        sa.Column("request_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_delegated_administration_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_delegated_administration_partner_id")),
        sa.ForeignKeyConstraint(["request_id"], ["relationship_request.id"], name=op.f("fk_delegated_administration_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegated_administration")),
        sa.UniqueConstraint("public_id", name=op.f("uq_delegated_administration_public_id")),
    )
    with op.batch_alter_table("delegated_administration", schema=None) as batch_op:
        batch_op.create_index("ix_delegated_administration_customer", ["partner_id", "customer_id", "state"], unique=False)
        batch_op.create_index("ix_delegated_administration_due", ["state", "ends_at"], unique=False)
        batch_op.create_index("ix_delegated_administration_ends", ["partner_id", "state", "ends_at", "id"], unique=False)

    op.create_table(
        "registration",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("request_id", KEY, nullable=False),
        sa.Column("typed", sa.JSON(), nullable=False),
        sa.Column("code_link_id", KEY, nullable=True),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["code_link_id"], ["one_time_link.id"], name=op.f("fk_registration_code_link_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_registration_partner_id")),
        sa.ForeignKeyConstraint(["request_id"], ["relationship_request.id"], name=op.f("fk_registration_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
        sa.UniqueConstraint("public_id", name=op.f("uq_registration_public_id")),
        sa.UniqueConstraint("request_id", name=op.f("uq_registration_request_id")),
    )
    for statement in index_ddl(op.get_bind().dialect.name, "customer"):
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        _plan(STATISTICS)


def _plan(statistics: dict[str, str]) -> None:
    """Tell SQLite's planner how large installations look, before there is anything to measure: equal partner_id says little."""
    op.execute("ANALYZE")
    for index, numbers in statistics.items():
        op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('customer', '{index}', '{numbers}')")


STATISTICS = {
    "ix_customer_name": "200000 100000 90000 2 1 1",
    "ix_customer_domain": "200000 100000 90000 1 1",
    "ix_customer_newest": "200000 100000 90000 1",
    "ix_customer_state": "200000 100000 60000 2 1",
    "ix_customer_agreement": "200000 100000 90000 30000 2 1",
    "ix_customer_reseller": "200000 100000 50000 2 1",
}


def downgrade() -> None:
    for statement in drop_ddl(op.get_bind().dialect.name, "customer"):
        op.execute(statement)
    op.drop_table("registration")
    with op.batch_alter_table("delegated_administration", schema=None) as batch_op:
        batch_op.drop_index("ix_delegated_administration_ends")
        batch_op.drop_index("ix_delegated_administration_due")
        batch_op.drop_index("ix_delegated_administration_customer")

    op.drop_table("delegated_administration")
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.drop_index("ix_user_session_user")

    op.drop_table("user_session")
    op.drop_table("user_role")
    with op.batch_alter_table("relationship_request", schema=None) as batch_op:
        batch_op.drop_index("ix_relationship_request_state")
        batch_op.drop_index("ix_relationship_request_newest")
        batch_op.drop_index(batch_op.f("ix_relationship_request_link_id"))
        batch_op.drop_index("ix_relationship_request_for")
        batch_op.drop_index("ix_relationship_request_due")
        batch_op.drop_index("ix_relationship_request_customer")

    op.drop_table("relationship_request")
    with op.batch_alter_table("customer_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_tag_tag")

    op.drop_table("customer_tag")
    with op.batch_alter_table("customer_draft", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_draft_author")

    op.drop_table("customer_draft")
    with op.batch_alter_table("agreement_attestation", schema=None) as batch_op:
        batch_op.drop_index("ix_agreement_attestation_customer")

    op.drop_table("agreement_attestation")
    with op.batch_alter_table("agreement_acceptance", schema=None) as batch_op:
        batch_op.drop_index("ix_agreement_acceptance_customer")

    op.drop_table("agreement_acceptance")
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.drop_index("uq_user_email_key", sqlite_where=sa.text("state <> 'invited'"), postgresql_where=sa.text("state <> 'invited'"))
        batch_op.drop_index(batch_op.f("ix_user_reset_link_id"))
        batch_op.drop_index("ix_user_organization_name")
        batch_op.drop_index("ix_user_email_key")
        batch_op.drop_index(batch_op.f("ix_user_activation_link_id"))

    op.drop_table("user")
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.drop_index("ix_mail_outbox")
        batch_op.drop_index("ix_mail_due")

    op.drop_table("mail")
    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_log_entry_customer")
        batch_op.drop_index("ix_log_entry_at")
        batch_op.drop_index("ix_log_entry_actor")
        batch_op.drop_index("ix_log_entry_action")

    op.drop_table("log_entry")
    op.drop_table("log_chain")
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_state")
        batch_op.drop_index("ix_customer_reseller")
        batch_op.drop_index("ix_customer_newest")
        batch_op.drop_index("ix_customer_name")
        batch_op.drop_index("ix_customer_domain")
        batch_op.drop_index("ix_customer_agreement")

    op.drop_table("customer")
    with op.batch_alter_table("throttle_count", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_throttle_count_expires_at"))

    op.drop_table("throttle_count")
    op.drop_table("reset_wish")
    with op.batch_alter_table("organization", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_organization_proven_domain", sqlite_where=sa.text("domain_proven_at IS NOT NULL"), postgresql_where=sa.text("domain_proven_at IS NOT NULL")
        )
        batch_op.drop_index("ix_organization_domain")

    op.drop_table("organization")
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_link_expires_at"))

    op.drop_table("one_time_link")
    op.drop_table("agreement_text")
