"""Low balance alerts → `ledger.balance_alerts`: one row for each time a customer's current balance became low.

The rule: docs/rules.md, "Low balances". Alerts are evaluated in the transaction that writes the balances, so an alert
and the balance that caused it commit together or not at all.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.domain import AlertKind
from ledger_pipelines.horizon import Horizon, Scope, month_start, months_between, shift_month
from ledger_pipelines.warehouse.merge import is_any_of, is_in_scope
from ledger_pipelines.warehouse.tables import (
    Moment,
    Rupiah,
    balance_alerts,
    balance_thresholds,
    monthly_customer_balances,
    transaction_calculations,
)
from ledger_pipelines.warehouse.transaction_setup import lock_tables

#: Number of days before now over which the average use is taken.
USE_WINDOW_DAYS = 30
_alert, _balance, _transaction = balance_alerts.c, monthly_customer_balances.c, transaction_calculations.c
_OPEN = _alert.cleared_at.is_(None)


@dataclass(frozen=True)
class LowBalanceLimits:
    """Default limits of a low balance, for customers without a row in `ledger.balance_thresholds`.

    Attributes:
        threshold: A balance below this is low, in rupiah.
        days: A balance that lasts fewer days than this at the average use is low; 0 disables this measure.
    """

    threshold: Decimal = Decimal(0)
    days: int = 7


#: Below 0 rupiah, or with less than a week left.
DEFAULT_LIMITS = LowBalanceLimits()


@dataclass(frozen=True)
class AlertCounts:
    """Number of alerts that an evaluation raised and cleared."""

    raised: int
    cleared: int


def evaluate_alerts(
    connection: sa.Connection,
    customers: tuple[int, ...] | None,
    horizon: Horizon,
    limits: LowBalanceLimits,
    run_id: str,
) -> AlertCounts:
    """Raise alerts for current balances that have become low and clear those of recovered customers.

    Alerts of customers without a balance of the current month stay unchanged.

    Args:
        connection: Within the transaction that wrote the balances.
        customers: Customers whose balances it wrote; None: all customers.
        horizon: The months that count; the last one is the current month.
        limits: Default limits, for customers without limits of their own.
        run_id: The run that wrote the balances.
    """
    lock_tables(connection, monthly_customer_balances)
    states = _low_balance_states(current_positions(customers, horizon, limits)).cte("states")
    same_alert = sa.and_(_alert.customer_id == states.c.customer_id, _alert.kind == states.c.kind)
    columns = [column.name for column in states.columns if column.name != "is_low"]
    is_open = sa.exists(sa.select(1).where(same_alert, _OPEN).correlate(states))
    new_alerts = sa.select(*(states.c[name] for name in columns), sa.literal(run_id)).where(states.c.is_low, ~is_open)
    raised = sa.insert(balance_alerts).from_select([*columns, "run_id"], new_alerts).returning(_alert.id).cte("raised")
    recovered = sa.exists(sa.select(1).where(same_alert, ~states.c.is_low).correlate(balance_alerts))
    cleared = (
        sa.update(balance_alerts)
        .values(cleared_at=sa.func.now())
        .where(_OPEN, _for_customers(_alert.customer_id, customers), sa.or_(recovered, _has_no_balance()))
        .returning(_alert.id)
        .cte("cleared")
    )
    counts = (sa.select(sa.func.count()).select_from(part).scalar_subquery() for part in (raised, cleared))
    return AlertCounts(*connection.execute(sa.select(*counts)).one())


def current_positions(customers: tuple[int, ...] | None, horizon: Horizon, limits: LowBalanceLimits) -> sa.Select[Any]:
    """One row: a customer with a balance of the current month, the balance, the customer's limits and recent use."""
    use = recent_use(customers, horizon).subquery("use")
    custom = balance_thresholds.c
    return (
        sa.select(
            _balance.customer_id,
            _balance.closing_balance.label("balance"),
            sa.func.coalesce(custom.threshold, sa.literal(limits.threshold, Rupiah)).label("threshold"),
            sa.func.coalesce(custom.days, sa.literal(limits.days)).label("days"),
            sa.case((use.c.amount > 0, use.c.amount)).label("use"),
        )
        .select_from(monthly_customer_balances)
        .outerjoin(balance_thresholds, custom.customer_id == _balance.customer_id)
        .outerjoin(use, use.c.customer_id == _balance.customer_id)
        .where(is_in_scope(monthly_customer_balances, Scope((horizon.current,), customers)))
    )


