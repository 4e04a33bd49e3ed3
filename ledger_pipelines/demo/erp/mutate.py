"""Random changes of a demo's ERP, to show that the copy follows.

Rows are chosen by day. The days and their numbers of rows are read once; the rows of the chosen day are read and sorted
in Python. So every kind of server yields the same rows, and no server sorts a large table.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.demo.erp.load import ERP_MARKER
from ledger_pipelines.demo.erp.new_values import another_value, moment_in, new_key
from ledger_pipelines.demo.erp.schema import erp_source_tables, identifying_column
from ledger_pipelines.demo.erp.single_row import delete_one, update_one
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.horizon import shift_month
from ledger_pipelines.settings import mask_url
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable

# Relative frequencies as in a real ERP, approximately.
_OPERATIONS = ("change",) * 8 + ("move",) * 3 + ("duplicate",) * 2 + ("insert",) * 3 + ("delete",) * 3

_Values = dict[str, Any]


@dataclass(frozen=True)
class ErpMutation:
    """One operation on one row.

    Attributes:
        table: the row's table.
        operation: `change`, `move`, `duplicate`, `insert` or `delete`.
        months: the row's month and, if it moved, its new month; an empty text for a row without a date. Empty for a
            table without months.
        key: the row's key columns before the operation; for an inserted row, after it.
        column: the column that a change or move set; None for other operations.
        old: the column's previous value.
        new: the column's new value.
    """

    table: str
    operation: str
    months: tuple[str, ...]
    key: Mapping[str, Any]
    column: str | None = None
    old: Any = None
    new: Any = None


def mutate_erp(engine: sa.Engine, changes: int, seed: int, current_month: str) -> list[ErpMutation]:
    """Change, move, duplicate, insert and delete rows of a demo's ERP at random, in one transaction.

    Args:
        engine: a database with the demo's ERP.
        changes: number of operations.
        seed: seed of all random numbers: the same seed does the same on databases with the same rows.
        current_month: such as `2025-03`; rows are moved to and inserted in months up to the one after it.

    Returns:
        The operations, in order.

    Raises:
        LedgerError: the database has no demo ERP. Nothing was changed.
    """
    rng = Random(f"{seed}/disturb")  # noqa: S311 - not for security
    with engine.begin() as connection:
        found = ERP_MARKER.read(connection)
        if found is None or found.summary is None:
            raise LedgerError(
                f"{mask_url(engine.url)} has no demo ERP, so nothing was changed: only an ERP that the demo made "
                "can be disturbed. Seed one first: ledger demo seed --only erp"
            )
        months = _months(json.loads(found.plan), current_month)
        tables = [_MutableTable(connection, table, months, rng) for table in ERP_TABLES]
        return [rng.choice(left).mutate() for _ in range(changes) if (left := _with_rows_left(tables))]


def _months(plan: Mapping[str, Any], current_month: str) -> list[str]:
    """Return the months for moved and inserted rows: from the plan's first to the month after the current one."""
    first = shift_month(plan["current_month"], 1 - plan["months"])
    months = [first]
    while months[-1] <= current_month:
        months.append(shift_month(months[-1], 1))
    return months


