"""The latest balance of each customer."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances

_balance = monthly_customer_balances.c


def latest_balances(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """One row: a customer with the balance of the last month that has a balance, or only some of its columns.

    The primary key serves the query of one customer as well as that of all.
    """
    return (
        sa.select(*(columns or _balance))
        .ext(distinct_on(_balance.customer_id))
        .order_by(_balance.customer_id, _balance.year_month.desc())
    )


def named_latest_balances() -> sa.Select[Any]:
    """One row: a customer with the latest balance and the name, which is null for a former customer."""
    return latest_balances(customers.c.name, *_balance).outerjoin_from(
        monthly_customer_balances, customers, customers.c.customer_id == _balance.customer_id
    )
