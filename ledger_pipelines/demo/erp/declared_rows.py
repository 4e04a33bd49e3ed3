"""Rows of a table without a generator of its own, from its declaration: plausible values by kind of column."""

from collections.abc import Iterator
from random import Random

import sqlalchemy as sa

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.entities import ErpEntities
from ledger_pipelines.demo.erp.schema import identifying_column, source_type
from ledger_pipelines.demo.plan import DAY, Month
from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind

_NULL_SHARE = 0.1
_LONGEST_DELAY = 20  # days from the date that determines a row's month to its other dates
_HOURS = (0, 0, 8, 15)


def declared_rows(table: ErpTable, entities: ErpEntities, month: Month | None = None) -> Iterator[TextRow]:
    """Yield a table's rows of a month, an eighth of `rows_per_month`; of a snapshot, one row per part.

    The identifying column is unique. Columns that neither identify nor date a row may be NULL. No date is after the
    plan's end.
    """
    if month is None:
        days = range(entities.timeline.months[0].starts // DAY, entities.last_day + 1)
        first, wanted = 1, len(entities.parts)
    else:
        days, wanted = entities.days(month), entities.event_count(month, 8)
        first = entities.timeline.months.index(month) * entities.plan.rows_per_month + 1
    rng = entities.random(table.name, month and month.year_month)
    for number in range(first, first + wanted):
        values = {column.name: _value(table, column, rng) for column in table.columns}
        values |= _identity(table, number) | _dates(table, entities, rng.choice(days), rng)
        yield tuple(values[name] for name in table.names)


def _value(table: ErpTable, column: ErpColumn, rng: Random) -> str | None:
    """Return a random value of a column that is no date."""
    if column.name not in table.key and rng.random() < _NULL_SHARE:
        return None
    number = rng.randint(1, 100)
    if column.kind is Kind.TEXT:
        return f"{column.name[:50].replace('_', ' ').capitalize()} {number}"
    if column.kind is Kind.BOOLEAN:
        return rng.choice(("Yes", "No", "Y", "N"))
    scale = getattr(source_type(table, column), "scale", None)
    return f"{number}.{rng.randrange(10**scale):0{scale}d}" if scale else str(number)


def _identity(table: ErpTable, number: int) -> dict[str, str | None]:
    """Return the value that identifies a row, made from its number."""
    column = identifying_column(table)
    if column is None:
        return {}
    return {column.name: str(number) if column.kind is Kind.INTEGER else f"{table.name[:3].upper()}-{number:08d}"}


def _dates(table: ErpTable, entities: ErpEntities, day: int, rng: Random) -> dict[str, str | None]:
    """Return a row's dates: a month column, mostly the first, has the day; the others follow it or are missing."""
    skipped = table.month_columns[:1] if len(table.month_columns) > 1 and rng.random() < _NULL_SHARE else ()
    determining = next((name for name in table.month_columns if name not in skipped), None)
    dates: dict[str, str | None] = {}
    for column in table.columns:
        if column.kind is not Kind.DATE:
            continue
        later = day if column.name == determining else day + rng.randint(0, _LONGEST_DELAY)
        second = min(later * DAY + rng.choice(_HOURS) * 3_600, entities.timeline.until)
        text = entities.moment(second)[: 10 if isinstance(source_type(table, column), sa.Date) else None]
        optional = column.name != determining and column.name not in table.key
        missing = optional and (later > entities.last_day or rng.random() < _NULL_SHARE)
        dates[column.name] = None if missing or column.name in skipped else text
    return dates
