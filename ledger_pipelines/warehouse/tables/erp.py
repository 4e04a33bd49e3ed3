"""The copies of the ERP's tables, derived from their catalogue, and the logs of their syncs in ``ops``."""

from typing import Any, Literal, get_args

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpColumn, ErpTable, Kind
from ledger_pipelines.warehouse.tables.common import (
    ExactNumber,
    Moment,
    MonthKey,
    column,
    key,
    one_of,
    table,
    year_month,
)

SyncType = Literal["manual", "scheduled"]
SyncStatus = Literal["running", "completed", "failed", "cancelled"]

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: sa.Text,
    Kind.INTEGER: sa.BigInteger,
    Kind.DECIMAL: ExactNumber,
    Kind.DATE: sa.Date,
    Kind.BOOLEAN: sa.Boolean,
}


def _copy(source: ErpTable) -> sa.Table:
    """Return the copy of an ERP table. It has no key: rows are identified by their content and may be duplicated."""
    indexed = source.key[:2]
    classes = {name: "text_pattern_ops" for name in indexed if name in source.names_of(Kind.TEXT)}
    bytewise: dict[str, Any] = {"postgresql_ops": classes} if classes else {}
    of_month = "in which the row was read" if source.is_snapshot else f"of {', else '.join(source.month_columns)}"
    return table(
        "erp",
        source.name,
        source.comment,
        year_month(f"Month {of_month}, in WIB"),
        *(column(each.name, _TYPES[each.kind], erp_column_comment(each), null=True) for each in source.columns),
        column("synced_at", Moment, "When this row was inserted or last changed", server_default=sa.func.now()),
        # An index in bytewise order is built several times as fast as one in the locale's order, and finds a key too.
        *([sa.Index(f"ix_{source.name}_key", *indexed, **bytewise)] if indexed else []),
        by_month=True,
    )


def erp_column_comment(declared: ErpColumn) -> str:
    """Return the comment of a column's copy."""
    when = "" if declared.compared else ", as of the last change of another column of the row"
    return f"{declared.comment}{when}"


erp_tables = {source.name: _copy(source) for source in ERP_TABLES}

source_fingerprints = table(
    "ops",
    "source_fingerprints",
    "Fingerprint of each day of an ERP table at the last read; a day whose fingerprint differs is read again",
    column("table_name", sa.Text, "The ERP's table"),
    column("day", sa.Text(collation="C"), "The day, such as 2025-03-31; empty: rows without any date"),
    column("year_month", MonthKey, "Month in which the rows are stored; empty: outside the partitions, so rejected"),
    column("row_count", sa.BigInteger, "Number of rows at the source"),
    column("digest", sa.Text, "Sums and hash sum of the rows, as the source's server computes them"),
    column("run_id", sa.Text, "The run that read them"),
    column("taken_at", Moment, "When they were read", server_default=sa.func.now()),
    key("table_name", "day"),
)

_RUNNING = sa.text("status = 'running'")

sync_logs = table(
    "ops",
    "sync_logs",
    "Syncs of the ERP: one row per sync; at most one is running",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the sync"),
    column("sync_type", sa.Text, "manual: started by a person or program; scheduled: by the hourly schedule"),
    column("status", sa.Text, "running, completed, failed or cancelled"),
    column("started_at", Moment, "When it started", server_default=sa.func.now()),
    column("completed_at", Moment, "When it ended; null while it runs", null=True),
    column("total_records", sa.BigInteger, "Rows read: success_records + failed_records", server_default=sa.text("0")),
    column(
        "success_records",
        sa.BigInteger,
        "Rows that are now in the copy as they are at the source",
        server_default=sa.text("0"),
    ),
    column("failed_records", sa.BigInteger, "Rows that were rejected", server_default=sa.text("0")),
    column("error_message", sa.Text, "Why it failed or was cancelled; null: neither", null=True),
    column(
        "duration",
        sa.Numeric(14, 3),
        "Seconds from start to end",
        sa.Computed("EXTRACT(epoch FROM completed_at - started_at)", persisted=True),
        null=True,
    ),
    column(
        "success_rate",
        sa.Numeric(5, 2),
        "Percentage of the rows read that were not rejected; null if no row was read",
        sa.Computed("round(100.0 * success_records / nullif(total_records, 0), 2)", persisted=True),
        null=True,
    ),
    column("run_id", sa.Text, "The Dagster run; null until it is launched", null=True),
    one_of("sync_type", get_args(SyncType)),
    one_of("status", get_args(SyncStatus)),
    sa.CheckConstraint("(status = 'running') = (completed_at IS NULL)", name="completed_at"),
    sa.CheckConstraint("total_records = success_records + failed_records", name="total_records"),
    # Guarantees that at most one sync is running, whichever process starts it.
    sa.Index("uq_sync_logs_running", "status", unique=True, postgresql_where=_RUNNING),
    sa.Index(None, "run_id"),
)

sync_log_tables = table(
    "ops",
    "sync_log_tables",
    "Result of a sync for each table: one row per sync and table",
    sa.Column("sync_log_id", sa.ForeignKey(sync_logs.c.id), nullable=False, comment="The sync"),
    column("table_name", sa.Text, "The ERP's table"),
    column("status", sa.Text, "running, completed, failed or cancelled"),
    column("months", sa.ARRAY(MonthKey), "Months whose rows were read", server_default=sa.text("'{}'")),
    *(
        column(name, sa.BigInteger, comment, server_default=sa.text("0"))
        for name, comment in {
            "rows_read": "Rows read: rows_loaded + rows_rejected",
            "rows_loaded": "Rows that are now in the copy as they are at the source",
            "rows_rejected": "Rows that cannot be used; see ops.rejected_rows",
            "rows_inserted": "Rows that were inserted",
            "rows_updated": "Rows that were updated",
            "rows_deleted": "Rows that were deleted",
            "rows_unchanged": "Rows that were already equal",
        }.items()
    ),
    column("seconds", sa.Numeric(14, 3), "Duration in seconds; null: not finished", null=True),
    column("error_message", sa.Text, "Why it failed or was cancelled; null: neither", null=True),
    key("sync_log_id", "table_name"),
    one_of("status", get_args(SyncStatus)),
)
