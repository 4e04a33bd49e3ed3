"""SQL Server."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family, base_of, each, length_of
from ledger_pipelines.sources.dialects import causes as common
from ledger_pipelines.sources.dialects.base import Column, Condition, Server
from ledger_pipelines.sources.dialects.causes import Cause
from ledger_pipelines.sources.dialects.parts import (
    OdbcPackages,
    RowHash,
    SourceColumn,
    Span,
    local_day,
    name_of,
    read_committed,
)
from ledger_pipelines.sources.errors import (
    SnapshotRefusedError,
    SourceError,
    SourceInterruptedError,
    SourceUnreachableError,
    place,
)

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

    quotes = ("[", "]")
    families: ClassVar[Mapping[str, Family]] = {
        "datetimeoffset": Family.ZONED,
        **each(Family.EXACT, "money", "smallmoney"),
        **each(Family.OTHER, "time", "uniqueidentifier", "xml", "json"),
    }
    unknown_family = Family.UNREADABLE  # it may have no conversion to text at all
    views_as_text: ClassVar[Mapping[str, str]] = {
        **each("CONVERT(varchar(max), {}, 2)", "binary", "varbinary"),
        # An image has no text, that of a rowversion is its bytes as characters, and that of a sql_variant is rounded.
        "image": "CONVERT(varchar(max), CONVERT(varbinary(max), {}), 2)",
        "timestamp": "CONVERT(bigint, {})",
        "sql_variant": "CONVERT(decimal(19, 4), {})",
        **each("{}.ToString()", "geometry", "geography", "hierarchyid", "clr"),
    }
    view_as_text = "CONVERT(nvarchar(max), {})"
    # A comparison with a day outside is an error.
    days: ClassVar[Mapping[str, tuple[date, date]]] = {
        "datetime": (date(1753, 1, 1), date.max),
        "smalldatetime": (date(1900, 1, 1), date(2079, 6, 6)),
    }
    # SQL Server lists only objects on which the login has a right. U: table, V: view, SN: synonym.
    schemas_query = """
