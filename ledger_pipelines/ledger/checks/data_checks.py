"""Data checks: queries for rows that are valid and used, but implausible. A finding is a warning."""

from functools import partial
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.checks.check import Check, CheckScope, Severity, declared_in
from ledger_pipelines.warehouse.tables import customers, meter_readings, prices, transaction_calculations

DATA_CHECKS: list[Check] = []
_data_check = partial(declared_in, DATA_CHECKS, Severity.WARN)
_reading = meter_readings.c


@_data_check(meter_readings)
def reading_of_the_other_kind(scope: CheckScope) -> sa.Select[Any]:
    """FOB readings of metered customers, or the reverse; each is computed by the shape of the reading."""
    kind_of_role = sa.case((customers.c.role == "fob", "fob"), else_="metered")
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.kind, customers.c.role)
        .join_from(meter_readings, customers, customers.c.customer_id == _reading.customer_id)
        .where(scope.includes(_reading.customer_id), _reading.kind != kind_of_role)
    )


@_data_check(meter_readings)
def implausible_volume(scope: CheckScope) -> sa.Select[Any]:
    """Readings of more than 50 times the customer's median volume, possibly mistyped."""
    usual = (
        sa.select(
            _reading.customer_id,
            sa.func.percentile_disc(0.5).within_group(_reading.volume).label("median"),
        )
        .where(scope.includes(_reading.customer_id))
        .group_by(_reading.customer_id)
        .subquery("usual")
    )
    return (
        sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month, _reading.volume, usual.c.median)
        .join_from(meter_readings, usual, usual.c.customer_id == _reading.customer_id)
        .where(usual.c.median > 0, _reading.volume > usual.c.median * 50)
    )


@_data_check(meter_readings)
def duplicate_start(scope: CheckScope) -> sa.Select[Any]:
    """Readings of one customer that start at the same time."""
    return (
        sa.select(
            _reading.customer_id,
            _reading.year_month,
            _reading.reading_at,
            sa.func.array_agg(_reading.reading_id).label("readings"),
        )
        .where(scope.includes(_reading.customer_id))
        .group_by(_reading.customer_id, _reading.year_month, _reading.reading_at)
        .having(sa.func.count() > 1)
    )


@_data_check(meter_readings)
def zero_volume(scope: CheckScope) -> sa.Select[Any]:
    """Readings with a volume of 0."""
    return sa.select(_reading.reading_id, _reading.customer_id, _reading.year_month).where(
        scope.includes(_reading.customer_id), _reading.volume == 0
    )


@_data_check(transaction_calculations)
def price_or_factor_not_positive(scope: CheckScope) -> sa.Select[Any]:
    """Transactions with a price or factor of zero or less."""
    row = transaction_calculations.c
    return sa.select(
        row.data_pencatatan_id, row.customer_id, row.year_month, row.harga_per_m3, row.koreksi_meter
    ).where(scope.includes(row.customer_id), sa.or_(row.harga_per_m3 <= 0, row.koreksi_meter <= 0))


@_data_check(prices)
def overlapping_price_entries(scope: CheckScope) -> sa.Select[Any]:
    """Price entries that overlap an earlier entry of the same rule, which takes precedence."""
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
        .where(scope.includes(prices.c.customer_id))
    )
