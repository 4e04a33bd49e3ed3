"""The ledger as assets: transaction_calculations and monthly_customer_balances."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.assets import remarks
from ledger_pipelines.assets.billing import OWNERS, POOL
from ledger_pipelines.assets.metadata import Metadata, grouped, markdown_table, static_metadata, whole
from ledger_pipelines.assets.run import explained, reported, scope_of, turn_first
from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.resources import Databases, RunScope
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries import monthly_summary, transaction_summary
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock

_BALANCE_HEADINGS = ("month", "customers", "opening", "deposits", "purchases", "closing", "Sm³", "owing")
_TRANSACTION_HEADINGS = ("month", "transactions", "Sm³", "rupiah", "custom period", "monthly", "default")
_THE_MONTH_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

Recalculation = Callable[[sa.Connection, Scope, Horizon], Report]
Describe = Callable[[sa.Connection, Scope], tuple[Metadata, dict[str, Metadata]]]


def ledger_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """The two assets of the group `ledger`."""
    by_month: dict[str, Any] = {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}

    @dg.asset(**_about(tables.transaction_calculations), **by_month, deps=["customers", "prices", "meter_readings"])
    def transaction_calculations(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """What each reading cost: volume × correction factor × the price in force at its moment, rounded once."""

        def recalculate(connection: sa.Connection, what: Scope, horizon: Horizon) -> Report:
            return transactions.recalculate(connection, what, horizon, context.run.run_id, force=scope.force)

        return _ledger_step(context, databases, scope, recalculate, _about_transactions)

    @dg.asset(
        **_about(tables.monthly_customer_balances),
        **by_month,
        deps=[
            "deposits",
            "transaction_calculations",
            dg.AssetDep("monthly_customer_balances", partition_mapping=_THE_MONTH_BEFORE),
        ],
    )
    def monthly_customer_balances(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[Databases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Each customer's balance by month: opening + deposits - purchases = closing.

        A change in a month carries the later months of that customer forward in the same transaction.
        """

        def recalculate(connection: sa.Connection, what: Scope, horizon: Horizon) -> Report:
            low, run_id = databases.low_balance(), context.run.run_id
            return balances.recalculate(connection, what, horizon, run_id, force=scope.force, low=low)

        return _ledger_step(context, databases, scope, recalculate, _about_balances)

    return [transaction_calculations, monthly_customer_balances]


def _about(table: sa.Table) -> dict[str, Any]:
    return {
        "group_name": "ledger",
        "kinds": {"postgres", "sql"},
        "owners": OWNERS,
        "metadata": static_metadata(table),
        "pool": POOL,
    }


def _ledger_step(
    context: dg.AssetExecutionContext,
    databases: Databases,
    scope: RunScope,
    recalculate: Recalculation,
    describe: Describe,
) -> dg.MaterializeResult[None]:
    """Recalculate in one transaction, then describe what came out; a month that has begun is turned before."""
    with explained(databases):
        turn_first(context, databases)
        what = scope_of(context, scope, databases.horizon())

        def step() -> Report:
            with databases.warehouse.begin() as connection:
                lock(connection, tables.transaction_calculations, tables.monthly_customer_balances)
                # Once they are locked: the month cannot be turned meanwhile.
                return recalculate(connection, what, databases.horizon())

        def described(report: Report) -> tuple[Metadata, dict[str, Metadata]]:
            with databases.warehouse.connect() as connection:
                about_run, about_months = describe(
                    connection, Scope(tuple(sorted(report.counts)) or what.months, what.customers)
                )
            about_run |= remarks.of_rejections(context, databases, report)
            # Sums of a few customers beside sums of all would make nonsense of the plots by month.
            return about_run, about_months if what.whole else {}

        return reported(context, step, described, scope=scope)


def _about_transactions(connection: sa.Connection, scope: Scope) -> tuple[Metadata, dict[str, Metadata]]:
    rows = connection.execute(transaction_summary(scope)).all()
    table = markdown_table(rows, _TRANSACTION_HEADINGS, bar_of="Sm³")
    about_run = {
        "total_rupiah": whole(sum(row.amount for row in rows)),
        "total_sm3": whole(sum(row.volume for row in rows)),
        "months": dg.MetadataValue.md(table),
    }
    about_months: dict[str, Metadata] = {
        row.year_month: {
            "month_rupiah": whole(row.amount),
            "month_sm3": whole(row.volume),
            "month_rupiah_exact": grouped(row.amount),
        }
        for row in rows
    }
    return about_run, about_months


def _about_balances(connection: sa.Connection, scope: Scope) -> tuple[Metadata, dict[str, Metadata]]:
    rows = connection.execute(monthly_summary(scope)).all()
    table = markdown_table(rows, _BALANCE_HEADINGS, bar_of="closing")
    about_run = {
        "total_purchases_rupiah": whole(sum(row.purchases for row in rows)),
        "total_deposits_rupiah": whole(sum(row.deposits for row in rows)),
        "total_sm3": whole(sum(row.volume for row in rows)),
        "closing_balance_rupiah": whole(rows[-1].closing) if rows else 0,
        "months": dg.MetadataValue.md(table),
    }
    about_months: dict[str, Metadata] = {
        row.year_month: {
            "month_purchases_rupiah": whole(row.purchases),
            "month_deposits_rupiah": whole(row.deposits),
            "month_closing_rupiah": whole(row.closing),
            "month_closing_rupiah_exact": grouped(row.closing),
            "month_sm3": whole(row.volume),
            "customers": row.customers,
            "customers_owing": row.owing,
        }
        for row in rows
    }
    return about_run, about_months
