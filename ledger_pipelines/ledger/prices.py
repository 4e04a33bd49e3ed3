"""Price in force for a reading, as SQL: each customer's time is divided into segments with one price each.

The rule: the entry that applies at the moment, by the precedence of `PriceRule`, else the customer's default columns.
If several entries of a rule apply, the first in the list wins. A field missing in the entry comes from the default
columns (docs/rules.md, "The price in force for a reading").
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from ledger_pipelines.domain import ENTRY_RULES, NUMBER_LIMIT, PriceRule
from ledger_pipelines.horizon import Horizon, Scope, month_start, shift_month
from ledger_pipelines.warehouse.merge import is_any_of
from ledger_pipelines.warehouse.tables import ExactNumber, Moment, customers, prices
from ledger_pipelines.warehouse.transaction_setup import temporary_table

_FIELDS = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")
_FACTOR_DECIMALS = 14

#: Segments of the months that the current transaction computes.
price_segments = temporary_table(
    "price_segments",
    sa.Column("customer_id", sa.BigInteger),
    sa.Column("segment_from", Moment),
    sa.Column("segment_to", Moment),
    sa.Column("harga_per_m3", ExactNumber),
    sa.Column("koreksi_meter", ExactNumber),
    sa.Column("tekanan_keluar", ExactNumber),
    sa.Column("suhu", ExactNumber),
    sa.Column("pricing_used", JSONB),
    sa.Column("pricing_used_fob", JSONB),
)


def scope_bounds(scope: Scope, horizon: Horizon) -> tuple[datetime, datetime]:
    """Return the first moment of the scope's first month, and the first moment after its last month."""
    return month_start(scope.months[0], horizon.zone), month_start(shift_month(scope.months[-1], 1), horizon.zone)


def segments(scope: Scope, horizon: Horizon) -> sa.Select[Any]:
    """One row: a customer, a span of time within the scope's months, and the price and factor in force throughout.

    The spans of a customer neither overlap nor leave a gap. Columns as `price_segments`.
    """
    spans = _spans(scope, horizon).cte("spans")
    chosen = winning_entries(spans).cte("chosen")
    price = price_in_force(chosen)
    return sa.select(
        spans.c.customer_id,
        spans.c.span_from,
        spans.c.span_to,
        price.harga_per_meter_kubik,
        price.factor,
        price.tekanan_keluar,
        price.suhu,
        _pricing_used(price, chosen, price.factor_source, horizon),
        _pricing_used(price, chosen, sa.literal("fob"), horizon),
    ).select_from(join_entries(spans, chosen))


@dataclass(frozen=True)
class PriceInForce:
    """Price in force in a span, as expressions over the span's customer and its winning entry.

    Attributes:
        rule: The name of the `PriceRule`.
        harga_per_meter_kubik: The price of one Sm³.
        tekanan_keluar: Outlet pressure, bar gauge.
        suhu: Gas temperature, °C.
        factor: Factor of metered readings: as given, else computed from pressure and temperature.
        factor_source: given or computed; NULL: no factor is known.
    """

    rule: sa.ColumnElement[str]
    harga_per_meter_kubik: sa.ColumnElement[Any]
    tekanan_keluar: sa.ColumnElement[Any]
    suhu: sa.ColumnElement[Any]
    factor: sa.ColumnElement[Any]
    factor_source: sa.ColumnElement[str]


def price_in_force(chosen: sa.FromClause) -> PriceInForce:
    """Return the price of `winning_entries` joined to customers; a field missing in an entry takes the default."""
    price, pressure, temperature, given = (sa.func.coalesce(chosen.c[name], customers.c[name]) for name in _FIELDS)
    computed = computed_factor(pressure, temperature)
    source = sa.case((given.is_not(None), "given"), (computed.is_not(None), "computed"))
    rule = sa.func.coalesce(chosen.c.rule, PriceRule.DEFAULT.value)
    return PriceInForce(rule, price, pressure, temperature, sa.func.coalesce(given, computed), source)


def join_entries(spans: sa.FromClause, chosen: sa.FromClause) -> sa.Join:
    """Join each span to its customer and, if an entry applies, to the winning entry."""
    same_span = sa.and_(chosen.c.customer_id == spans.c.customer_id, chosen.c.span_from == spans.c.span_from)
    return spans.join(customers, customers.c.customer_id == spans.c.customer_id).outerjoin(chosen, same_span)


def _entries(scope: Scope, first: datetime, after: datetime) -> sa.Select[Any]:
    """One row: a price entry that applies at some moment of the scope, cut to the scope."""
    entry = prices.c
    statement = sa.select(
        entry.customer_id,
        sa.func.greatest(entry.valid_from, first).label("entry_from"),
        sa.func.least(entry.valid_to, after).label("entry_to"),
    ).where(entry.valid_from < after, entry.valid_to > first)
    return statement if scope.customers is None else statement.where(is_any_of(entry.customer_id, scope.customers))


