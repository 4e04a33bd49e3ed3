"""Low balances.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Low balances."""
    op.create_table(
        "balance_alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the alert"),
        sa.Column(
            "event_id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Names the alert to whom it is posted, however often",
        ),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="threshold: the balance fell below the threshold; days_left: it lasts too few days",
        ),
        sa.Column(
            "raised_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the balance that is low was written",
        ),
        sa.Column(
            "balance",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Closing balance of the current month, then",
        ),
        sa.Column(
            "threshold",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="The customer's threshold in rupiah, then",
        ),
        sa.Column(
            "days_left",
            sa.Numeric(),
            nullable=True,
            comment="Days the balance lasted at the use of the 30 days before, cut to one decimal; null: no use",
        ),
        sa.Column("days", sa.Integer(), nullable=False, comment="How many days it should last, then; 0: not looked at"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="The run that wrote the balance"),
        sa.Column(
            "cleared_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the balance was written that is not low any more; null: low",
        ),
        sa.Column(
            "delivered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the webhook accepted it; null: not yet, or there is none",
        ),
        sa.Column(
            "attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="How often it was posted"
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Not to be posted again before; null: not posted yet",
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last attempt failed; null: it did not"),
        sa.CheckConstraint("kind IN ('threshold', 'days_left')", name=op.f("ck_balance_alerts_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_alerts")),
        schema="ledger",
        comment="Low balances: one row for each time that a customer's current balance became low",
    )
    op.create_index(
        "ix_balance_alerts_undelivered",
        "balance_alerts",
        ["raised_at"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_index(
        "uq_balance_alerts_open",
        "balance_alerts",
        ["customer_id", "kind"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "balance_thresholds",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "threshold",
            sa.Numeric(precision=60, scale=2),
            nullable=True,
            comment="Low is a balance below this, in rupiah; null: as for all others",
        ),
        sa.Column(
            "days",
            sa.Integer(),
            nullable=True,
            comment="Low is what lasts fewer days than this; 0: never; null: as for all others",
        ),
        sa.Column(
            "set_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last set",
        ),
        sa.CheckConstraint("days >= 0", name=op.f("ck_balance_thresholds_days")),
        sa.CheckConstraint(
            "threshold IS NOT NULL OR days IS NOT NULL", name=op.f("ck_balance_thresholds_says_something")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_balance_thresholds")),
        schema="ledger",
        comment="When the balance of a customer is low, where it is not as for all others",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("balance_thresholds", schema="ledger")
    op.drop_index(
        "uq_balance_alerts_open",
        table_name="balance_alerts",
        schema="ledger",
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.drop_index(
        "ix_balance_alerts_undelivered",
        table_name="balance_alerts",
        schema="ledger",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.drop_table("balance_alerts", schema="ledger")
