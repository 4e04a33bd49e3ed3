"""The tables of schema ``ops`` for loading: rejected rows, loaded months, change queue, watermarks, write locks."""

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, MonthKey, column, key, table

rejected_rows = table(
    "ops",
    "rejected_rows",
    "Source rows that cannot be used, each with its reason, until the source is corrected",
    column("asset", sa.Text, "The asset that could not use the row"),
    column("source_table", sa.Text, "The table of the source"),
    column("source_id", sa.Text, "The row: its id, or id/column/position for an element of a list"),
    column("customer_id", sa.BigInteger, "The customer the row names, where BIGINT holds the id", null=True),
    column("year_month", MonthKey, "The month of the row, where it is known", null=True),
    column("reason", sa.Text, "What is wrong with the row"),
    column("raw_row", sa.Text, "The row as the source holds it"),
    column("run_id", sa.Text, "The run that last rejected it"),
    column("first_seen", Moment, "When it was first rejected"),
    column("last_seen", Moment, "When it was last rejected"),
    column(
        "reason_kind",
        sa.Text,
        "The reason up to its first colon, without its numbers: rows that are wrong in the same way have the same",
        sa.Computed(
            "regexp_replace(split_part(reason, ':'::text, 1), '[0-9]+'::text, '…'::text, 'g'::text)", persisted=True
        ),
    ),
    key("asset", "source_table", "source_id"),
    sa.Index(None, "customer_id"),
    sa.Index(None, "asset", "reason_kind"),
)

loaded_months = table(
    "ops",
    "loaded_months",
    "Months of a table that have been written for every customer at least once",
    column("table_name", sa.Text, "The table"),
    column("year_month", MonthKey, "The month; empty for a table that has none"),
    column("run_id", sa.Text, "The run that last wrote the whole month"),
    column("loaded_at", Moment, "When it was last written", server_default=sa.func.now()),
    key("table_name", "year_month"),
)

pending_changes = table(
    "ops",
    "pending_changes",
    "Changes noticed in the billing application and not taken up yet: one row a source row and customer",
    column("source_table", sa.Text, "The table of the billing application"),
    column("source_id", sa.Numeric, "The row's id there"),
    column("customer_id", sa.BigInteger, "The customer: users.id; 0 stands for ids that BIGINT does not hold"),
    column("first_month", MonthKey, "The earliest month that the change can touch"),
    column("digest", sa.Text, "The row as it was when it was noticed; empty: it was gone"),
    column("number", sa.BigInteger, "Grows with every change that is noticed", sa.Identity(always=True)),
    column("changed_at", Moment, "When the row says that it changed; null where it did not say", null=True),
    column("noticed_at", Moment, "When the oldest change that waits was noticed", server_default=CLOCK),
    column("held", sa.Boolean, "True while use_realtime_calculation is off", server_default=sa.false()),
    column("attempts", sa.Integer, "How often taking it up has failed", server_default=sa.text("0")),
    column("retry_at", Moment, "Not before this moment is it tried again", null=True),
    column("error", sa.Text, "Why taking it up failed", null=True),
    key("source_table", "source_id", "customer_id"),
    sa.Index(None, "customer_id"),
)

cursors = table(
    "ops",
    "cursors",
    "How far whoever watches a source has come",
    column("name", sa.Text, "Who watches what"),
    column("position", sa.Text, "How far it has come"),
    column("moved_at", Moment, "When it moved last", server_default=CLOCK),
    key("name"),
)

realtime_batches = table(
    "ops",
    "realtime_batches",
    "Changes that were taken up together, in one transaction, and how long they had waited; kept 30 days",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the batch"),
    column("run_id", sa.Text, "The Dagster run"),
    column("committed_at", Moment, "When it was done", server_default=CLOCK),
    column("customers", sa.Integer, "How many customers were recalculated"),
    column("changes", sa.Integer, "How many changes were taken up"),
    column("first_month", MonthKey, "The earliest month that was recalculated"),
    column("since_change_ms", sa.ARRAY(sa.BigInteger), "Milliseconds since each changed, by its own word"),
    column("since_notice_ms", sa.ARRAY(sa.BigInteger), "Milliseconds since each was noticed"),
    sa.Index(None, "committed_at"),
)

write_locks = table(
    "ops",
    "write_locks",
    "The right to write a table: whoever writes it holds its row here locked until the transaction ends",
    column("table_name", sa.Text, "The table, with its schema"),
    key("table_name"),
)
