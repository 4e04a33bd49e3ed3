"""View of prices: each customer's time divided into spans with one price each.

The view uses the expressions of `ledger.prices`, over all time instead of some months.
"""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.domain import ENTRY_RULES, PriceRule
from ledger_pipelines.ledger.prices import join_entries, price_in_force, spans_from_cuts, winning_entries
from ledger_pipelines.warehouse.tables import Moment, customers, prices
from ledger_pipelines.warehouse.views import View


def _spans(name: str) -> sa.Subquery:
    """One row: a customer and a span in which no entry begins or ends; a NULL end is open."""
    cuts = sa.union(
        sa.select(customers.c.customer_id, sa.cast(sa.null(), Moment).label("cut")),
        sa.select(prices.c.customer_id, prices.c.valid_from),
        sa.select(prices.c.customer_id, prices.c.valid_to),
    ).subquery("cuts")
    return spans_from_cuts(cuts).subquery(name)


def _price_history() -> sa.Select[Any]:
    """One row: a customer and a span, with the price and factor in force throughout."""
    # Not a CTE: read twice, it would be computed for all customers even if the query selects a single customer.
    spans, chosen = _spans("spans"), winning_entries(_spans("spans")).subquery("chosen")
    price = price_in_force(chosen)
    return sa.select(
        spans.c.customer_id,
        customers.c.name,
        spans.c.span_from.label("valid_from"),
        spans.c.span_to.label("valid_to"),
        price.rule.label("rule"),
        chosen.c.position,
        price.harga_per_meter_kubik.label("price"),
        price.factor.label("factor"),
        sa.type_coerce(price.factor_source, sa.Text).label("factor_from"),
        price.tekanan_keluar.label("tekanan_keluar"),
        price.suhu.label("suhu"),
    ).select_from(join_entries(spans, chosen))


VIEWS = (
    View(
        "price_history",
        "Price in force of each customer at any time: one row per customer and price segment, without overlaps",
        _price_history(),
        {
            "customer_id": "The customer: users.id of the billing application",
            "name": "Name of the customer",
            "valid_from": "Start of the segment, inclusive; null: no start",
            "valid_to": "End of the segment, exclusive; null: no end",
            "rule": f"{' or '.join(ENTRY_RULES)}: an entry of the price list; "
            f"{PriceRule.DEFAULT}: the customer's own columns",
            "position": "Position of the entry in the customer's list, from 0; null: the defaults",
            "price": "Price, rupiah per Sm³; null: unknown, and readings are rejected",
            "factor": "Correction factor of metered readings; null: unknown. The factor of fob readings is always 1",
            "factor_from": "given, or computed from pressure and temperature; null: unknown",
            "tekanan_keluar": "Outlet pressure, bar gauge",
            "suhu": "Gas temperature, °C",
        },
    ),
)
