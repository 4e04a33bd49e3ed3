"""Which columns of the billing application are read, which of them a schema may lack, and what is lost without those.

Older and newer versions of the application have other columns. One that no amount needs may be missing, and is read as
NULL; one that is not named here is never read, and later versions may add it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.settings import masked
from ledger_pipelines.sources.billing_schema import data_pencatatan, users
from ledger_pipelines.sources.errors import SourceError, first_line
from ledger_pipelines.sources.table_columns import columns_of

NEEDED = ""
_UNDATED = "new and changed rows are found by the full scan only: 500 rows every five seconds"
_NO_FIGURE = "no figure needs it, it stays empty"

#: The columns that are read of each table, and what is lost without them; `NEEDED`: no amount can be computed.
WITHOUT: Mapping[str, Mapping[str, str]] = {
    users.name: {
        "id": NEEDED,
        "name": "customers are shown by their ids alone",
        "email": _NO_FIGURE,
        "role": NEEDED,
        "no_kontrak": "no customer has a default business partner: set each by `ledger partners set`",
        "alamat": _NO_FIGURE,
        "nomor_tlpn": _NO_FIGURE,
        "total_deposit": "the comparison of balances takes the application's total of deposits for 0",
        "total_purchases": "the comparison of balances takes the application's total of purchases for 0",
        "deposit_history": NEEDED,
        "pricing_history": NEEDED,
        "harga_per_meter_kubik": NEEDED,
        "tekanan_keluar": NEEDED,
        "suhu": NEEDED,
        "koreksi_meter": NEEDED,
        "balance_last_updated_at": _NO_FIGURE,
        "use_realtime_calculation": "automatic recalculation is on for every customer",
        "created_at": _NO_FIGURE,
        "updated_at": _UNDATED,
    },
    data_pencatatan.name: {
        "id": NEEDED,
        "customer_id": NEEDED,
        "data_input": NEEDED,
        "harga_final": "the comparison of balances takes each bill for 0",
        "status_pembayaran": _NO_FIGURE,
        "created_at": _NO_FIGURE,
        "updated_at": _UNDATED,
    },
}
TABLES = {table.name: table for table in (users, data_pencatatan)}

#: How long columns are kept before the server is asked again.
KNOWN_SECONDS = 10


@dataclass(frozen=True)
class TableColumns:
    """The columns of one table that this login may read.

    Attributes:
        table: The table as we declare it.
        types: The server's words for the type of each column that is read and may be.
        denied: Columns that would be read and are known to be there, but may not be read.
        refusal: Why it may not read the others, in the driver's words, where the server gives a reason.
    """

    table: sa.Table
    types: Mapping[str, str]
    denied: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns that are read where they exist, and do not, or may not be read."""
        return tuple(name for name in WITHOUT[self.table.name] if not self.has(name))

    @property
    def needed(self) -> tuple[str, ...]:
        """The missing columns that amounts need."""
        return tuple(name for name in self.missing if WITHOUT[self.table.name][name] == NEEDED)

    @property
    def optional(self) -> tuple[str, ...]:
        """The missing columns that no amount needs."""
        return tuple(name for name in self.missing if name not in self.needed)

    def has(self, name: str) -> bool:
        """Return whether a column is there and may be read."""
        return name in self.types

    @property
    def in_words(self) -> str:
        """One sentence on the missing columns that no amount needs; empty if none is missing."""
        names, table = ", ".join(self.optional), self.table.name
        return f"Columns that {table} lacks, or that may not be read; no amount needs them: {names}." if names else ""

    def selected(self) -> list[sa.ColumnElement[Any]]:
        """Return the columns to select, a missing one as NULL, an enumeration as text: its values may be new to us."""
        return [self._selected(self.table.c[name]) for name in WITHOUT[self.table.name]]

    def _selected(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        if not self.has(column.name):
            return sa.null().label(column.name)
        return sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.Enum) else column


Columns = Mapping[str, TableColumns]
_TEST = (
    "Nothing was changed. Check LEDGER_BILLING_URL; `ledger billing test-connection` says what is needed, and prints "
    "the GRANT statements."
)


def look(connection: sa.Connection) -> Columns:
    """Ask the server which columns of both tables may be read.

    Raises:
        SourceError: a table does not exist, or none of its columns may be read.
        DBAPIError: the server cannot be asked.
    """
    return {name: look_at(connection, table) for name, table in TABLES.items()}


def look_at(connection: sa.Connection, table: sa.Table) -> TableColumns:
    """Ask the server which columns of a table or view may be read; raises as `look`."""
    found = {name.lower(): words for name, words in columns_of(connection, table.name).items()}
    types = {name: found[name] for name in WITHOUT[table.name] if name in found}
    denied: tuple[str, ...] = ()
    refusal = _refusal(connection, table, *types) if types else ""
    if refusal:  # by rights to single columns, which the list of columns need not heed
        denied = tuple(name for name in types if _refusal(connection, table, name))
        types = {name: words for name, words in types.items() if name not in denied}
    if types or (found and not refusal):
        return TableColumns(table, types, denied, refusal)
    where = f"of the billing database {masked(connection.engine.url)}"
    raise SourceError(
        f"The table {table.name} {where} cannot be read: {refusal} {_TEST}"
        if refusal
        else f"There is no table or view {table.name} {where}, or this login may not see it. {_TEST}"
    )


def demand(columns: Columns, url: sa.URL) -> Columns:
    """Return the columns, if every one that amounts need is there.

    Raises:
        SourceError: one is not; the message names all that are missing.
    """
    for name, of in columns.items():
        if of.needed:
            what = "the column" if len(of.needed) == 1 else "the columns"
            why = f" ({of.refusal.rstrip('.')})" if of.refusal else ""
            raise SourceError(
                f"The table {name} of the billing database {masked(url)} lacks {what} {', '.join(of.needed)}, or this "
                f"login may not read it{why}. No amount can be computed without. {_TEST}"
            )
    return columns


_known: WeakKeyDictionary[sa.Engine, tuple[Columns, float]] = WeakKeyDictionary()


def known(engine: sa.Engine) -> Columns | None:
    """Return the columns last kept of an engine's tables; None after a few seconds, or if nothing is kept."""
    columns, since = _known.get(engine, (None, 0.0))
    return columns if time.monotonic() - since < KNOWN_SECONDS else None


def keep(engine: sa.Engine, columns: Columns) -> Columns:
    """Keep the columns of an engine's tables for a few seconds: polls ask several times a second."""
    _known[engine] = columns, time.monotonic()
    return columns


def forget(engine: sa.Engine) -> None:
    """Forget the columns of an engine's tables: a statement failed, maybe because one is gone."""
    _known.pop(engine, None)


def _refusal(connection: sa.Connection, table: sa.Table, *names: str) -> str:
    """Why these columns may not be selected, in the driver's words; empty if they may."""
    try:
        connection.execute(sa.select(*(table.c[name] for name in names)).where(sa.false())).close()
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        connection.rollback()
        return first_line(error)
    return ""
