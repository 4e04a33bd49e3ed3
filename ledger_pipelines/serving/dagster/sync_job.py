"""Request for a sync: months, tables and options, validated before the sync is registered."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger_pipelines.horizon import Horizon, MonthError
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable


@dataclass(frozen=True)
class SyncJob:
    """Registered sync, ready to be executed.

    Attributes:
        log_id: Id of its log.
        first: First month.
        last: Last month.
        tables: Names of the tables; None for all.
        catch_up: Read in full only the months that a table has never loaded; of the others, the days that changed.
        full: Read every month that was ever loaded.
        accept_deletions: Accept deletions that the deletion guard would refuse.
        command: The command that requests the sync; the run is tagged with it in the web UI.
    """

    log_id: int
    first: str
    last: str
    tables: tuple[str, ...] | None = None
    catch_up: bool = False
    full: bool = False
    accept_deletions: bool = False
    command: str = "sync start"

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the resource `sync`."""
        return {
            "sync_log_id": self.log_id,
            "catch_up": self.catch_up,
            "full": self.full,
            "accept_deletions": self.accept_deletions,
        }


@dataclass(frozen=True)
class SyncMonths:
    """Months of a sync: one month, a range, or (all None) the default months."""

    month: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def is_default(self) -> bool:
        """Whether no month is given."""
        return (self.month, self.first, self.last) == (None, None, None)

    def resolve(self, horizon: Horizon, default_first: str) -> tuple[str, str]:
        """Return the first and the last month.

        Args:
            horizon: The months of the partitions.
            default_first: The default first month.

        Raises:
            MonthError: a month is invalid or outside the horizon, or the range ends before it starts.
            ServingError: both a month and a range are given.
        """
        if self.month is not None:
            if self.first is not None or self.last is not None:
                raise ServingError("Give either one month with --month, or a range with --from-month and --to-month.")
            return horizon.require_month(self.month), self.month
        if self.is_default:
            return default_first, horizon.current
        first = horizon.first if self.first is None else horizon.require_month(self.first)
        last = horizon.current if self.last is None else horizon.require_month(self.last)
        if last < first:
            raise MonthError(f"the range of months ends before it starts: {first} to {last}")
        return first, last


def resolve_tables(names: Sequence[str]) -> tuple[ErpTable, ...] | None:
    """Return the named tables in the order of the catalogue, without duplicates; None (all) if no name is given.

    Raises:
        ServingError: a table is unknown; the message lists the known ones.
    """
    known = [table.name for table in ERP_TABLES]
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            guess = f"Did you mean {nearest[0]}? " if nearest else ""
            raise ServingError(f"There is no table {name} in the ERP. {guess}Its tables are {', '.join(known)}.")
    return tuple(table for table in ERP_TABLES if table.name in names) or None
