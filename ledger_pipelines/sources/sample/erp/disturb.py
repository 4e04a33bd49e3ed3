"""Changing a demo's ERP at random, so that it can be seen whether a copy follows.

Rows are chosen by day: the days and their numbers of rows are asked for once, the rows of one day are read and put in
order here. So the same rows are chosen on every kind of server, and no server sorts a large table.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.settings import masked
from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpTable
from ledger_pipelines.sources.sample.erp.erp_schema import erp_source_tables
from ledger_pipelines.sources.sample.erp.load import CLAIM
from ledger_pipelines.sources.sample.erp.new_values import another_value, moment_in, new_key
from ledger_pipelines.sources.sample.erp.one_row import delete_one, update_one
from ledger_pipelines.sources.sample.plan import SeedRefused, shift_month

# As often as each happens in an ERP, more or less.
_OPERATIONS = ("change",) * 8 + ("move",) * 3 + ("duplicate",) * 2 + ("insert",) * 3 + ("delete",) * 3

_Values = dict[str, Any]


@dataclass(frozen=True)
class Disturbance:
    """One thing done to one row.

    Attributes:
        table: the row's table.
        operation: `change`, `move`, `duplicate`, `insert` or `delete`.
        months: where the row was and, if it moved, where it is now; empty text where it has no date. Nothing for a
            table without months.
        key: the row's identifying columns, as they were before; of an inserted row, as they are.
        column: what a change or move changed; None for the others.
        old: what the column held.
        new: what it holds now.
    """

    table: str
    operation: str
    months: tuple[str, ...]
    key: Mapping[str, Any]
    column: str | None = None
    old: Any = None
    new: Any = None


def disturb(engine: sa.Engine, changes: int, seed: int, current_month: str) -> list[Disturbance]:
    """Change, move, duplicate, insert and delete rows of a demo's ERP at random, in one transaction.

    Args:
        engine: a database with the demo's ERP.
        changes: how many rows to touch.
        seed: of all random numbers: on databases with the same rows, the same seed does the same.
        current_month: such as `2025-03`; rows move and come up to the month after it, which has yet to come.

    Returns:
        What was done, in order.

    Raises:
        SeedRefused: the database has no demo's ERP. Nothing was changed.
    """
    rng = Random(f"{seed}/disturb")  # noqa: S311 - a demo's random numbers guard nothing
    with engine.begin() as connection:
        found = CLAIM.found(connection)
        if found is None or found.summary is None:
            raise SeedRefused(
                f"{masked(engine.url)} has no demo's ERP, so nothing was changed: only what the demo made "
                "is ever disturbed. Seed one first: ledger demo seed --only erp"
            )
        months = _months(json.loads(found.plan), current_month)
        tables = [_Disturbed(connection, table, months, rng) for table in ERP_TABLES]
        return [rng.choice(left).disturb() for _ in range(changes) if (left := _with_rows(tables))]


def _months(plan: Mapping[str, Any], current_month: str) -> list[str]:
    """The months that rows may come to: the plan's, those since, and the next."""
    first = shift_month(plan["current_month"], 1 - plan["months"])
    months = [first]
    while months[-1] <= current_month:
        months.append(shift_month(months[-1], 1))
    return months


@dataclass
class _Disturbed:
    """A table on which things are done, and how many rows each of its days has; no day where the row has no date."""

    connection: sa.Connection
    table: ErpTable
    months: list[str]
    rng: Random
    days: Counter[date | None] = field(init=False)

    def __post_init__(self) -> None:
        self.operations = {
            "change": self._change,
            "move": self._move if self.table.month_columns else self._change,
            "duplicate": self._duplicate,
            "insert": self._insert,
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

    def disturb(self) -> Disturbance:
        """Do one thing to one row."""
        return self.operations[self.rng.choice(_OPERATIONS)](self._any_row())

    def _change(self, row: _Values) -> Disturbance:
        column = self.rng.choice([column for column in self.declared.c if column not in set(self.dates)])
        month = self._month(row) or self.months[0]
        return self._set("change", row, column, another_value(column, row[column.name], month, self.rng))

    def _move(self, row: _Values) -> Disturbance:
        """Date the row in another month, or take away the date that it is in its month by."""
        first = self.dates[0]
        if self.rng.random() < 0.2:
            deciding = next((column for column in self.dates if row[column.name] is not None), first)
            if self._month(row | {deciding.name: None}) != self._month(row):
                return self._set("move", row, deciding, None)
        month = self.rng.choice([month for month in self.months if month != self._month(row)])
        return self._set("move", row, first, moment_in(first, month, self.rng))

    def _duplicate(self, row: _Values) -> Disturbance:
        self._add(row)
        return self._done("duplicate", row)

    def _insert(self, row: _Values) -> Disturbance:
        """Add a row like another one, under a key and in a month of its own."""
        key = self.declared.c[self.table.key[0]]
        values = row | {key.name: new_key(key, self.rng)}
        if self.dates:
            values[self.dates[0].name] = moment_in(self.dates[0], self.rng.choice(self.months), self.rng)
        self._add(values)
        return self._done("insert", values)

    def _delete(self, row: _Values) -> Disturbance:
        delete_one(self.connection, self.declared, row)
        self.days[self._day(row)] -= 1
        return self._done("delete", row)

    def _set(self, operation: str, row: _Values, column: sa.Column[Any], value: object) -> Disturbance:
        update_one(self.connection, self.declared, row, {column.name: value})
        changed = row | {column.name: value}
        self.days[self._day(row)] -= 1
        self.days[self._day(changed)] += 1
        months = dict.fromkeys((self._month(row), self._month(changed))) if self.dates else ()
        return Disturbance(
            self.table.name, operation, tuple(months), self._key(row), column.name, row[column.name], value
        )

    def _add(self, row: _Values) -> None:
        self.connection.execute(self.declared.insert().values(row))
        self.days[self._day(row)] += 1

    def _done(self, operation: str, row: _Values) -> Disturbance:
        return Disturbance(self.table.name, operation, (self._month(row),) if self.dates else (), self._key(row))

    def _key(self, row: _Values) -> _Values:
        return {name: row[name] for name in self.table.key}

    def _any_row(self) -> _Values:
        """A row, each as likely as any other."""
        days = sorted((day for day, count in self.days.items() if count > 0), key=lambda day: day or date.min)
        day = self.rng.choices(days, [self.days[day] for day in days])[0]
        rows = self.connection.execute(sa.select(self.declared).where(*self._of_day(day))).mappings().all()
        in_order = sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])
        return dict(self.rng.choice(in_order))

    def _of_day(self, day: date | None) -> list[sa.ColumnElement[bool]]:
        """The condition by which the rows of a day are found, without a function around a column that has an index."""
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


def _with_rows(tables: list[_Disturbed]) -> list[_Disturbed]:
    return [table for table in tables if table.rows_left]
