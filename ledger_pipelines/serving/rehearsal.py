"""The dry run of the ledger: what the billing application holds of each customer, and what the warehouse has now."""

from dataclasses import dataclass, field
from decimal import Decimal

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.sources import billing_rows
from ledger_pipelines.sources.billing_records import Reading
from ledger_pipelines.sources.billing_rows import Row
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.queries import latest_balances


@dataclass
class CustomerNow:
    """What is known of one customer before a run.

    Attributes:
        customer_id: users.id of the billing application.
        name: as there.
        readings: rows of data_pencatatan.
        usable: those that can be read; whether a price is known for each is seen when it is calculated.
        rejected: those that cannot.
        deposit_entries: usable entries of the deposit history.
        deposits_rejected: entries that cannot be used; the whole list counts as one if it is unreadable.
        total_deposit: the application's own running total, rupiah.
        total_purchases: likewise.
        closing_balance: the latest in the warehouse; None if there is none.
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
class Rehearsal:
    """What a dry run found.

    Attributes:
        customers: by their ids.
        strays: readings of nobody's, or of users who are no customers.
    """

    customers: dict[int, CustomerNow] = field(default_factory=dict)
    strays: int = 0


def rehearse(databases: Databases, customers: tuple[int, ...] | None) -> Rehearsal:
    """Read the billing application and change nothing.

    Raises:
        SourceError: it cannot be read.
        WarehouseError: the warehouse cannot be used.
    """
    horizon = databases.horizon
    scope = Scope(horizon.months, customers)
    found: dict[int, CustomerNow] = {}
    for chunk in databases.billing_app.customers(scope):
        for row in chunk:
            found[row["id"]] = _customer(row, horizon)
    strays = 0
    for chunk in databases.billing_app.readings(scope):
        for row in chunk:
            owner = found.get(row["customer_id"])
            if owner is None:
                strays += 1
            else:
                _count(owner, billing_rows.reading(row, horizon))
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        for balance in connection.execute(latest_balances(customers)):
            if balance.customer_id in found:
                found[balance.customer_id].closing_balance = balance.closing_balance
    return Rehearsal(found, strays)


def _customer(row: Row, horizon: Horizon) -> CustomerNow:
    now = CustomerNow(
        customer_id=row["id"],
        name=row["name"],
        total_deposit=row["total_deposit"],
        total_purchases=row["total_purchases"],
    )
    try:
        for entry in billing_rows.deposits(row, horizon):
            if isinstance(entry, Rejection):
                now.deposits_rejected += 1
            else:
                now.deposit_entries += 1
    except UnusableError:
        now.deposits_rejected += 1
    return now


def _count(owner: CustomerNow, reading: Reading | Rejection) -> None:
    owner.readings += 1
    if isinstance(reading, Rejection) or reading.volume < 0:
        owner.rejected += 1
    else:
        owner.usable += 1
