"""Columns of the billing application that are read, and the effect of each one that is missing.

Versions of the application differ in their columns. A column that no amount needs may be missing and is then read as
NULL. Columns not listed here are never read, so later versions may add some.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.settings import mask_url
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.errors import SourceError, driver_message

REQUIRED = ""
_NO_POLLING = "only the full scan finds new and changed rows, at 500 rows every five seconds"
_NOT_USED = "no figure uses it; it stays empty"

#: Columns that are read of each table, and the effect if one is missing; `REQUIRED`: amounts cannot be computed.
EFFECT_IF_MISSING: Mapping[str, Mapping[str, str]] = {
    users.name: {
        "id": REQUIRED,
        "name": "customers are shown by id only",
        "email": _NOT_USED,
        "role": REQUIRED,
        "no_kontrak": "customers have no default business partner; set each with `ledger partners set`",
        "alamat": _NOT_USED,
        "nomor_tlpn": _NOT_USED,
        "total_deposit": "the balance comparison uses 0 as the application's total of deposits",
        "total_purchases": "the balance comparison uses 0 as the application's total of purchases",
        "deposit_history": REQUIRED,
        "pricing_history": REQUIRED,
        "harga_per_meter_kubik": REQUIRED,
        "tekanan_keluar": REQUIRED,
        "suhu": REQUIRED,
        "koreksi_meter": REQUIRED,
        "balance_last_updated_at": _NOT_USED,
        "use_realtime_calculation": "automatic recalculation is on for every customer",
        "created_at": _NOT_USED,
        "updated_at": _NO_POLLING,
    },
    data_pencatatan.name: {
        "id": REQUIRED,
        "customer_id": REQUIRED,
        "data_input": REQUIRED,
        "harga_final": "the balance comparison uses 0 as the amount of each bill",
        "status_pembayaran": _NOT_USED,
        "created_at": _NOT_USED,
        "updated_at": _NO_POLLING,
    },
}
TABLES = {table.name: table for table in (users, data_pencatatan)}

_EXACT_NUMBER = r"(tiny|small|medium|big)?int|integer|numeric|decimal"
_TEXT = r"(var)?char\b|character|(tiny|medium|long)?text|enum"
_TIMESTAMP = r"datetime|timestamp(?!.*with time zone)"
_BINARY = re.compile(r"binary|blob|bit\b|bytea")
#: Types of the columns that are used as the text that the server sends, without making objects of them.
_TYPES_AS_TEXT: Mapping[str, str] = {
    "id": _EXACT_NUMBER,
    "customer_id": _EXACT_NUMBER,
    "role": _TEXT,
    "harga_final": _EXACT_NUMBER,
    "status_pembayaran": _TEXT,
    "created_at": _TIMESTAMP,
    "updated_at": _TIMESTAMP,
}

#: Time to live of the cached columns.
CACHE_SECONDS = 10


@dataclass(frozen=True)
class ReadableColumns:
    """Columns of one table that this login may read.

    Attributes:
        table: Our declaration of the table.
        types: The server's name for the type of each column that is read and readable.
        denied: Columns that exist but that this login may not read.
        denial_message: The driver's message about the denied columns; empty without denied columns.
    """

    table: sa.Table
    types: Mapping[str, str]
    denied: tuple[str, ...] = ()
    denial_message: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns that should be read but do not exist or may not be read."""
        return tuple(name for name in EFFECT_IF_MISSING[self.table.name] if not self.has(name))

    @property
    def missing_required(self) -> tuple[str, ...]:
        """Missing columns that amounts need."""
        return tuple(name for name in self.missing if EFFECT_IF_MISSING[self.table.name][name] == REQUIRED)

    @property
    def missing_optional(self) -> tuple[str, ...]:
        """Missing columns that no amount needs."""
        return tuple(name for name in self.missing if name not in self.missing_required)

    def has(self, name: str) -> bool:
        """Return whether a column exists and may be read."""
        return name in self.types

    def has_text_types(self, *names: str) -> bool:
        """Return whether these columns, where they exist, have types that may be read as text."""
        return all(re.match(_TYPES_AS_TEXT[name], self.types[name].lower()) for name in names if self.has(name))

    @property
    def has_binary_type(self) -> bool:
        """Whether a column that is read holds bytes instead of characters."""
        return any(_BINARY.search(type_name.lower()) for type_name in self.types.values())

    @property
    def missing_message(self) -> str:
        """One sentence about the missing columns that no amount needs; empty if none is missing."""
        names, table = ", ".join(self.missing_optional), self.table.name
        return f"Columns that {table} lacks, or that may not be read; no amount needs them: {names}." if names else ""

    def select_list(self) -> list[sa.ColumnElement[Any]]:
        """Return the columns to select: a missing one as NULL, an enumeration as text, since it may have new values."""
        return [self._selected(self.table.c[name]) for name in EFFECT_IF_MISSING[self.table.name]]

    def _selected(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        if not self.has(column.name):
            return sa.null().label(column.name)
        return sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, sa.Enum) else column


