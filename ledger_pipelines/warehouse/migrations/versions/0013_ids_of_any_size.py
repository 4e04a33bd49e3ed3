"""Changes of rows whose ids BIGINT does not hold are queued, too.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the column hold any number, and say what stands for a customer's."""
    op.alter_column("pending_changes", "source_id", type_=sa.Numeric(), schema="ops")
    _comment("pending_changes", "The customer: users.id; 0 stands for ids that BIGINT does not hold")
    _comment("rejected_rows", "The customer the row names, where BIGINT holds the id")


def downgrade() -> None:
    """Undo it. The changes that do not fit are noticed again by a version that can hold them."""
    op.execute(
        "DELETE FROM ops.pending_changes WHERE source_id NOT BETWEEN -9223372036854775808 AND 9223372036854775807"
    )
    op.alter_column("pending_changes", "source_id", type_=sa.BigInteger(), schema="ops")
    _comment("pending_changes", "The customer: users.id of the billing application")
    _comment("rejected_rows", "The customer the row names, where it names one")


def _comment(table: str, comment: str) -> None:
    op.alter_column(table, "customer_id", comment=comment, schema="ops")
