"""The right to write a table is a row that a reader cannot lock, no longer an advisory lock, which everybody can take.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; whoever upgrades fills it with the tables that the program knows."""
    op.create_table(
        "write_locks",
        sa.Column("table_name", sa.Text(), nullable=False, comment="The table, with its schema"),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_write_locks")),
        schema="ops",
        comment="The right to write a table: whoever writes it holds its row here locked until the transaction ends",
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("write_locks", schema="ops")
