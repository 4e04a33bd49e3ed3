"""Incidents, and deletions that a person confirmed.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "deletion_confirmations",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column("table_name", sa.Text(), nullable=False, comment="The table that may lose the rows, with its schema"),
        sa.Column(
            "rows",
            sa.BigInteger(),
            nullable=False,
            comment="How many rows of the customer may go; more are refused again",
        ),
        sa.Column("confirmed_by", sa.Text(), nullable=False, comment="Who confirmed it"),
        sa.Column(
            "confirmed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was confirmed",
        ),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=False, comment="From this moment on it allows nothing"
        ),
        sa.CheckConstraint("rows > 0", name=op.f("ck_deletion_confirmations_rows")),
        sa.PrimaryKeyConstraint("customer_id", "table_name", name=op.f("pk_deletion_confirmations")),
        schema="ops",
        comment="Deletions that the guard refused and a person confirmed: one row a customer and table",
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the incident"),
        sa.Column(
            "event_id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Names the incident to the webhook, however often it is posted",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="What kind of incident, such as deletion_refused"),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="What it is about: a customer, a table, a sensor, a job"
        ),
        sa.Column(
            "customers",
            sa.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The customers whose figures may be wrong because of it; empty: none in particular",
        ),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was first seen",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was last seen",
        ),
        sa.Column(
            "occurrences", sa.BigInteger(), server_default=sa.text("1"), nullable=False, comment="How often it was seen"
        ),
        sa.Column(
            "state", sa.Text(), server_default="open", nullable=False, comment="open, or closed: its cause is gone"
        ),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When its cause was found gone; null while it is open",
        ),
        sa.Column(
            "owner",
            sa.Text(),
            nullable=False,
            comment="The team that takes care of it, as the owners of the assets are called",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="What is wrong"),
        sa.Column("what_to_do", sa.Text(), nullable=False, comment="What a person does about it"),
        sa.Column(
            "details",
            JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What the kind keeps besides, such as rows by table",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="The Dagster run that last saw it; null: no run"),
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
        sa.Column(
            "last_error", sa.Text(), nullable=True, comment="Why the last attempt to post it failed; null: it did not"
        ),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_incidents_closed_at")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_incidents_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        schema="ops",
        comment="What is wrong and waits for a person: one row from the moment it is found; closed when its cause "
        "is gone",
    )
    op.create_index(
        "ix_incidents_undelivered",
        "incidents",
        ["opened_at"],
        unique=False,
        schema="ops",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["kind", "subject"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("uq_incidents_open", table_name="incidents", schema="ops", postgresql_where=sa.text("state = 'open'"))
    op.drop_index(
        "ix_incidents_undelivered",
        table_name="incidents",
        schema="ops",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.drop_table("incidents", schema="ops")
    op.drop_table("deletion_confirmations", schema="ops")
