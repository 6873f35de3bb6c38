"""leftovers"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for index, numbers in STATISTICS.items():
            op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('customer_tag', '{index}', '{numbers}')")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'customer_tag'")


# SQLite's planner is told, as 0001 tells it of customers, that one customer has few tags and one partner has very many.
STATISTICS = {
    "sqlite_autoindex_customer_tag_1": "300000 3 1",
    "ix_customer_tag_tag": "300000 150000 1000 1",
}
