"""Record the formula version and the number of rows of computed months.

Revision ID: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ROW_COUNT = "Number of rows of the month, for a computed table"
_COMPUTED_BY = "Formula version of all rows of the month, for a computed table; null: not known to be the same for all"


def upgrade() -> None:
    """Add the columns, without values: the next run of all customers computes every month."""
    for column in (
        sa.Column("row_count", sa.BigInteger, comment=_ROW_COUNT),
        sa.Column("computed_by", sa.Text, comment=_COMPUTED_BY),
    ):
        op.add_column("loaded_months", column, schema="ops")
    op.execute(
        "COMMENT ON COLUMN ops.loaded_months.run_id IS "
        "'The run that last wrote the whole month, or found its inputs unchanged'"
    )
    op.execute("COMMENT ON COLUMN ops.loaded_months.loaded_at IS 'When that run did so'")
