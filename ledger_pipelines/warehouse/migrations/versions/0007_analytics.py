"""The analysts' views.

Revision: 0007, after 0006.
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
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
    """The analysts' views, as `analytics.views.creation` gave them."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Undo it."""
    for name in _VIEWS:
        op.execute(f"DROP VIEW analytics.{name}")
