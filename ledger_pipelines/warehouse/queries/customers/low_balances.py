"""Queries of the alerts of low balances."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.queries.customers.customer import with_customer_name
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.tables import balance_alerts

_alert = balance_alerts.c
_IS_OPEN = _alert.cleared_at.is_(None)


@dataclass(frozen=True)
class Alert:
    """A low balance by the columns of `ledger.balance_alerts`, with the customer's name."""

    id: int
    customer_id: int
    customer_name: str | None
    kind: str
    raised_at: datetime
    balance: Decimal
    threshold: Decimal
    days_left: Decimal | None
    days: int
    cleared_at: datetime | None
    delivered_at: datetime | None


def count_alerted_customers(connection: sa.Connection) -> int:
    """Return the number of customers with an open alert; a customer may have several kinds of alerts."""
    found = sa.select(sa.func.count(_alert.customer_id.distinct())).where(_IS_OPEN)
    return connection.scalar(found) or 0


def alerts(*, customer_id: int | None = None, include_cleared: bool = False) -> sa.Select[Any]:
    """One row: an alert of one customer or (None) of any, with the customer's name, newest first."""
    return (
        with_customer_name(balance_alerts)
        .where(*_filters(customer_id, include_cleared=include_cleared))
        .order_by(_alert.raised_at.desc(), _alert.id.desc())
    )


def alerts_page(
    connection: sa.Connection,
    *,
    customer_id: int | None = None,
    include_cleared: bool = False,
    number: int = 1,
    per_page: int = 25,
) -> ResultPage[Alert]:
    """Return a page of the alerts, newest first, of one customer or (None) of all; cleared ones only on request."""
    wanted = _filters(customer_id, include_cleared=include_cleared)
    total = connection.scalar(sa.select(sa.func.count()).select_from(balance_alerts).where(*wanted)) or 0
    statement = alerts(customer_id=customer_id, include_cleared=include_cleared)
    rows = connection.execute(statement.limit(per_page).offset(page_offset(number, per_page)))
    found = [Alert(*(getattr(row, name) for name in Alert.__dataclass_fields__)) for row in rows]
    return ResultPage(found, number, per_page, total)


def _filters(customer_id: int | None, *, include_cleared: bool) -> list[sa.ColumnElement[bool]]:
    filters: list[sa.ColumnElement[bool]] = [] if include_cleared else [_IS_OPEN]
    return filters if customer_id is None else [*filters, _alert.customer_id == customer_id]
