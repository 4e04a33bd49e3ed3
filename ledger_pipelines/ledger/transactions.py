"""Readings × prices → `transaction_calculations`: one priced transaction per usable reading.

The rule: docs/rules.md, "transaction_calculations". Exact NUMERIC arithmetic; each amount is rounded once.
"""

from collections.abc import Collection, Sequence
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger.input_versions import (
    SAMPLE_MONTH,
    complete_counts,
    formula_version,
    months_to_skip,
    record_months,
)
from ledger_pipelines.ledger.prices import price_segments, segments
from ledger_pipelines.rejection_reasons import REASON_COLUMNS, ReasonCode, RejectionReason
from ledger_pipelines.warehouse.invalidations import consume_invalidations, invalidate
from ledger_pipelines.warehouse.merge import (
    UNPARTITIONED,
    CountsByMonth,
    TargetTable,
    is_in_scope,
    qualified_name,
    write_months,
)
from ledger_pipelines.warehouse.ops.loaded_months import require_loaded
from ledger_pipelines.warehouse.ops.rejected_rows import keep_rejections, replace_rejections
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import (
    customers,
    meter_readings,
    monthly_customer_balances,
    prices,
    rejected_rows,
    transaction_calculations,
)
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, create_temporary_tables, lock_tables

ASSET = "transaction_calculations"
TARGET = TargetTable(
    transaction_calculations,
    stamps={"calculated_at": sa.func.now(), "is_recalculated": sa.false()},
    stamps_on_change={"calculated_at": sa.func.now(), "is_recalculated": sa.true()},
)
#: Up to this number of customers, the price segments of all months together form a small table.
MAX_CUSTOMERS_FOR_ONE_PASS = 2_000
_segment, _reading = price_segments.c, meter_readings.c


def recalculate_transactions(
    connection: sa.Connection,
    scope: Scope,
    horizon: Horizon,
    run_id: str,
    *,
    force: bool = False,
    every_month: bool = False,
    balances_follow: bool = False,
) -> TableReport:
    """Recalculate the transactions of a scope by the rules, in the caller's transaction.

    For all customers, months whose inputs are unchanged are skipped, unless ``every_month`` or ``force`` is set; with
    ``force`` the rows are deleted and inserted. The recalculation includes invalidated months and customers outside the
    scope, which a moved reading left. Months of the balances whose sums changed are invalidated. With
    ``balances_follow`` the months of some customers are not: the caller recalculates their balances in the same
    transaction. Readings without a price, factor or customer are rejected.

    Raises:
        InputNotLoadedError: readings of the scope's months, customers or prices have never been loaded.
    """
    lock_tables(connection, transaction_calculations)
    avoid_nested_loops(connection, scope)
    # The scope before it is widened: the balances are recalculated for this scope and for invalidated months.
    covered = scope if balances_follow else None
    consumed = consume_invalidations(connection, transaction_calculations, scope, until=horizon.current)
    scope, formula = consumed.scope, _formula(horizon.zone)
    if scope.covers_all_customers:
        require_loaded(connection, customers, [UNPARTITIONED], ASSET)
        require_loaded(connection, prices, [UNPARTITIONED], ASSET)
        require_loaded(connection, meter_readings, scope.months, ASSET)
    skipped = months_to_skip(
        connection, transaction_calculations, scope, consumed, formula, every_month=every_month or force
    )
    create_temporary_tables(connection, price_segments)
    counts: CountsByMonth = complete_counts({}, skipped)
    still_rejected = rejected_rows.c.year_month.in_(list(skipped))
    rejected = keep_rejections(connection, ASSET, still_rejected, run_id) if skipped else {}
    for part in _parts(connection, scope, skipped):
        _materialise_segments(connection, part, horizon)
        target = partial(priced_readings, customer_ids=part.customers)
        counts |= write_months(connection, TARGET, target, part, force=force)
        rejected |= replace_rejections(
            connection, ASSET, unpriced_readings(part), is_in_scope(rejected_rows, part), run_id
        )
    record_months(connection, transaction_calculations, scope, counts, formula, run_id)
    changed = [month for month, count in counts.items() if count.changed]
    invalidate(connection, monthly_customer_balances, changed, scope.customers, covered=covered)
    return TableReport(qualified_name(transaction_calculations), counts, rejected, skipped=frozenset(skipped))


@cache
def _formula(zone: ZoneInfo) -> str:
    """Return the formula version of transactions in a time zone."""
    sample, horizon = Scope((SAMPLE_MONTH,)), Horizon(SAMPLE_MONTH, SAMPLE_MONTH, zone)
    return formula_version(
        segments(sample, horizon), priced_readings(sample.months, sample.customers), unpriced_readings(sample)
    )


def _parts(connection: sa.Connection, scope: Scope, skipped: Collection[str]) -> list[Scope]:
    """Return the parts of a scope to compute one by one: all months of few customers, or each month of many."""
    scope = Scope(tuple(month for month in scope.months if month not in skipped), scope.customers)
    if not scope.months:
        return []
    few = (
        not scope.covers_all_customers
        or (connection.scalar(sa.select(sa.func.count()).select_from(customers)) or 0) <= MAX_CUSTOMERS_FOR_ONE_PASS
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
            is_in_scope(meter_readings, Scope(tuple(months), customer_ids)),
            price.is_not(None),
            factor.is_not(None),
        )
    )


def unpriced_readings(scope: Scope) -> sa.Select[Any]:
    """One row: a reading of the scope without a transaction, with the reason, in the columns of `ops.rejected_rows`."""
    has_price = _segment.harga_per_m3.is_not(None)
    no_price = sa.select(
        *_rejection_columns((~has_price, ReasonCode.NO_PRICE), (has_price, ReasonCode.NO_CORRECTION_FACTOR))
    ).join_from(meter_readings, price_segments, _in_segment())
    unknown = sa.exists().where(customers.c.customer_id == _reading.customer_id)
    no_customer = sa.select(*_rejection_columns((sa.true(), ReasonCode.CUSTOMER_NOT_LOADED)))
    of_scope = is_in_scope(meter_readings, scope)
    # Redundant with the next condition, but on the segments alone, so that few of them are left to join.
    incomplete = sa.or_(_segment.harga_per_m3.is_(None), _segment.koreksi_meter.is_(None))
    return sa.select(
        sa.union_all(
            no_price.where(of_scope, incomplete, sa.or_(_segment.harga_per_m3.is_(None), _factor().is_(None))),
            no_customer.where(of_scope, ~unknown),
        ).subquery()
    )


def _rejection_columns(*reasons: tuple[sa.ColumnElement[bool], ReasonCode]) -> list[sa.ColumnElement[Any]]:
    """Return the columns of the rejection of a reading, with the reason whose condition holds."""
    columns = zip(*(RejectionReason.of(code).columns for _, code in reasons), strict=True)
    texts = [
        sa.case(*((condition, value) for (condition, _), value in zip(reasons, values, strict=True)))
        for values in columns
    ]
    return [
        sa.literal("data_pencatatan").label("source_table"),
        sa.cast(_reading.reading_id, sa.Text).label("source_id"),
        _reading.customer_id,
        _reading.year_month,
        *(
            sa.cast(text, rejected_rows.c[name].type).label(name)
            for name, text in zip(REASON_COLUMNS, texts, strict=True)
        ),
        sa.cast(sa.func.to_jsonb(sa.literal_column("meter_readings")), sa.Text).label("raw_row"),
    ]