def _spans(scope: Scope, horizon: Horizon) -> sa.Select[Any]:
    """One row: a customer and a span of time in which no entry begins or ends."""
    first, after = (sa.literal(moment, Moment) for moment in scope_bounds(scope, horizon))
    entries = _entries(scope, *scope_bounds(scope, horizon)).cte("entries")
    everyone = sa.select(customers.c.customer_id, first.label("cut"))
    if scope.customers is not None:
        everyone = everyone.where(is_any_of(customers.c.customer_id, scope.customers))
    cuts = sa.union(
        everyone,
        sa.select(entries.c.customer_id, entries.c.entry_from),
        sa.select(entries.c.customer_id, entries.c.entry_to).where(entries.c.entry_to < after),
    ).cte("cuts")
    return spans_from_cuts(cuts, after)


def spans_from_cuts(cuts: sa.FromClause, after: sa.ColumnElement[Any] | None = None) -> sa.Select[Any]:
    """One row: a customer and the span from one cut to the next; the last span ends at ``after``, or is open-ended.

    A NULL cut sorts before all others: its span has no start.
    """
    following = sa.func.lead(cuts.c.cut, type_=Moment).over(
        partition_by=cuts.c.customer_id, order_by=cuts.c.cut.asc().nulls_first()
    )
    end = following if after is None else sa.func.coalesce(following, after)
    return sa.select(cuts.c.customer_id, cuts.c.cut.label("span_from"), end.label("span_to"))


def winning_entries(spans: sa.FromClause) -> sa.Select[Any]:
    """One row: a span in which an entry applies, with the winning entry."""
    *first, last = ENTRY_RULES
    precedence = sa.case(*((prices.c.rule == rule, rule.precedence) for rule in first), else_=last.precedence)
    return (
        sa.select(spans.c.span_from, *prices.c)
        .join_from(
            spans,
            prices,
            sa.and_(
                prices.c.customer_id == spans.c.customer_id,
                prices.c.valid_from <= spans.c.span_from,
                prices.c.valid_to > spans.c.span_from,
            ),
        )
        .ext(distinct_on(prices.c.customer_id, spans.c.span_from))
        .order_by(prices.c.customer_id, spans.c.span_from, precedence, prices.c.position)
    )


def _pricing_used(
    price: PriceInForce, chosen: sa.CTE, factor: sa.ColumnElement[Any], horizon: Horizon
) -> sa.ColumnElement[Any]:
    """Return the content of ``pricing_used``: rule, entry, its dates (inclusive), and the source of the factor."""
    last_second = chosen.c.valid_to - sa.literal_column("interval '1 second'")
    return sa.func.jsonb_build_object(
        "rule",
        price.rule,
        "entry",
        chosen.c.entry,
        "valid_from",
        _local_text(chosen.c.valid_from, horizon),
        "valid_to",
        _local_text(last_second, horizon),
        "factor",
        factor,
    )


def _local_text(moment: sa.ColumnElement[Any], horizon: Horizon) -> sa.ColumnElement[str]:
    """Return a moment as text in the company's time zone, independent of the session's time zone."""
    return sa.func.to_char(sa.func.timezone(horizon.zone.key, moment), "YYYY-MM-DD HH24:MI:SS")


def computed_factor(pressure: sa.ColumnElement[Any], temperature: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the correction factor from pressure (bar gauge) and temperature (°C), rounded once to 14 decimals.

    ((P + 1.01325) / 1.01325) × (300 / (T + 273)) × (1 + 0.002 × P): the ideal-gas conversion to 1.01325 bar and
    27 °C with Zb/Z ≈ 1 + 0.002·P. NULL where P or T is unknown or impossible, or the result is out of range.

    NUMERIC division rounds to a scale that it chooses. The quotient is therefore an integer division of the scaled
    numerator, which is exact.
    """
    standard_pressure: sa.ColumnElement[Any] = sa.literal_column("1.01325")
    possible = sa.and_(pressure > -standard_pressure, temperature > -273)
    numerator = (pressure + standard_pressure) * 300 * (1 + sa.literal_column("0.002") * pressure)
    denominator = standard_pressure * (temperature + 273)
    scaled = 2 * numerator * sa.literal_column(f"{10**_FACTOR_DECIMALS}::numeric")
    units = sa.func.div(scaled + denominator, 2 * denominator)
    factor = units * sa.literal_column(f"0.{'0' * (_FACTOR_DECIMALS - 1)}1")
    in_range = numerator < denominator * NUMBER_LIMIT
    return sa.case((sa.and_(possible, in_range), factor))
