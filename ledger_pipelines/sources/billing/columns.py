"""Columns of the billing application that are read, and the effect of each one that is missing.

Versions of the application differ in their columns. A column that no amount needs may be missing and is then read as
NULL. Columns not listed here are never read, so later versions may add some.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.settings import masked
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.sources.errors import SourceError, first_line
from ledger_pipelines.sources.table_columns import columns_of

NEEDED = ""
_NO_POLLING = "only the full scan finds new and changed rows, at 500 rows every five seconds"
_NOT_USED = "no figure uses it; it stays empty"

#: Columns that are read of each table, and the effect if one is missing; `NEEDED`: amounts cannot be computed.
WITHOUT: Mapping[str, Mapping[str, str]] = {
    users.name: {
        "id": NEEDED,
        "name": "customers are shown by id only",
        "email": _NOT_USED,
        "role": NEEDED,
        "no_kontrak": "customers have no default business partner; set each with `ledger partners set`",
        "alamat": _NOT_USED,
        "nomor_tlpn": _NOT_USED,
        "total_deposit": "the balance comparison uses 0 as the application's total of deposits",
        "total_purchases": "the balance comparison uses 0 as the application's total of purchases",
        "deposit_history": NEEDED,
        "pricing_history": NEEDED,
        "harga_per_meter_kubik": NEEDED,
        "tekanan_keluar": NEEDED,
        "suhu": NEEDED,
        "koreksi_meter": NEEDED,
        "balance_last_updated_at": _NOT_USED,
        "use_realtime_calculation": "automatic recalculation is on for every customer",
        "created_at": _NOT_USED,
        "updated_at": _NO_POLLING,
    },
    data_pencatatan.name: {
        "id": NEEDED,
        "customer_id": NEEDED,
        "data_input": NEEDED,
        "harga_final": "the balance comparison uses 0 as the amount of each bill",
        "status_pembayaran": _NOT_USED,
        "created_at": _NOT_USED,
        "updated_at": _NO_POLLING,
    },
}
TABLES = {table.name: table for table in (users, data_pencatatan)}

#: Time to live of the cached columns.
KNOWN_SECONDS = 10


@dataclass(frozen=True)
class TableColumns:
    """Columns of one table that this login may read.

    Attributes:
        table: Our declaration of the table.
        types: The server's name for the type of each column that is read and readable.
        denied: Columns that exist but that this login may not read.
        refusal: The driver's message about the denied columns; empty without denied columns.
    """

    table: sa.Table
    types: Mapping[str, str]
    denied: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns that should be read but do not exist or may not be read."""
        return tuple(name for name in WITHOUT[self.table.name] if not self.has(name))

    @property
    def needed(self) -> tuple[str, ...]:
        """Missing columns that amounts need."""
        return tuple(name for name in self.missing if WITHOUT[self.table.name][name] == NEEDED)

    @property
    def optional(self) -> tuple[str, ...]:
        """Missing columns that no amount needs."""
        return tuple(name for name in self.missing if name not in self.needed)

    def has(self, name: str) -> bool:
        """Return whether a column exists and may be read."""
        return name in self.types

    @property
    def in_words(self) -> str:
        """One sentence about the missing columns that no amount needs; empty if none is missing."""
        names, table = ", ".join(self.optional), self.table.name
        return f"Columns that {table} lacks, or that may not be read; no amount needs them: {names}." if names else ""

    def selected(self) -> list[sa.ColumnElement[Any]]:
        """Return the columns to select: a missing one as NULL, an enumeration as text, since it may have new values."""
        return [self._selected(self.table.c[name]) for name in WITHOUT[self.table.name]]

    def _selected(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        if not self.has(column.name):
            return sa.null().label(column.name)
        return sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.Enum) else column


Columns = Mapping[str, TableColumns]
_HELP = (
    "Nothing was changed. Check LEDGER_BILLING_URL; `ledger billing test-connection` lists what is missing and prints "
    "the GRANT statements."
)


def look(connection: sa.Connection) -> Columns:
    """Return the columns of both tables that this login may read.

    Raises:
        SourceError: a table does not exist, or none of its columns may be read.
        DBAPIError: the server cannot be queried.
    """
    return {name: look_at(connection, table) for name, table in TABLES.items()}


def look_at(connection: sa.Connection, table: sa.Table) -> TableColumns:
    """Return the columns of a table or view that this login may read; raises as `look`."""
    found = {name.lower(): words for name, words in columns_of(connection, table.name).items()}
    types = {name: found[name] for name in WITHOUT[table.name] if name in found}
    denied: tuple[str, ...] = ()
    refusal = _denial_message(connection, table, *types) if types else ""
    if refusal:  # rights may be granted per column, and the list of columns may ignore them
        denied = tuple(name for name in types if _denial_message(connection, table, name))
        types = {name: words for name, words in types.items() if name not in denied}
    if types or (found and not refusal):
        return TableColumns(table, types, denied, refusal)
    where = f"of the billing database {masked(connection.engine.url)}"
    raise SourceError(
        f"The table {table.name} {where} cannot be read: {refusal} {_HELP}"
        if refusal
        else f"There is no table or view {table.name} {where}, or this login may not see it. {_HELP}"
    )


def demand(columns: Columns, url: sa.URL) -> Columns:
    """Return the columns if all that amounts need are readable.

    Raises:
        SourceError: a column that amounts need is missing; the message names all of them.
    """
    for name, readable in columns.items():
        if readable.needed:
            what = "the column" if len(readable.needed) == 1 else "the columns"
            why = f" ({readable.refusal.rstrip('.')})" if readable.refusal else ""
            raise SourceError(
                f"The table {name} of the billing database {masked(url)} lacks {what} {', '.join(readable.needed)}, "
                f"or this login may not read it{why}. Amounts cannot be computed. {_HELP}"
            )
    return columns


_cache: WeakKeyDictionary[sa.Engine, tuple[Columns, float]] = WeakKeyDictionary()


def known(engine: sa.Engine) -> Columns | None:
    """Return the cached columns of an engine's tables; None if they have expired or were never cached."""
    columns, since = _cache.get(engine, (None, 0.0))
    return columns if time.monotonic() - since < KNOWN_SECONDS else None


def keep(engine: sa.Engine, columns: Columns) -> Columns:
    """Cache the columns of an engine's tables for a few seconds, because polls ask several times a second."""
    _cache[engine] = columns, time.monotonic()
    return columns


def forget(engine: sa.Engine) -> None:
    """Drop the cached columns of an engine's tables after a failed statement: a column may have been dropped."""
    _cache.pop(engine, None)


def _denial_message(connection: sa.Connection, table: sa.Table, *names: str) -> str:
    """Return the driver's message if these columns may not be selected; empty if they may."""
    try:
        connection.execute(sa.select(*(table.c[name] for name in names)).where(sa.false())).close()
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        connection.rollback()
        return first_line(error)
    return ""