ColumnsByTable = Mapping[str, ReadableColumns]
_HELP = (
    "Nothing was changed. Check LEDGER_BILLING_URL; `ledger billing test-connection` lists what is missing and prints "
    "the GRANT statements."
)


def inspect_columns(connection: sa.Connection) -> ColumnsByTable:
    """Return the columns of both tables that this login may read.

    Raises:
        SourceError: a table does not exist, or none of its columns may be read.
        DBAPIError: the server cannot be queried.
    """
    return {name: inspect_table(connection, table) for name, table in TABLES.items()}


def inspect_table(connection: sa.Connection, table: sa.Table) -> ReadableColumns:
    """Return the columns of a table or view that this login may read; raises as `inspect_columns`."""
    described = server_of(connection.dialect.name).column_types(connection, table.name)
    found = {name.lower(): type_name for name, type_name in described.items()}
    types = {name: found[name] for name in EFFECT_IF_MISSING[table.name] if name in found}
    denied: tuple[str, ...] = ()
    refusal = _denial_message(connection, table, *types) if types else ""
    if refusal:  # rights may be granted per column, and the list of columns may ignore them
        denied = tuple(name for name in types if _denial_message(connection, table, name))
        types = {name: type_name for name, type_name in types.items() if name not in denied}
    if types or (found and not refusal):
        return ReadableColumns(table, types, denied, refusal)
    where = f"of the billing database {mask_url(connection.engine.url)}"
    raise SourceError(
        f"The table {table.name} {where} cannot be read: {refusal} {_HELP}"
        if refusal
        else f"There is no table or view {table.name} {where}, or this login may not see it. {_HELP}"
    )


def require_columns(columns: ColumnsByTable, url: sa.URL) -> ColumnsByTable:
    """Return the columns if all that amounts need are readable.

    Raises:
        SourceError: a column that amounts need is missing; the message names all of them.
    """
    for name, readable in columns.items():
        if readable.missing_required:
            missing = readable.missing_required
            missing_names = f"{'the column' if len(missing) == 1 else 'the columns'} {', '.join(missing)}"
            why = f" ({readable.denial_message.rstrip('.')})" if readable.denial_message else ""
            raise SourceError(
                f"The table {name} of the billing database {mask_url(url)} lacks {missing_names}, "
                f"or this login may not read it{why}. Amounts cannot be computed. {_HELP}"
            )
    return columns


_cache: WeakKeyDictionary[sa.Engine, tuple[ColumnsByTable, float]] = WeakKeyDictionary()


def cached_columns(engine: sa.Engine) -> ColumnsByTable | None:
    """Return the cached columns of an engine's tables; None if they have expired or were never cached."""
    columns, since = _cache.get(engine, (None, 0.0))
    return columns if time.monotonic() - since < CACHE_SECONDS else None


def cache_columns(engine: sa.Engine, columns: ColumnsByTable) -> ColumnsByTable:
    """Cache the columns of an engine's tables for a few seconds, because polls ask several times a second."""
    _cache[engine] = columns, time.monotonic()
    return columns


def drop_cached_columns(engine: sa.Engine) -> None:
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
        return driver_message(error)
    return ""