@dataclass
class _MutableTable:
    """A table to change, with the number of rows per day (None: rows without a date)."""

    connection: sa.Connection
    table: ErpTable
    months: list[str]
    rng: Random
    days: Counter[date | None] = field(init=False)

    def __post_init__(self) -> None:
        self.identifying = identifying_column(self.table)
        self.operations = {
            "change": self._change,
            "move": self._move if self.table.month_columns else self._change,
            "duplicate": self._duplicate,
            "insert": self._insert if self.identifying is not None or self.table.month_columns else self._duplicate,
            "delete": self._delete,
        }
        self.declared = erp_source_tables[self.table.name]
        self.dates = [self.declared.c[name] for name in self.table.month_columns]
        statement = sa.select(sa.func.count()).select_from(self.declared)
        if not self.dates:
            self.days = Counter({None: self.connection.scalar(statement) or 0})
            return
        day = sa.cast(sa.func.coalesce(*self.dates, sa.null()), sa.Date)
        found = self.connection.execute(statement.add_columns(day).group_by(day)).all()
        self.days = Counter({day: count for count, day in found})

    @property
    def rows_left(self) -> bool:
        return self.days.total() > 0

    def mutate(self) -> ErpMutation:
        """Perform a random operation on a random row."""
        return self.operations[self.rng.choice(_OPERATIONS)](self._any_row())

    def _change(self, row: _Values) -> ErpMutation:
        column = self.rng.choice([column for column in self.declared.c if column not in set(self.dates)])
        month = self._month(row) or self.months[0]
        return self._update("change", row, column, another_value(column, row[column.name], month, self.rng))

    def _move(self, row: _Values) -> ErpMutation:
        """Date the row in another month, or set the date that determines its month to NULL."""
        first = self.dates[0]
        if self.rng.random() < 0.2:
            deciding = next((column for column in self.dates if row[column.name] is not None), first)
            if self._month(row | {deciding.name: None}) != self._month(row):
                return self._update("move", row, deciding, None)
        month = self.rng.choice([month for month in self.months if month != self._month(row)])
        return self._update("move", row, first, moment_in(first, month, self.rng))

    def _duplicate(self, row: _Values) -> ErpMutation:
        self._insert_row(row)
        return self._mutation("duplicate", row)

    def _insert(self, row: _Values) -> ErpMutation:
        """Insert a copy of a row with a new key and in a random month."""
        values = dict(row)
        if self.identifying is not None:
            values[self.identifying.name] = new_key(self.declared.c[self.identifying.name], self.rng)
        if self.dates:
            values[self.dates[0].name] = moment_in(self.dates[0], self.rng.choice(self.months), self.rng)
        self._insert_row(values)
        return self._mutation("insert", values)

    def _delete(self, row: _Values) -> ErpMutation:
        delete_one(self.connection, self.declared, row)
        self.days[self._day(row)] -= 1
        return self._mutation("delete", row)

    def _update(self, operation: str, row: _Values, column: sa.Column[Any], value: object) -> ErpMutation:
        update_one(self.connection, self.declared, row, {column.name: value})
        changed = row | {column.name: value}
        self.days[self._day(row)] -= 1
        self.days[self._day(changed)] += 1
        months = dict.fromkeys((self._month(row), self._month(changed))) if self.dates else ()
        return ErpMutation(
            self.table.name, operation, tuple(months), self._key(row), column.name, row[column.name], value
        )

    def _insert_row(self, row: _Values) -> None:
        self.connection.execute(self.declared.insert().values(row))
        self.days[self._day(row)] += 1

    def _mutation(self, operation: str, row: _Values) -> ErpMutation:
        return ErpMutation(self.table.name, operation, (self._month(row),) if self.dates else (), self._key(row))

    def _key(self, row: _Values) -> _Values:
        return {name: row[name] for name in self.table.key}

    def _any_row(self) -> _Values:
        """Return a row, each with the same probability."""
        days = sorted((day for day, count in self.days.items() if count > 0), key=lambda day: day or date.min)
        day = self.rng.choices(days, [self.days[day] for day in days])[0]
        rows = self.connection.execute(sa.select(self.declared).where(*self._of_day(day))).mappings().all()
        in_order = sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])
        return dict(self.rng.choice(in_order))

    def _of_day(self, day: date | None) -> list[sa.ColumnElement[bool]]:
        """Return the condition for the rows of a day, without functions of the columns, so that an index applies."""
        if not self.dates:
            return []
        missing: list[sa.ColumnElement[bool]] = [column.is_(None) for column in self.dates]
        if day is None:
            return missing
        after = day + timedelta(days=1)
        by_column = (
            sa.and_(*missing[:place], column >= day, column < after) for place, column in enumerate(self.dates)
        )
        return [sa.or_(*by_column)]

    def _day(self, row: _Values) -> date | None:
        first = next((row[column.name] for column in self.dates if row[column.name] is not None), None)
        return first.date() if isinstance(first, datetime) else first

    def _month(self, row: _Values) -> str:
        day = self._day(row)
        return "" if day is None else f"{day:%Y-%m}"


def _with_rows_left(tables: list[_MutableTable]) -> list[_MutableTable]:
    return [table for table in tables if table.rows_left]
