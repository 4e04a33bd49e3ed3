"""Data checks with severity WARN, one query each: rows that are valid and used, but implausible."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import customers, meter_readings, prices, transaction_calculations

Customers = tuple[int, ...] | None
#: A reading of more than this many times the customer's median volume is implausible.
IMPLAUSIBLE_TIMES_MEDIAN = 50
_reading = meter_readings.c


@dataclass(frozen=True)
class DataCheck:
    """Data check with severity WARN.

    Attributes:
        name: Name of the check in the UI.
        table: The table that is checked.
        description: What the check finds, in one sentence.
        rows: The query; its rows are the findings.
    """

    name: str
    table: sa.Table
    description: str
    rows: Callable[[Customers], sa.Select[Any]]


def _for_customers(column: sa.ColumnElement[Any], customer_ids: Customers) -> sa.ColumnElement[bool]:
    return sa.true() if customer_ids is None else column.in_(customer_ids)


def _other_kind(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a fob reading of a metered customer, or a metered reading of a fob customer."""
    kind_of_role = sa.case((customers.c.role == "fob", "fob"), else_="metered")
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.kind, customers.c.role)
        .join_from(meter_readings, customers, customers.c.customer_id == _reading.customer_id)
        .where(_for_customers(_reading.customer_id, customer_ids), _reading.kind != kind_of_role)
    )


def _implausible_volume(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a reading of more than `IMPLAUSIBLE_TIMES_MEDIAN` times the customer's median volume."""
    usual = (
        sa.select(
            _reading.customer_id,
            sa.func.percentile_disc(0.5).within_group(_reading.volume).label("median"),
        )
        .where(_for_customers(_reading.customer_id, customer_ids))
        .group_by(_reading.customer_id)
        .subquery("usual")
    )
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.volume, usual.c.median)
        .join_from(meter_readings, usual, usual.c.customer_id == _reading.customer_id)
        .where(usual.c.median > 0, _reading.volume > usual.c.median * IMPLAUSIBLE_TIMES_MEDIAN)
    )


def _duplicate_start(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a customer and moment at which more than one reading starts."""
    return (
        sa.select(
            _reading.customer_id,
            _reading.year_month,
            _reading.reading_at,
            sa.func.array_agg(_reading.reading_id).label("readings"),
        )
        .where(_for_customers(_reading.customer_id, customer_ids))
        .group_by(_reading.customer_id, _reading.year_month, _reading.reading_at)
        .having(sa.func.count() > 1)
    )


def _zero_volume(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a reading with a volume of 0."""
    return sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month).where(
        _for_customers(_reading.customer_id, customer_ids), _reading.volume == 0
    )


def _price_not_positive(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a transaction with a price or factor of zero or less."""
    row = transaction_calculations.c
    return sa.select(
        row.data_pencatatan_id, row.customer_id, row.year_month, row.harga_per_m3, row.koreksi_meter
    ).where(_for_customers(row.customer_id, customer_ids), sa.or_(row.harga_per_m3 <= 0, row.koreksi_meter <= 0))


def _overlapping_entries(customer_ids: Customers) -> sa.Select[Any]:
    """One row: a price entry that overlaps an earlier entry of the same rule, which takes precedence."""
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
        .where(_for_customers(prices.c.customer_id, customer_ids))
    )


DATA_CHECKS = (
    DataCheck(
        "reading_of_the_other_kind",
        meter_readings,
        "Fob readings of metered customers, or the reverse; they are computed by the shape of the reading.",
        _other_kind,
    ),
    DataCheck(
        "implausible_volume",
        meter_readings,
        f"Readings of more than {IMPLAUSIBLE_TIMES_MEDIAN} times the customer's median volume, possibly mistyped.",
        _implausible_volume,
    ),
    DataCheck(
        "duplicate_start", meter_readings, "Readings of one customer that start at the same moment.", _duplicate_start
    ),
    DataCheck("zero_volume", meter_readings, "Readings with a volume of 0.", _zero_volume),
    DataCheck(
        "price_or_factor_not_positive",
        transaction_calculations,
        "Transactions with a price or factor of zero or less.",
        _price_not_positive,
    ),
    DataCheck(
        "overlapping_price_entries",
        prices,
        "Price entries that overlap an earlier entry of the same rule, which takes precedence.",
        _overlapping_entries,
    ),
)
