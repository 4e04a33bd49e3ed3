"""`ops.loaded_months`: the months of a table that have been written for every customer at least once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.warehouse.merge import UNPARTITIONED, qualified_name
from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.tables import (
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
    statement = insert(loaded_months)
    updated = {"run_id": statement.excluded.run_id, "loaded_at": sa.func.now()}
    marks = [{"table_name": qualified_name(table), "year_month": month, "run_id": run_id} for month in months]
    if marks:
        connection.execute(statement.on_conflict_do_update(constraint=loaded_months.primary_key, set_=updated), marks)


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
