"""What is valid and yet odd, one query each: kept, computed with, and shown to a person as a warning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import customers, meter_readings, prices, transaction_calculations

Customers = tuple[int, ...] | None
#: A reading of this many times the customer's median volume is implausible.
IMPLAUSIBLE_TIMES_MEDIAN = 50
_reading = meter_readings.c


@dataclass(frozen=True)
class Oddity:
    """One kind of odd row.

    Attributes:
        name: As it is called in the UI.
        table: The table it is about.
        description: What is odd, in one sentence.
        rows: The query; its rows are the odd ones.
    """

    name: str
    table: sa.Table
    description: str
    rows: Callable[[Customers], sa.Select[Any]]


def _of(column: sa.ColumnElement[Any], wanted: Customers) -> sa.ColumnElement[bool]:
    return sa.true() if wanted is None else column.in_(wanted)


def _other_kind(wanted: Customers) -> sa.Select[Any]:
    """One row: a fob reading of a metered customer, or a metered reading of a fob customer."""
    kind_of_role = sa.case((customers.c.role == "fob", "fob"), else_="metered")
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.kind, customers.c.role)
        .join_from(meter_readings, customers, customers.c.customer_id == _reading.customer_id)
        .where(_of(_reading.customer_id, wanted), _reading.kind != kind_of_role)
    )


def _implausible_volume(wanted: Customers) -> sa.Select[Any]:
    """One row: a reading of far more than the customer's usual volume."""
    usual = (
        sa.select(
            _reading.customer_id,
            sa.func.percentile_disc(0.5).within_group(_reading.volume).label("median"),
        )
        .where(_of(_reading.customer_id, wanted))
        .group_by(_reading.customer_id)
        .subquery("usual")
    )
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.volume, usual.c.median)
        .join_from(meter_readings, usual, usual.c.customer_id == _reading.customer_id)
        .where(usual.c.median > 0, _reading.volume > usual.c.median * IMPLAUSIBLE_TIMES_MEDIAN)
    )


def _duplicate_start(wanted: Customers) -> sa.Select[Any]:
    """One row: a customer and moment at which more than one reading starts."""
    return (
        sa.select(
            _reading.customer_id,
            _reading.year_month,
            _reading.reading_at,
            sa.func.array_agg(_reading.reading_id).label("readings"),
        )
        .where(_of(_reading.customer_id, wanted))
        .group_by(_reading.customer_id, _reading.year_month, _reading.reading_at)
        .having(sa.func.count() > 1)
    )


def _zero_volume(wanted: Customers) -> sa.Select[Any]:
    """One row: a reading of no volume."""
    return sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month).where(
        _of(_reading.customer_id, wanted), _reading.volume == 0
    )


def _price_not_positive(wanted: Customers) -> sa.Select[Any]:
    """One row: a transaction at a price or with a factor of zero or less."""
    row = transaction_calculations.c
    return sa.select(
        row.data_pencatatan_id, row.customer_id, row.year_month, row.harga_per_m3, row.koreksi_meter
    ).where(_of(row.customer_id, wanted), sa.or_(row.harga_per_m3 <= 0, row.koreksi_meter <= 0))


def _overlapping_entries(wanted: Customers) -> sa.Select[Any]:
    """One row: a price entry that an earlier one of the same rule in the list overlaps, and so outranks there."""
    earlier = prices.alias("earlier")
    overlaps = sa.and_(
        earlier.c.customer_id == prices.c.customer_id,
        earlier.c.rule == prices.c.rule,
        earlier.c.position < prices.c.position,
        earlier.c.valid_from < prices.c.valid_to,
        earlier.c.valid_to > prices.c.valid_from,
    )
    return (
        sa.select(prices.c.customer_id, prices.c.position, prices.c.rule, earlier.c.position.label("outranked_by"))
        .join_from(prices, earlier, overlaps)
        .where(_of(prices.c.customer_id, wanted))
    )


ODDITIES = (
    Oddity(
        "reading_of_the_other_kind",
        meter_readings,
        "A fob reading of a metered customer, or the reverse: computed by the reading's own shape.",
        _other_kind,
    ),
    Oddity(
        "implausible_volume",
        meter_readings,
        f"A volume of more than {IMPLAUSIBLE_TIMES_MEDIAN} times the customer's median: mistyped?",
        _implausible_volume,
    ),
    Oddity("duplicate_start", meter_readings, "Readings of one customer that start together.", _duplicate_start),
    Oddity("zero_volume", meter_readings, "Readings of no volume.", _zero_volume),
    Oddity(
        "price_or_factor_not_positive",
        transaction_calculations,
        "Transactions at a price or with a factor of zero or less.",
        _price_not_positive,
    ),
    Oddity(
        "overlapping_price_entries",
        prices,
        "Price entries that overlap an earlier one of their kind, which wins.",
        _overlapping_entries,
    ),
)
