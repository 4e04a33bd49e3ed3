"""Sessions of the dashboard.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret that the browser keeps"),
        sa.Column("token_id", sa.BigInteger(), nullable=False, comment="The token that opened it"),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When somebody logged in",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="From when on it counts no more"),
        sa.ForeignKeyConstraint(["token_id"], ["ops.api_tokens.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        schema="ops",
        comment="Who is logged in to the dashboard: one row a session; it ends with its token",
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False, schema="ops")


def downgrade() -> None:
    """Remove it."""
    op.drop_table("sessions", schema="ops")
