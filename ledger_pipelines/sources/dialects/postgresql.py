"""PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family, base_of
from ledger_pipelines.sources.dialects import causes as common
from ledger_pipelines.sources.dialects.base import Column, Condition, Server
from ledger_pipelines.sources.dialects.parts import (
    OdbcPackages,
    RowHash,
    SourceColumn,
    Span,
    day_parameter,
    first_of,
)
from ledger_pipelines.sources.erp.catalogue import Kind

# Not numbers: the hash of a decimal ignores its sign and trailing zeros, that of a bigint is the same for 1 and 2^32.
_HASHED_AS_THEY_ARE = frozenset((Family.DATE, Family.BOOLEAN))
_TEXTS_OF_BYTES = frozenset(("character", "varchar", "text"))

# PostgreSQL has days before the year 1, days after 9999, and infinity; Python's calendar and ours do not.
_EARLIEST = sa.literal_column("DATE '0001-01-01'", sa.Date)
_TOO_LATE = sa.literal_column("DATE '10000-01-01'", sa.Date)


class PostgreSql(Server):
    """PostgreSQL."""

    families: ClassVar[Mapping[str, Family]] = {"money": Family.EXACT}
    views_as_text: ClassVar[Mapping[str, str]] = {"bytea": "encode({}, 'hex')"}
    columns_query = """
SELECT a.attname, format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid),
                              CASE WHEN t.typbasetype <> 0 THEN t.typtypmod ELSE a.atttypmod END)
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass(:path) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
    schemas_query = """
SELECT n.nspname, CASE WHEN c.oid = to_regclass(:path) THEN 1 ELSE 0 END
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = :name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
ORDER BY n.nspname
"""
    login_query = "SELECT current_user"
    clock_query = "SELECT current_setting('TimeZone'), localtimestamp(0), timezone('UTC', now())::timestamp(0)"
    explains_plans = True
    hashed_since = (14,)
    measured_type = sa.TEXT  # a number or a date has no length, and a boolean no minimum
    text_type = sa.TEXT
    causes = (
        common.UNTRUSTED,
        common.NO_COMMON_ENCRYPTION,
        common.NO_DRIVER,
        common.WRONG_DATABASE.at_server(words=r"database \".*\" does not exist"),
        common.WRONG_LOGIN.at_server(
            words=r"password authentication failed|no password supplied|no pg_hba.conf entry|role \".*\" does not exist"
        ),
        common.DENIED.at_server(states=("42501",)),
        common.NO_TABLE.at_server(states=("42P01",)),
        common.NO_COLUMN.at_server(states=("42703",)),
        common.TOO_LONG.at_server(states=("57014",)),
        common.CONFLICT.at_server(states=("55P03", "25P03")),
        common.LOST.at_server(
            states=("57P", "53300"),
            words=r"server closed the connection|terminating connection|consuming input failed|sending query failed"
            r"|could not receive data",
        ),
    )
    odbc_packages = OdbcPackages(
        "libodbc2 odbc-postgresql", "unixODBC postgresql-odbc", "unixodbc psqlodbc", "postgresql"
    )

    def zone_option(self, driver: str, zone: str, offset: str) -> str:  # noqa: ARG002 - every driver has this option
        """Return the option by the name of the zone."""
        return f"options=-c%20timezone={zone}"

    def current_schema(self, connection: sa.Connection) -> str | None:
        """Return the first schema of the search path that exists."""
        schema: str | None = connection.scalar(sa.text("SELECT current_schema()"))
        return schema

    def uses_index(self, connection: sa.Connection, table: str, column: str, value: str) -> bool | None:
        """Return whether the plan uses an index for the condition, with sequential scans disabled."""
        connection.rollback()
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = f"SELECT id FROM {table} WHERE {column} > '{value}'"  # noqa: S608 - of constants
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {rows}").scalar()
        connection.rollback()
        return any(value in found for found in _index_conditions(plan))

    def set_up(self, connection: sa.Connection, seconds: int) -> bool:
        """Begin a read-only transaction that is one snapshot."""
        for statement in (
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            f"SET LOCAL statement_timeout = '{seconds}s'",
            f"SET LOCAL lock_timeout = '{self.lock_timeout_seconds}s'",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            # Every row of a cursor is fetched, so a plan that is optimised for the first rows would be slower.
            "SET LOCAL cursor_tuple_fraction = 1",
            "SET LOCAL datestyle = 'ISO'",
        ):
            connection.exec_driver_sql(statement)
        return True

    def row_hash(self, columns: Sequence[SourceColumn], version: tuple[int, ...]) -> RowHash:  # noqa: ARG002
        """Hash a row with `hash_record_extended` (64 bits, since PostgreSQL 14), and hash the result again.

        The record hash alone is a weighted sum of the columns' hashes. Summed over rows, it would not change when two
        rows swap a value. Texts are hashed in the collation "C": one that ignores case would hash `a` and `A` the same.
        """
        row = ", ".join(map(self._hashed, columns))
        mixed = f"hashtextextended(CAST(hash_record_extended(ROW({row}), 0) AS text), 0)"
        return RowHash.sum_of("postgresql-record-2", f"CAST({mixed} AS numeric)")

    def _hashed(self, column: SourceColumn) -> str:
        """Return a column as it is hashed.

        Some types have no hash (json, bit, money), or one that ignores differences (citext). That of a moment ignores
        the session's time zone, on which its day depends.
        """
        name, base = self.quote(column.name), base_of(column.type)
        if column.family in _HASHED_AS_THEY_ARE and base not in {"bit", "money"}:
            return name
        if column.family is Family.APPROXIMATE:
            return f"float8send({name})"  # the hash of a number is the same for 0 and -0
        text = name if base in _TEXTS_OF_BYTES else f"CAST({name} AS text)"
        return f'{text} COLLATE "C"'

    def selected(self, column: Column, of: SourceColumn, kind: Kind) -> Column:
        """Return a column; as a number if it is money, of which drivers return text with a currency."""
        return sa.cast(column, sa.Numeric) if base_of(of.type) == "money" else super().selected(column, of, kind)

    def day(self, columns: Sequence[Column]) -> Column:
        """Return the day if it is within the calendar."""
        first = first_of(columns)
        return sa.case((sa.and_(first >= _EARLIEST, first < _TOO_LATE), sa.cast(first, sa.DATE)))

    def bounds(self, column: Column, of: SourceColumn, span: Span) -> list[Condition] | None:  # noqa: ARG002
        """Return both bounds, also where the span has none."""
        if span.after is not None and span.after <= date.min:
            return None
        after = _TOO_LATE if span.after is None else day_parameter(span.after)
        return [column >= day_parameter(span.first), column < after]

    def is_no_day(self, column: Column) -> Condition | None:
        """Return the condition that a day is outside the calendar."""
        return sa.or_(column < _EARLIEST, column >= _TOO_LATE)


def _index_conditions(plan: Any) -> Iterator[str]:
    """Yield the index conditions of a plan."""
    for part in plan if isinstance(plan, list) else [plan]:
        if "Index Cond" in part:
            yield part["Index Cond"]
        yield from _index_conditions(part.get("Plans", [])) if "Plan" not in part else _index_conditions(part["Plan"])
