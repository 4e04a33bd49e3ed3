"""The tables of schema ``ops`` for loading: rejected rows, loaded months, change queue, watermarks, write locks."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, MonthKey, column, key, table

rejected_rows = table(
    "ops",
    "rejected_rows",
    "Source rows that cannot be used, each with its reason, until the source is corrected",
    column("asset", sa.Text, "The asset that rejected the row"),
    column("source_table", sa.Text, "The table of the source"),
    column("source_id", sa.Text, "The row: its id, or id/column/position for an element of a list"),
    column(
        "customer_id",
        sa.BigInteger,
        "The customer of the row; null: none, or an id that does not fit into a BIGINT",
        null=True,
    ),
    column("year_month", MonthKey, "The month of the row; null: unknown", null=True),
    column("reason_code", sa.Text, "The reason, as a code"),
    column("reason_params", JSONB, "The values that the reason names: a JSON object of texts"),
    column("reason", sa.Text, "What is wrong with the row: the reason as a text"),
    column("reason_kind", sa.Text, "The reason without the values that differ from row to row"),
    column("raw_row", sa.Text, "The row as it is in the source"),
    column("run_id", sa.Text, "The run that last rejected it"),
    column("first_seen", Moment, "When it was first rejected"),
    column("last_seen", Moment, "When it was last rejected"),
    key("asset", "source_table", "source_id"),
    sa.Index(None, "customer_id"),
    sa.Index(None, "asset", "reason_kind"),
)

loaded_months = table(
    "ops",
    "loaded_months",
    "Months of a table that have been written for every customer at least once",
    column("table_name", sa.Text, "The table"),
    column("year_month", MonthKey, "The month; empty for a table without months"),
    column("run_id", sa.Text, "The run that last wrote the whole month, or found its inputs unchanged"),
    column("loaded_at", Moment, "When that run did so", server_default=sa.func.now()),
    column("row_count", sa.BigInteger, "Number of rows of the month, for a computed table", null=True),
    column(
        "computed_by",
        sa.Text,
        "Formula version of all rows of the month, for a computed table; null: not known to be the same for all",
        null=True,
    ),
    key("table_name", "year_month"),
)

pending_changes = table(
    "ops",
    "pending_changes",
    "Queue of changes detected in the billing application and not yet applied: one row per source row and customer",
    column("source_table", sa.Text, "The table of the billing application"),
    column("source_id", sa.Numeric, "The row's id there"),
    column("customer_id", sa.BigInteger, "The customer: users.id; 0 stands for ids that do not fit into a BIGINT"),
    column("first_month", MonthKey, "The earliest month that the change can affect"),
    column("digest", sa.Text, "Digest of the row when the change was detected; empty: the row was deleted"),
    column("number", sa.BigInteger, "Increases with every queued change", sa.Identity(always=True)),
    column("changed_at", Moment, "updated_at of the row; null: unknown", null=True),
    column("noticed_at", Moment, "When the oldest waiting change of the row was detected", server_default=CLOCK),
    column("held", sa.Boolean, "True while use_realtime_calculation is off", server_default=sa.false()),
    column("attempts", sa.Integer, "Failed attempts to apply it", server_default=sa.text("0")),
    column("retry_at", Moment, "Earliest time of the next attempt; null: not failed", null=True),
    column("error", sa.Text, "Error of the last failed attempt", null=True),
    key("source_table", "source_id", "customer_id"),
    sa.Index(None, "customer_id"),
)

watermarks = table(
    "ops",
    "watermarks",
    "Watermarks: how far a source has been read, and how far the ledger has been computed",
    column("name", sa.Text, "Reader and what it reads"),
    column("position", sa.Text, "Position that has been reached"),
    column("moved_at", Moment, "When the position was last set", server_default=CLOCK),
    key("name"),
)

leases = table(
    "ops",
    "leases",
    "Leases: rights that one process at a time holds and renews; a lease that is not renewed expires",
    column("name", sa.Text, "The right"),
    column("holder", sa.Text, "The holder: a run, or what it was requested for"),
    column("renewed_at", Moment, "When the holder last renewed it", server_default=CLOCK),
    key("name"),
)

realtime_batches = table(
    "ops",
    "realtime_batches",
    "Batches of changes applied in one transaction, with their latencies; kept 30 days",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the batch"),
    column("run_id", sa.Text, "The Dagster run"),
    column("committed_at", Moment, "When the batch was committed", server_default=CLOCK),
    column("customers", sa.Integer, "Number of recalculated customers"),
    column("changes", sa.Integer, "Number of applied changes"),
    column("first_month", MonthKey, "The earliest month that was recalculated"),
    column("since_change_ms", sa.ARRAY(sa.BigInteger), "Milliseconds from each change's updated_at to the commit"),
    column("since_notice_ms", sa.ARRAY(sa.BigInteger), "Milliseconds from the detection of each change to the commit"),
    sa.Index(None, "committed_at"),
)

write_locks = table(
    "ops",
    "write_locks",
    "Write locks: a transaction that writes a table holds a lock on the table's row until it ends",
    column("table_name", sa.Text, "The table, with its schema"),
    key("table_name"),
)
