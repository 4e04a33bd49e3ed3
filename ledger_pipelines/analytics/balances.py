"""Views of balances and consumption, by customer and by month."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.queries.customers.latest_balances import latest_balances
from ledger_pipelines.warehouse.tables import ExactNumber, customers, monthly_customer_balances
from ledger_pipelines.warehouse.views import View

_balance, _customer = monthly_customer_balances.c, customers.c
_CUSTOMER_COLUMNS = {
    "customer_id": "The customer: users.id of the billing application",
    "name": "Name of the customer",
}


def _current_balances() -> sa.Select[Any]:
    """One row: a customer with a balance, and the last balance."""
    latest = latest_balances().subquery("latest")
    return sa.select(
        _customer.customer_id,
        _customer.name,
        _customer.role,
        _customer.no_kontrak,
        latest.c.year_month,
        latest.c.opening_balance,
        latest.c.total_deposits,
        latest.c.total_purchases,
        latest.c.closing_balance,
        (latest.c.closing_balance < 0).label("owes"),
        latest.c.total_volume_sm3,
        latest.c.last_calculated_at,
    ).join_from(customers, latest, latest.c.customer_id == _customer.customer_id)


def _monthly_summary() -> sa.Select[Any]:
    """One row: a month with the sums of all balances."""
    amounts = {
        "opening_balance": _balance.opening_balance,
        "total_deposits": _balance.total_deposits,
        "total_purchases": _balance.total_purchases,
        "closing_balance": _balance.closing_balance,
        "total_volume_sm3": _balance.total_volume_sm3,
    }
    owing = _balance.closing_balance < 0
    return sa.select(
        _balance.year_month,
        sa.type_coerce(sa.func.count(), sa.BigInteger).label("customers"),
        sa.type_coerce(sa.func.count().filter(_balance.total_volume_sm3 != 0), sa.BigInteger).label(
            "customers_with_use"
        ),
        sa.type_coerce(sa.func.count().filter(owing), sa.BigInteger).label("customers_owing"),
        sa.func.coalesce(-sa.func.sum(_balance.closing_balance).filter(owing), 0).label("owed"),
        *(sa.func.sum(amount).label(name) for name, amount in amounts.items()),
    ).group_by(_balance.year_month)


def _before(column: sa.ColumnElement[Any], months: int) -> sa.ColumnElement[Any]:
    """Return the value of the month ``months`` before; NULL if that month does not exist."""
    return sa.func.lag(column, months, type_=column.type).over(
        partition_by=_balance.customer_id, order_by=_balance.year_month
    )


def _average(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the mean of a month and the two months before it."""
    return sa.func.avg(column).over(partition_by=_balance.customer_id, order_by=_balance.year_month, rows=(-2, 0))


