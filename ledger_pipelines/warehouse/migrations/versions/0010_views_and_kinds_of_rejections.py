"""The analysts' views: blank numbers, lines without an invoice, padded codes. And the kind of a rejection's reason.

Revision: 0010, after 0008.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

_VIEWS = (
    "current_balances",
    "monthly_summary",
    "balance_trend",
    "consumption_trend",
    "customer_monthly_balances",
    "price_history",
    "stock_value",
    "stock_shortages",
    "open_warehouse_orders",
    "production_progress",
    "delivered_and_invoiced",
    "open_receipts",
)


def upgrade() -> None:
    """The views as `analytics.views.creation` gives them now, and the column."""
    _replace_views(Path(__file__).with_suffix(".sql"))
    op.add_column(
        "rejected_rows",
        sa.Column(
            "reason_kind",
            sa.Text(),
            sa.Computed(
                "regexp_replace(split_part(reason, ':'::text, 1), '[0-9]+'::text, '…'::text, 'g'::text)", persisted=True
            ),
            nullable=False,
            comment="The reason up to its first colon, without its numbers: rows that are wrong in the same way have "
            "the same",
        ),
        schema="ops",
    )
    op.create_index(op.f("ix_rejected_rows_asset_reason_kind"), "rejected_rows", ["asset", "reason_kind"], schema="ops")


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_rejected_rows_asset_reason_kind"), table_name="rejected_rows", schema="ops")
    op.drop_column("rejected_rows", "reason_kind", schema="ops")
    _replace_views(Path(__file__).with_name("0007_analytics.sql"))


def _replace_views(sql: Path) -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW analytics.{name}")
    op.get_bind().exec_driver_sql(sql.read_text(encoding="utf-8"))
