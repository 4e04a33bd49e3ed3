"""`ops.loaded_months`: the months of a table that have been written for every customer at least once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.warehouse.merge import UNPARTITIONED, qualified_name
from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.tables import (
    MonthKey,
    deposits,
    loaded_months,
    meter_readings,
    monthly_customer_balances,
    transaction_calculations,
)

#: The tables that a ledger run writes month by month.
LEDGER_TABLES = (deposits, meter_readings, transaction_calculations, monthly_customer_balances)
_REACHED = "month that balances have reached"


class InputNotLoadedError(LedgerError):
    """A table cannot be computed because an input has never been loaded; the message names the input."""


def mark_loaded(connection: sa.Connection, table: sa.Table, months: Iterable[str], run_id: str) -> None:
    """Record that months of a table have been written for every customer."""
    _mark(connection, table, {month: {"run_id": run_id} for month in months})


def mark_computed(
    connection: sa.Connection, table: sa.Table, rows: Mapping[str, int], formula: str, run_id: str
) -> None:
    """Record that months of a computed table have been written for every customer, or need not be written.

    Args:
        connection: Within the transaction that holds the table's write lock.
        table: The computed table.
        rows: Number of rows of each month.
        formula: Formula version of all of these rows.
        run_id: The run.
    """
    recorded = {"run_id": run_id, "computed_by": formula}
    _mark(connection, table, {month: recorded | {"row_count": count} for month, count in rows.items()})


def adjust_computed(connection: sa.Connection, table: sa.Table, added: Mapping[str, int], formula: str) -> None:
    """Correct the marks of months of a computed table of which the rows of some customers were written.

    A month whose other rows have another formula version has none as a whole.

    Args:
        connection: Within the transaction that holds the table's write lock.
        table: The computed table.
        added: Number of rows that each month gained; negative if it lost rows.
        formula: Formula version of the written rows.
    """
    if not added:
        return
    written = sa.select(
        sa.func.unnest(sa.literal(list(added), sa.ARRAY(MonthKey))).label("year_month"),
        sa.func.unnest(sa.literal(list(added.values()), sa.ARRAY(sa.BigInteger))).label("added"),
    ).subquery("written")
    mark = loaded_months.c
    connection.execute(
        sa.update(loaded_months)
        .values(row_count=mark.row_count + written.c.added, computed_by=sa.case((mark.computed_by == formula, formula)))
        .where(
            mark.table_name == qualified_name(table),
            mark.year_month == written.c.year_month,
            sa.or_(written.c.added != 0, mark.computed_by != formula),
        )
    )


def months_computed(connection: sa.Connection, table: sa.Table, formula: str) -> dict[str, int]:
    """Return the months of a table of which all rows have a formula version, with their numbers of rows."""
    mark = loaded_months.c
    found = sa.select(mark.year_month, mark.row_count)
    of_formula = found.where(mark.table_name == qualified_name(table), mark.computed_by == formula)
    return dict(connection.execute(of_formula).all())


def _mark(connection: sa.Connection, table: sa.Table, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Insert or update the marks of months: the values of their columns, by month; all have the same columns."""
    marks = [{"table_name": qualified_name(table), "year_month": month, **columns} for month, columns in values.items()]
    if marks:
        statement = insert(loaded_months)
        updated = {name: statement.excluded[name] for name in next(iter(values.values()))}
        upsert = statement.on_conflict_do_update(
            constraint=loaded_months.primary_key, set_=updated | {"loaded_at": sa.func.now()}
        )
        connection.execute(upsert, marks)


def months_loaded(connection: sa.Connection, table: sa.Table) -> frozenset[str]:
    """Return the months of a table that have been written for every customer at least once."""
    return frozenset(
        connection.scalars(
            sa.select(loaded_months.c.year_month).where(loaded_months.c.table_name == qualified_name(table))
        )
    )


def unwritten_months(
    connection: sa.Connection, horizon: Horizon, table: sa.Table = monthly_customer_balances
) -> tuple[str, ...]:
    """Return the months up to the clock's current month that have not been written for every customer, in order."""
    loaded = months_loaded(connection, table)
    return tuple(month for month in horizon.months if month not in loaded)


def months_to_turn(connection: sa.Connection, horizon: Horizon) -> tuple[str, ...]:
    """Return the months that have begun since the balances reached the then current month, in order.

    Empty while earlier months are missing too, or before the balances have ever reached the current month: both cases
    need a run that reads the source.
    """
    behind = unwritten_months(connection, horizon)
    reached = watermarks.get_watermark(connection, _REACHED) if behind else None
    return () if reached is None or behind[0] <= reached else behind


def record_current_month(connection: sa.Connection, month: str) -> None:
    """Record that every customer has balances up to ``month``, which is the current month."""
    watermarks.advance_watermark(connection, _REACHED, month)


def ledger_horizon(connection: sa.Connection, horizon: Horizon) -> Horizon:
    """Return the horizon whose current month is the newest month with balances of every customer.

    This is the clock's month, except between the start of a month and the commit of its month turn. For a ledger that
    has never been computed, the horizon is unchanged.
    """
    mark = loaded_months.c
    newest = sa.select(sa.func.max(mark.year_month)).where(
        mark.table_name == qualified_name(monthly_customer_balances), mark.year_month <= horizon.current
    )
    return replace(horizon, current=connection.scalar(newest) or horizon.current)


def loaded_at(connection: sa.Connection, table: sa.Table, month: str) -> datetime | None:
    """Return when a month of a table was last written for every customer; None: never."""
    marks = loaded_months.c
    return connection.scalar(
        sa.select(marks.loaded_at).where(marks.table_name == qualified_name(table), marks.year_month == month)
    )


def last_loaded_at(connection: sa.Connection, table: sa.Table) -> datetime:
    """Return when any month of a table was last written for every customer; the table must have been loaded."""
    newest = sa.select(sa.func.max(loaded_months.c.loaded_at)).where(
        loaded_months.c.table_name == qualified_name(table)
    )
    since: datetime = connection.execute(newest).scalar_one()
    return since


def require_loaded(connection: sa.Connection, table: sa.Table, months: Sequence[str], needed_for: str) -> None:
    """Raise unless months of a table have been written for every customer.

    Args:
        connection: To the warehouse.
        table: The input table.
        months: The required months; ``[UNPARTITIONED]`` for a table that is not partitioned by month.
        needed_for: The dependent table, for the message.

    Raises:
        InputNotLoadedError: months are missing; the message names the first and the last.
    """
    present = months_loaded(connection, table)
    missing = [month for month in months if month not in present]
    if not missing:
        return
    if missing == [UNPARTITIONED]:
        raise InputNotLoadedError(
            f"{needed_for} needs {table.name}, which has never been loaded. Materialise it first."
        )
    which = missing[0] if len(missing) == 1 else f"{missing[0]} to {missing[-1]}"
    raise InputNotLoadedError(
        f"{needed_for} needs {table.name} of {which}, which has never been loaded. "
        f"Materialise {table.name} from {missing[0]} on first."
    )
