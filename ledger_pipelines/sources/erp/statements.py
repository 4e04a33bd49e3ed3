"""Statements for the ERP: selections of rows by day, and fingerprints of each day's rows.

They are composed here and run elsewhere. What differs between kinds of servers is in `sources/dialects/`. Names are
always quoted, in the server's spelling.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family, digits_of
from ledger_pipelines.sources.dialects.base import Condition
from ledger_pipelines.sources.dialects.parts import Span, cast_to
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.shape import Shape
from ledger_pipelines.sources.erp.spans import Wanted, merged

SPANS_AT_ONCE = 100
"""Maximum spans in a statement. Each needs two parameters per month column; SQL Server allows 2,100 in total."""

_DIGITS_OF_ROWS = 9
"""Digits of a sum that stay free for the number of rows: a billion of the largest values can be added."""


class Statements:
    """Statements for one table of the ERP."""

    def __init__(self, table: ErpTable, shape: Shape) -> None:
        self._table = table
        self._shape = shape
        self._server = shape.server
        named = _named(table, *(sa.column(_quoted(shape.columns[name].name)) for name in table.names))
        # SQL Server deprecates columns named with table and schema, so the alias stands for both.
        self._source: sa.FromClause = named if table.schema is None else named.alias(_quoted(table.name))
        self._values = {
            column.name: self._server.selected(self._at_source(column.name), shape.columns[column.name], column.kind)
            for column in table.columns
        }
        self._days = [sa.column(_quoted(shape.columns[name].name), sa.Date) for name in table.month_columns]

    def _at_source(self, name: str) -> sa.ColumnElement[Any]:
        """Return a catalogue column at the source."""
        return self._source.c[self._shape.columns[name].name]

    def rows(self, wanted: Wanted, *, by_bytes: bool = False) -> Iterator[sa.Select[Any]]:
        """Yield statements that together select each wanted row once.

        Args:
            wanted: Rows to select.
            by_bytes: Whether to select texts as bytes, which the server's `decoded` turns into texts.

        Raises:
            ValueError: rows are selected by day, but the table has no days.
        """
        in_bytes = self.read_by_bytes if by_bytes else ()
        columns = self._values.items()
        everything = sa.select(*(self._server.as_bytes(of) if name in in_bytes else of for name, of in columns))
        if wanted.everything:
            yield everything
            return
        for condition in self.conditions(wanted):
            yield _hinted(everything.where(condition), self._server.hint_for_spans)

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
        texts = (name for name in self._table.names if self._shape.family(name) is Family.TEXT)
        return frozenset(texts if self._server.reads_bytes else ())

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
        day = self._server.day(self._days) if self._shape.dated else sa.null()
        count = self._server.count
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
        statement = _hinted(statement, self._server.hint_for_fingerprints)
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
        most = self._server.digits_of_sums - _DIGITS_OF_ROWS
        digits = ((name, *digits_of(self._shape.columns[name].type)) for name in self.summed)
        return {name: Decimal(1).scaleb(most - scale) for name, precision, scale in digits if precision > most > 0}

    @cached_property
    def shows_every_change(self) -> bool:
        """Whether the digest of a day depends on every character of every compared column."""
        how = self._shape.row_hash(self._table.compared)
        return how is not None and how.complete

    @cached_property
    def algorithm(self) -> str:
        """Name of the digest's algorithm, with the types of the columns and whether they are converted.

        The schema is left out: equal rows of another schema need not be read again, and other rows differ in the rest.
        """
        how = self._shape.row_hash(self._table.compared)
        columns = ",".join(
            f"{name} {self._shape.columns[name].type}{self._mark(name)}" for name in self._table.compared
        )
        return f"{'extremes-1' if how is None else how.name}({columns})"

    def _mark(self, name: str) -> str:
        return "" if isinstance(self._values[name], sa.ColumnClause) else " converted"

    def _parts(self) -> list[sa.ColumnElement[Any]]:
        """Return the parts of a digest other than the count and the sums."""
        how = self._shape.row_hash(self._table.compared)
        if how is not None:
            return [how.total]
        columns = [cast_to(self._server.measured_type, self._at_source(name)) for name in self._table.compared]
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
        return self._server.summable(self._values[name], self._shape.columns[name].type)

    def _is_below_limit(self, name: str) -> Condition:
        """Return the condition that the magnitude of a value is below its column's sum limit."""
        limit: sa.ColumnElement[Any] = sa.literal_column(f"{self.sum_limits[name]:f}")
        # In the column's own type the comparison is exact: a common type could round or overflow.
        own_type = sa.Numeric(*digits_of(self._shape.columns[name].type))
        return sa.func.abs(self._summable(name)) < sa.cast(limit, own_type)

    def _within(self, spans: Sequence[Span]) -> list[Condition]:
        """Return the alternative conditions that the day is within one of some spans; none if that is impossible.

        A month column is compared with the spans only where the columns before it are null. One condition per span,
        with all columns, would be tested span by span for every row: many times as slow.
        """
        within: list[Condition] = []
        for name, column in reversed([*zip(self._table.month_columns, self._days, strict=True)]):
            later = [sa.and_(column.is_(None), sa.or_(*within))] if within else []
            bounds = (self._server.bounds(column, self._shape.columns[name], span) for span in spans)
            within = [*(sa.and_(*(each or [column.is_not(None)])) for each in bounds if each is not None), *later]
        return within

    def _undated(self) -> Condition:
        """Return the condition that a row has no day."""
        conditions: list[Condition] = [sa.and_(*(column.is_(None) for column in self._days))]
        for position, column in enumerate(self._days):
            impossible = self._server.is_no_day(column)
            if impossible is not None:
                conditions.append(sa.and_(*(before.is_(None) for before in self._days[:position]), impossible))
        return sa.or_(*conditions)


def _named(table: ErpTable, *columns: sa.ColumnClause[Any]) -> sa.TableClause:
    """Return a table under its name at the ERP, with the schema if it is set."""
    return sa.table(_quoted(table.name), *columns, schema=None if table.schema is None else _quoted(table.schema))


def _quoted(name: str) -> sa.quoted_name:
    return sa.quoted_name(name, quote=True)


def _hinted(statement: sa.Select[Any], hint: str) -> sa.Select[Any]:
    return statement.with_statement_hint(hint) if hint else statement
