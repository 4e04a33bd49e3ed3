"""Faults of real ERP rows, which the pipeline must copy exactly or reject with a reason.

`ERP_FAULTS` lists them. A fault replaces a clean row by one or more faulty ones. Each month of each table gets a few
kinds in turn, so that a large database has as few faulty rows as a small one.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.schema import erp_source_tables
from ledger_pipelines.demo.plan import DAY, Month, Timeline
from ledger_pipelines.sources.erp.catalogue import ErpTable, Kind

FAULTS_PER_MONTH = 2
"""Faults per month of a table; the stock, which has no months, gets every kind once."""

BOOLEAN_SPELLINGS = (
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
"""Every known spelling of a boolean in the ERP."""

ODD_TEXTS = {
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
"""Unusual but valid texts, by the name of the fault."""


@dataclass(frozen=True)
class ErpFaultContext:
    """A clean row to modify, its table, and the plan's months; `variant` selects among variants of a fault."""

    table: ErpTable
    row: TextRow
    timeline: Timeline
    variant: int

    def with_values(self, values: dict[str, str | None]) -> list[TextRow]:
        """Return the row with other values in some columns."""
        return [tuple(values.get(name, value) for name, value in zip(self.table.names, self.row, strict=True))]

    def with_date(self, second: int) -> list[TextRow]:
        """Return the row with another moment in the first of its month columns."""
        first = self.table.month_columns[0]
        is_date = isinstance(erp_source_tables[self.table.name].c[first].type, sa.Date)
        return self.with_values({first: self.timeline.text(second, "T")[: 10 if is_date else None]})


def unicode_columns(table: ErpTable) -> list[str]:
    """Return the names of the Unicode columns: only they are wide enough and accept any character."""
    columns = erp_source_tables[table.name].c
    return [name for name in table.names if isinstance(columns[name].type, sa.Unicode)]


def exact_duplicates(context: ErpFaultContext) -> list[TextRow]:
    """Repeat the row two or three times."""
    return [context.row] * (2 + context.variant % 2)


def twins_but_for_case(context: ErpFaultContext) -> list[TextRow]:
    """Return two rows that some collations treat as equal: they differ in letter case and a trailing blank."""
    column = unicode_columns(context.table)[0]
    value = context.row[context.table.names.index(column)] or "a"
    return [*context.with_values({column: value}), *context.with_values({column: f"{value.swapcase()} "})]


def without_any_date(context: ErpFaultContext) -> list[TextRow]:
    """Set all month columns to NULL."""
    return context.with_values(dict.fromkeys(context.table.month_columns))


def before_the_first_month(context: ErpFaultContext) -> list[TextRow]:
    """Date the row on the day before the first month."""
    return context.with_date(context.timeline.months[0].starts - DAY)


def in_the_future(context: ErpFaultContext) -> list[TextRow]:
    """Date the row in the month after the current one."""
    return context.with_date(context.timeline.after.starts + 9 * DAY)


def on_the_month_boundary(context: ErpFaultContext) -> list[TextRow]:
    """Return rows dated in the first and in the last second of a month."""
    month = context.timeline.months[context.variant % len(context.timeline.months)]
    return [*context.with_date(month.starts), *context.with_date(month.ends - 1)]


def empty_texts(context: ErpFaultContext) -> list[TextRow]:
    """Return a row with empty texts and the same row with NULL: the two differ."""
    names = [name for name in context.table.names_of(Kind.TEXT) if name not in context.table.key]
    return [*context.with_values(dict.fromkeys(names, "")), *context.with_values(dict.fromkeys(names))]


def nulls_everywhere(context: ErpFaultContext) -> list[TextRow]:
    """Set all columns to NULL except key and month columns."""
    kept = {*context.table.key, *context.table.month_columns}
    return context.with_values({name: None for name in context.table.names if name not in kept})


def null_keys(context: ErpFaultContext) -> list[TextRow]:
    """Set the key columns to NULL."""
    return context.with_values(dict.fromkeys(context.table.key))


def big_decimals(context: ErpFaultContext) -> list[TextRow]:
    """Give every decimal the maximum number of digits of its column."""
    columns = erp_source_tables[context.table.name].c
    return context.with_values(
        {name: _max_decimal(columns[name].type) for name in context.table.names_of(Kind.DECIMAL)}
    )


