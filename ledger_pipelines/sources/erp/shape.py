"""Shape of a table at the ERP: the type and the spelling of each catalogue column."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.base import Server
from ledger_pipelines.sources.dialects.parts import RowHash, SourceColumn
from ledger_pipelines.sources.erp.catalogue import ErpTable


@dataclass(frozen=True)
class Shape:
    """Shape of a table at the ERP.

    Attributes:
        server: Kind of the server.
        version: Version of the server.
        columns: Each catalogue column as the server describes it.
        extra: Columns of the ERP that the catalogue lacks.
        dated: Whether every month column has a date type, so that rows can be selected by day; false for snapshots.
    """

    server: Server
    version: tuple[int, ...]
    columns: Mapping[str, SourceColumn]
    extra: tuple[str, ...]
    dated: bool

    @property
    def hashed(self) -> bool:
        """Whether the server can hash a row; if not, a fingerprint may miss that two rows swapped values."""
        return self.server.hashed_since is not None and self.version >= self.server.hashed_since

    def row_hash(self, columns: Sequence[str]) -> RowHash | None:
        """Return the sum of the row hashes over some columns; None if the server cannot hash a row."""
        return self.server.row_hash([self.columns[name] for name in columns], self.version) if self.hashed else None

    def family(self, column: str) -> Family:
        """Return the family of a catalogue column's type at the source."""
        return self.columns[column].family


def missing_columns(table: ErpTable, found: Iterable[str]) -> tuple[str, ...]:
    """Return the catalogue columns that are missing from these columns, ignoring case."""
    there = {name.lower() for name in found}
    return tuple(name for name in table.names if name not in there)


def shape_of(table: ErpTable, dialect: str, version: tuple[int, ...], found: Mapping[str, str]) -> Shape:
    """Return the shape of a table that has all catalogue columns.

    Names are compared without case; a column spelled as in the catalogue takes precedence.

    Args:
        table: Table of the catalogue.
        dialect: SQLAlchemy's name of the kind of server.
        version: Version of the server.
        found: The server's type name of each column, by column name.
    """
    server = server_of(dialect)
    spelled = {name.lower(): name for name in found} | {name: name for name in table.names if name in found}
    columns = {
        name: SourceColumn(spelled[name], found[spelled[name]], server.family(found[spelled[name]]))
        for name in table.names
    }
    used = {column.name for column in columns.values()}
    are_dates = all(columns[name].family in {Family.DATE, Family.ZONED} for name in table.month_columns)
    return Shape(
        server=server,
        version=version,
        columns=columns,
        extra=tuple(name for name in found if name not in used),
        dated=server.has_dates and are_dates and not table.is_snapshot,
    )
