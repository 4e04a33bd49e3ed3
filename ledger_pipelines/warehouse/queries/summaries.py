"""Summaries of the warehouse's tables for run metadata, the command line and the health check."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.domain import PriceRule
from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.merge import is_in_scope
from ledger_pipelines.warehouse.tables import (
    customers,
    deposits,
    meter_readings,
    monthly_customer_balances,
    rejected_rows,
    transaction_calculations,
)

_balance, _transaction = monthly_customer_balances.c, transaction_calculations.c


def monthly_summary(scope: Scope) -> sa.Select[Any]:
    """One row: a month of the scope with the sums of its balances."""
    return (
        sa.select(
            _balance.year_month,
            sa.func.count().label("customers"),
            sa.func.sum(_balance.opening_balance).label("opening"),
            sa.func.sum(_balance.total_deposits).label("deposits"),
            sa.func.sum(_balance.total_purchases).label("purchases"),
            sa.func.sum(_balance.closing_balance).label("closing"),
            sa.func.sum(_balance.total_volume_sm3).label("volume"),
            sa.func.count().filter(_balance.closing_balance < 0).label("owing"),
        )
        .where(is_in_scope(monthly_customer_balances, scope))
        .group_by(_balance.year_month)
        .order_by(_balance.year_month)
    )


def transaction_summary(scope: Scope) -> sa.Select[Any]:
    """One row: a month of the scope with the sums of its transactions, and their numbers by price rule."""
    rule = _transaction.pricing_used["rule"].astext
    return (
        sa.select(
            _transaction.year_month,
            sa.func.count().label("transactions"),
            sa.func.sum(_transaction.volume_sm3).label("volume"),
            sa.func.sum(_transaction.total_harga).label("amount"),
            *(sa.func.count().filter(rule == each).label(each) for each in PriceRule),
        )
        .where(is_in_scope(transaction_calculations, scope))
        .group_by(_transaction.year_month)
        .order_by(_transaction.year_month)
    )


def row_counts(wanted: Sequence[int] | None = None) -> sa.Select[Any]:
    """One row: the number of rows of each table, of some customers or of all."""
    tables = (customers, deposits, meter_readings, transaction_calculations, monthly_customer_balances, rejected_rows)
    counts = []
    for table in tables:
        count = sa.select(sa.func.count()).select_from(table)
        counts.append(count if wanted is None else count.where(table.c.customer_id.in_(wanted)))
    return sa.select(*(count.scalar_subquery().label(table.name) for table, count in zip(tables, counts, strict=True)))


def rejections_by_reason(asset: str) -> sa.Select[Any]:
    """One row: a kind of reason why an asset rejects rows, with the number of rows and an example."""
    kind = rejected_rows.c.reason_kind
    example = sa.func.min(rejected_rows.c.source_table.concat(" ").concat(rejected_rows.c.source_id))
    return (
        sa.select(kind.label("reason"), sa.func.count().label("rows"), example.label("example"))
        .where(rejected_rows.c.asset == asset)
        .group_by(kind)
        .order_by(sa.func.count().desc(), kind)
    )


def rejections_of_run(asset: str, run_id: str) -> sa.Select[Any]:
    """One row: a kind of reason and a month that it names, with one of the reasons, the number of rows and an example.

    Args:
        asset: Name of the asset.
        run_id: The run that rejected the rows.
    """
    row = rejected_rows.c
    example = sa.func.min(row.source_table.concat(" ").concat(row.source_id))
    params = sa.cast(sa.func.min(sa.cast(row.reason_params, sa.Text)), JSONB)
    return (
        sa.select(
            row.reason_code,
            params.label("reason_params"),
            example.label("source_row"),
            sa.func.count().label("rows"),
        )
        .where(row.asset == asset, row.run_id == run_id)
        .group_by(row.reason_code, row.reason_kind, row.reason_params["month"].astext)
        .order_by(sa.func.count().desc(), sa.func.min(row.reason))
    )
