"""Checks of the tables whose source rows can be rejected. A rejected row is a warning."""

import sqlalchemy as sa

from ledger_pipelines.ledger.checks.check import Check, Severity
from ledger_pipelines.warehouse.queries.summaries import rejections_by_reason
from ledger_pipelines.warehouse.tables import (
    customers,
    deposits,
    erp_tables,
    meter_readings,
    prices,
    rejected_rows,
    transaction_calculations,
)


def _no_rejected_rows(table: sa.Table) -> Check:
    """Return the check, of all customers."""
    return Check(
        "no_rejected_rows",
        table,
        Severity.WARN,
        "Source rows that cannot be used; each is in ops.rejected_rows with its reason.",
        lambda _: sa.select(rejected_rows).where(rejected_rows.c.asset == table.name),
        reasons=rejections_by_reason(table.name),
    )


REJECTION_CHECKS = [
    _no_rejected_rows(table)
    for table in (customers, prices, deposits, meter_readings, transaction_calculations, *erp_tables.values())
]