SELECT s.name, CASE WHEN o.object_id = OBJECT_ID(:path) THEN 1 ELSE 0 END
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.name = :name AND o.type IN ('U', 'V', 'SN')
ORDER BY s.name
"""
    describes_errors = False
    login_query = "SELECT SUSER_SNAME()"
    snapshot_advice = (
        "Allow snapshot isolation in every database that the views read, so that a sync reads one snapshot and never "
        "waits for writers: ALTER DATABASE [{database}] SET ALLOW_SNAPSHOT_ISOLATION ON, and the same for the other "
        "databases"
    )
    hashed_since = (_OLDEST,)
    digits_of_sums = 38  # a larger sum is an error
    count = sa.func.count_big
    text_type = sa.NVARCHAR
    reads_bytes = True
    hint_for_spans = "OPTION (RECOMPILE)"  # a plan cached for one month may scan for another
    hint_for_fingerprints = "OPTION (MAXDOP 1)"  # one core takes longer, but leaves the others to the ERP's users
    causes = (
        common.UNTRUSTED.with_option(
            "If you control the network between the two, any certificate can be trusted",
            pyodbc=("TrustServerCertificate", "yes"),
        ),
        common.NO_COMMON_ENCRYPTION.at_server(words=r"SSL Provider").with_option(
            "FreeTDS may support older versions", pyodbc=("driver", "FreeTDS")
        ),
        Cause(
            "The server offers no encryption, which this driver requires. Enable it at the server.",
            words=r"encryption not supported",
        ).with_option(
            "If you control the network between the two, it can be read without encryption", pyodbc=("Encrypt", "no")
        ),
        Cause(
            "The server answered, but ended the login: it is stopping or starting, or the two support no common "
            'encryption (docs/erp.md, "A server without TLS 1.2").',
            # FreeTDS: "connection failed", as opposed to 20009, "unavailable".
            numbers=(20002,),
            raised=SourceUnreachableError,
        ),
        common.NO_DRIVER,
        # Before the login: the server adds "Login failed" to the message that it cannot open the database.
        common.WRONG_DATABASE.at_server(4060, 911, 916),
        common.WRONG_LOGIN.at_server(18456, 18452, 18470, 18486, 18487, 18488),
        common.DENIED.at_server(229, 230, 300),
        common.NO_TABLE.at_server(208),
        common.NO_COLUMN.at_server(207, 4413, 4502),
        Cause(
            "The connected database allows snapshots, but something that this view reads does not: another database, a "
            "linked server, or a memory-optimized table.",
            numbers=(3952, 7420, 41332),
            raised=SnapshotRefusedError,
        ),
        Cause(
            "The availability group has no replica for read-only connections. Let a secondary be readable.",
            numbers=(979, 982),
        ).with_option(
            "Or read the primary replica",
            pyodbc=("ApplicationIntent", "ReadWrite"),
            pymssql=("read_only", "false"),
        ),
        Cause(
            "This replica of the availability group accepts read-only connections only.",
            numbers=(978,),
        ).with_option("Open one", pyodbc=("ApplicationIntent", "ReadOnly"), pymssql=("read_only", "true")),
        Cause(
            "This replica of the availability group is not readable. Let it be readable, or name the listener of the "
            "group in LEDGER_ERP_URL.",
            numbers=(976,),
        ),
        Cause("The availability group is failing over. Try again.", numbers=(983, 988), raised=SourceInterruptedError),
        # FreeTDS: "Adaptive Server connection timed out", also raised when a statement exceeds its time limit.
        common.TOO_LONG.at_server(20003),
        common.CONFLICT.at_server(1205, 1222, 3960, 3961, 3966),
        Cause(
            "SQL Server is out of memory, locks or space for row versions at the moment. Try again.",
            numbers=(701, 1204, 3958, 3967, 8645),
            raised=SourceInterruptedError,
        ),
        common.LOST.at_server(
            *(20004, 20006, 20017, 20047),  # FreeTDS: read failed, write failed, closed by the server, closed
            *(233, 596, 601, 6005, 6006, 10053, 10054, 10060, 17830, 40197, 40501, 40613),
            words=r"(?:Read from|Write to) the server failed|Unexpected EOF from the server|DBPROCESS is dead"
            # FreeTDS by ODBC gives no other reason for a connection that was reset.
            r"|\[FreeTDS\]\[SQL Server\]Unknown error",
            vague=("24000",),  # FreeTDS: an invalid state of the cursor follows after a lost connection
        ),
    )
    usual_port = 1433
    instance_advice = (
        "SQL Server Browser (UDP port 1434) must run there, to tell the port of {instance}. Or write the port instead "
        "of the instance, for example {port}: {setting}."
    )
    finds_odbc_driver = True
    odbc_packages = OdbcPackages(
        "libodbc2 tdsodbc",
        "unixODBC freetds",
        "unixodbc freetds",
        "mssql+pymssql",
        "Microsoft's msodbcsql18 is another driver.",
    )

    def normalised(self, url: sa.URL) -> sa.URL:
        """Return a URL with `%5C` in `host%5CINSTANCE` decoded; a port makes the instance needless."""
        if url.host is None:
            return url
        host = re.sub(r"(?i)%5c", r"\\", url.host)
        return url.set(host=host.partition("\\")[0] if url.port else host)

    def column_types(self, connection: sa.Connection, table: str, schema: str | None = None) -> Mapping[str, str]:
        """Return the type name of each column; spatial and other CLR types have no name."""
        path = self.quoted(table, schema).replace("'", "''")
        found = connection.exec_driver_sql(_COLUMNS.replace("<table>", path))
        return {name_of(column): name_of(type_name or "CLR type") for column, type_name in found if column is not None}

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
        for statement in (
            f"SET LOCK_TIMEOUT {self.lock_timeout_seconds * 1000}",
            # In a deadlock the reader should be the victim: the other transaction has more to lose.
            "SET DEADLOCK_PRIORITY LOW",
            "SET TEXTSIZE 2147483647",
        ):
            connection.exec_driver_sql(statement)
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
        pieces = [self._hashed(column, version) for column in columns]
        for piece in pieces:
            if sum(other.size for other in groups[-1]) + piece.size > _BYTES_AT_ONCE:
                groups.append([])
            groups[-1].append(piece)
        hashes = [_sha256(" + ".join(piece.sql for piece in group)) for group in groups]
        whole = hashes[0] if len(hashes) == 1 else _sha256(" + ".join(hashes))
        bits = f"CONVERT(decimal(38, 0), CONVERT(bigint, SUBSTRING({whole}, 1, 8)))"
        return RowHash.sum_of("sql-server-sha256-1", bits, complete=all(piece.complete for piece in pieces))

    def _hashed(self, column: SourceColumn, version: tuple[int, ...]) -> "_Piece":
        """Return a column as bytes, prefixed by its length; NULL has its own mark."""
        name = self.quote(column.name)
        content = _bytes_of(name, column, version)
        length = f"CONVERT(binary(4), CONVERT(int, DATALENGTH({name})))"
        sql = f"ISNULL({length} + {content.sql}, 0xFFFFFFFF)"
        return replace(content, sql=sql, size=content.size + _MARK_BYTES)

    def as_text(self, column: Column, of: SourceColumn) -> Column:
        """Return the text of a column, that of a moment in style 121: ISO 8601 with all digits and the offset."""
        if of.family in _MOMENTS or base_of(of.type) == "time":
            return sa.func.convert(sa.text("nvarchar(34)"), column, sa.text("121"))
        return sa.func.convert(sa.text("nvarchar(max)"), column)  # other types have no styles

    def as_bytes(self, column: Column) -> Column:
        """Return the bytes in UTF-16."""
        return sa.cast(sa.cast(column, sa.NVARCHAR()), sa.VARBINARY())

    def decoded(self, content: bytes) -> str:
        """Decode UTF-16 with lone surrogates."""
        return content.decode("utf-16-le", "surrogatepass")

    def summable(self, column: Column, type_name: str) -> Column:
        """Return a column cast for summing: sums are in the column's own type, so integers and money overflow."""
        if base_of(type_name) in {"decimal", "numeric"}:
            return column
        return sa.cast(column, sa.Numeric(38, 4 if "money" in type_name.lower() else 0))

    def bounds(self, column: Column, of: SourceColumn, span: Span) -> list[Condition] | None:
        """Compare the day of a `datetimeoffset`, at the cost of the index: the moment would be compared in UTC."""
        return super().bounds(local_day(column) if of.family is Family.ZONED else column, of, span)


@dataclass(frozen=True)
class _Piece:
    """SQL of a column's bytes in the hash, their maximum number, and whether every character takes part."""

    sql: str
    size: int
    complete: bool = True


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
    return _Piece(" + ".join(ends), 2 * _HASH_BYTES, complete=length is not None)


def _sha256(sql: str) -> str:
    """Return the hash of bytes, declared with its true length instead of `varbinary(8000)`."""
    return f"CONVERT(varbinary({_HASH_BYTES}), HASHBYTES('SHA2_256', {sql}))"
