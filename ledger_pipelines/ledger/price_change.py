"""A price that is changed from some month on: what the application does to its pricing history, done to its copy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from ledger_pipelines.horizon import Horizon, shift, start_of
from ledger_pipelines.warehouse.tables import Digits, prices

_price = prices.c


@dataclass(frozen=True)
class PriceChange:
    """A price that is to hold for a customer in some months.

    Attributes:
        customer_id: The customer.
        first: The first month.
        last: The last month.
        price: Rupiah for one Sm³.
        correction: The correction factor; None: as it is.
    """

    customer_id: int
    first: str
    last: str
    price: Decimal
    correction: Decimal | None = None


@dataclass(frozen=True)
class Entry:
    """A monthly entry of the pricing history that the application would have to hold.

    Attributes:
        position: Its place in the list; None: it is new, and comes last.
        entry: The entry as JSON, every digit as given.
    """

    position: int | None
    entry: str


def apply(connection: sa.Connection, change: PriceChange, months: Sequence[str], horizon: Horizon) -> Iterator[Entry]:
    """Change the customer's price entries as the loader would after the application has changed them.

    In each month the first monthly entry of the list gets the price, for that one wins; where there is none, one is
    added at the end of the list. What the application has, unusable entries too, is not touched otherwise.
    """
    fields = {"harga_per_meter_kubik": change.price}
    if change.correction is not None:
        fields["koreksi_meter"] = change.correction
    entries = {row.valid_from: row for row in connection.execute(_monthly_entries(change.customer_id))}
    for month in months:
        start = start_of(month, horizon.zone)
        present = entries.get(start)
        if present is None:
            yield _add(connection, change.customer_id, month, start, horizon, fields)
        else:
            yield _change(connection, change.customer_id, present.position, fields)


def _monthly_entries(customer_id: int) -> sa.Select[Any]:
    """One row: a month's first monthly entry of the customer."""
    return (
        sa.select(_price.valid_from, _price.position)
        .ext(distinct_on(_price.valid_from))
        .where(_price.customer_id == customer_id, _price.rule == "monthly")
        .order_by(_price.valid_from, _price.position)
    )


def _as_json(fields: Mapping[str, Decimal]) -> sa.ColumnElement[Any]:
    """The fields as a JSON object; from NUMERIC, so that every digit is kept."""
    pairs = (part for name, value in fields.items() for part in (sa.literal(name), sa.literal(value, Digits)))
    return sa.func.jsonb_build_object(*pairs, type_=_price.entry.type)


def _change(connection: sa.Connection, customer_id: int, position: int, fields: Mapping[str, Decimal]) -> Entry:
    changed = (
        sa.update(prices)
        .where(_price.customer_id == customer_id, _price.position == position)
        .values(**fields, entry=_price.entry.concat(_as_json(fields)))
        .returning(sa.cast(_price.entry, sa.Text))
    )
    return Entry(position, connection.execute(changed).scalar_one())


def _add(
    connection: sa.Connection,
    customer_id: int,
    month: str,
    start: datetime,
    horizon: Horizon,
    fields: Mapping[str, Decimal],
) -> Entry:
    last = sa.select(sa.func.coalesce(sa.func.max(_price.position), -1)).where(_price.customer_id == customer_id)
    own = sa.func.jsonb_build_object("date", f"{month}-01", "year_month", month, type_=_price.entry.type)
    added = (
        sa.insert(prices)
        .values(
            customer_id=customer_id,
            position=last.scalar_subquery() + 1,
            rule="monthly",
            valid_from=start,
            valid_to=start_of(shift(month, 1), horizon.zone),
            entry=own.concat(_as_json(fields)),
            **fields,
        )
        .returning(sa.cast(_price.entry, sa.Text))
    )
    return Entry(None, connection.execute(added).scalar_one())
