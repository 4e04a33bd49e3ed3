"""Rows of `view_prod_header`: production orders, from closed ones to those planned for the next month."""

from collections.abc import Iterator

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.entities import ErpEntities
from ledger_pipelines.demo.plan import DAY, Month

_SHIFTS = (0, 7, 15, 23)  # hours at which a shift starts
_STATES = (("10", "Planned"), ("30", "Active"), ("90", "Closed"))


def production_rows(entities: ErpEntities, month: Month) -> Iterator[TextRow]:
    """Yield the orders planned for a month, including its future days."""
    rng = entities.random("production", month.year_month)
    wanted = max(entities.plan.rows_per_month // 8, 1)
    first_index = 10_000 + _place(entities, month) * wanted
    for number in range(wanted):
        second = month.starts + rng.randrange((month.ends - month.starts) // DAY) * DAY + rng.choice(_SHIFTS) * 3_600
        part = entities.parts[rng.randrange(len(entities.parts))]
        customer = entities.customers[rng.randrange(len(entities.customers))]
        package = (10, 20, 24, 50, 100)[rng.randrange(5)]
        ordered = package * rng.randint(1, 60)
        delivered, state = _progress(entities, second, ordered, rng.random())
        yield (
            str(first_index + number), f"PR{month.year_month.replace('-', '')}{number + 1:06d}",
            entities.moment(second), part.number, part.old_number, part.name, part.material, customer.name, part.model,
            f"U{part.number[-8:]}", f"LP{rng.randrange(100_000):05d}", str(package), *state, str(ordered),
            str(delivered), str(ordered - delivered), "WH-WIP", f"DIV{rng.randint(1, 4)}",
        )  # fmt: skip


def _progress(entities: ErpEntities, second: int, ordered: int, chance: float) -> tuple[int, tuple[str, str]]:
    """Return an order's delivered quantity and state; except for a few, orders close after about a week."""
    if second > entities.timeline.until:
        return 0, _STATES[0]
    if entities.timeline.until - second < 7 * DAY or chance < 0.03:
        return ordered * int(chance * 10) // 10, _STATES[1]
    return ordered, _STATES[2]


def _place(entities: ErpEntities, month: Month) -> int:
    return [*entities.timeline.months, entities.timeline.after].index(month)
