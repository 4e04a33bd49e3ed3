"""A reason of its own for a total of the billing application that is out of date.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BEFORE = (
    "rounding",
    "readings_without_price",
    "rejected_readings",
    "duplicate_readings",
    "billed_otherwise",
    "rejected_deposits",
    "deposits_outside_list",
    "unexplained",
)
_REASONS = (*_BEFORE[:-1], "application_total_stale", _BEFORE[-1])


def upgrade() -> None:
    """Add the column; no difference has the reason before the next comparison."""
    op.add_column(
        "balance_comparison",
        sa.Column(
            "application_total_stale",
            sa.Numeric(),
            nullable=False,
            server_default="0",
            comment="Rupiah of the difference: total_purchases is out of date: the bills come to what the ledger has",
        ),
        schema="ledger",
    )
    op.alter_column("balance_comparison", "application_total_stale", server_default=None, schema="ledger")
    _adds_up(_REASONS)


def downgrade() -> None:
    """Remove it; what it explained is unexplained again."""
    op.execute("UPDATE ledger.balance_comparison SET unexplained = unexplained + application_total_stale")
    _adds_up(_BEFORE)
    op.drop_column("balance_comparison", "application_total_stale", schema="ledger")


def _adds_up(reasons: tuple[str, ...]) -> None:
    name = op.f("ck_balance_comparison_reasons")
    op.drop_constraint(name, "balance_comparison", schema="ledger")
    op.create_check_constraint(name, "balance_comparison", f"difference = {' + '.join(reasons)}", schema="ledger")
