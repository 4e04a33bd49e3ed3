"""Dry run of the ledger: rows of each customer in the billing application, and its balance in the warehouse."""

from dataclasses import dataclass, field
from decimal import Decimal

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.sources.billing import parsing as billing_rows
from ledger_pipelines.sources.billing.parsing import SourceRow
from ledger_pipelines.sources.billing.records import MeterReading
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError
from ledger_pipelines.warehouse.queries.customers.latest_balances import latest_balances
from ledger_pipelines.warehouse.tables import monthly_customer_balances


@dataclass
class DryRunCustomer:
    """State of one customer before a run.

    Attributes:
        customer_id: `users.id` of the billing application.
        name: `users.name`.
        readings: Number of rows of `data_pencatatan`.
        usable: Readings that can be parsed; a missing price is found only by the calculation.
        rejected: Readings that cannot be parsed.
        deposit_entries: Usable entries of the deposit history.
        deposits_rejected: Unusable entries; an unreadable history counts as one.
        total_deposit: The application's own running total, in rupiah.
        total_purchases: The application's own running total, in rupiah.
        closing_balance: The latest closing balance in the warehouse, if any.
    """

    customer_id: int
    name: str | None = None
    readings: int = 0
    usable: int = 0
    rejected: int = 0
    deposit_entries: int = 0
    deposits_rejected: int = 0
    total_deposit: Decimal | None = None
    total_purchases: Decimal | None = None
    closing_balance: Decimal | None = None


@dataclass
class DryRun:
    """Result of a dry run.

    Attributes:
        customers: Customers by id.
        orphan_readings: Number of orphan readings, whose user does not exist or is no customer.
    """

    customers: dict[int, DryRunCustomer] = field(default_factory=dict)
    orphan_readings: int = 0


def dry_run_of(databases: Databases, customers: tuple[int, ...] | None) -> DryRun:
    """Read the billing application and count its rows by customer; change nothing.

    Raises:
        SourceError: the billing application cannot be read.
        WarehouseError: the warehouse cannot be used.
    """
    horizon = databases.horizon()
    scope = Scope(horizon.months, customers)
    found: dict[int, DryRunCustomer] = {}
    for chunk in databases.billing_app().customers(scope):
        for row in chunk:
            found[row["id"]] = _customer(row, horizon)
    orphan_readings = 0
    for chunk in databases.billing_app().readings(scope):
        for row in chunk:
            customer = found.get(row["customer_id"])
            if customer is None:
                orphan_readings += 1
            else:
                _count(customer, billing_rows.parse_reading(row, horizon))
    with databases.warehouse_connection() as connection:
        column = monthly_customer_balances.c
        latest = latest_balances(column.customer_id, column.closing_balance)
        if customers is not None:
            latest = latest.where(column.customer_id.in_(customers))
        for balance in connection.execute(latest):
            if balance.customer_id in found:
                found[balance.customer_id].closing_balance = balance.closing_balance
    return DryRun(found, orphan_readings)


def _customer(row: SourceRow, horizon: Horizon) -> DryRunCustomer:
    now = DryRunCustomer(
        customer_id=row["id"],
        name=row["name"],
        total_deposit=row["total_deposit"],
        total_purchases=row["total_purchases"],
    )
    try:
        for entry in billing_rows.parse_deposits(row, horizon):
            if isinstance(entry, Rejection):
                now.deposits_rejected += 1
            else:
                now.deposit_entries += 1
    except UnusableError:
        now.deposits_rejected += 1
    return now


def _count(customer: DryRunCustomer, reading: MeterReading | Rejection) -> None:
    customer.readings += 1
    if isinstance(reading, Rejection) or reading.volume < 0:
        customer.rejected += 1
    else:
        customer.usable += 1
