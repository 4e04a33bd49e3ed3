"""Queries of the alerts of low balances."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.tables import balance_alerts, customers

_alert = balance_alerts.c


@dataclass(frozen=True)
class Alert:
    """A low balance by the columns of `ledger.balance_alerts`, with the customer's name."""

    id: int
    customer_id: int
    name: str | None
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
    found = sa.select(sa.func.count(_alert.customer_id.distinct())).where(_alert.cleared_at.is_(None))
    return connection.scalar(found) or 0


def alerts_page(
    connection: sa.Connection,
    *,
    customer_id: int | None = None,
    include_cleared: bool = False,
    number: int = 1,
    per_page: int = 25,
) -> ResultPage[Alert]:
    """Return a page of the alerts, newest first, of one customer or (None) of all; cleared ones only on request."""
    wanted: list[sa.ColumnElement[bool]] = [] if include_cleared else [_alert.cleared_at.is_(None)]
    if customer_id is not None:
        wanted.append(_alert.customer_id == customer_id)
    total = connection.scalar(sa.select(sa.func.count()).select_from(balance_alerts).where(*wanted)) or 0
    columns = [customers.c.name if name == "name" else _alert[name] for name in Alert.__dataclass_fields__]
    statement = (
        sa.select(*columns)
        .outerjoin_from(balance_alerts, customers, customers.c.customer_id == _alert.customer_id)
        .where(*wanted)
        .order_by(_alert.raised_at.desc(), _alert.id.desc())
        .limit(per_page)
        .offset(page_offset(number, per_page))
    )
    return ResultPage([Alert(*row) for row in connection.execute(statement)], number, per_page, total)
