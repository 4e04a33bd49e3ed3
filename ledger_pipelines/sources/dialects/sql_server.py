"""SQL Server."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family, base_of, each, length_of
from ledger_pipelines.sources.dialects.base import Condition, Server
from ledger_pipelines.sources.dialects.parts import (
    OdbcPackages,
    RowHash,
    SourceColumn,
    as_text,
    local_day,
    read_committed,
    run_each,
)
from ledger_pipelines.sources.errors import SourceError, place

_OLDEST = 11
"""SQL Server 2012: older versions cannot describe the result of a query and have no SHA-256."""

# Describes the columns of a query as SQL Server resolves them: through views, synonyms and user-defined types.
_COLUMNS = """
SELECT name, system_type_name
FROM sys.dm_exec_describe_first_result_set(N'SELECT * FROM <table>', NULL, 0)
WHERE is_hidden = 0 AND error_number IS NULL
ORDER BY column_ordinal
"""

_BYTES_AT_ONCE = 8_000
"""Input limit of HASHBYTES before SQL Server 2016, and length at which a `varbinary` other than `max` is cut."""

_HASHES_ANY_LENGTH = (13,)
"""SQL Server 2016. Older versions hash the first and the last 4,000 characters of a longer text, and its length."""

_HASH_BYTES = 32
_MARK_BYTES = 4
_FIXED_BYTES = {
    Family.WHOLE: 8,
    Family.BOOLEAN: 1,
    Family.APPROXIMATE: 8,
    Family.DATE: 16,
    Family.ZONED: 16,
    Family.EXACT: 20,
}
_SIXTEEN_BYTES = frozenset(("time", "uniqueidentifier"))
_MOMENTS = frozenset((Family.DATE, Family.ZONED))


class SqlServer(Server):
    """SQL Server 2012 or newer."""

    quotes: ClassVar[tuple[str, str]] = ("[", "]")
    families: ClassVar[Mapping[str, Family]] = {
        "datetimeoffset": Family.ZONED,
        **each(Family.EXACT, "money", "smallmoney"),
        **each(Family.OTHER, "time", "uniqueidentifier", "xml", "json"),
    }
    unknown_family: ClassVar[Family] = Family.UNREADABLE  # it may have no conversion to text at all
    views_as_text: ClassVar[Mapping[str, str]] = {
        **each("CONVERT(varchar(max), {}, 2)", "binary", "varbinary"),
        # An image has no text, that of a rowversion is its bytes as characters, and that of a sql_variant is rounded.
        "image": "CONVERT(varchar(max), CONVERT(varbinary(max), {}), 2)",
        "timestamp": "CONVERT(bigint, {})",
        "sql_variant": "CONVERT(decimal(19, 4), {})",
        **each("{}.ToString()", "geometry", "geography", "hierarchyid", "clr"),
    }
    view_as_text: ClassVar[str] = "CONVERT(nvarchar(max), {})"
    # A comparison with a day outside is an error.
    days: ClassVar[Mapping[str, tuple[date, date]]] = {
        "datetime": (date(1753, 1, 1), date.max),
        "smalldatetime": (date(1900, 1, 1), date(2079, 6, 6)),
    }
    # SQL Server lists only objects on which the login has a right. U: table, V: view, SN: synonym.
    schemas_query: ClassVar[str] = """
