"""Assets of the ledger: transaction_calculations and monthly_customer_balances."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets import step_notices
from ledger_pipelines.defs.assets.billing import POOL
from ledger_pipelines.defs.assets.declaration import UPSTREAM, asset_options
from ledger_pipelines.defs.assets.metadata import Metadata, markdown_table, rounded, with_separators
from ledger_pipelines.defs.assets.run import errors_as_failures, run_and_report, scope_of, turn_month_if_due
from ledger_pipelines.defs.resources import PipelineDatabases, RunScope
from ledger_pipelines.domain import PriceRule
from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.queries.summaries import monthly_summary, transaction_summary
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import lock_tables

_BALANCE_HEADINGS = ("month", "customers", "opening", "deposits", "purchases", "closing", "Sm³", "owing")
_TRANSACTION_HEADINGS = ("month", "transactions", "Sm³", "rupiah", *(rule.label for rule in PriceRule))

Recalculation = Callable[[sa.Connection, Scope, Horizon], TableReport]
Describe = Callable[[sa.Connection, Scope], tuple[Metadata, dict[str, Metadata]]]


def ledger_assets(partitions: dg.PartitionsDefinition[Any]) -> Sequence[dg.AssetsDefinition]:
    """Return the two assets of the group `ledger`."""
    options = partial(asset_options, partitions=partitions, group="ledger", pool=POOL)

    @dg.asset(**options(tables.transaction_calculations), deps=UPSTREAM[tables.transaction_calculations])
    def transaction_calculations(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Cost of each reading: volume × correction factor × the price in force at its time, rounded once."""

        def recalculate(connection: sa.Connection, requested: Scope, horizon: Horizon) -> TableReport:
            return transactions.recalculate_transactions(
                connection,
                requested,
                horizon,
                context.run.run_id,
                force=scope.force,
                every_month=scope.every_month,
            )

        return _ledger_step(context, databases, scope, recalculate, _transactions_metadata)

    @dg.asset(**options(tables.monthly_customer_balances), deps=UPSTREAM[tables.monthly_customer_balances])
    def monthly_customer_balances(
        context: dg.AssetExecutionContext, databases: dg.ResourceParam[PipelineDatabases], scope: RunScope
    ) -> dg.MaterializeResult[None]:
        """Balance of each customer by month: opening + deposits - purchases = closing.

        A change in one month updates the customer's later months in the same transaction.
        """

        def recalculate(connection: sa.Connection, requested: Scope, horizon: Horizon) -> TableReport:
            limits, run_id = databases.default_low_balance(), context.run.run_id
            return balances.recalculate_balances(
                connection,
                requested,
                horizon,
                run_id,
                force=scope.force,
                every_month=scope.every_month,
                limits=limits,
            )

        return _ledger_step(context, databases, scope, recalculate, _balances_metadata)

    return [transaction_calculations, monthly_customer_balances]


def _ledger_step(
    context: dg.AssetExecutionContext,
    databases: PipelineDatabases,
    scope: RunScope,
    recalculate: Recalculation,
    describe: Describe,
) -> dg.MaterializeResult[None]:
    """Recalculate in one transaction and describe the result, after turning a month that has begun."""
    with errors_as_failures(databases):
        turn_month_if_due(context, databases)
        requested = scope_of(context, scope, databases.horizon())

        def step() -> TableReport:
            with databases.warehouse.begin() as connection:
                lock_tables(connection, tables.transaction_calculations, tables.monthly_customer_balances)
                # The horizon is read under the locks, so no other process can turn the month in between.
                return recalculate(connection, requested, databases.horizon())

        def described(report: TableReport) -> tuple[Metadata, dict[str, Metadata]]:
            with databases.warehouse.connect() as connection:
                run_metadata, metadata_by_month = describe(
                    connection, Scope(tuple(sorted(report.counts)) or requested.months, requested.customers)
                )
            run_metadata |= step_notices.log_rejections(context, databases, report)
            # Sums of some customers would distort the monthly plots, which show sums of all customers.
            return run_metadata, metadata_by_month if requested.covers_all_customers else {}

        return run_and_report(context, step, described, scope=scope)


def _transactions_metadata(connection: sa.Connection, scope: Scope) -> tuple[Metadata, dict[str, Metadata]]:
    rows = connection.execute(transaction_summary(scope)).all()
    table = markdown_table(rows, _TRANSACTION_HEADINGS, bar_of="Sm³")
    run_metadata = {
        "total_rupiah": rounded(sum(row.amount for row in rows)),
        "total_sm3": rounded(sum(row.volume for row in rows)),
        "months": dg.MetadataValue.md(table),
    }
    metadata_by_month: dict[str, Metadata] = {
        row.year_month: {
            "month_rupiah": rounded(row.amount),
            "month_sm3": rounded(row.volume),
            "month_rupiah_exact": with_separators(row.amount),
        }
        for row in rows
    }
    return run_metadata, metadata_by_month


def _balances_metadata(connection: sa.Connection, scope: Scope) -> tuple[Metadata, dict[str, Metadata]]:
    rows = connection.execute(monthly_summary(scope)).all()
    table = markdown_table(rows, _BALANCE_HEADINGS, bar_of="closing")
    run_metadata = {
        "total_purchases_rupiah": rounded(sum(row.purchases for row in rows)),
        "total_deposits_rupiah": rounded(sum(row.deposits for row in rows)),
        "total_sm3": rounded(sum(row.volume for row in rows)),
        "closing_balance_rupiah": rounded(rows[-1].closing) if rows else 0,
        "months": dg.MetadataValue.md(table),
    }
    metadata_by_month: dict[str, Metadata] = {
        row.year_month: {
            "month_purchases_rupiah": rounded(row.purchases),
            "month_deposits_rupiah": rounded(row.deposits),
            "month_closing_rupiah": rounded(row.closing),
            "month_closing_rupiah_exact": with_separators(row.closing),
            "month_sm3": rounded(row.volume),
            "customers": row.customers,
            "customers_owing": row.owing,
        }
        for row in rows
    }
    return run_metadata, metadata_by_month
