"""Readings × prices → `transaction_calculations`: one priced transaction per usable reading.

The rule: docs/rules.md, "transaction_calculations". Exact NUMERIC arithmetic; each amount is rounded once.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger.prices import price_segments, segments
from ledger_pipelines.warehouse.invalidations import note_stale, take_stale
from ledger_pipelines.warehouse.merge import NO_MONTH, CountsByMonth, Written, qualified, rows_of, write
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded, require_loaded
from ledger_pipelines.warehouse.ops.rejected_rows import replace_rejections
from ledger_pipelines.warehouse.table_report import Report
from ledger_pipelines.warehouse.tables import (
    customers,
    meter_readings,
    monthly_customer_balances,
    prices,
    rejected_rows,
    transaction_calculations,
)
from ledger_pipelines.warehouse.transaction_setup import lock, make_temporary, plan_for

ASSET = "transaction_calculations"
WRITTEN = Written(
    transaction_calculations,
    stamps={"calculated_at": sa.func.now(), "is_recalculated": sa.false()},
    stamps_on_change={"calculated_at": sa.func.now(), "is_recalculated": sa.true()},
)
#: Up to this number of customers, the price segments of all months together form a small table.
FEW_CUSTOMERS = 2_000
_segment, _reading = price_segments.c, meter_readings.c


def recalculate(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    run_id: str,
    *,
    force: bool = False,
    balances_follow: bool = False,
) -> Report:
    """Recalculate the transactions of a scope by the rules, in the caller's transaction.

    The recalculation includes invalidated months and customers outside the scope, which a moved reading left. Months
    of the balances whose sums changed are invalidated. With ``balances_follow`` the months of the scope are not: the
    caller recalculates their balances in the same transaction. Readings without a price, factor or customer are
    rejected.

    Raises:
        MonthsMissingError: readings of the scope's months, customers or prices have never been loaded.
    """
    lock(connection, transaction_calculations)
    plan_for(connection, scope)
    # The scope before it is widened: the balances are recalculated for this scope and for invalidated months.
    covered = scope if balances_follow else None
    scope = take_stale(connection, transaction_calculations, scope, until=horizon.current)
    if scope.whole:
        require_loaded(connection, customers, [NO_MONTH], ASSET)
        require_loaded(connection, prices, [NO_MONTH], ASSET)
        require_loaded(connection, meter_readings, scope.months, ASSET)
    make_temporary(connection, price_segments)
    counts: CountsByMonth = {}
    rejected: dict[str, int] = {}
    for part in _parts(connection, scope):
        _materialise_segments(connection, part, horizon)
        target = partial(priced_readings, customer_ids=part.customers)
        counts |= write(connection, WRITTEN, target, part, force=force)
        rejected |= replace_rejections(connection, ASSET, unpriced_readings(part), rows_of(rejected_rows, part), run_id)
    if scope.whole:
        mark_loaded(connection, transaction_calculations, scope.months, run_id)
    changed = [month for month, count in counts.items() if count.written]
    note_stale(connection, monthly_customer_balances, changed, scope.customers, covered=covered)
    return Report(qualified(transaction_calculations), counts, rejected)


def _parts(connection: sa.Connection, scope: Scope) -> list[Scope]:
    """Return the parts of a scope to compute one by one: all months of few customers, or each month of many."""
    few = (
        not scope.whole or (connection.scalar(sa.select(sa.func.count()).select_from(customers)) or 0) <= FEW_CUSTOMERS
    )
    return [scope] if few else [Scope((month,)) for month in scope.months]


def _materialise_segments(connection: sa.Connection, scope: Scope, horizon: Horizon) -> None:
    connection.execute(sa.text("TRUNCATE price_segments"))
    connection.execute(sa.insert(price_segments).from_select(list(_segment), segments(scope, horizon)))
    connection.execute(sa.text("ANALYZE price_segments"))


def _in_segment() -> sa.ColumnElement[bool]:
    return sa.and_(
        _segment.customer_id == _reading.customer_id,
        _segment.segment_from <= _reading.reading_at,
        _segment.segment_to > _reading.reading_at,
    )


def _factor() -> sa.ColumnElement[Any]:
    return sa.case((_reading.kind == "fob", sa.literal_column("1::numeric")), else_=_segment.koreksi_meter)


def priced_readings(months: Sequence[str], customer_ids: tuple[int, ...] | None) -> sa.Select[Any]:
    """One row: a reading of the months and customers (None: all) with its price, the content of the table."""
    factor, price = _factor(), _segment.harga_per_m3
    return (
        sa.select(
            _reading.customer_id,
            _reading.reading_id.label("data_pencatatan_id"),
            _reading.year_month,
            _reading.reading_at.label("transaction_date"),
            _reading.volume.label("volume_flow_meter"),
            factor.label("koreksi_meter"),
            sa.func.round(_reading.volume * factor, 4).label("volume_sm3"),
            price,
            sa.func.round(_reading.volume * factor * price, 2).label("total_harga"),
            sa.case((_reading.kind == "fob", _segment.pricing_used_fob), else_=_segment.pricing_used).label(
                "pricing_used"
            ),
            _segment.tekanan_keluar,
            _segment.suhu,
        )
        .join_from(meter_readings, price_segments, _in_segment())
        .where(
            rows_of(meter_readings, Scope(tuple(months), customer_ids)),
            price.is_not(None),
            factor.is_not(None),
        )
    )


def unpriced_readings(scope: Scope) -> sa.Select[Any]:
    """One row: a reading of the scope without a transaction, with the reason, in the columns of `ops.rejected_rows`."""
    no_price = sa.select(
        *_rejection_columns(
            sa.case(
                (
                    _segment.harga_per_m3.is_(None),
                    "no price: no entry applies and the customer has no default price",
                ),
                else_="no correction factor: none is given, and pressure and temperature do not yield one",
            )
        )
    ).join_from(meter_readings, price_segments, _in_segment())
    unknown = sa.exists().where(customers.c.customer_id == _reading.customer_id)
    no_customer = sa.select(*_rejection_columns(sa.literal("the customer has not been loaded (asset customers)")))
    of_scope = rows_of(meter_readings, scope)
    # Redundant with the next condition, but on the segments alone, so that few of them are left to join.
    incomplete = sa.or_(_segment.harga_per_m3.is_(None), _segment.koreksi_meter.is_(None))
    return sa.select(
        sa.union_all(
            no_price.where(of_scope, incomplete, sa.or_(_segment.harga_per_m3.is_(None), _factor().is_(None))),
            no_customer.where(of_scope, ~unknown),
        ).subquery()
    )


def _rejection_columns(reason: sa.ColumnElement[str]) -> list[sa.ColumnElement[Any]]:
    return [
        sa.literal("data_pencatatan").label("source_table"),
        sa.cast(_reading.reading_id, sa.Text).label("source_id"),
        _reading.customer_id,
        _reading.year_month,
        reason.label("reason"),
        sa.cast(sa.func.to_jsonb(sa.literal_column("meter_readings")), sa.Text).label("raw_row"),
    ]
