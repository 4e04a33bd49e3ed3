"""Rows of `view_warehouse_order`, `view_warehouse_order_line` and `stockbywh`: warehouse orders and stock.

Headers and lines are two tables of the same orders: both use `_orders`, which generates the same orders at each call.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.entities import WAREHOUSES, DemoPart, ErpEntities
from ledger_pipelines.demo.plan import Month

_ORIGINS = (("Sales", "Issue"), ("Transfer", "Transfer"), ("Purchase", "Receipt"), ("Production", "Issue"))
_OPEN = ("10", "Open")
_PARTLY = ("20", "Partially Shipped")
_LATE = ("15", "Late")
_SHIPPED = ("30", "Shipped")
_RECEIVED = ("40", "Received")


@dataclass(frozen=True, slots=True)
class _OrderLine:
    part: DemoPart
    ordered: int
    shipped: int
    shipped_on: int | None
    received_on: int | None
    status: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Order:
    code: str
    number: str
    origin: tuple[str, str]
    ordered_on: int | None
    planned_on: int
    route: TextRow
    lines: tuple[_OrderLine, ...]


def order_rows(entities: ErpEntities, month: Month) -> Iterator[TextRow]:
    """Yield the headers of a month's warehouse orders; a few have no order date."""
    midnights = entities.midnights
    for order in _orders(entities, month):
        ordered = None if order.ordered_on is None else midnights[order.ordered_on][:10]
        yield (order.code, *order.origin, ordered, midnights[order.planned_on][:10], *order.route)


def order_line_rows(entities: ErpEntities, month: Month) -> Iterator[TextRow]:
    """Yield the lines of a month's warehouse orders."""
    midnights = entities.midnights

    def date(day: int | None) -> str | None:
        return None if day is None else midnights[day]

    for order in _orders(entities, month):
        for number, line in enumerate(order.lines, 1):
            dates = (date(order.ordered_on), date(line.shipped_on), date(line.received_on))
            yield (
                order.code, *order.origin, *dates, order.number, str(number * 10), *order.route,
                line.part.number, line.part.name, line.part.material, f"{line.ordered}.5000", f"{line.shipped}.5000",
                line.part.unit, *line.status,
            )  # fmt: skip


def stock_rows(entities: ErpEntities) -> Iterator[TextRow]:
    """Yield the current stock; about every eighth row is below its safety stock."""
    rng = entities.random("stock")
    for part in entities.parts:
        first = rng.randrange(len(WAREHOUSES))
        for code, place in (WAREHOUSES + WAREHOUSES)[first : first + rng.randint(1, 3)]:
            safety = rng.randrange(10, 500)
            short = rng.random() < 0.12
            on_hand = (safety * 1_000_000 if short else safety * rng.randint(1, 20) * 1_000_000) - rng.randrange(
                1_000_000
            )
            allocated, on_order = rng.randrange(safety) * 1_000_000, rng.randrange(3) * safety * 1_000_000
            quantities = (on_hand, allocated, on_order, on_hand - allocated + on_order, safety * 1_000_000)
            customer = entities.customers[rng.randrange(len(entities.customers))]
            yield (
                code, part.number, f"{part.name} {part.material}", part.name, part.old_number, part.group,
                f"{part.group}-{part.kind}", part.kind, part.model, customer.name,
                *map(_millionths, quantities), str(safety // 2), str(safety * 10), part.unit,
                f"{place} / {chr(65 + rng.randrange(8))}{rng.randrange(40):02d}",
            )  # fmt: skip


def _orders(entities: ErpEntities, month: Month) -> Iterator[_Order]:
    rng = entities.random("warehouse", month.year_month)
    days, period = entities.days(month), month.year_month.replace("-", "")
    for number in range(1, entities.event_count(month, 8) + 1):
        ordered_on = days[rng.randrange(len(days))]
        planned_on = ordered_on + rng.randint(1, 14)
        (ship_from, from_name), (ship_to, to_name) = rng.sample(WAREHOUSES, 2)
        route: TextRow = ("Warehouse", ship_from, from_name, "Warehouse", ship_to, to_name)
        if rng.random() < 0.3:
            customer = entities.customers[rng.randrange(len(entities.customers))]
            route = (*route[:3], "Business Partner", customer.code, customer.name)
        lines = tuple(_line(entities, planned_on, rng.random(), rng.randrange(10**9)) for _ in range(rng.randint(1, 4)))
        origin = _ORIGINS[rng.randrange(len(_ORIGINS))]
        dated = ordered_on if rng.random() < 0.98 else None
        yield _Order(
            f"{origin[0][:3].upper()}-{period}-{number:06d}", f"{number:06d}", origin, dated, planned_on, route, lines
        )


def _line(entities: ErpEntities, planned_on: int, chance: float, numbers: int) -> _OrderLine:
    """Return an order line that is open, late, partly shipped, shipped or received.

    Args:
        entities: the parts, and the last day.
        planned_on: the day of the planned delivery.
        chance: random number from 0 to 1 that selects the state.
        numbers: random number below 10⁹ that selects part and quantity.
    """
    part, ordered = entities.parts[numbers % len(entities.parts)], numbers // 10_000 % 900 + 1
    if planned_on > entities.last_day:
        return _OrderLine(part, ordered, 0, None, None, _OPEN)
    if chance < 0.05:
        return _OrderLine(part, ordered, 0, None, None, _LATE)
    shipped_on = min(planned_on + numbers % 4, entities.last_day)
    if chance < 0.15:
        return _OrderLine(part, ordered, ordered // 2, shipped_on, None, _PARTLY)
    if chance < 0.25:
        return _OrderLine(part, ordered, ordered, shipped_on, None, _SHIPPED)
    return _OrderLine(part, ordered, ordered, shipped_on, min(shipped_on + numbers % 3, entities.last_day), _RECEIVED)


def _millionths(quantity: int) -> str:
    whole, rest = divmod(abs(quantity), 1_000_000)
    return f"{'-' if quantity < 0 else ''}{whole}.{rest:06d}"