def _per_cent(now: sa.ColumnElement[Any], before: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the growth in per cent; NULL if the value before was 0 or is unknown."""
    return sa.func.round(100 * (now - before) / sa.func.nullif(before, 0), 2, type_=ExactNumber)


def _balance_trend() -> sa.Select[Any]:
    """One row: a customer and month, with the balance and its changes."""
    closing = _balance.closing_balance
    return sa.select(
        _balance.customer_id,
        _customer.name,
        _balance.year_month,
        closing,
        (closing - _balance.opening_balance).label("change"),
        (closing - _before(closing, 12)).label("change_from_year_before"),
        sa.func.round(_average(closing), 2, type_=ExactNumber).label("average_of_3_months"),
        (_balance.total_deposits - _balance.total_purchases < 0).label("fell"),
    ).outerjoin_from(monthly_customer_balances, customers, _customer.customer_id == _balance.customer_id)


def _consumption_trend() -> sa.Select[Any]:
    """One row: a customer and month, with the volume and its changes."""
    volume = _balance.total_volume_sm3
    price = sa.func.round(_balance.total_purchases / sa.func.nullif(volume, 0), 2, type_=ExactNumber)
    return sa.select(
        _balance.customer_id,
        _customer.name,
        _balance.year_month,
        volume,
        (volume - _before(volume, 1)).label("change"),
        _per_cent(volume, _before(volume, 1)).label("change_percent"),
        _before(volume, 12).label("year_before"),
        _per_cent(volume, _before(volume, 12)).label("change_from_year_before_percent"),
        sa.func.round(_average(volume), 4, type_=ExactNumber).label("average_of_3_months"),
        _balance.total_purchases,
        price.label("average_price"),
    ).outerjoin_from(monthly_customer_balances, customers, _customer.customer_id == _balance.customer_id)


def _customer_monthly_balances() -> sa.Select[Any]:
    """One row: a customer with balances, all of them in one JSON object."""
    by_month = (
        sa.select(
            _balance.customer_id,
            sa.func.jsonb_object_agg(_balance.year_month, _balance.closing_balance, type_=JSONB).label(
                "monthly_balances"
            ),
        )
        .group_by(_balance.customer_id)
        .subquery("by_month")
    )
    return sa.select(_customer.customer_id, _customer.name, by_month.c.monthly_balances).join_from(
        customers, by_month, by_month.c.customer_id == _customer.customer_id
    )


VIEWS = (
    View(
        "current_balances",
        "Current balance: one row per customer with a balance, with the figures of the last month",
        _current_balances(),
        _CUSTOMER_COLUMNS
        | {
            "role": "customer: metered; fob: billed free on board",
            "no_kontrak": "Contract number",
            "year_month": "The customer's last month with a balance: usually the current month",
            "opening_balance": "Balance at the start of that month, rupiah",
            "total_deposits": "Deposits of that month, rupiah",
            "total_purchases": "Purchases of that month, rupiah",
            "closing_balance": "Current balance, rupiah; negative: the customer owes",
            "owes": "True if the balance is negative",
            "total_volume_sm3": "Volume of that month, Sm³",
            "last_calculated_at": "When that month's balance last changed",
        },
    ),
    View(
        "monthly_summary",
        "Sums of all customers: one row per month",
        _monthly_summary(),
        {
            "year_month": "The month; the current one is incomplete",
            "customers": "Number of customers with a balance",
            "customers_with_use": "Number of these customers with use",
            "customers_owing": "Number of these customers with a negative closing balance",
            "owed": "Total amount that these customers owe, rupiah",
            "opening_balance": "Sum of the balances at the start, rupiah",
            "total_deposits": "Sum of the deposits, rupiah",
            "total_purchases": "Sum of the purchases, rupiah",
            "closing_balance": "Sum of the balances at the end, rupiah",
            "total_volume_sm3": "Sum of the volumes, Sm³",
        },
    ),
    View(
        "balance_trend",
        "Development of balances: one row per customer and month",
        _balance_trend(),
        _CUSTOMER_COLUMNS
        | {
            "year_month": "The month; the current one is incomplete",
            "closing_balance": "Balance at the end of the month, rupiah",
            "change": "Change of the balance in the month, rupiah",
            "change_from_year_before": "Difference from the balance 12 months before, rupiah; null: no such balance",
            "average_of_3_months": "Mean of the balances of this and the two months before, rupiah",
            "fell": "True if purchases exceeded deposits",
        },
    ),
    View(
        "consumption_trend",
        "Development of consumption: one row per customer and month",
        _consumption_trend(),
        _CUSTOMER_COLUMNS
        | {
            "year_month": "The month; the current one is incomplete",
            "total_volume_sm3": "Volume, Sm³",
            "change": "Difference from the month before, Sm³; null: no month before",
            "change_percent": "The same difference in per cent; null: no month before, or its volume was 0",
            "year_before": "Volume 12 months before, Sm³; null: no such month",
            "change_from_year_before_percent": "Difference from 12 months before, per cent; null: no such volume, or 0",
            "average_of_3_months": "Mean of this and the two months before, Sm³",
            "total_purchases": "Purchases, rupiah",
            "average_price": "Purchases divided by volume, rupiah per Sm³; null without volume",
        },
    ),
    View(
        "customer_monthly_balances",
        "All balances of a customer in one JSON object, like users.monthly_balances of the application: "
        "one row per customer",
        _customer_monthly_balances(),
        _CUSTOMER_COLUMNS | {"monthly_balances": 'Closing balance by month, rupiah: {"2025-03": -1234.5, …}'},
    ),
)
