"""The tables of schema ``ops`` for API tokens, sessions and the audit log."""

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, column, key, one_of, table

api_tokens = table(
    "ops",
    "api_tokens",
    "Tokens of the API and the dashboard: one row per token ever issued; the token itself is not stored",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the token"),
    column("name", sa.Text, "Name of the token's user or application"),
    column("role", sa.Text, "viewer: may read; admin: may also send commands"),
    column("prefix", sa.Text, "The token's public part, used to look it up"),
    column("digest", sa.LargeBinary, "SHA-256 of the token's secret part"),
    column("created_at", Moment, "When it was created", server_default=sa.func.now()),
    column("expires_at", Moment, "When it expires; null: never", null=True),
    column("revoked_at", Moment, "When it was revoked; null: not revoked", null=True),
    column("last_used_at", Moment, "When it was last used, to the minute; null: never", null=True),
    sa.UniqueConstraint("prefix"),
    one_of("role", ("viewer", "admin")),
    # The audit log records the name, so at most one unrevoked token may have it.
    sa.Index("uq_api_tokens_name", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
)

audit_log = table(
    "ops",
    "audit_log",
    "Commands of users and applications: one row per command, written before it starts, also if it is refused",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the command"),
    column("started_at", Moment, "When the command started", server_default=CLOCK),
    column("actor", sa.Text, "The token's name, or the user of the command line; null: unknown", null=True),
    sa.Column("token_id", sa.ForeignKey(api_tokens.c.id), comment="The token that was used; null: none"),
    column("address", sa.Text, "Client address of the request; null: a command of the command line", null=True),
    column("action", sa.Text, "The command"),
    column("target", sa.Text, "Object of the command, such as a customer; null: none", null=True),
    column("outcome", sa.Text, "done, refused or failed; null: still running, or the process died", null=True),
    column("message", sa.Text, "Message of the answer", null=True),
    column("ended_at", Moment, "When it ended", null=True),
    one_of("outcome", ("done", "refused", "failed")),
    sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_at"),
    sa.Index(None, "started_at"),
)

sessions = table(
    "ops",
    "sessions",
    "Sessions of the dashboard: one row per session; a session ends with its token",
    column("digest", sa.LargeBinary, "SHA-256 of the secret that the browser keeps"),
    column("token_id", sa.BigInteger, "The token that opened it"),
    column("opened_at", Moment, "When the user logged in", server_default=sa.func.now()),
    column("expires_at", Moment, "When the session expires"),
    key("digest"),
    sa.ForeignKeyConstraint(["token_id"], [api_tokens.c.id], ondelete="CASCADE"),
    sa.Index(None, "expires_at"),
)
