"""`ops.loaded_months`: which months of a table have been written for every customer at least once."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.months import NO_MONTH, qualified
from ledger_pipelines.warehouse.tables import loaded_months


class MonthsMissingError(Exception):
    """A table cannot be computed because what it stands on has not been loaded; the message names what."""


def mark_loaded(connection: sa.Connection, table: sa.Table, months: Iterable[str], run_id: str) -> None:
    """Note that months of a table have been written for every customer."""
    statement = insert(loaded_months)
    renewed = {"run_id": statement.excluded.run_id, "loaded_at": sa.func.now()}
    marks = [{"table_name": qualified(table), "year_month": month, "run_id": run_id} for month in months]
    if marks:
        connection.execute(statement.on_conflict_do_update(constraint=loaded_months.primary_key, set_=renewed), marks)


def months_loaded(connection: sa.Connection, table: sa.Table) -> frozenset[str]:
    """The months of a table that have been written for every customer at least once."""
    return frozenset(
        connection.scalars(sa.select(loaded_months.c.year_month).where(loaded_months.c.table_name == qualified(table)))
    )


def loaded_at(connection: sa.Connection, table: sa.Table, month: str) -> datetime | None:
    """When a month of a table was last written for every customer; None: never."""
    marks = loaded_months.c
    return connection.scalar(
        sa.select(marks.loaded_at).where(marks.table_name == qualified(table), marks.year_month == month)
    )


def loaded_since(connection: sa.Connection, table: sa.Table) -> datetime:
    """When a month of a table that has been loaded was last written for every customer."""
    newest = sa.select(sa.func.max(loaded_months.c.loaded_at)).where(loaded_months.c.table_name == qualified(table))
    found: datetime = connection.execute(newest).scalar_one()
    return found


def require_loaded(connection: sa.Connection, table: sa.Table, months: Sequence[str], needed_for: str) -> None:
    """Make sure that months of a table have been written for every customer.

    Args:
        connection: To the warehouse.
        table: The table.
        months: The months; ``[NO_MONTH]`` for a table that has none.
        needed_for: What stands on it, for the message.

    Raises:
        MonthsMissingError: one has not; the message names the first and the last.
    """
    present = months_loaded(connection, table)
    missing = [month for month in months if month not in present]
    if not missing:
        return
    if missing == [NO_MONTH]:
        raise MonthsMissingError(f"{needed_for} needs {table.name}, which has never been loaded. Materialise it first.")
    which = missing[0] if len(missing) == 1 else f"{missing[0]} to {missing[-1]}"
    raise MonthsMissingError(
        f"{needed_for} needs {table.name} of {which}, which has never been loaded. "
        f"Materialise {table.name} from {missing[0]} on first."
    )
