"""Checks of the reconciliations, all warnings: mismatches, their amount, and the largest ones as examples."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.defs.assets.metadata import markdown_table, with_separators
from ledger_pipelines.defs.assets.run import errors_as_failures
from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.warehouse.tables import balance_comparison, invoice_reconciliation

_EXAMPLES = 10
_compared, _account = balance_comparison.c, invoice_reconciliation.c

_COMPARISON_CHECKS = {
    "balances_match": (
        "Every customer's balance equals the application's own totals.",
        ~_compared.matches,
        _compared.difference,
    ),
    "every_difference_is_explained": (
        "Every difference from the application's totals is explained to the cent.",
        _compared.unexplained != 0,
        _compared.unexplained,
    ),
}
_INVOICE_CHECKS = {
    "invoices_match": (
        "In completed months, customers with a business partner are invoiced for their purchases.",
        _account.status.in_(["differs", "not_invoiced"]),
        _account.difference,
    ),
    "every_customer_has_a_partner": (
        "In completed months, every customer with purchases has a business partner.",
        _account.status == "customer_without_partner",
        _account.purchases,
    ),
    "every_partner_has_a_customer": (
        "In completed months, every invoiced business partner is a customer of the ledger.",
        _account.status == "partner_without_customer",
        _account.invoiced,
    ),
}


def reconciliation_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Return the checks of the two assets."""
    return [_checks_of(balance_comparison, _COMPARISON_CHECKS), _checks_of(invoice_reconciliation, _INVOICE_CHECKS)]


def _checks_of(table: sa.Table, checks: dict[str, tuple[str, Any, Any]]) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(name, asset=table.name, description=description)
        for name, (description, _, _) in checks.items()
    ]

    @dg.multi_asset_check(name=f"checks_of_{table.name}", specs=specs)
    def of_table(databases: dg.ResourceParam[PipelineDatabases]) -> Iterator[dg.AssetCheckResult]:
        with errors_as_failures(databases), databases.warehouse.connect() as connection:
            for name, (_, wrong, amount) in checks.items():
                condition = sa.and_(wrong, _is_over(table, databases.horizon()))
                yield _result(connection, table, name, condition, amount)

    return of_table


def _is_over(table: sa.Table, horizon: Horizon) -> sa.ColumnElement[bool]:
    """One row: whether its month is over; the current month is invoiced after its end."""
    return table.c.year_month < horizon.current if "year_month" in table.c else sa.true()


def _result(
    connection: sa.Connection, table: sa.Table, name: str, wrong: sa.ColumnElement[bool], amount: sa.ColumnElement[Any]
) -> dg.AssetCheckResult:
    counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(amount), 0)).where(wrong)
    rows, total = connection.execute(counted).one()
    metadata: dict[str, Any] = {"rows": rows, "rupiah": with_separators(total)}
    if rows:
        columns = [column for column in table.columns if column.name != "compared_at"]
        largest = sa.select(*columns).where(wrong).order_by(sa.func.abs(amount).desc(), *table.primary_key)
        examples = connection.execute(largest.limit(_EXAMPLES)).all()
        metadata["examples"] = dg.MetadataValue.md(markdown_table(examples, [column.name for column in columns]))
    return dg.AssetCheckResult(
        passed=rows == 0,
        asset_key=table.name,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
