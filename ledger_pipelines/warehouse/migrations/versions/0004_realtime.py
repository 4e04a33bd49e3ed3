"""What keeps the ledger up with the billing application.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What keeps the ledger up with the billing application."""
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False, comment="Who watches what"),
        sa.Column("position", sa.Text(), nullable=False, comment="How far it has come"),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it moved last",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
        schema="ops",
        comment="How far whoever watches a source has come",
    )
    op.create_table(
        "pending_changes",
        sa.Column("source_table", sa.Text(), nullable=False, comment="The table of the billing application"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="The row's id there"),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "first_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="The earliest month that the change can touch",
        ),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="The row as it was when it was noticed; empty: it was gone"
        ),
        sa.Column(
            "number",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Grows with every change that is noticed",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the row says that it changed; null where it did not say",
        ),
        sa.Column(
            "noticed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When the oldest change that waits was noticed",
        ),
        sa.Column(
            "held",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True while use_realtime_calculation is off",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often taking it up has failed",
        ),
        sa.Column(
            "retry_at", sa.DateTime(timezone=True), nullable=True, comment="Not before this moment is it tried again"
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why taking it up failed"),
        sa.PrimaryKeyConstraint("source_table", "source_id", "customer_id", name=op.f("pk_pending_changes")),
        schema="ops",
        comment="Changes noticed in the billing application and not taken up yet: one row a source row and customer",
    )
    op.create_index(
        op.f("ix_pending_changes_customer_id"), "pending_changes", ["customer_id"], unique=False, schema="ops"
    )
    op.create_table(
        "realtime_batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the batch"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="The Dagster run"),
        sa.Column(
            "committed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was done",
        ),
        sa.Column("customers", sa.Integer(), nullable=False, comment="How many customers were recalculated"),
        sa.Column("changes", sa.Integer(), nullable=False, comment="How many changes were taken up"),
        sa.Column(
            "first_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="The earliest month that was recalculated",
        ),
        sa.Column(
            "since_change_ms",
            sa.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="Milliseconds since each changed, by its own word",
        ),
        sa.Column(
            "since_notice_ms", sa.ARRAY(sa.BigInteger()), nullable=False, comment="Milliseconds since each was noticed"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realtime_batches")),
        schema="ops",
        comment="Changes that were taken up together, in one transaction, and how long they had waited; kept 30 days",
    )
    op.create_index(
        op.f("ix_realtime_batches_committed_at"), "realtime_batches", ["committed_at"], unique=False, schema="ops"
    )
    op.create_index(op.f("ix_rejected_rows_customer_id"), "rejected_rows", ["customer_id"], unique=False, schema="ops")


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_rejected_rows_customer_id"), table_name="rejected_rows", schema="ops")
    op.drop_index(op.f("ix_realtime_batches_committed_at"), table_name="realtime_batches", schema="ops")
    op.drop_table("realtime_batches", schema="ops")
    op.drop_index(op.f("ix_pending_changes_customer_id"), table_name="pending_changes", schema="ops")
    op.drop_table("pending_changes", schema="ops")
    op.drop_table("cursors", schema="ops")
