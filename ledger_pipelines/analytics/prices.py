"""The view of prices: each customer's time cut into spans with one price each.

The same rule as `ledger.prices`, over all of time: where an entry begins or ends, a span ends and another begins.
"""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.prices import computed_factor
from ledger_pipelines.warehouse.tables import Moment, customers, prices
from ledger_pipelines.warehouse.views import View

_FIELDS = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")


def _spans() -> sa.Subquery:
    """One row: a customer and a span in which no entry begins or ends; NULL: since ever, for ever."""
    cuts = sa.union(
        sa.select(customers.c.customer_id, sa.cast(sa.null(), Moment).label("cut")),
        sa.select(prices.c.customer_id, prices.c.valid_from),
        sa.select(prices.c.customer_id, prices.c.valid_to),
    ).subquery("cuts")
    following = sa.func.lead(cuts.c.cut, type_=Moment).over(
        partition_by=cuts.c.customer_id, order_by=cuts.c.cut.asc().nulls_first()
    )
    return sa.select(cuts.c.customer_id, cuts.c.cut.label("valid_from"), following.label("valid_to")).subquery("spans")


def _price_history() -> sa.Select[Any]:
    """One row: a customer and a span, with the price and factor in force throughout."""
    spans = _spans()
    chosen = (
        sa.select(prices)
        .where(
            prices.c.customer_id == spans.c.customer_id,
            prices.c.valid_from <= spans.c.valid_from,
            prices.c.valid_to > spans.c.valid_from,
        )
        .order_by(sa.case((prices.c.rule == "custom_period", 0), else_=1), prices.c.position)
        .limit(1)
        .lateral("chosen")
    )
    price, pressure, temperature, given = (sa.func.coalesce(chosen.c[name], customers.c[name]) for name in _FIELDS)
    computed = computed_factor(pressure, temperature)
    source = sa.case((given.is_not(None), "given"), (computed.is_not(None), "computed"))
    return (
        sa.select(
            spans.c.customer_id,
            customers.c.name,
            spans.c.valid_from,
            spans.c.valid_to,
            sa.func.coalesce(chosen.c.rule, "default").label("rule"),
            chosen.c.position,
            price.label("price"),
            sa.func.coalesce(given, computed).label("factor"),
            sa.type_coerce(source, sa.Text).label("factor_from"),
            pressure.label("tekanan_keluar"),
            temperature.label("suhu"),
        )
        .join_from(spans, customers, customers.c.customer_id == spans.c.customer_id)
        .outerjoin(chosen, sa.true())
    )


VIEWS = (
    View(
        "price_history",
        "The price in force for each customer at any time: one row a customer and span; spans do not overlap",
        _price_history(),
        {
            "customer_id": "The customer: users.id of the billing application",
            "name": "Name of the customer",
            "valid_from": "First moment of the span; null: since ever",
            "valid_to": "First moment after it; null: it has no end",
            "rule": "custom_period or monthly: an entry of the price list; default: the customer's own columns",
            "position": "Place of the entry in the customer's list, from 0; null: the defaults",
            "price": "Price of one Sm³, rupiah; null: none is known, and readings are rejected",
            "factor": "Correction factor of metered readings; null: none is known. For fob readings it is always 1",
            "factor_from": "given, or computed from pressure and temperature; null: none is known",
            "tekanan_keluar": "Outlet pressure, bar gauge",
            "suhu": "Gas temperature, °C",
        },
    ),
)
