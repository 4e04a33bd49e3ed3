"""MySQL and MariaDB."""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import Family, base_of, each
from ledger_pipelines.sources.dialects import causes as common
from ledger_pipelines.sources.dialects.base import Column, Condition, Server
from ledger_pipelines.sources.dialects.parts import OdbcPackages, RowHash, SourceColumn, Span, first_of
from ledger_pipelines.sources.erp.catalogue import Kind

LONGEST_TEXT = 100_001
"""Number of characters read of a text as bytes: a function's result beyond the packet size becomes NULL."""

_LONG = frozenset(("text", "mediumtext", "longtext", "json", "blob", "mediumblob", "longblob"))


class MySql(Server):
    """MySQL or MariaDB; a schema is a database."""

    quotes = ("`", "`")
    families: ClassVar[Mapping[str, Family]] = {"timestamp": Family.ZONED, "year": Family.WHOLE}
    family_of_bits = Family.WHOLE
    views_as_text: ClassVar[Mapping[str, str]] = {
        **each("HEX({})", "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"),
        **each("ST_AsText({})", "geometry", "point", "linestring", "polygon", "geometrycollection", "geomcollection"),
        **each("ST_AsText({})", "multipoint", "multilinestring", "multipolygon"),
    }
    columns_query = """
SELECT column_name, column_type FROM information_schema.columns
WHERE table_schema = coalesce(:schema, database()) AND table_name = :name
ORDER BY ordinal_position
"""
    schemas_query = """
SELECT table_schema, CASE WHEN table_schema = coalesce(:schema, database()) THEN 1 ELSE 0 END
FROM information_schema.tables
WHERE table_name = :name AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
ORDER BY table_schema
"""
    url_names_schema = True
    login_query = "SELECT CURRENT_USER()"
    clock_query = (
        "SELECT IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone), NOW(), UTC_TIMESTAMP()"
    )
    hides_columns = True
    explains_plans = True
    hashed_since = ()
    digits_of_sums = 65  # MariaDB returns the largest number for a larger sum
    text_type = sa.CHAR
    reads_bytes = True
    causes = (
        common.UNTRUSTED,
        common.NO_COMMON_ENCRYPTION,
        common.NO_DRIVER,
        common.WRONG_DATABASE.at_server(1044, 1049),
        common.WRONG_LOGIN.at_server(1045, 1698),
        common.DENIED.at_server(1142, 1143, 1370, 1356),
        common.NO_TABLE.at_server(1146),
        common.NO_COLUMN.at_server(1054),
        common.TOO_LONG.at_server(1969, 3024, 1317),
        common.CONFLICT.at_server(1205, 1213, 1412, 3572),
        common.LOST.at_server(1040, 1053, 1077, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2055),
    )
    odbc_packages = OdbcPackages(
        "libodbc2 odbc-mariadb", "unixODBC mariadb-connector-odbc", "unixodbc mariadb-connector-odbc", "mysql+pymysql"
    )

    def title_of(self, dialect: Dialect) -> str:
        """Return the name of the server, since the URL of a MariaDB may call it MySQL."""
        return "MariaDB" if getattr(dialect, "is_mariadb", False) else self.title

    def zone_option(self, driver: str, zone: str, offset: str) -> str:  # noqa: ARG002 - the server may know no names
        """Return the option by the offset of the zone."""
        name = "initstmt" if driver == "pyodbc" else "init_command"
        return f"{name}=SET%20time_zone%3D%27{quote(offset)}%27"

    def account(self, dialect: Dialect, login: str) -> str:  # noqa: ARG002 - quoted in its own way
        """Return the user and the host of a session."""
        user, _, host = login.rpartition("@")
        return f"'{user}'@'{host}'"

    def current_schema(self, connection: sa.Connection) -> str | None:
        """Return the database."""
        return connection.engine.url.database

    def uses_index(self, connection: sa.Connection, table: str, column: str, value: str) -> bool | None:
        """Return whether the condition adds a possible key to the plan."""
        rows, condition = f"SELECT id FROM {table}", f"{column} > '{value}'"  # noqa: S608 - of constants
        try:
            without, narrowed = (
                {
                    key
                    for row in connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}").mappings()
                    for key in (row["possible_keys"] or "").split(",")
                }
                for statement in (rows, f"{rows} WHERE {condition}")
            )
        except sa.exc.DBAPIError:  # the plan of a view needs rights to its underlying tables
            connection.rollback()
            return None
        return bool(narrowed - without)

    def set_up(self, connection: sa.Connection, seconds: int) -> bool:
        """Begin a read-only transaction that is one snapshot."""
        for statement in (
            # A server-side limit would include the time in which we process the rows; our own limit is used.
            f"SET SESSION net_write_timeout = {max(seconds, 60)}",
            f"SET SESSION lock_wait_timeout = {self.lock_timeout_seconds}",
            # Days such as 0000-00-00 are returned unchanged in this mode, whatever the server's default is.
            "SET SESSION sql_mode = ''",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ):
            connection.exec_driver_sql(statement)
        return True

    def row_hash(self, columns: Sequence[SourceColumn], version: tuple[int, ...]) -> RowHash:  # noqa: ARG002
        """Hash a row with the first 64 bits of an MD5 over the columns, each prefixed by its length.

        The columns are cast to bytes, so that no collation matters. A long text is replaced by its own MD5: the server
        returns NULL for a joined text beyond `max_allowed_packet`.
        """
        pieces = ", ".join(map(self._hashed, columns))
        bits = f"CAST(CONV(LEFT(MD5(CONCAT({pieces})), 16), 16, 10) AS UNSIGNED)"
        return RowHash.sum_of("mysql-md5-1", bits)

    def _hashed(self, column: SourceColumn) -> str:
        name = self.quote(column.name)
        if base_of(column.type) in _LONG:
            return f"COALESCE(MD5({name}), '-')"
        return f"COALESCE(CONCAT(LENGTH({name}), ':', CAST({name} AS BINARY)), '-')"

    def selected(self, column: Column, of: SourceColumn, kind: Kind) -> Column:
        """Return a column; as a number if it holds bits, of which some drivers return bytes."""
        if base_of(of.type) == "bit":
            return sa.cast(column, mysql.INTEGER(unsigned=True))
        return super().selected(column, of, kind)

    def as_bytes(self, column: Column) -> Column:
        """Return the bytes in UTF-8."""
        cut = sa.func.left(column, sa.literal_column(str(LONGEST_TEXT)))
        return sa.cast(sa.func.convert(cut.op("USING")(sa.literal_column("utf8mb4"))), sa.BINARY)

    def decoded(self, content: bytes) -> str:
        """Decode UTF-8 with lone surrogates; if that fails, map each invalid byte to a surrogate."""
        try:
            return content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return content.decode("utf-8", "surrogateescape")

    def day(self, columns: Sequence[Column]) -> Column:
        """Return the day if it is one of the calendar."""
        first = first_of(columns)
        return sa.case((_product(first) > 0, sa.cast(first, sa.DATE)))

    def bounds(self, column: Column, of: SourceColumn, span: Span) -> list[Condition] | None:
        """Add a condition that drops 2025-02-00, which MySQL sorts into January; the others use the index."""
        bounds = super().bounds(column, of, span)
        return None if bounds is None else [*bounds, _product(column) > 0]

    def is_no_day(self, column: Column) -> Condition | None:
        """Return the condition that a day has no year, month or day."""
        return _product(column) == 0


def _product(column: Column) -> sa.ColumnElement[int]:
    """Return an expression that is 0 for a day that only MySQL has: without a year, a month or a day."""
    parts = (sa.func.year(column), sa.func.month(column), sa.func.dayofmonth(column))
    return sa.type_coerce(parts[0] * parts[1] * parts[2], sa.Integer)
