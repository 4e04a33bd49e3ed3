"""Leases get a table of their own, cursors become watermarks, and comments use the glossary's terms.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: Names of watermarks: before, after.
_NAMES = (
    ("watch of ", "poller of "),
    ("patrol of the ids of ", "full scan of the ids of "),
    ("round of the ids of ", "start of the scan of the ids of "),
    ("patrol of the contents of ", "full scan of the rows of "),
)
#: Leases were rows of `ops.cursors`. A lease lives for seconds, so none has to be carried over.
_LEASES = "('realtime run asked for', 'realtime run that serves')"
#: Target, comment before, comment after.
_COMMENTS = (
    (
        "COLUMN billing.prices.valid_to",
        "First moment at which it applies no more (the end in the source is inclusive)",
        "First moment at which it no longer applies (the end in the source is inclusive)",
    ),
    (
        "COLUMN ledger.balance_alerts.delivered_at",
        "When the webhook accepted it; null: not yet, or there is none",
        "When the webhook accepted it; null: not yet, or no webhook is set",
    ),
    (
        "COLUMN ledger.balance_comparison.duplicate_readings",
        "Rupiah of the difference: readings that start together, of which the application counts one",
        "Rupiah of the difference: readings with the same start, of which the application counts one",
    ),
    (
        "COLUMN ledger.balance_comparison.application_total_stale",
        "Rupiah of the difference: total_purchases is out of date: the bills come to what the ledger has",
        "Rupiah of the difference: total_purchases is out of date: the bills add up to the ledger's amount",
    ),
    (
        "COLUMN ledger.invoice_reconciliation.customer_id",
        "The first of the customers; null: there is none",
        "The first of the customers; null: the account has no customer",
    ),
    (
        "COLUMN ledger.invoice_reconciliation.status",
        "What came of it: docs/rules.md, Invoice reconciliation",
        "Result of the reconciliation: docs/rules.md, Invoice reconciliation",
    ),
    (
        "TABLE ops.api_tokens",
        "Who may use the API: one row a token that was ever given out; the token itself is kept nowhere",
        "Tokens of the API and the dashboard: one row for each token ever issued; the token itself is not stored",
    ),
    (
        "COLUMN ops.api_tokens.name",
        "Whom or what it was given to",
        "Name of the token's user or application",
    ),
    (
        "COLUMN ops.api_tokens.role",
        "viewer: may read; admin: may act, too",
        "viewer: may read; admin: may also start and change things",
    ),
    (
        "COLUMN ops.api_tokens.prefix",
        "The token's public part, by which it is found",
        "The token's public part, used to look it up",
    ),
    (
        "COLUMN ops.api_tokens.expires_at",
        "From when on it is refused; null: never",
        "When it expires; null: never",
    ),
    (
        "COLUMN ops.incidents.delivered_at",
        "When the webhook accepted it; null: not yet, or there is none",
        "When the webhook accepted it; null: not yet, or no webhook is set",
    ),
    (
        "TABLE ops.pending_changes",
        "Changes noticed in the billing application and not taken up yet: one row a source row and customer",
        "Queue of changes found in the billing application and not yet applied: one row a source row and customer",
    ),
    (
        "COLUMN ops.pending_changes.first_month",
        "The earliest month that the change can touch",
        "The earliest month that the change can affect",
    ),
    (
        "COLUMN ops.pending_changes.digest",
        "The row as it was when it was noticed; empty: it was gone",
        "Digest of the row when the change was found; empty: the row was deleted",
    ),
    (
        "COLUMN ops.pending_changes.number",
        "Grows with every change that is noticed",
        "Grows with every queued change",
    ),
    (
        "COLUMN ops.pending_changes.changed_at",
        "When the row says that it changed; null where it did not say",
        "updated_at of the row; null: unknown",
    ),
    (
        "COLUMN ops.pending_changes.noticed_at",
        "When the oldest change that waits was noticed",
        "When the oldest waiting change was found",
    ),
    (
        "COLUMN ops.pending_changes.attempts",
        "How often taking it up has failed",
        "Failed attempts to apply it",
    ),
    (
        "COLUMN ops.pending_changes.retry_at",
        "Not before this moment is it tried again",
        "When it is retried at the earliest",
    ),
    (
        "COLUMN ops.pending_changes.error",
        "Why taking it up failed",
        "Error of the last failed attempt",
    ),
    (
        "TABLE ops.realtime_batches",
        "Changes that were taken up together, in one transaction, and how long they had waited; kept 30 days",
        "Batches of changes applied in one transaction, with their latencies; kept 30 days",
    ),
    (
        "COLUMN ops.realtime_batches.committed_at",
        "When it was done",
        "When the batch was committed",
    ),
    (
        "COLUMN ops.realtime_batches.customers",
        "How many customers were recalculated",
        "Number of recalculated customers",
    ),
    (
        "COLUMN ops.realtime_batches.changes",
        "How many changes were taken up",
        "Number of applied changes",
    ),
    (
        "COLUMN ops.realtime_batches.since_change_ms",
        "Milliseconds since each changed, by its own word",
        "Milliseconds from each change's updated_at to the commit",
    ),
    (
        "COLUMN ops.realtime_batches.since_notice_ms",
        "Milliseconds since each was noticed",
        "Milliseconds from the detection of each change to the commit",
    ),
    (
        "TABLE ops.write_locks",
        "The right to write a table: whoever writes it holds its row here locked until the transaction ends",
        "Write locks: a transaction that writes a table holds a lock on the table's row until it ends",
    ),
    (
        "TABLE ops.audit_log",
        "What was done, or asked for in vain: one row an act, written before it begins",
        "Commands of users and applications: one row for each, written before it starts, also if it is refused",
    ),
    (
        "COLUMN ops.audit_log.id",
        "Number of the act",
        "Number of the command",
    ),
    (
        "COLUMN ops.audit_log.started_at",
        "When it was asked for",
        "When the command started",
    ),
    (
        "COLUMN ops.audit_log.actor",
        "Who asked: the token's name, or a user of the command line; null: not known",
        "The token's name, or the user of the command line; null: unknown",
    ),
    (
        "COLUMN ops.audit_log.address",
        "From which address; null: on the machine itself",
        "Address of the request; null: from the machine itself",
    ),
    (
        "COLUMN ops.audit_log.action",
        "What was asked for",
        "The command",
    ),
    (
        "COLUMN ops.audit_log.target",
        "Of what; null: of nothing in particular",
        "What the command applies to; null: nothing in particular",
    ),
    (
        "COLUMN ops.audit_log.outcome",
        "done, refused or failed; null: it has not ended, or nobody was left to say",
        "done, refused or failed; null: still running, or the process died",
    ),
    (
        "COLUMN ops.audit_log.message",
        "What was answered",
        "The answer",
    ),
    (
        "TABLE ops.sessions",
        "Who is logged in to the dashboard: one row a session; it ends with its token",
        "Sessions of the dashboard: one row for each; a session ends with its token",
    ),
    (
        "COLUMN ops.sessions.opened_at",
        "When somebody logged in",
        "When the user logged in",
    ),
    (
        "COLUMN ops.sessions.expires_at",
        "From when on it counts no more",
        "When the session expires",
    ),
    (
        "COLUMN analytics.monthly_summary.owed",
        "What these owe together, rupiah",
        "Total amount that these customers owe, rupiah",
    ),
    (
        "COLUMN analytics.balance_trend.change_from_year_before",
        "Difference from the balance 12 months before, rupiah; null: there is none",
        "Difference from the balance 12 months before, rupiah; null: no such balance",
    ),
    (
        "COLUMN analytics.consumption_trend.change",
        "Difference from the month before, Sm³; null: there is none",
        "Difference from the month before, Sm³; null: no month before",
    ),
    (
        "COLUMN analytics.consumption_trend.change_percent",
        "The same in per cent; null: there is none, or it was 0",
        "The same in per cent; null: no month before, or its volume was 0",
    ),
    (
        "COLUMN analytics.consumption_trend.year_before",
        "Volume 12 months before, Sm³; null: there is none",
        "Volume 12 months before, Sm³; null: no such month",
    ),
    (
        "COLUMN analytics.price_history.valid_from",
        "First moment of the span; null: since ever",
        "First moment of the span; null: no beginning",
    ),
    (
        "COLUMN analytics.stock_value.unit_price",
        "receipt_unit_price of the part's last purchase receipt in that unit; null: there is none",
        "receipt_unit_price of the part's last purchase receipt in that unit; null: no such receipt",
    ),
    (
        "COLUMN analytics.open_warehouse_orders.planned_on",
        "Date on which delivery of the order is planned; null: it is not said",
        "Planned delivery date of the order; null: unknown",
    ),
    (
        "COLUMN analytics.open_receipts.inv_doc_no",
        "Invoice document number; null: there is none, or it is blank",
        "Invoice document number; null: missing or blank",
    ),
)


def upgrade() -> None:
    """Split the table and set the comments."""
    op.execute(f"DELETE FROM ops.cursors WHERE name IN {_LEASES}")  # noqa: S608 - a constant
    op.rename_table("cursors", "watermarks", schema="ops")
    op.execute("ALTER INDEX ops.pk_cursors RENAME TO pk_watermarks")
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False, comment="The right"),
        sa.Column("holder", sa.Text(), nullable=False, comment="The holder: a run, or what it was requested for"),
        sa.Column(
            "renewed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When the holder last renewed it",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        schema="ops",
        comment="Leases: rights that one process at a time holds and renews; a lease that is not renewed expires",
    )
    for before, after in _NAMES:
        _rename_watermarks(before, after)
    _comment(
        "TABLE ops.watermarks", "Watermarks: how far a source has been read, and how far the ledger has been computed"
    )
    _comment("COLUMN ops.watermarks.name", "Reader and what it reads")
    _comment("COLUMN ops.watermarks.position", "Position that has been reached")
    _comment("COLUMN ops.watermarks.moved_at", "When the position was last set")
    for target, _, after in _COMMENTS:
        _comment(target, after)


def downgrade() -> None:
    """Undo it; a process that holds a lease acquires it again."""
    for target, before, _ in _COMMENTS:
        _comment(target, before)
    _comment("TABLE ops.watermarks", "How far whoever watches a source has come")
    _comment("COLUMN ops.watermarks.name", "Who watches what")
    _comment("COLUMN ops.watermarks.position", "How far it has come")
    _comment("COLUMN ops.watermarks.moved_at", "When it moved last")
    for before, after in _NAMES:
        _rename_watermarks(after, before)
    op.drop_table("leases", schema="ops")
    op.execute("ALTER INDEX ops.pk_watermarks RENAME TO pk_cursors")
    op.rename_table("watermarks", "cursors", schema="ops")


def _rename_watermarks(before: str, after: str) -> None:
    names = sa.text(
        "UPDATE ops.watermarks SET name = :after || substr(name, length(:before) + 1) WHERE name ^@ :before"
    )
    op.execute(names.bindparams(before=before, after=after))


def _comment(target: str, text: str) -> None:
    op.execute(f"COMMENT ON {target} IS '{text.replace(chr(39), chr(39) * 2)}'")
