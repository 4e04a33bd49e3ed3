"""What the demo's customers use: readings with contiguous meter states.

What the customers pay is in `payments`. All figures come from the customer's own random numbers, so a customer is the
same whatever the others are. Only sums, products and quotients of integers and of the application's own floats are
used: they give the same digits on every machine.
"""

from itertools import pairwise
from random import Random

from ledger_pipelines.sources.sample.accounts import Account, Price, Reading
from ledger_pipelines.sources.sample.customers import Terms, customer
from ledger_pipelines.sources.sample.payments import prepay
from ledger_pipelines.sources.sample.plan import Month, SeedPlan, Timeline

_SEASON = (96, 97, 102, 103, 98, 104, 101, 103, 104, 102, 100, 90)  # per cent of the year's mean, January first
_LATEST_ENTRY = 90 * 60  # a reading is entered up to an hour and a half after it was taken


def make_account(index: int, plan: SeedPlan, timeline: Timeline) -> Account:
    """Make a whole customer, free of faults.

    Args:
        index: the place in the plan, from 0.
        plan: what to make.
        timeline: the plan's months.
    """
    rng = plan.random(index)
    joined = rng.randrange(1, plan.months // 2) if plan.months >= 4 and rng.randrange(5) == 0 else 0
    months = timeline.months[joined:]
    account, terms = customer(index, rng, timeline, months)
    # From a bakery's 3,000 m³ a month to a steel mill's 300,000; in hundredths of a m³. Few are large.
    size = 300_000 + int(29_700_000 * rng.random() * rng.random() * rng.random())
    growth = rng.randint(-4, 12)  # per mille a month
    make = _fob_month if account.is_fob else _metered_month
    meter = rng.randrange(1_000, 2_000_000)
    for number, month in enumerate(months):
        monthly_use = size * (1000 + growth * number) // 1000 * _SEASON[int(month.year_month[5:]) - 1] // 100
        use = max(monthly_use // plan.readings_per_month, 100)
        cuts = _cuts(rng, month, plan.readings_per_month)
        meter = make(account, terms, rng, timeline, cuts, use, meter)
    prepay(account, index, plan, timeline)
    if account.readings:
        account.updated_at = account.readings[-1].entered_at
    return account


def _cuts(rng: Random, month: Month, parts: int) -> list[int]:
    """Cut a month into parts of about the same length, less exactly the more room there is.

    The last part ends with the month's last second.
    """
    length = (month.ends - month.starts) // parts
    jitter = min(length // 2, 6 * 3600)
    random = rng.random
    inner = [month.starts + length * part + int(random() * jitter) for part in range(1, parts)]
    return [month.starts, *inner, month.ends - 1]


def _metered_month(
    account: Account, terms: Terms, rng: Random, timeline: Timeline, cuts: list[int], use: int, meter: int
) -> int:
    """Append a month's meter readings, as far as they lie in the past; give the meter's last state.

    States and volumes are counted in hundredths of a m³. In the application, half of the volumes were typed in and
    half are differences of two binary floats, tails and all.
    """
    random, text, owner, prices = rng.random, timeline.text, account.owner, account.prices or []
    until, last = timeline.until, timeline.months[-1].starts
    default = terms.rate
    paid = cuts[0] < last
    extra = f',"periode_input":"{text(cuts[0])[:7]}"' if int(owner.id) % 8 == 0 else ""
    opening, opened_at = _number(meter / 100), text(cuts[0], "T")
    for start, end in pairwise(cuts):
        if end > until:
            break
        volume = use * (768 + int(random() * 512)) >> 10
        flow = (meter + volume) / 100 - meter / 100 if random() < 0.5 else volume / 100
        meter += volume
        closing, closed_at = _number(meter / 100), text(end, "T")
        entered = text(min(end + int(random() * _LATEST_ENTRY), until))
        bill = flow * (_rate(prices, start, default) if prices else default)
        reading = Reading(
            owner, start, end, opened_at, closed_at, opening, closing, _number(flow), bill, entered, paid, False, extra
        )
        account.readings.append(reading)
        opening, opened_at = closing, closed_at
    return meter


def _fob_month(
    account: Account, terms: Terms, rng: Random, timeline: Timeline, cuts: list[int], use: int, meter: int
) -> int:
    """Append a month's deliveries, of whole Sm³, as far as they lie in the past; there is no meter to move on."""
    paid = cuts[0] < timeline.months[-1].starts
    prices = account.prices or []
    for delivered in cuts[1:]:
        if delivered > timeline.until:
            break
        volume = (use * (768 + int(rng.random() * 512)) >> 10) // 100 + 1
        entered_at = timeline.text(min(delivered + int(rng.random() * _LATEST_ENTRY), timeline.until))
        moment = timeline.text(delivered)[:16]
        bill = volume * _rate(prices, delivered, terms.rate)
        reading = Reading(
            account.owner, delivered, delivered, moment, "", "", "", f'"{volume}"', bill, entered_at, paid, is_fob=True
        )
        account.readings.append(reading)
    return meter


def _rate(prices: list[Price], second: int, default: float) -> float:
    """Find the rate in force: that of the first entry that contains the moment, or the default."""
    for price in prices:
        if price.since <= second <= price.until:
            return price.rate
    return default


def _number(value: float) -> str:
    """Write a float as the application's JSON does: the fewest digits that give it back, no `.0`."""
    return repr(value).removesuffix(".0")
