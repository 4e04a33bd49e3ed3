"""Alerts of low balances and the customers' thresholds: list them, change a threshold."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger import alerts
from ledger_pipelines.ledger.alerts import AlertCounts
from ledger_pipelines.ledger.days_left import DaysLeftGroup, balances_by_days_left
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.warehouse.lock_retry import with_lock_retry
from ledger_pipelines.warehouse.ops.loaded_months import ledger_horizon
from ledger_pipelines.warehouse.queries.customers import low_balances
from ledger_pipelines.warehouse.queries.customers.customer import require_customer, with_customer_name
from ledger_pipelines.warehouse.tables import balance_thresholds

_threshold = balance_thresholds.c


def alerts_of(databases: Databases, *, customer_id: int | None, cleared: bool, limit: int) -> list[Mapping[str, Any]]:
    """Return alerts, newest first.

    Args:
        databases: The installation's databases.
        customer_id: Only of this customer; None for all.
        cleared: Include alerts of balances that have recovered.
        limit: Maximum number of alerts.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    return _rows(databases, low_balances.alerts(customer_id=customer_id, include_cleared=cleared).limit(limit))


def thresholds(databases: Databases) -> list[Mapping[str, Any]]:
    """Return the customers that have a threshold of their own, by id.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    return _rows(databases, with_customer_name(balance_thresholds).order_by(_threshold.customer_id))


def by_days_left(databases: Databases) -> list[DaysLeftGroup]:
    """Return the number of customers and the sum of their balances, grouped by the time the balances last.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with databases.warehouse_connection() as connection:
        return balances_by_days_left(
            connection, ledger_horizon(connection, databases.horizon()), databases.default_low_balance()
        )


def _rows(databases: Databases, statement: sa.Select[Any]) -> list[Mapping[str, Any]]:
    with databases.warehouse_connection() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def change_threshold(
    databases: Databases,
    customer_id: int,
    waiting: Callable[[], None],
    *,
    threshold: Decimal | None = None,
    days: int | None = None,
    forget: bool = False,
) -> AlertCounts:
    """Set or remove (``forget``) the threshold of a customer, and evaluate its balance immediately.

    Args:
        databases: The installation's databases.
        customer_id: The customer.
        waiting: Called if the change has to wait for a run.
        threshold: A balance below this, in rupiah, is low; None leaves it unchanged.
        days: A balance that lasts fewer days is low; 0 turns this off; None leaves it unchanged.
        forget: Remove the customer's threshold, so that the default applies.

    Returns:
        The numbers of alerts that were raised and cleared.

    Raises:
        UnknownCustomerError: the customer is not in the warehouse.
        WarehouseError: the warehouse cannot be used, or its tables stay locked by runs.
    """

    def change(connection: sa.Connection) -> AlertCounts:
        if forget:
            alerts.clear_limits(connection, customer_id)
        else:
            require_customer(connection, customer_id)
            alerts.set_limits(connection, customer_id, threshold=threshold, days=days)
        horizon = ledger_horizon(connection, databases.horizon())
        limits = databases.default_low_balance()
        return alerts.evaluate_alerts(connection, (customer_id,), horizon, limits, "ledger alerts")

    return with_lock_retry(databases.warehouse, change, waiting)
