"""Price change from a given month on, applied to the copied pricing history as the application would apply it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from ledger_pipelines.domain import PriceRule
from ledger_pipelines.horizon import Horizon, month_start, shift_month
from ledger_pipelines.warehouse.tables import ExactNumber, prices

_price = prices.c


@dataclass(frozen=True)
class PriceChange:
    """New price of a customer for a range of months.

    Attributes:
        customer_id: The customer.
        first: The first month.
        last: The last month.
        price: Rupiah for one Sm³.
        correction: The correction factor; None: the factor does not change.
    """

    customer_id: int
    first: str
    last: str
    price: Decimal
    correction: Decimal | None = None


@dataclass(frozen=True)
class MonthlyPriceEntry:
    """Monthly entry of the pricing history after a price change.

    Attributes:
        position: Position in the list; None: a new entry at the end of the list.
        entry: The entry as JSON, every digit as given.
    """

    position: int | None
    entry: str


def apply_price_change(
    connection: sa.Connection, change: PriceChange, months: Sequence[str], horizon: Horizon
) -> Iterator[MonthlyPriceEntry]:
    """Change the customer's price entries as the loader would after the application has changed its history.

    In each month the first monthly entry of the list, which takes precedence, gets the price. A month without an entry
    gets a new one at the end of the list. All other entries, including rejected ones, stay unchanged.
    """
    fields = {"harga_per_meter_kubik": change.price}
    if change.correction is not None:
        fields["koreksi_meter"] = change.correction
    entries = {row.valid_from: row for row in connection.execute(_monthly_entries(change.customer_id))}
    for month in months:
        start = month_start(month, horizon.zone)
        existing = entries.get(start)
        if existing is None:
            yield _insert_entry(connection, change.customer_id, month, start, horizon, fields)
        else:
            yield _update_entry(connection, change.customer_id, existing.position, fields)


def _monthly_entries(customer_id: int) -> sa.Select[Any]:
    """One row: the customer's first monthly entry of a month."""
    return (
        sa.select(_price.valid_from, _price.position)
        .ext(distinct_on(_price.valid_from))
        .where(_price.customer_id == customer_id, _price.rule == PriceRule.MONTHLY)
        .order_by(_price.valid_from, _price.position)
    )


def _as_json(fields: Mapping[str, Decimal]) -> sa.ColumnElement[Any]:
    """Return the fields as a JSON object, built from NUMERIC so that every digit is kept."""
    pairs = (part for name, value in fields.items() for part in (sa.literal(name), sa.literal(value, ExactNumber)))
    return sa.func.jsonb_build_object(*pairs, type_=_price.entry.type)


def _update_entry(
    connection: sa.Connection, customer_id: int, position: int, fields: Mapping[str, Decimal]
) -> MonthlyPriceEntry:
    update = (
        sa.update(prices)
        .where(_price.customer_id == customer_id, _price.position == position)
        .values(**fields, entry=_price.entry.concat(_as_json(fields)))
        .returning(sa.cast(_price.entry, sa.Text))
    )
    return MonthlyPriceEntry(position, connection.execute(update).scalar_one())


def _insert_entry(
    connection: sa.Connection,
    customer_id: int,
    month: str,
    start: datetime,
    horizon: Horizon,
    fields: Mapping[str, Decimal],
) -> MonthlyPriceEntry:
    last = sa.select(sa.func.coalesce(sa.func.max(_price.position), -1)).where(_price.customer_id == customer_id)
    new_entry = sa.func.jsonb_build_object("date", f"{month}-01", "year_month", month, type_=_price.entry.type)
    insertion = (
        sa.insert(prices)
        .values(
            customer_id=customer_id,
            position=last.scalar_subquery() + 1,
            rule=PriceRule.MONTHLY,
            valid_from=start,
            valid_to=month_start(shift_month(month, 1), horizon.zone),
            entry=new_entry.concat(_as_json(fields)),
            **fields,
        )
        .returning(sa.cast(_price.entry, sa.Text))
    )
    return MonthlyPriceEntry(None, connection.execute(insertion).scalar_one())
