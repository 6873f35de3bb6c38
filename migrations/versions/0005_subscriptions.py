"""subscriptions"""

import sqlalchemy as sa
from alembic import op

from portal.core.search import drop_ddl, index_ddl

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "offer",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("sku", sa.Unicode(length=64), nullable=False),
        sa.Column("publisher", sa.Unicode(length=100), nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("name_key", sa.Unicode(length=200).with_variant(sa.Unicode(length=200, collation="C"), "postgresql"), nullable=False),
        sa.Column("search_text", sa.Unicode(length=1200).with_variant(sa.Unicode(length=1200, collation="C"), "postgresql"), nullable=False),
        sa.Column("description", sa.Unicode(length=2000), nullable=False),
        sa.Column("category", sa.Unicode(length=100), nullable=False),
        sa.Column(
            "segment",
            sa.Enum("commercial", "education", "government", "nonprofit", name="segment", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("billing", sa.Enum("licence", "usage", name="billing", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("cycle", sa.Enum("monthly", "annual", name="cycle", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer(), nullable=False),
        sa.Column("one_per_customer", sa.Boolean(), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("add_on_of_id", KEY, nullable=True),
        sa.Column("clouds", sa.JSON(), nullable=False),
        sa.Column("markets", sa.JSON(), nullable=False),
        sa.Column("instance_type", sa.Unicode(length=100), nullable=True),
        sa.Column("region", sa.Unicode(length=100), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("withdrawn_reason", sa.Unicode(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.CheckConstraint("minimum >= 1 AND maximum >= minimum", name=op.f("ck_offer_quantities")),
        sa.CheckConstraint("trial_days >= 0", name=op.f("ck_offer_trial_days")),
        sa.ForeignKeyConstraint(["add_on_of_id"], ["offer.id"], name=op.f("fk_offer_add_on_of_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_offer_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offer_public_id")),
        sa.UniqueConstraint("sku", "partner_id", name=op.f("uq_offer_sku_partner_id")),
    )
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.create_index("ix_offer_add_on_of", ["add_on_of_id"], unique=False)
        batch_op.create_index("ix_offer_category", ["partner_id", "withdrawn", "category", "name_key", "id"], unique=False)
        batch_op.create_index("ix_offer_name", ["partner_id", "withdrawn", "name_key", "id", "search_text"], unique=False)
        batch_op.create_index("ix_offer_publisher", ["partner_id", "withdrawn", "publisher", "name_key", "id"], unique=False)
        batch_op.create_index(
            "ix_offer_region",
            ["partner_id", "withdrawn", "region", "name_key", "id"],
            unique=False,
            sqlite_where=sa.text("instance_type IS NOT NULL"),
            postgresql_where=sa.text("instance_type IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_offer_reservation",
            ["partner_id", "withdrawn", "name_key", "id", "search_text"],
            unique=False,
            sqlite_where=sa.text("instance_type IS NOT NULL"),
            postgresql_where=sa.text("instance_type IS NOT NULL"),
        )

    op.create_table(
        "buying_permission",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("category", sa.Enum("reservations", name="category", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", KEY, nullable=True),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("monthly_limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("approval_above_minor", sa.BigInteger(), nullable=True),
        sa.Column(
            "notice", sa.Enum("nobody", "who_turned_it_on", "all_agents", name="notice", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["changed_by_id"], ["user.id"], name=op.f("fk_buying_permission_changed_by_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_buying_permission_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_buying_permission_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buying_permission")),
        sa.UniqueConstraint("customer_id", "category", "partner_id", name=op.f("uq_buying_permission_customer_id_category_partner_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_buying_permission_public_id")),
    )
    op.create_table(
        "cart",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=False),
        sa.Column("author_id", KEY, nullable=False),
        sa.Column("provider_id", KEY, nullable=True),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_cart_author_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_cart_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_cart_partner_id")),
        sa.ForeignKeyConstraint(["provider_id"], ["organization.id"], name=op.f("fk_cart_provider_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart")),
        sa.UniqueConstraint("public_id", name=op.f("uq_cart_public_id")),
    )
    with op.batch_alter_table("cart", schema=None) as batch_op:
        batch_op.create_index("ix_cart_author", ["partner_id", "author_id", "customer_id", "ordered_at"], unique=False)

    op.create_table(
        "catalog_import",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("author_id", KEY, nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_catalog_import_author_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_catalog_import_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_import")),
        sa.UniqueConstraint("public_id", name=op.f("uq_catalog_import_public_id")),
    )
    with op.batch_alter_table("catalog_import", schema=None) as batch_op:
        batch_op.create_index("ix_catalog_import_author", ["partner_id", "author_id"], unique=False)

    op.create_table(
        "offer_price",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("offer_id", KEY, nullable=False),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("id", KEY, nullable=False),
        sa.CheckConstraint("price_minor >= 0 AND (cost_minor IS NULL OR cost_minor >= 0)", name=op.f("ck_offer_price_amounts")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_offer_price_offer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_offer_price_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_price")),
        sa.UniqueConstraint("offer_id", "currency", "from_on", name=op.f("uq_offer_price_offer_id_currency_from_on")),
    )
    op.create_table(
        "order",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("requested", "placed", "declined", "withdrawn", name="orderstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("side", sa.Enum("partner", "customer", name="side", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", KEY, nullable=True),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("declined_reason", sa.Unicode(length=1000), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_order_author_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_order_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_order_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_order_reseller_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order")),
        sa.UniqueConstraint("key", "partner_id", name=op.f("uq_order_key_partner_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_order_public_id")),
    )
    with op.batch_alter_table("order", schema=None) as batch_op:
        batch_op.create_index("ix_order_customer", ["partner_id", "customer_id", "id"], unique=False)
        batch_op.create_index("ix_order_mine", ["customer_id", "id"], unique=False)
        batch_op.create_index("ix_order_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_order_reseller", ["reseller_id", "id"], unique=False)
        batch_op.create_index("ix_order_side", ["partner_id", "side", "id"], unique=False)
        batch_op.create_index("ix_order_state", ["partner_id", "state", "id"], unique=False)

    op.create_table(
        "subscription",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column(
            "state",
            sa.Enum("active", "suspended", "expired", "cancelled", name="subscriptionstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offer_id", KEY, nullable=False),
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("base_id", KEY, nullable=True),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("name_key", sa.Unicode(length=200).with_variant(sa.Unicode(length=200, collation="C"), "postgresql"), nullable=False),
        sa.Column("search_text", sa.Unicode(length=1200).with_variant(sa.Unicode(length=1200, collation="C"), "postgresql"), nullable=False),
        sa.Column("nickname", sa.Unicode(length=100), nullable=False),
        sa.Column("billing", sa.Enum("licence", "usage", name="billing", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("cycle", sa.Enum("monthly", "annual", name="cycle", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("next_quantity", sa.Integer(), nullable=True),
        sa.Column("unit_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("billed_to", sa.Date(), nullable=False),
        sa.Column("trial_ends_on", sa.Date(), nullable=True),
        sa.Column("auto_renew", sa.Boolean(), nullable=False),
        sa.Column("cancels", sa.Boolean(), nullable=False),
        sa.Column("suspended_on", sa.Date(), nullable=True),
        sa.Column("suspended_with_base", sa.Boolean(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("turns_on", sa.Date(), nullable=True),
        sa.Column("remind_on", sa.Date(), nullable=True),
        sa.Column("support_contact_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.CheckConstraint("ends_on > starts_on", name=op.f("ck_subscription_term")),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_subscription_quantity")),
        sa.ForeignKeyConstraint(["base_id"], ["subscription.id"], name=op.f("fk_subscription_base_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_subscription_customer_id")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_subscription_offer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_subscription_order_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_subscription_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_subscription_reseller_id")),
        sa.ForeignKeyConstraint(["support_contact_id"], ["organization.id"], name=op.f("fk_subscription_support_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("public_id", name=op.f("uq_subscription_public_id")),
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index(
            "ix_subscription_base",
            ["base_id", "partner_id"],
            unique=False,
            sqlite_where=sa.text("base_id IS NOT NULL"),
            postgresql_where=sa.text("base_id IS NOT NULL"),
        )
        batch_op.create_index("ix_subscription_customer", ["partner_id", "customer_id", "state", "id"], unique=False)
        batch_op.create_index("ix_subscription_due", ["state", "due_on"], unique=False)
        batch_op.create_index("ix_subscription_mine", ["customer_id", "id"], unique=False)
        batch_op.create_index("ix_subscription_name", ["partner_id", "customer_id", "name_key", "id"], unique=False)
        batch_op.create_index("ix_subscription_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_subscription_remind", ["remind_on"], unique=False)
        batch_op.create_index("ix_subscription_reseller", ["reseller_id", "customer_id", "id"], unique=False)
        batch_op.create_index(
            "ix_subscription_resold",
            ["reseller_id", "id"],
            unique=False,
            sqlite_where=sa.text("reseller_id IS NOT NULL"),
            postgresql_where=sa.text("reseller_id IS NOT NULL"),
        )
        batch_op.create_index("ix_subscription_state", ["partner_id", "state", "id"], unique=False)
        batch_op.create_index(
            "ix_subscription_trial",
            ["partner_id", "state", "trial_ends_on", "id"],
            unique=False,
            sqlite_where=sa.text("trial_ends_on IS NOT NULL"),
            postgresql_where=sa.text("trial_ends_on IS NOT NULL"),
        )
        batch_op.create_index("ix_subscription_turns", ["partner_id", "state", "auto_renew", "turns_on", "id"], unique=False)

    op.create_table(
        "purchase",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("category", sa.Enum("reservations", name="category", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column(
            "state",
            sa.Enum("waiting", "placed", "declined", "withdrawn", name="purchasestate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("month", sa.Unicode(length=7), nullable=False),
        sa.Column("offer_id", KEY, nullable=False),
        sa.Column("subscription_id", KEY, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("author_id", KEY, nullable=False),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("author_email", sa.Unicode(length=254), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Unicode(length=200), nullable=False),
        sa.Column("declined_reason", sa.Unicode(length=1000), nullable=False),
        sa.Column("order_id", KEY, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_purchase_author_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_purchase_customer_id")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_purchase_offer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_purchase_order_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_purchase_partner_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_purchase_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase")),
        sa.UniqueConstraint("key", "customer_id", name=op.f("uq_purchase_key_customer_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_purchase_public_id")),
    )
    with op.batch_alter_table("purchase", schema=None) as batch_op:
        batch_op.create_index("ix_purchase_mine", ["customer_id", "id"], unique=False)
        batch_op.create_index("ix_purchase_month", ["partner_id", "customer_id", "category", "month"], unique=False)
        batch_op.create_index("ix_purchase_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_purchase_waiting", ["partner_id", "state", "id"], unique=False)

    op.create_table(
        "reservation",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column(
            "state",
            sa.Enum("active", "expired", "cancelled", "exchanged", name="reservationstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offer_id", KEY, nullable=False),
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("subscription_id", KEY, nullable=True),
        sa.Column("replaces_id", KEY, nullable=True),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("search_text", sa.Unicode(length=1200).with_variant(sa.Unicode(length=1200, collation="C"), "postgresql"), nullable=False),
        sa.Column("instance_type", sa.Unicode(length=100), nullable=False),
        sa.Column("region", sa.Unicode(length=100), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Enum("single", "shared", name="reservationscope", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("refund_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("used", sa.Boolean(), nullable=False),
        sa.Column("renewed", sa.Boolean(), nullable=False),
        sa.Column("bought_side", sa.Enum("partner", "customer", name="side", native_enum=False, create_constraint=True, length=32), nullable=False),
        sa.Column("bought_by", sa.Unicode(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_reservation_quantity")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_reservation_customer_id")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_reservation_offer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_reservation_order_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_reservation_partner_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["reservation.id"], name=op.f("fk_reservation_replaces_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_reservation_reseller_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_reservation_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_reservation_public_id")),
    )
    with op.batch_alter_table("reservation", schema=None) as batch_op:
        batch_op.create_index("ix_reservation_coming", ["partner_id", "state", "ends_on", "id"], unique=False)
        batch_op.create_index("ix_reservation_customer", ["partner_id", "customer_id", "id"], unique=False)
        batch_op.create_index("ix_reservation_ends", ["state", "ends_on"], unique=False)
        batch_op.create_index("ix_reservation_mine", ["customer_id", "id"], unique=False)
        batch_op.create_index("ix_reservation_newest", ["partner_id", "id"], unique=False)
        batch_op.create_index("ix_reservation_replaces", ["replaces_id"], unique=False)
        batch_op.create_index("ix_reservation_state", ["partner_id", "state", "id"], unique=False)

    op.create_table(
        "reservation_request",
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reservation_id", KEY, nullable=False),
        sa.Column(
            "state", sa.Enum("open", "done", "declined", "withdrawn", name="askedstate", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind", sa.Enum("exchange", "cancel", "renew", "rescope", name="requestkind", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column("message", sa.Unicode(length=2000), nullable=False),
        sa.Column("author_id", KEY, nullable=True),
        sa.Column("author_name", sa.Unicode(length=120), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Unicode(length=1000), nullable=False),
        sa.Column("answered_by", sa.Unicode(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_reservation_request_author_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_reservation_request_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_reservation_request_partner_id")),
        sa.ForeignKeyConstraint(["reservation_id"], ["reservation.id"], name=op.f("fk_reservation_request_reservation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation_request")),
        sa.UniqueConstraint("public_id", name=op.f("uq_reservation_request_public_id")),
    )
    with op.batch_alter_table("reservation_request", schema=None) as batch_op:
        batch_op.create_index("ix_reservation_request_reservation", ["reservation_id", "id"], unique=False)
        batch_op.create_index("ix_reservation_request_state", ["partner_id", "state", "id"], unique=False)
        batch_op.create_index(
            "uq_reservation_request_open",
            ["reservation_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "subscription_owner",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("subscription_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_subscription_owner_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_subscription_owner_partner_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_subscription_owner_subscription_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_subscription_owner_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_owner")),
        sa.UniqueConstraint("subscription_id", "user_id", name=op.f("uq_subscription_owner_subscription_id_user_id")),
    )
    with op.batch_alter_table("subscription_owner", schema=None) as batch_op:
        batch_op.create_index("ix_subscription_owner_user", ["user_id"], unique=False)

    op.create_table(
        "charge",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column(
            "kind",
            sa.Enum("period", "increase", "credit", "reservation", "refund", name="chargekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subscription_id", KEY, nullable=True),
        sa.Column("reservation_id", KEY, nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Unicode(length=3), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_charge_customer_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_charge_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_charge_reseller_id")),
        sa.ForeignKeyConstraint(["reservation_id"], ["reservation.id"], name=op.f("fk_charge_reservation_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_charge_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
    )
    with op.batch_alter_table("charge", schema=None) as batch_op:
        batch_op.create_index("ix_charge_customer", ["partner_id", "customer_id", "id"], unique=False)
        batch_op.create_index("ix_charge_subscription", ["subscription_id", "id"], unique=False)
        batch_op.create_index(
            "uq_charge_period",
            ["subscription_id", "from_on"],
            unique=True,
            sqlite_where=sa.text("kind = 'period'"),
            postgresql_where=sa.text("kind = 'period'"),
        )

    op.create_table(
        "order_line",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("customer_id", KEY, nullable=True),
        sa.Column("reseller_id", KEY, nullable=True),
        sa.Column("order_id", KEY, nullable=False),
        sa.Column("offer_id", KEY, nullable=False),
        sa.Column("name", sa.Unicode(length=200), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_minor", sa.BigInteger(), nullable=False),
        sa.Column("today_minor", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Enum("single", "shared", name="reservationscope", native_enum=False, create_constraint=True, length=32), nullable=True),
        sa.Column("subscription_id", KEY, nullable=True),
        sa.Column("reservation_id", KEY, nullable=True),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["organization.id"], name=op.f("fk_order_line_customer_id")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_order_line_offer_id")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_order_line_order_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["partner_id"], ["organization.id"], name=op.f("fk_order_line_partner_id")),
        sa.ForeignKeyConstraint(["reseller_id"], ["organization.id"], name=op.f("fk_order_line_reseller_id")),
        sa.ForeignKeyConstraint(["reservation_id"], ["reservation.id"], name=op.f("fk_order_line_reservation_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_order_line_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_line")),
    )
    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.create_index("ix_order_line_order", ["order_id", "id"], unique=False)

    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.Uuid(), nullable=True))
        batch_op.create_index("ix_log_entry_subject", ["organization_id", "subject", "id"], unique=False)
    for table in ("offer", "subscription", "reservation"):
        for statement in index_ddl(op.get_bind().dialect.name, table):
            op.execute(statement)


def downgrade() -> None:
    for table in ("offer", "subscription", "reservation"):
        for statement in drop_ddl(op.get_bind().dialect.name, table):
            op.execute(statement)
    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_log_entry_subject")
        batch_op.drop_column("subject")

    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.drop_index("ix_order_line_order")

    op.drop_table("order_line")
    with op.batch_alter_table("charge", schema=None) as batch_op:
        batch_op.drop_index("uq_charge_period", sqlite_where=sa.text("kind = 'period'"), postgresql_where=sa.text("kind = 'period'"))
        batch_op.drop_index("ix_charge_subscription")
        batch_op.drop_index("ix_charge_customer")

    op.drop_table("charge")
    with op.batch_alter_table("subscription_owner", schema=None) as batch_op:
        batch_op.drop_index("ix_subscription_owner_user")

    op.drop_table("subscription_owner")
    with op.batch_alter_table("reservation_request", schema=None) as batch_op:
        batch_op.drop_index("uq_reservation_request_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
        batch_op.drop_index("ix_reservation_request_state")
        batch_op.drop_index("ix_reservation_request_reservation")

    op.drop_table("reservation_request")
    with op.batch_alter_table("reservation", schema=None) as batch_op:
        batch_op.drop_index("ix_reservation_state")
        batch_op.drop_index("ix_reservation_replaces")
        batch_op.drop_index("ix_reservation_newest")
        batch_op.drop_index("ix_reservation_mine")
        batch_op.drop_index("ix_reservation_ends")
        batch_op.drop_index("ix_reservation_customer")
        batch_op.drop_index("ix_reservation_coming")

    op.drop_table("reservation")
    with op.batch_alter_table("purchase", schema=None) as batch_op:
        batch_op.drop_index("ix_purchase_waiting")
        batch_op.drop_index("ix_purchase_newest")
        batch_op.drop_index("ix_purchase_month")
        batch_op.drop_index("ix_purchase_mine")

    op.drop_table("purchase")
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.drop_index("ix_subscription_turns")
        batch_op.drop_index("ix_subscription_trial", sqlite_where=sa.text("trial_ends_on IS NOT NULL"), postgresql_where=sa.text("trial_ends_on IS NOT NULL"))
        batch_op.drop_index("ix_subscription_state")
        batch_op.drop_index("ix_subscription_resold", sqlite_where=sa.text("reseller_id IS NOT NULL"), postgresql_where=sa.text("reseller_id IS NOT NULL"))
        batch_op.drop_index("ix_subscription_reseller")
        batch_op.drop_index("ix_subscription_remind")
        batch_op.drop_index("ix_subscription_newest")
        batch_op.drop_index("ix_subscription_name")
        batch_op.drop_index("ix_subscription_mine")
        batch_op.drop_index("ix_subscription_due")
        batch_op.drop_index("ix_subscription_customer")
        batch_op.drop_index("ix_subscription_base", sqlite_where=sa.text("base_id IS NOT NULL"), postgresql_where=sa.text("base_id IS NOT NULL"))

    op.drop_table("subscription")
    with op.batch_alter_table("order", schema=None) as batch_op:
        batch_op.drop_index("ix_order_state")
        batch_op.drop_index("ix_order_side")
        batch_op.drop_index("ix_order_reseller")
        batch_op.drop_index("ix_order_newest")
        batch_op.drop_index("ix_order_mine")
        batch_op.drop_index("ix_order_customer")

    op.drop_table("order")
    op.drop_table("offer_price")
    with op.batch_alter_table("catalog_import", schema=None) as batch_op:
        batch_op.drop_index("ix_catalog_import_author")

    op.drop_table("catalog_import")
    with op.batch_alter_table("cart", schema=None) as batch_op:
        batch_op.drop_index("ix_cart_author")

    op.drop_table("cart")
    op.drop_table("buying_permission")
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.drop_index("ix_offer_reservation")
        batch_op.drop_index("ix_offer_region")
        batch_op.drop_index("ix_offer_publisher")
        batch_op.drop_index("ix_offer_name")
        batch_op.drop_index("ix_offer_category")
        batch_op.drop_index("ix_offer_add_on_of")

    op.drop_table("offer")