SELECT s.name, CASE WHEN o.object_id = OBJECT_ID(:path) THEN 1 ELSE 0 END
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.name = :name AND o.type IN ('U', 'V', 'SN')
ORDER BY s.name
"""
    describes_errors: ClassVar[bool] = False
    login_query: ClassVar[str] = "SELECT SUSER_SNAME()"
    snapshot_advice: ClassVar[str] = (
        "Allow snapshot isolation in every database that the views read, so that a sync reads one snapshot and never "
        "waits for writers: ALTER DATABASE [{database}] SET ALLOW_SNAPSHOT_ISOLATION ON, and the same for the other "
        "databases"
    )
    hashed_since: ClassVar[tuple[int, ...] | None] = (_OLDEST,)
    digits_of_sums: ClassVar[int] = 38  # a larger sum is an error
    text_type: ClassVar[type[sa.types.TypeEngine[Any]] | None] = sa.NVARCHAR
    reads_bytes: ClassVar[bool] = True
    odbc_packages: ClassVar[OdbcPackages | None] = OdbcPackages(
        "libodbc2 tdsodbc",
        "unixODBC freetds",
        "unixodbc freetds",
        "mssql+pymssql",
        "Microsoft's msodbcsql18 is another driver.",
    )

    def column_types(self, connection: sa.Connection, table: str, schema: str | None = None) -> Mapping[str, str]:
        """Return the type name of each column; spatial and other CLR types have no name."""
        path = self.quoted(table, schema).replace("'", "''")
        found = connection.exec_driver_sql(_COLUMNS.replace("<table>", path))
        return {as_text(column): as_text(type_name or "CLR type") for column, type_name in found if column is not None}

    def set_up(self, connection: sa.Connection, seconds: int) -> bool:
        """Set time limits and, if the database allows it, snapshot isolation; return whether that is the case."""
        version = connection.dialect.server_version_info
        if version is not None and version < (_OLDEST,):
            raise SourceError(
                f"The ERP {place(connection.engine.url)} is a SQL Server of version {'.'.join(map(str, version))}. "
                f"The oldest supported version is SQL Server 2012 (version {_OLDEST}). Nothing was changed."
            )
        dbapi: Any = connection.connection.dbapi_connection
        with contextlib.suppress(Exception):  # not every driver has a limit of its own; ours applies in any case
            dbapi.timeout = seconds
        run_each(
            connection,
            (
                f"SET LOCK_TIMEOUT {self.lock_timeout_seconds * 1000}",
                # In a deadlock the reader should be the victim: the other transaction has more to lose.
                "SET DEADLOCK_PRIORITY LOW",
                "SET TEXTSIZE 2147483647",
            ),
        )
        snapshots = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
        allowed = connection.exec_driver_sql(snapshots).scalar() == 1
        connection.commit()  # the level cannot become SNAPSHOT within a transaction
        if allowed:
            connection.execution_options(isolation_level="SNAPSHOT")
        else:
            read_committed(connection)
        return allowed

    def row_hash(self, columns: Sequence[SourceColumn], version: tuple[int, ...]) -> RowHash:
        """Hash a row with the first 64 bits of a SHA-256 over the columns, each prefixed by its length.

        The columns are cast to bytes, so that neither collations nor formats of numbers and dates matter. Groups of
        columns of at most 8,000 bytes are hashed, then their hashes, so that nothing is cut or becomes a large object.
        """
        groups: list[list[_Piece]] = [[]]
        for column in columns:
            piece = self._hashed(column, version)
            if sum(other.size for other in groups[-1]) + piece.size > _BYTES_AT_ONCE:
                groups.append([])
            groups[-1].append(piece)
        hashes = [_sha256(" + ".join(piece.sql for piece in group)) for group in groups]
        whole = hashes[0] if len(hashes) == 1 else _sha256(" + ".join(hashes))
        bits = f"CONVERT(decimal(38, 0), CONVERT(bigint, SUBSTRING({whole}, 1, 8)))"
        return RowHash.sum_of("sql-server-sha256-1", bits)

    def _hashed(self, column: SourceColumn, version: tuple[int, ...]) -> "_Piece":
        """Return a column as bytes, prefixed by its length; NULL has its own mark."""
        name = self.quote(column.name)
        content = _bytes_of(name, column, version)
        length = f"CONVERT(binary(4), CONVERT(int, DATALENGTH({name})))"
        return _Piece(f"ISNULL({length} + {content.sql}, 0xFFFFFFFF)", content.size + _MARK_BYTES)

    def as_text(self, column: sa.ColumnElement[Any], of: SourceColumn) -> sa.ColumnElement[Any]:
        """Return the text of a column, that of a moment in style 121: ISO 8601 with all digits and the offset."""
        if of.family in _MOMENTS or base_of(of.type) == "time":
            return sa.func.convert(sa.text("nvarchar(34)"), column, sa.text("121"))
        return sa.func.convert(sa.text("nvarchar(max)"), column)  # other types have no styles

    def as_bytes(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the bytes in UTF-16."""
        return sa.cast(sa.cast(column, sa.NVARCHAR()), sa.VARBINARY())

    def decoded(self, content: bytes) -> str:
        """Decode UTF-16 with lone surrogates."""
        return content.decode("utf-16-le", "surrogatepass")

    def count(self, values: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """Return the number of values, which may exceed an `int`."""
        return sa.func.count_big(values)

    def summable(self, column: sa.ColumnElement[Any], type_name: str) -> sa.ColumnElement[Any]:
        """Return a column cast for summing: sums are in the column's own type, so integers and money overflow."""
        if base_of(type_name) in {"decimal", "numeric"}:
            return column
        return sa.cast(column, sa.Numeric(38, 4 if "money" in type_name.lower() else 0))

    def hinted_for_spans(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Let the server plan the statement each time: a plan cached for one month may scan for another."""
        return statement.with_statement_hint("OPTION (RECOMPILE)")

    def hinted_for_fingerprints(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Use one core: it takes longer, but leaves the other cores to the users of the source."""
        return statement.with_statement_hint("OPTION (MAXDOP 1)")

    def bounds(
        self, column: sa.ColumnElement[Any], of: SourceColumn, first: date, after: date | None
    ) -> list[Condition] | None:
        """Compare the day of a `datetimeoffset`, at the cost of the index: the moment would be compared in UTC."""
        return super().bounds(local_day(column) if of.family is Family.ZONED else column, of, first, after)


@dataclass(frozen=True)
class _Piece:
    """SQL of a column's bytes in the hash, and their maximum number."""

    sql: str
    size: int


def _bytes_of(name: str, column: SourceColumn, version: tuple[int, ...]) -> _Piece:
    """Return the bytes of a column's content, given its quoted name."""
    base, length = base_of(column.type), length_of(column.type)
    size = _FIXED_BYTES.get(column.family, 16 if base in _SIXTEEN_BYTES else None)
    if size is None and column.family is Family.TEXT and length is not None:
        size = length * 2 if base.startswith("n") else length
    if size is not None and size + _MARK_BYTES <= _BYTES_AT_ONCE:
        return _Piece(f"CONVERT(varbinary({size}), {name})", size)
    # A type without a length limit or an unknown type is replaced by its own hash.
    text = f"CONVERT(nvarchar(max), {name})"
    if version >= _HASHES_ANY_LENGTH:
        return _Piece(_sha256(f"CONVERT(varbinary(max), {text})"), _HASH_BYTES)
    ends = (_sha256(f"CONVERT(varbinary(8000), {end}({text}, 4000))") for end in ("LEFT", "RIGHT"))
    return _Piece(" + ".join(ends), 2 * _HASH_BYTES)


def _sha256(sql: str) -> str:
    """Return the hash of bytes, declared with its true length instead of `varbinary(8000)`."""
    return f"CONVERT(varbinary({_HASH_BYTES}), HASHBYTES('SHA2_256', {sql}))"