def negative_quantities(context: ErpFaultContext) -> list[TextRow]:
    """Negate quantities and amounts, as in a return."""
    values = dict(zip(context.table.names, context.row, strict=True))
    decimals = {name: values[name] for name in context.table.names_of(Kind.DECIMAL)}
    return context.with_values(
        {name: f"-{value}" for name, value in decimals.items() if value and not value.startswith("-")}
    )


def boolean_spellings(context: ErpFaultContext) -> list[TextRow]:
    """Return one row per spelling of a boolean, and one with NULL."""
    names = context.table.names_of(Kind.BOOLEAN)
    return [
        row for spelling in (*BOOLEAN_SPELLINGS, None) for row in context.with_values(dict.fromkeys(names, spelling))
    ]


def unusable_boolean(context: ErpFaultContext) -> list[TextRow]:
    """Set a boolean column to a text that is not a boolean."""
    return context.with_values({context.table.names_of(Kind.BOOLEAN)[0]: "perhaps"})


def _odd_text(words: str) -> Callable[[ErpFaultContext], list[TextRow]]:
    """Return a fault that puts the text into one Unicode column, in every other variant into all of them."""

    def odd(context: ErpFaultContext) -> list[TextRow]:
        columns = unicode_columns(context.table)
        return context.with_values(dict.fromkeys(columns if context.variant % 2 else columns[:1], words))

    return odd


def _max_decimal(type_: sa.types.TypeEngine[object]) -> str:
    """Return a number with all digits of a type, for example 28 digits with 10 decimals."""
    if not isinstance(type_, sa.Numeric) or type_.precision is None:
        raise TypeError(f"{type_!r} is not a decimal type with a precision")
    digits = ("9876543210" * 4)[: type_.precision]
    whole = type_.precision - (type_.scale or 0)
    return f"{digits[:whole]}.{digits[whole:]}" if type_.scale else digits


@dataclass(frozen=True)
class _Requirements:
    """Columns that a table must have for a kind of fault to apply."""

    months: bool = False
    booleans: bool = False
    decimals: bool = False
    unicode: bool = False

    def met_by(self, table: ErpTable) -> bool:
        return (
            (bool(table.month_columns) or not self.months)
            and (bool(table.names_of(Kind.BOOLEAN)) or not self.booleans)
            and (bool(table.names_of(Kind.DECIMAL)) or not self.decimals)
            and (bool(unicode_columns(table)) or not self.unicode)
        )


_MONTHS, _BOOLEANS, _DECIMALS, _UNICODE, _NOTHING = (
    _Requirements(months=True),
    _Requirements(booleans=True),
    _Requirements(decimals=True),
    _Requirements(unicode=True),
    _Requirements(),
)
ERP_FAULTS: dict[str, tuple[Callable[[ErpFaultContext], list[TextRow]], _Requirements]] = {
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
    "twins_but_for_case": (twins_but_for_case, _UNICODE),
    "null_keys": (null_keys, _NOTHING),
    **{name: (_odd_text(words), _UNICODE) for name, words in ODD_TEXTS.items()},
}
"""The kinds of faults, by name."""


def inject_faults(
    table: ErpTable, rows: Iterator[TextRow], numbers: range, timeline: Timeline, tally: Counter[str]
) -> Iterator[TextRow]:
    """Yield a table's rows, with faults in the first ones.

    Args:
        table: the rows' table.
        rows: clean rows.
        numbers: one per faulty row; the number determines the kind of fault.
        timeline: the plan's months.
        tally: incremented by the number of rows of each kind.
    """
    kinds = [name for name, (_, requirements) in ERP_FAULTS.items() if requirements.met_by(table)]
    for number, row in zip(numbers, islice(rows, len(numbers)), strict=False):
        name = kinds[number % len(kinds)]
        faulty = ERP_FAULTS[name][0](ErpFaultContext(table, row, timeline, number // len(kinds)))
        tally[name] += len(faulty)
        yield from faulty
    yield from rows


def fault_numbers(table: ErpTable, months: list[Month], month: Month | None) -> range:
    """Return the fault numbers of a month of a table; for a table without months, all numbers."""
    if month is None or month not in months:
        return range(len(ERP_FAULTS) if table.is_snapshot else 0)
    first = months.index(month) * FAULTS_PER_MONTH
    return range(first, first + FAULTS_PER_MONTH)
