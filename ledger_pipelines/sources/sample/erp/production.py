"""`view_prod_header`: production orders, from long done to planned for the next month."""

from collections.abc import Iterator

from ledger_pipelines.sources.sample.erp.world import World
from ledger_pipelines.sources.sample.plan import DAY, Month
from ledger_pipelines.sources.sample.writing import Row

_SHIFTS = (0, 7, 15, 23)  # hours at which a shift starts
_STATES = (("10", "Planned"), ("30", "Active"), ("90", "Closed"))


def production_rows(world: World, month: Month) -> Iterator[Row]:
    """Give the orders planned for a month, days to come included: planning looks ahead."""
    rng = world.random("production", month.year_month)
    wanted = max(world.plan.rows_per_month // 8, 1)
    first_index = 10_000 + _place(world, month) * wanted
    for number in range(wanted):
        second = month.starts + rng.randrange((month.ends - month.starts) // DAY) * DAY + rng.choice(_SHIFTS) * 3_600
        part = world.parts[rng.randrange(len(world.parts))]
        customer = world.customers[rng.randrange(len(world.customers))]
        package = (10, 20, 24, 50, 100)[rng.randrange(5)]
        ordered = package * rng.randint(1, 60)
        delivered, state = _progress(world, second, ordered, rng.random())
        yield (
            str(first_index + number), f"PR{month.year_month.replace('-', '')}{number + 1:06d}", world.moment(second),
            part.number, part.old_number, part.name, part.material, customer.name, part.model,
            f"U{part.number[-8:]}", f"LP{rng.randrange(100_000):05d}", str(package), *state, str(ordered),
            str(delivered), str(ordered - delivered), "WH-WIP", f"DIV{rng.randint(1, 4)}",
        )  # fmt: skip


def _progress(world: World, second: int, ordered: int, chance: float) -> tuple[int, tuple[str, str]]:
    """How many of an order are delivered and what state it is in: done after a week or so, but for a few."""
    if second > world.timeline.until:
        return 0, _STATES[0]
    if world.timeline.until - second < 7 * DAY or chance < 0.03:
        return ordered * int(chance * 10) // 10, _STATES[1]
    return ordered, _STATES[2]


def _place(world: World, month: Month) -> int:
    return [*world.timeline.months, world.timeline.after].index(month)
