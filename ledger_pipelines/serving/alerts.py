"""Low balances for a person or a program: what is recorded, and when a customer's balance is low."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger import alerts
from ledger_pipelines.ledger.alerts import LowBalance, Signals
from ledger_pipelines.ledger.days_left import DaysLeft, balances_by_days_left
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.loaded import as_turned
from ledger_pipelines.warehouse.polite import politely
from ledger_pipelines.warehouse.tables import balance_alerts, balance_thresholds, customers

_alert, _threshold = balance_alerts.c, balance_thresholds.c


def recorded(databases: Databases, *, customer_id: int | None, cleared: bool, limit: int) -> list[Mapping[str, Any]]:
    """The alerts, newest first: of a customer or (None) of all; those of balances that have recovered only if asked.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    statement = sa.select(balance_alerts, customers.c.name.label("customer_name")).outerjoin(
        customers, customers.c.customer_id == _alert.customer_id
    )
    if customer_id is not None:
        statement = statement.where(_alert.customer_id == customer_id)
    if not cleared:
        statement = statement.where(_alert.cleared_at.is_(None))
    return _rows(databases, statement.order_by(_alert.raised_at.desc(), _alert.id.desc()).limit(limit))


def thresholds(databases: Databases) -> list[Mapping[str, Any]]:
    """The customers of whom something of their own is said, by id.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    return _rows(
        databases,
        sa.select(balance_thresholds, customers.c.name.label("customer_name"))
        .outerjoin(customers, customers.c.customer_id == _threshold.customer_id)
        .order_by(_threshold.customer_id),
    )


def by_days_left(databases: Databases) -> list[DaysLeft]:
    """Return how many customers owe, are low, or have how many weeks left, and the sums of their balances.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    low = LowBalance(days=databases.settings.alert_days)
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return balances_by_days_left(connection, as_turned(connection, databases.horizon), low)


def _rows(databases: Databases, statement: sa.Select[Any]) -> list[Mapping[str, Any]]:
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def change_threshold(
    databases: Databases,
    customer_id: int,
    waiting: Callable[[], None],
    *,
    threshold: Decimal | None = None,
    days: int | None = None,
    forget: bool = False,
) -> Signals:
    """Say when a customer's balance is low, or (``forget``) that it is as for all others, and look at it at once.

    Args:
        databases: Of the installation.
        customer_id: The customer.
        waiting: Called if a run has to be waited for.
        threshold: Below this it is low, in rupiah; None: as it was.
        days: If it lasts fewer days it is low; 0: never for that; None: as it was.
        forget: Forget what was said.

    Returns:
        The alerts that were raised and cleared by it.

    Raises:
        ServingError: the customer is unknown to the warehouse.
        WarehouseError: the warehouse cannot be used, or is written all the time.
    """
    low = LowBalance(days=databases.settings.alert_days)

    def change(connection: sa.Connection) -> Signals:
        if forget:
            alerts.clear_threshold(connection, customer_id)
        else:
            _check_known(connection, customer_id)
            alerts.set_threshold(connection, customer_id, threshold=threshold, days=days)
        horizon = as_turned(connection, databases.horizon)
        return alerts.evaluate(connection, (customer_id,), horizon, low, "ledger alerts")

    return politely(databases.warehouse, change, waiting)


def _check_known(connection: sa.Connection, customer_id: int) -> None:
    known = sa.exists(sa.select(1).where(customers.c.customer_id == customer_id))
    if not connection.scalar(sa.select(known)):
        raise ServingError(
            f"There is no customer {customer_id} in the warehouse. Customers are named by their id in the billing "
            f"application; one that is new there is loaded by: ledger balance sync --customer-id {customer_id}"
        )
