"""The faults of the real ERP's rows: what the pipeline must copy to the letter, or reject with a reason.

`KINDS` is the list. A kind takes a clean row and gives the rows that come in its place. Each month of each table gets a
few kinds in turn, so that its faulty rows stay as few in a large database as in a small one.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from ledger_pipelines.sources.erp_tables import ErpTable, Kind
from ledger_pipelines.sources.sample.erp.erp_schema import erp_source_tables
from ledger_pipelines.sources.sample.plan import DAY, Month, Timeline
from ledger_pipelines.sources.sample.writing import Row

A_MONTH = 2
"""Faulty rows that each month of a table gets; the stock, which has no months, gets every kind once."""

BOOLEANS = (
    "yes",
    "YES",
    "Yes",
    "true",
    "TRUE",
    "True",
    "1",
    "y",
    "Y",
    "no",
    "NO",
    "No",
    "false",
    "False",
    "0",
    "n",
    "N",
)
"""Every spelling of a boolean that the ERP is known to use."""

WORDS = {
    "javanese": "ꦥꦶꦥꦒꦱ꧀ ꦱꦸꦫꦧꦪ",
    "chinese": "燃气调节阀 – 印度尼西亚",
    "emoji": "Katup 🔧👩🏽‍🏭🇮🇩",
    "combining_marks": unicodedata.normalize("NFD", "Schlauch für Ségel, Ångström"),
    "right_to_left": "صمام الغاز \u202bRTL\u202c עברית",
    "zero_width": "Pi\u200bpa\u2060 \ufeffgas\u200d",
    "leading_and_trailing_blanks": "  Pipa gas \u00a0 ",
    "tabs_and_line_breaks": "Pipa\tgas\nbaris kedua\r\nbaris ketiga",
    "backslashes_and_quotes": "C:\\gas\\N 'satu' \"dua\" `tiga` \\\\ %s ; --",
}
"""Odd texts that are right nevertheless, by what is odd about them."""


@dataclass(frozen=True)
class Case:
    """A clean row to spoil, and what is known of its table."""

    table: ErpTable
    row: Row
    timeline: Timeline
    turn: int

    def changed(self, values: dict[str, str | None]) -> list[Row]:
        """The row with other values in some columns."""
        return [tuple(values.get(name, value) for name, value in zip(self.table.names, self.row, strict=True))]

    def dated(self, second: int) -> list[Row]:
        """The row moved to another moment, by the first of its month columns."""
        first = self.table.month_columns[0]
        is_date = isinstance(erp_source_tables[self.table.name].c[first].type, sa.Date)
        return self.changed({first: self.timeline.text(second, "T")[: 10 if is_date else None]})

    def wordy(self) -> list[str]:
        """The columns that are declared to hold words: the only ones wide enough, and of any character."""
        columns = erp_source_tables[self.table.name].c
        return [name for name in self.table.names if isinstance(columns[name].type, sa.Unicode)]


def exact_duplicates(case: Case) -> list[Row]:
    """The same row twice, or three times."""
    return [case.row] * (2 + case.turn % 2)


def twins_but_for_case(case: Case) -> list[Row]:
    """Two rows that some collations take for equal: one has a name in other letters, with a blank at its end."""
    column = case.wordy()[0]
    value = case.row[case.table.names.index(column)] or "a"
    return [*case.changed({column: value}), *case.changed({column: f"{value.swapcase()} "})]


def without_any_date(case: Case) -> list[Row]:
    """No month can be told."""
    return case.changed(dict.fromkeys(case.table.month_columns))


def before_the_first_month(case: Case) -> list[Row]:
    """Dated on the day before the first month begins."""
    return case.dated(case.timeline.months[0].starts - DAY)


def in_the_future(case: Case) -> list[Row]:
    """Dated in the month after the current one."""
    return case.dated(case.timeline.after.starts + 9 * DAY)


def on_the_month_boundary(case: Case) -> list[Row]:
    """The first moment and the last second of some month."""
    month = case.timeline.months[case.turn % len(case.timeline.months)]
    return [*case.dated(month.starts), *case.dated(month.ends - 1)]


def empty_texts(case: Case) -> list[Row]:
    """Texts that are empty, which is not NULL; beside the same row with NULL."""
    names = [name for name in case.table.names_of(Kind.TEXT) if name not in case.table.key]
    return [*case.changed(dict.fromkeys(names, "")), *case.changed(dict.fromkeys(names))]


def nulls_everywhere(case: Case) -> list[Row]:
    """Nothing but the key and the month."""
    kept = {*case.table.key, *case.table.month_columns}
    return case.changed({name: None for name in case.table.names if name not in kept})


def null_keys(case: Case) -> list[Row]:
    """Nothing that identifies the row."""
    return case.changed(dict.fromkeys(case.table.key))


def big_decimals(case: Case) -> list[Row]:
    """Every decimal with all the digits that its column has room for."""
    columns = erp_source_tables[case.table.name].c
    return case.changed({name: _full(columns[name].type) for name in case.table.names_of(Kind.DECIMAL)})


def negative_quantities(case: Case) -> list[Row]:
    """Quantities and amounts below zero, as a return has them."""
    values = dict(zip(case.table.names, case.row, strict=True))
    decimals = {name: values[name] for name in case.table.names_of(Kind.DECIMAL)}
    return case.changed({name: f"-{value}" for name, value in decimals.items() if value and not value.startswith("-")})


def boolean_spellings(case: Case) -> list[Row]:
    """One row for each spelling of a boolean, and one without."""
    names = case.table.names_of(Kind.BOOLEAN)
    return [row for spelling in (*BOOLEANS, None) for row in case.changed(dict.fromkeys(names, spelling))]


def unusable_boolean(case: Case) -> list[Row]:
    """A boolean that is none."""
    return case.changed({case.table.names_of(Kind.BOOLEAN)[0]: "perhaps"})


def _text(words: str) -> Callable[[Case], list[Row]]:
    """A kind: a column of words holds these, every other row in all such columns."""

    def odd(case: Case) -> list[Row]:
        columns = case.wordy()
        return case.changed(dict.fromkeys(columns if case.turn % 2 else columns[:1], words))

    return odd


def _full(type_: sa.types.TypeEngine[object]) -> str:
    """A number of as many digits as a type has: 28 digits with 10 decimals, for example."""
    if not isinstance(type_, sa.Numeric) or type_.precision is None:
        raise TypeError(f"{type_!r} is no decimal of a given precision")
    digits = ("9876543210" * 4)[: type_.precision]
    whole = type_.precision - (type_.scale or 0)
    return f"{digits[:whole]}.{digits[whole:]}" if type_.scale else digits


@dataclass(frozen=True)
class _Needs:
    """What a table must have for a kind to fall on it."""

    months: bool = False
    booleans: bool = False
    decimals: bool = False

    def met_by(self, table: ErpTable) -> bool:
        return (
            (bool(table.month_columns) or not self.months)
            and (bool(table.names_of(Kind.BOOLEAN)) or not self.booleans)
            and (bool(table.names_of(Kind.DECIMAL)) or not self.decimals)
        )


_MONTHS, _BOOLEANS, _DECIMALS, _NOTHING = _Needs(months=True), _Needs(booleans=True), _Needs(decimals=True), _Needs()
KINDS: dict[str, tuple[Callable[[Case], list[Row]], _Needs]] = {
    "exact_duplicates": (exact_duplicates, _NOTHING),
    "without_any_date": (without_any_date, _MONTHS),
    "big_decimals": (big_decimals, _DECIMALS),
    "before_the_first_month": (before_the_first_month, _MONTHS),
    "in_the_future": (in_the_future, _MONTHS),
    "empty_texts": (empty_texts, _NOTHING),
    "unusable_boolean": (unusable_boolean, _BOOLEANS),
    "boolean_spellings": (boolean_spellings, _BOOLEANS),
    "nulls_everywhere": (nulls_everywhere, _NOTHING),
    "negative_quantities": (negative_quantities, _DECIMALS),
    "on_the_month_boundary": (on_the_month_boundary, _MONTHS),
    "twins_but_for_case": (twins_but_for_case, _NOTHING),
    "null_keys": (null_keys, _NOTHING),
    **{name: (_text(words), _NOTHING) for name, words in WORDS.items()},
}
"""The kinds of faults by name."""


def spoil(table: ErpTable, rows: Iterator[Row], turns: range, timeline: Timeline, tally: Counter[str]) -> Iterator[Row]:
    """Give a table's rows, the first of them spoilt.

    Args:
        table: the rows' table.
        rows: clean ones.
        turns: one for each row to spoil; which kind falls on it follows from the number.
        timeline: the plan's months.
        tally: counts the rows of each kind.
    """
    kinds = [name for name, (_, needs) in KINDS.items() if needs.met_by(table)]
    for turn, row in zip(turns, islice(rows, len(turns)), strict=False):
        name = kinds[turn % len(kinds)]
        spoilt = KINDS[name][0](Case(table, row, timeline, turn // len(kinds)))
        tally[name] += len(spoilt)
        yield from spoilt
    yield from rows


def turns_of(table: ErpTable, months: list[Month], month: Month | None) -> range:
    """The turns of a month of a table, two for each; all of them at once for a table without months."""
    if month is None or month not in months:
        return range(len(KINDS) if table.is_snapshot else 0)
    first = months.index(month) * A_MONTH
    return range(first, first + A_MONTH)
