"""The tables of schema ``ops`` for API tokens, sessions and the audit log."""

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, column, key, table

_ROLES = "role IN ('viewer', 'admin')"

api_tokens = table(
    "ops",
    "api_tokens",
    "Who may use the API: one row a token that was ever given out; the token itself is kept nowhere",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the token"),
    column("name", sa.Text, "Whom or what it was given to"),
    column("role", sa.Text, "viewer: may read; admin: may act, too"),
    column("prefix", sa.Text, "The token's public part, by which it is found"),
    column("digest", sa.LargeBinary, "SHA-256 of the token's secret part"),
    column("created_at", Moment, "When it was created", server_default=sa.func.now()),
    column("expires_at", Moment, "From when on it is refused; null: never", null=True),
    column("revoked_at", Moment, "When it was revoked; null: it was not", null=True),
    column("last_used_at", Moment, "When it was last used, to the minute; null: never", null=True),
    sa.UniqueConstraint("prefix"),
    sa.CheckConstraint(_ROLES, name="role"),
    # The audit log records the name, so at most one unrevoked token may have it.
    sa.Index("uq_api_tokens_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
)

audit_log = table(
    "ops",
    "audit_log",
    "What was done, or asked for in vain: one row an act, written before it begins",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the act"),
    column("started_at", Moment, "When it was asked for", server_default=CLOCK),
    column("actor", sa.Text, "Who asked: the token's name, or a user of the command line; null: not known", null=True),
    sa.Column("token_id", sa.ForeignKey(api_tokens.c.id), comment="The token, where one was used; null: none"),
    column("address", sa.Text, "From which address; null: on the machine itself", null=True),
    column("action", sa.Text, "What was asked for"),
    column("target", sa.Text, "Of what; null: of nothing in particular", null=True),
    column("outcome", sa.Text, "done, refused or failed; null: it has not ended, or nobody was left to say", null=True),
    column("message", sa.Text, "What was answered", null=True),
    column("ended_at", Moment, "When it ended", null=True),
    sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome"),
    sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_at"),
    sa.Index(None, "started_at"),
)

sessions = table(
    "ops",
    "sessions",
    "Who is logged in to the dashboard: one row a session; it ends with its token",
    column("digest", sa.LargeBinary, "SHA-256 of the secret that the browser keeps"),
    column("token_id", sa.BigInteger, "The token that opened it"),
    column("opened_at", Moment, "When somebody logged in", server_default=sa.func.now()),
    column("expires_at", Moment, "From when on it counts no more"),
    key("digest"),
    sa.ForeignKeyConstraint(["token_id"], [api_tokens.c.id], ondelete="CASCADE"),
    sa.Index(None, "expires_at"),
)
