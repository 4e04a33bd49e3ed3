"""Statements for the ERP: selections of rows by day, and fingerprints of each day's rows.

They are composed here for every kind of server, and run elsewhere. Names are always quoted, in the server's spelling.
The hash of a row is in `hashes.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import (
    MARIADB,
    MYSQL,
    POSTGRESQL,
    SQL_SERVER,
    Family,
    Shape,
    days_of,
    digits_of,
)
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.hashes import row_hash
from ledger_pipelines.sources.erp.selection import local_day, selected
from ledger_pipelines.sources.erp.spans import Span, Wanted, merged
from ledger_pipelines.sources.erp.texts import as_bytes, readable_by_bytes

SPANS_AT_ONCE = 100
"""Maximum spans in a statement. Each needs two parameters per month column; SQL Server allows 2,100 in total."""

_DIGITS_OF_SUMS = {SQL_SERVER: 38, MYSQL: 65, MARIADB: 65}
"""Maximum digits of a sum of decimals. A larger sum is an error at SQL Server; MariaDB returns the largest number."""

_DIGITS_OF_ROWS = 9
"""Digits of a sum that stay free for the number of rows: a billion of the largest values can be added."""

Condition = sa.ColumnElement[bool]


class Statements:
    """Statements for one table of the ERP."""

    def __init__(self, table: ErpTable, shape: Shape) -> None:
        self._table = table
        self._shape = shape
        named = _named(table, *(sa.column(_quoted(shape.names[column])) for column in table.names))
        # SQL Server deprecates columns named with table and schema, so the alias stands for both.
        self._source: sa.FromClause = named if table.schema is None else named.alias(_quoted(table.name))
        self._values = {
            column.name: selected(column, self._source.c[shape.names[column.name]], shape) for column in table.columns
        }
        self._days = [sa.column(_quoted(shape.names[name]), sa.Date) for name in table.month_columns]

    def rows(self, wanted: Wanted, *, by_bytes: bool = False) -> Iterator[sa.Select[Any]]:
        """Yield statements that together select each wanted row once.

        Args:
            wanted: Rows to select.
            by_bytes: Whether to select texts as bytes, which `with_texts` decodes.

        Raises:
            ValueError: rows are selected by day, but the table has no days.
        """
        in_bytes = self.read_by_bytes if by_bytes else ()
        columns = self._values.items()
        everything = sa.select(*(as_bytes(of, self._shape) if name in in_bytes else of for name, of in columns))
        if wanted.everything:
            yield everything
            return
        for condition in self.conditions(wanted):
            # Number and length of the spans differ each time: a plan cached for one month may scan for another.
            yield everything.where(condition).with_statement_hint("OPTION (RECOMPILE)", SQL_SERVER)

    def conditions(self, wanted: Wanted) -> Iterator[Condition]:
        """Yield conditions, each for a statement of its own, that together select each wanted row once.

        Raises:
            ValueError: rows are selected by day, but the table has no days.
        """
        if not self._shape.dated and (wanted.spans or wanted.undated):
            raise ValueError(f"{self._table.name} has no dates to read it by")
        spans = merged(wanted.spans)
        for start in range(0, max(len(spans), 1), SPANS_AT_ONCE):
            undated = [self._undated()] if wanted.undated and start == 0 else []
            if alternatives := [*undated, *self._within(spans[start : start + SPANS_AT_ONCE])]:
                yield sa.or_(*alternatives)

    @property
    def read_by_bytes(self) -> frozenset[str]:
        """Columns whose texts can be read as bytes."""
        return readable_by_bytes(self._table.names, self._shape)

    def no_rows(self) -> sa.Select[Any]:
        """Return a query without rows that fails if the columns may not be read."""
        return sa.select(*self._values.values()).where(sa.literal_column("1") == sa.literal_column("0"))

    @staticmethod
    def nothing_of(table: ErpTable) -> sa.Select[Any]:
        """Return a query without rows that fails if the table is missing, broken or not readable."""
        nothing = sa.literal_column("1") == sa.literal_column("0")
        return sa.select(sa.literal_column("*")).select_from(_named(table)).where(nothing)

    def fingerprints(self, within: Condition | None = None) -> sa.Select[Any]:
        """One row a day: the day (NULL for rows without one), the number of rows, the sums, the parts of the digest.

        Then follows the number of values of each column in `sum_limits` that are not in its sum. A table without dates
        yields a single row with the day NULL.

        Args:
            within: Restricts a table with days to the rows of a condition of `conditions`.
        """
        day = self._day() if self._shape.dated else sa.null()
        count = sa.func.count_big if self._shape.dialect == SQL_SERVER else sa.func.count
        # The sum of no rows stays NULL: COALESCE with 0 could reduce the digits of the common type.
        limited = {name: sa.case((self._is_below_limit(name), self._summable(name))) for name in self.sum_limits}
        sums = [sa.func.sum(limited.get(name, self._summable(name))) for name in self.summed]
        beyond = [sa.case((~self._is_below_limit(name), sa.literal_column("1"))) for name in self.sum_limits]
        statement = sa.select(
            day.label("day"),
            count(sa.literal_column("*")).label("row_count"),
            *(total.label(f"sum_{position}") for position, total in enumerate(sums)),
            *(part.label(f"part_{position}") for position, part in enumerate(self._parts())),
            *(count(one).label(f"beyond_{position}") for position, one in enumerate(beyond)),
        ).select_from(self._source)
        # It reads and hashes every row: on one core it takes longer, but leaves the other cores to the ERP's users.
        statement = statement.with_statement_hint("OPTION (MAXDOP 1)", SQL_SERVER)
        if not self._shape.dated:
            return statement
        return statement.where(*([] if within is None else [within])).group_by(day)

    @cached_property
    def summed(self) -> tuple[str, ...]:
        """Decimal columns whose sums are exact."""
        return tuple(name for name in self._table.amounts if self._shape.family(name).is_exact)

    @cached_property
    def sum_limits(self) -> dict[str, Decimal]:
        """Summed columns whose sum may exceed the server's digits; only their values below this limit are added."""
        most = _DIGITS_OF_SUMS.get(self._shape.dialect, 0) - _DIGITS_OF_ROWS
        digits = ((name, *digits_of(self._shape.types[name])) for name in self.summed)
        return {name: Decimal(1).scaleb(most - scale) for name, precision, scale in digits if precision > most > 0}

    @cached_property
    def shows_every_change(self) -> bool:
        """Whether the digest of a day depends on every character of every compared column."""
        how = row_hash(self._table.compared, self._shape)
        return how is not None and how.complete

    @cached_property
    def algorithm(self) -> str:
        """Name of the digest's algorithm, with the types of the columns and whether they are converted.

        The schema is left out: equal rows of another schema need not be read again, and other rows differ in the rest.
        """
        how = row_hash(self._table.compared, self._shape)
        columns = ",".join(
            f"{name} {self._shape.types[name]}{'' if isinstance(self._values[name], sa.ColumnClause) else ' converted'}"
            for name in self._table.compared
        )
        return f"{'extremes-1' if how is None else how.name}({columns})"

    def _parts(self) -> list[sa.ColumnElement[Any]]:
        """Return the parts of a digest other than the count and the sums."""
        how = row_hash(self._table.compared, self._shape)
        if how is not None:
            return [how.total]
        columns: list[sa.ColumnElement[Any]] = [
            self._source.c[self._shape.names[name]] for name in self._table.compared
        ]
        if self._shape.dialect == POSTGRESQL:  # it has no length of a number or date, and no minimum of a boolean
            columns = [sa.cast(column, sa.TEXT) for column in columns]
        return [
            measure
            for column in columns
            for measure in (
                sa.func.count(column),
                sa.func.min(column),
                sa.func.max(column),
                sa.func.sum(sa.func.length(column)),
            )
        ]

    def _summable(self, name: str) -> sa.ColumnElement[Any]:
        """Return a column cast for summing: SQL Server sums in the column's own type; integers and money overflow."""
        column = self._values[name]
        if self._shape.dialect != SQL_SERVER or self._shape.types[name].lower().startswith(("decimal", "numeric")):
            return column
        return sa.cast(column, sa.Numeric(38, 4 if "money" in self._shape.types[name].lower() else 0))

    def _is_below_limit(self, name: str) -> Condition:
        """Return the condition that the magnitude of a value is below its column's sum limit."""
        limit: sa.ColumnElement[Any] = sa.literal_column(f"{self.sum_limits[name]:f}")
        # In the column's own type the comparison is exact: a common type could round or overflow.
        own_type = sa.Numeric(*digits_of(self._shape.types[name]))
        return sa.func.abs(self._summable(name)) < sa.cast(limit, own_type)

    def _day(self) -> sa.ColumnElement[Any]:
        """Return the expression of a row's day; NULL if it has none."""
        if self._shape.dialect in {MYSQL, MARIADB}:
            first = _first_of(self._days)
            return sa.case((_product(first) > 0, sa.cast(first, sa.DATE)))
        if self._shape.dialect == POSTGRESQL:
            first = _first_of(self._days)
            return sa.case((sa.and_(first >= _EARLIEST, first < _TOO_LATE), sa.cast(first, sa.DATE)))
        # Each column is cast separately: their common type may not hold the days of each.
        return _first_of([sa.cast(column, sa.DATE) for column in self._days])

    def _within(self, spans: Sequence[Span]) -> list[Condition]:
        """Return the alternative conditions that the day is within one of some spans; none if that is impossible.

        A month column is compared with the spans only where the columns before it are null. One condition per span,
        with all columns, would be tested span by span for every row: many times as slow.
        """
        within: list[Condition] = []
        for name, column in reversed([*zip(self._table.month_columns, self._days, strict=True)]):
            later = [sa.and_(column.is_(None), sa.or_(*within))] if within else []
            bounds = (self._bounds(name, column, span) for span in spans)
            within = [*(sa.and_(*each) for each in bounds if each), *later]
        return within

    def _bounds(self, name: str, column: sa.ColumnClause[Any], span: Span) -> list[Condition]:
        """Return the conditions on one month column, without a function around it, which would prevent index use."""
        earliest, latest = days_of(self._shape.types[name], self._shape.dialect)
        compared: sa.ColumnElement[Any] = column
        if self._shape.dialect == SQL_SERVER and self._shape.family(name) is Family.ZONED:
            compared = local_day(column)  # at the cost of the index: a `datetimeoffset` would be compared in UTC
        if span.first > latest or (span.after is not None and span.after <= earliest):
            return []
        bounds: list[Condition] = []
        if span.first > earliest or self._shape.dialect == POSTGRESQL:
            bounds.append(compared >= _parameter(span.first))
        if span.after is not None and span.after <= latest:
            bounds.append(compared < _parameter(span.after))
        elif self._shape.dialect == POSTGRESQL:
            bounds.append(column < _TOO_LATE)
        if self._shape.dialect in {MYSQL, MARIADB}:
            # The range above uses the index; this condition drops 2025-02-00, which MySQL sorts into January.
            bounds.append(_product(column) > 0)
        return bounds or [column.is_not(None)]

    def _undated(self) -> Condition:
        """Return the condition that a row has no day."""
        conditions: list[Condition] = [sa.and_(*(column.is_(None) for column in self._days))]
        for position, column in enumerate(self._days):
            impossible = self._is_no_day(column)
            if impossible is not None:
                conditions.append(sa.and_(*(before.is_(None) for before in self._days[:position]), impossible))
        return sa.or_(*conditions)

    def _is_no_day(self, column: sa.ColumnClause[Any]) -> Condition | None:
        """Return the condition that a value other than null is no day of the calendar; None if that is impossible."""
        if self._shape.dialect in {MYSQL, MARIADB}:
            return _product(column) == 0
        if self._shape.dialect == POSTGRESQL:
            return sa.or_(column < _EARLIEST, column >= _TOO_LATE)
        return None


# PostgreSQL has days before the year 1, days after 9999, and infinity; Python's calendar and ours do not.
_EARLIEST = sa.literal_column("DATE '0001-01-01'", sa.Date)
_TOO_LATE = sa.literal_column("DATE '10000-01-01'", sa.Date)


def _named(table: ErpTable, *columns: sa.ColumnClause[Any]) -> sa.TableClause:
    """Return a table under its name at the ERP, with the schema if it is set."""
    return sa.table(_quoted(table.name), *columns, schema=None if table.schema is None else _quoted(table.schema))


def _quoted(name: str) -> sa.quoted_name:
    return sa.quoted_name(name, quote=True)


def _parameter(day: date) -> sa.BindParameter[date]:
    """Return a day as a date parameter, which servers compare with a date or datetime column by its index."""
    return sa.bindparam(None, day, type_=sa.Date)


def _first_of(columns: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(*columns, type_=sa.Date) if len(columns) > 1 else columns[0]


def _product(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return an expression that is 0 for a day that only MySQL has: without a year, a month or a day."""
    parts = (sa.func.year(column), sa.func.month(column), sa.func.dayofmonth(column))
    return sa.type_coerce(parts[0] * parts[1] * parts[2], sa.Integer)
