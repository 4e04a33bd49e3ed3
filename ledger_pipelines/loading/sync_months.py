"""Which months a sync of the ERP asks for, where a person has not said so."""

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, shift
from ledger_pipelines.sources.erp_tables import ErpTable
from ledger_pipelines.warehouse.loaded import months_loaded
from ledger_pipelines.warehouse.tables import erp_tables


def recent(horizon: Horizon) -> str:
    """The first of the two months that every sync reads: the one before the current one, if it is a partition."""
    return max(horizon.first, shift(horizon.current, -1))


def first_to_sync(connection: sa.Connection, horizon: Horizon, tables: Iterable[ErpTable]) -> str:
    """The month from which on a sync has to look: the first that some table has never loaded, or the month before.

    So the first sync loads everything. A snapshot has no past to load.
    """
    missing = [
        month
        for table in tables
        if not table.is_snapshot
        for month in set(horizon.months) - months_loaded(connection, erp_tables[table.name])
    ]
    return min([recent(horizon), *missing])


def months_to_read(
    asked: Sequence[str], loaded: Collection[str], horizon: Horizon, *, catch_up: bool
) -> tuple[str, ...]:
    """Those of the months asked for that one table has to read whatever they look like.

    Args:
        asked: The months of the run.
        loaded: The months that the table has loaded before.
        horizon: The months of the partitions.
        catch_up: Whether months before the last two are asked for only for tables that have never loaded them.
    """
    return tuple(month for month in asked if not catch_up or month >= recent(horizon) or month not in loaded)