def recent_use(customers: tuple[int, ...] | None, horizon: Horizon) -> sa.Select[Any]:
    """One row: a customer with purchases in the last `USE_WINDOW_DAYS` days, and their sum in rupiah.

    "Now" is at most the end of the current month: a month that is recalculated after it ended is evaluated at its end.
    """
    end = sa.literal(month_start(shift_month(horizon.current, 1), horizon.zone), Moment)
    now = sa.func.least(sa.func.now(), end)
    # In hours, because an interval of days follows the session's time zone.
    start = now - sa.literal_column(f"interval '{24 * USE_WINDOW_DAYS} hours'")
    months = months_between(shift_month(horizon.current, -2), horizon.current)
    return (
        sa.select(_transaction.customer_id, sa.func.sum(_transaction.total_harga).label("amount"))
        .where(
            is_in_scope(transaction_calculations, Scope(months, customers)),
            _transaction.transaction_date > start,
            _transaction.transaction_date <= now,
        )
        .group_by(_transaction.customer_id)
    )


def _low_balance_states(positions: sa.Select[Any]) -> sa.Select[Any]:
    """One row: a customer and kind of alert, whether the balance is low by it (null: unknown), and the figures."""
    # A CTE, because it is used twice and must be computed once: summing the use of all customers is the main cost.
    position = positions.cte("positions").c
    # Tenths of a day by integer division, which is exact; NUMERIC division rounds to a scale that it chooses.
    tenths = sa.func.div(sa.func.greatest(position.balance, 0) * (10 * USE_WINDOW_DAYS), position.use)
    figures = (
        position.balance,
        position.threshold,
        (tenths * sa.literal_column("0.1")).label("days_left"),
        position.days,
    )
    return (
        sa.union_all(
            *(
                sa.select(position.customer_id, sa.literal(kind.value).label("kind"), *figures, is_low.label("is_low"))
                for kind, is_low in low_balance_kinds(position).items()
            )
        )
        .subquery("kinds")
        .select()
    )


def low_balance_kinds(position: sa.ColumnCollection[str, Any]) -> dict[AlertKind, sa.ColumnElement[bool]]:
    """Return for each kind of alert whether a position (`current_positions`) is low by it; null: unknown."""
    # Compared with days × use, which is exact; a quotient is not.
    lasts_too_short = sa.func.greatest(position.balance, 0) * USE_WINDOW_DAYS < position.days * position.use
    return {
        AlertKind.THRESHOLD: position.balance < position.threshold,
        AlertKind.DAYS_LEFT: sa.case((position.days == 0, sa.false()), else_=lasts_too_short),
    }


def _has_no_balance() -> sa.ColumnElement[bool]:
    """True for an alert whose customer has no balance in any month, because the application deleted the customer."""
    return ~sa.exists(sa.select(1).where(_balance.customer_id == _alert.customer_id).correlate(balance_alerts))


def _for_customers(column: sa.ColumnElement[int], customers: tuple[int, ...] | None) -> sa.ColumnElement[bool]:
    return sa.true() if customers is None else is_any_of(column, customers)


def set_limits(
    connection: sa.Connection, customer_id: int, *, threshold: Decimal | None = None, days: int | None = None
) -> None:
    """Set a customer's own limits of a low balance; a limit given as None stays unchanged.

    Args:
        connection: Within a transaction.
        customer_id: The customer.
        threshold: A balance below this is low, in rupiah, rounded to 2 decimals.
        days: A balance that lasts fewer days than this is low; 0 disables this measure.
    """
    setting = insert(balance_thresholds).values(customer_id=customer_id, threshold=threshold, days=days)
    merged = {
        name: sa.func.coalesce(setting.excluded[name], balance_thresholds.c[name]) for name in ("threshold", "days")
    }
    connection.execute(
        setting.on_conflict_do_update(
            constraint=balance_thresholds.primary_key, set_=merged | {"set_at": sa.func.now()}
        )
    )


def clear_limits(connection: sa.Connection, customer_id: int) -> bool:
    """Delete a customer's own limits; return False if there were none."""
    deletion = sa.delete(balance_thresholds).where(balance_thresholds.c.customer_id == customer_id)
    return connection.execute(deletion).rowcount > 0
