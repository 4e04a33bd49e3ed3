"""Who may use the API, and what was done by whom.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Who may use the API, and what was done by whom."""
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the token"),
        sa.Column("name", sa.Text(), nullable=False, comment="Whom or what it was given to"),
        sa.Column("role", sa.Text(), nullable=False, comment="viewer: may read; admin: may act, too"),
        sa.Column("prefix", sa.Text(), nullable=False, comment="The token's public part, by which it is found"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token's secret part"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was created",
        ),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="From when on it is refused; null: never",
        ),
        sa.Column(
            "revoked_at", sa.DateTime(timezone=True), nullable=True, comment="When it was revoked; null: it was not"
        ),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was last used, to the minute; null: never",
        ),
        sa.CheckConstraint("role IN ('viewer', 'admin')", name=op.f("ck_api_tokens_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_tokens_prefix")),
        schema="ops",
        comment="Who may use the API: one row a token that was ever given out; the token itself is kept nowhere",
    )
    op.create_index(
        "uq_api_tokens_name",
        "api_tokens",
        ["name"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the act"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it was asked for",
        ),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=True,
            comment="Who asked: the token's name, or a user of the command line; null: not known",
        ),
        sa.Column("token_id", sa.BigInteger(), nullable=True, comment="The token, where one was used; null: none"),
        sa.Column("address", sa.Text(), nullable=True, comment="From which address; null: on the machine itself"),
        sa.Column("action", sa.Text(), nullable=False, comment="What was asked for"),
        sa.Column("target", sa.Text(), nullable=True, comment="Of what; null: of nothing in particular"),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="done, refused or failed; null: it has not ended, or nobody was left to say",
        ),
        sa.Column("message", sa.Text(), nullable=True, comment="What was answered"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended"),
        sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name=op.f("ck_audit_log_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name=op.f("ck_audit_log_ended_at")),
        sa.ForeignKeyConstraint(["token_id"], ["ops.api_tokens.id"]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        schema="ops",
        comment="What was done, or asked for in vain: one row an act, written before it begins",
    )
    op.create_index(op.f("ix_audit_log_started_at"), "audit_log", ["started_at"], unique=False, schema="ops")


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_audit_log_started_at"), table_name="audit_log", schema="ops")
    op.drop_table("audit_log", schema="ops")
    op.drop_index(
        "uq_api_tokens_name", table_name="api_tokens", schema="ops", postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_table("api_tokens", schema="ops")
