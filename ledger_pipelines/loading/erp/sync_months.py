"""Default months of an ERP sync."""

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, shift_month
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded
from ledger_pipelines.warehouse.tables import erp_tables


def recent_months(horizon: Horizon) -> tuple[str, ...]:
    """Return the previous and the current month, within the horizon: the months that change most."""
    return tuple(month for month in (shift_month(horizon.current, -1), horizon.current) if month >= horizon.first)


def first_month_to_sync(connection: sa.Connection, horizon: Horizon, tables: Iterable[ErpTable]) -> str:
    """Return the first month of a sync: the first that some table has never loaded, or the previous month if earlier.

    The first sync loads all months. Snapshot tables are ignored: they have no past months to load.
    """
    missing = [
        month
        for table in tables
        if not table.is_snapshot
        for month in set(horizon.months) - months_loaded(connection, erp_tables[table.name])
    ]
    return min([*recent_months(horizon), *missing])


def months_to_read(
    requested: Sequence[str], loaded: Collection[str], horizon: Horizon, *, catch_up: bool
) -> tuple[str, ...]:
    """Return the requested months that a sync of one table brings up to date; of others it reads what changed.

    Args:
        requested: Months of the run.
        loaded: Months that the table has loaded before.
        horizon: Months of the partitions.
        catch_up: Whether a table reads months before the last two only if it has never loaded them.
    """
    return tuple(month for month in requested if not catch_up or month in recent_months(horizon) or month not in loaded)
