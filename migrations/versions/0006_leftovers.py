"""leftovers"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

STANDING = "CASE state WHEN 'active' THEN 2 WHEN 'sent' THEN 1 ELSE 0 END"


def upgrade() -> None:
    op.add_column("reservation", sa.Column("reminded_days", sa.Integer(), nullable=True))
    with op.batch_alter_table("partnership", schema=None) as batch_op:
        batch_op.add_column(sa.Column("standing", sa.Integer(), sa.Computed(STANDING, persisted=True), nullable=False))
        batch_op.drop_index("ix_partnership_newest")
        batch_op.drop_index("ix_partnership_reseller")
        batch_op.create_index("ix_partnership_listed", ["partner_id", "standing", "id"], unique=False)
        batch_op.create_index("ix_partnership_reseller", ["reseller_id", "standing", "id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for index, numbers in STATISTICS.items():
            op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('customer_tag', '{index}', '{numbers}')")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'customer_tag'")
    with op.batch_alter_table("partnership", schema=None) as batch_op:
        batch_op.drop_index("ix_partnership_reseller")
        batch_op.drop_index("ix_partnership_listed")
        batch_op.create_index("ix_partnership_reseller", ["reseller_id", "id"], unique=False)
        batch_op.create_index("ix_partnership_newest", ["partner_id", "id"], unique=False)
        batch_op.drop_column("standing")
    op.drop_column("reservation", "reminded_days")


# SQLite's planner is told, as 0001 tells it of customers, that one customer has few tags and one partner has very many.
STATISTICS = {
    "sqlite_autoindex_customer_tag_1": "300000 3 1",
    "ix_customer_tag_tag": "300000 150000 1000 1",
}
