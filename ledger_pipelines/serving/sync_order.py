"""What is asked of a sync: months, tables, and how; checked before anything is claimed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger_pipelines.horizon import Horizon, MonthError
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpTable


@dataclass(frozen=True)
class SyncOrder:
    """A sync that has been claimed, and is to be carried out.

    Attributes:
        log_id: Its log.
        first: The first month.
        last: The last month.
        tables: None for all.
        catch_up: Of the months before the last two, read only those that a table has never loaded.
        full: Read every month that was ever loaded.
        accept_deletions: Go on even if implausibly many rows would be deleted.
        command: Which command orders it; the run is marked by it in the web interface.
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
        """The order as the configuration of the resource `sync`."""
        return {
            "sync_log_id": self.log_id,
            "catch_up": self.catch_up,
            "full": self.full,
            "accept_deletions": self.accept_deletions,
        }


@dataclass(frozen=True)
class Months:
    """The months that a person asks for; all None: those that a sync looks at by itself."""

    only: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def unnamed(self) -> bool:
        """Whether none is named."""
        return (self.only, self.first, self.last) == (None, None, None)

    def within(self, horizon: Horizon, usual_first: str) -> tuple[str, str]:
        """The first and the last month.

        Args:
            horizon: The months of the partitions.
            usual_first: The first month of a sync for which none is named.

        Raises:
            MonthError: one is no month, or lies outside the horizon, or the range ends before it starts.
            ServingError: a month is named beside a range.
        """
        if self.only is not None:
            if self.first is not None or self.last is not None:
                raise ServingError("Name either one month by --month, or a range by --from-month and --to-month.")
            return horizon.check(self.only), self.only
        if self.unnamed:
            return usual_first, horizon.current
        first = horizon.first if self.first is None else horizon.check(self.first)
        last = horizon.current if self.last is None else horizon.check(self.last)
        if last < first:
            raise MonthError(f"the range of months ends before it starts: {first} to {last}")
        return first, last


def known_tables(names: Sequence[str]) -> tuple[ErpTable, ...] | None:
    """The tables of some names, each once, in the catalogue's order; None if none is named: all.

    Raises:
        ServingError: there is no such table; the message says which there are.
    """
    known = [table.name for table in ERP_TABLES]
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            guess = f"Did you mean {nearest[0]}? " if nearest else ""
            raise ServingError(f"There is no table {name} in the ERP. {guess}Its tables are {', '.join(known)}.")
    return tuple(table for table in ERP_TABLES if table.name in names) or None
