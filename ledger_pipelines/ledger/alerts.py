"""Low balances → `ledger.balance_alerts`: one row for each time that a customer's current balance became low.

The rule: docs/rules.md, "Low balances". Looked at in the transaction that writes the balances, so that a crossing is
recorded with the balance that made it, or not at all.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.horizon import Horizon, Scope, months_between, shift, start_of
from ledger_pipelines.warehouse.months import one_of, rows_of
from ledger_pipelines.warehouse.session import lock
from ledger_pipelines.warehouse.tables import (
    Moment,
    Rupiah,
    balance_alerts,
    balance_thresholds,
    monthly_customer_balances,
    transaction_calculations,
)

#: The average use is that of so many days up to now.
DAYS_OF_USE = 30
_alert, _balance, _transaction = balance_alerts.c, monthly_customer_balances.c, transaction_calculations.c
_OPEN = _alert.cleared_at.is_(None)


@dataclass(frozen=True)
class LowBalance:
    """When a balance is low, for customers of whom `ledger.balance_thresholds` says nothing else.

    Attributes:
        threshold: Below this it is low, in rupiah.
        days: If it lasts fewer days than this at the average use it is low; 0: never for that.
    """

    threshold: Decimal = Decimal(0)
    days: int = 7


#: Below 0 rupiah, or with less than a week left.
USUAL = LowBalance()


@dataclass(frozen=True)
class Signals:
    """What an evaluation recorded: how many alerts were raised, and how many cleared."""

    raised: int
    cleared: int


def evaluate(
    connection: sa.Connection, customers: tuple[int, ...] | None, horizon: Horizon, low: LowBalance, run_id: str
) -> Signals:
    """Record whose current balance has become low, and who has recovered, in the caller's transaction.

    Customers who have no balance of the current month yet are left as they are.

    Args:
        connection: Within the transaction that wrote the balances.
        customers: Whose balances it wrote; None: everybody's.
        horizon: The months that count; its last is the current one.
        low: When a balance is low, unless it is said of the customer.
        run_id: The run that wrote them.
    """
    lock(connection, monthly_customer_balances)
    signals = _signals(standings(customers, horizon, low)).cte("signals")
    same = sa.and_(_alert.customer_id == signals.c.customer_id, _alert.kind == signals.c.kind)
    content = [column.name for column in signals.columns if column.name != "is_low"]
    is_open = sa.exists(sa.select(1).where(same, _OPEN).correlate(signals))
    news = sa.select(*(signals.c[name] for name in content), sa.literal(run_id)).where(signals.c.is_low, ~is_open)
    raised = sa.insert(balance_alerts).from_select([*content, "run_id"], news).returning(_alert.id).cte("raised")
    recovered = sa.exists(sa.select(1).where(same, ~signals.c.is_low).correlate(balance_alerts))
    cleared = (
        sa.update(balance_alerts)
        .values(cleared_at=sa.func.now())
        .where(_OPEN, _of(_alert.customer_id, customers), sa.or_(recovered, _has_no_balance()))
        .returning(_alert.id)
        .cte("cleared")
    )
    counts = (sa.select(sa.func.count()).select_from(part).scalar_subquery() for part in (raised, cleared))
    return Signals(*connection.execute(sa.select(*counts)).one())


def standings(customers: tuple[int, ...] | None, horizon: Horizon, low: LowBalance) -> sa.Select[Any]:
    """One row: a customer with a balance of the current month, what it is, and what is low for the customer."""
    use = recent_use(customers, horizon).subquery("use")
    said = balance_thresholds.c
    return (
        sa.select(
            _balance.customer_id,
            _balance.closing_balance.label("balance"),
            sa.func.coalesce(said.threshold, sa.literal(low.threshold, Rupiah)).label("threshold"),
            sa.func.coalesce(said.days, sa.literal(low.days)).label("days"),
            sa.case((use.c.amount > 0, use.c.amount)).label("use"),
        )
        .select_from(monthly_customer_balances)
        .outerjoin(balance_thresholds, said.customer_id == _balance.customer_id)
        .outerjoin(use, use.c.customer_id == _balance.customer_id)
        .where(rows_of(monthly_customer_balances, Scope((horizon.current,), customers)))
    )


def recent_use(customers: tuple[int, ...] | None, horizon: Horizon) -> sa.Select[Any]:
    """One row: a customer with purchases in the days up to now, and what they came to in rupiah.

    Now is at the latest the end of the current month: a month that is recalculated later is seen as it ended.
    """
    end = sa.literal(start_of(shift(horizon.current, 1), horizon.zone), Moment)
    now = sa.func.least(sa.func.now(), end)
    # In hours: days would follow the session's time zone.
    start = now - sa.literal_column(f"interval '{24 * DAYS_OF_USE} hours'")
    months = months_between(shift(horizon.current, -2), horizon.current)
    return (
        sa.select(_transaction.customer_id, sa.func.sum(_transaction.total_harga).label("amount"))
        .where(
            rows_of(transaction_calculations, Scope(months, customers)),
            _transaction.transaction_date > start,
            _transaction.transaction_date <= now,
        )
        .group_by(_transaction.customer_id)
    )


def _signals(standing: sa.Select[Any]) -> sa.Select[Any]:
    """One row: a customer and a kind of signal, whether the balance is low by it (null: unknown), and the figures."""
    # A CTE, for it is used twice and must be computed once: adding up everybody's use is what all this costs.
    of = standing.cte("standing").c
    # In tenths of a day by an integer division, which is exact; NUMERIC division rounds to a scale of its own.
    tenths = sa.func.div(sa.func.greatest(of.balance, 0) * (10 * DAYS_OF_USE), of.use)
    figures = (of.balance, of.threshold, (tenths * sa.literal_column("0.1")).label("days_left"), of.days)
    lasts_too_short = sa.func.greatest(of.balance, 0) * DAYS_OF_USE < of.days * of.use
    kinds = {
        "threshold": of.balance < of.threshold,
        "days_left": sa.case((of.days == 0, sa.false()), else_=lasts_too_short),
    }
    return (
        sa.union_all(
            *(
                sa.select(of.customer_id, sa.literal(kind).label("kind"), *figures, is_low.label("is_low"))
                for kind, is_low in kinds.items()
            )
        )
        .subquery("kinds")
        .select()
    )


def _has_no_balance() -> sa.ColumnElement[bool]:
    """True for the alert of a customer who has no balance in any month: the application has dropped the customer."""
    return ~sa.exists(sa.select(1).where(_balance.customer_id == _alert.customer_id).correlate(balance_alerts))


def _of(column: sa.ColumnElement[int], customers: tuple[int, ...] | None) -> sa.ColumnElement[bool]:
    return sa.true() if customers is None else one_of(column, customers)


def set_threshold(
    connection: sa.Connection, customer_id: int, *, threshold: Decimal | None = None, days: int | None = None
) -> None:
    """Say when a customer's balance is low; what is None stays as it was.

    Args:
        connection: Within a transaction.
        customer_id: The customer.
        threshold: Below this, in rupiah, rounded to 2 decimals.
        days: If it lasts fewer days; 0: never for that.
    """
    setting = insert(balance_thresholds).values(customer_id=customer_id, threshold=threshold, days=days)
    kept = {
        name: sa.func.coalesce(setting.excluded[name], balance_thresholds.c[name]) for name in ("threshold", "days")
    }
    connection.execute(
        setting.on_conflict_do_update(constraint=balance_thresholds.primary_key, set_=kept | {"set_at": sa.func.now()})
    )


def clear_threshold(connection: sa.Connection, customer_id: int) -> bool:
    """Forget what was said of a customer; False if nothing was."""
    forgetting = sa.delete(balance_thresholds).where(balance_thresholds.c.customer_id == customer_id)
    return connection.execute(forgetting).rowcount > 0
