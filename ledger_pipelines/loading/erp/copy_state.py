"""State of the copy of an ERP table, as the plan of a load and the proof need it."""

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa

from ledger_pipelines.loading.erp.plan import CopyState, ReadPlan
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.keyless_merge import DaySums, KeylessTable, day_sums
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.fingerprints import stored_fingerprints
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded


def contents_of(table: ErpTable) -> KeylessTable:
    """Return the copy of a table as a keyless table, whose rows are compared by content."""
    return KeylessTable(
        table=tables.erp_tables[table.name],
        columns=table.names,
        days=table.month_columns,
        key=table.key,
        amounts=table.amounts,
        uncompared=table.uncompared,
    )


def read_copy_state(
    connection: sa.Connection, contents: KeylessTable, before: CopyState | None = None, plan: ReadPlan | None = None
) -> CopyState:
    """Return the state of a table's copy. With ``before``, only what the load of ``plan`` wrote is read again."""
    rejected = tables.rejected_rows.c
    month = sa.func.coalesce(rejected.year_month, UNPARTITIONED)
    of_table = rejected.asset == contents.table.name
    counted = connection.execute(sa.select(month, sa.func.count()).where(of_table).group_by(month))
    return CopyState(
        known=stored_fingerprints(connection, contents.table.name),
        loaded=months_loaded(connection, contents.table),
        days=_refreshed_days(connection, contents, before, plan) if before and plan else day_sums(connection, contents),
        rejected=dict(counted.all()),
    )


def _refreshed_days(
    connection: sa.Connection, contents: KeylessTable, before: CopyState, plan: ReadPlan
) -> Mapping[str, Mapping[date | None, DaySums]]:
    written = {month: plan.days.get(month) for month in plan.months}
    now = day_sums(connection, contents, written)
    for month, days in before.days.items():
        of_month = now.setdefault(month, {})
        if month not in plan.whole:
            of_month |= {day: sums for day, sums in days.items() if day not in plan.days.get(month, ())}
    return now
