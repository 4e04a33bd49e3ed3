"""Gas consumption of the demo's customers: readings with contiguous meter states.

Deposits are in `payments`. All figures of a customer come from a random generator of its own, so they do not depend on
other customers. The arithmetic is limited to sums, products and quotients of integers and of the application's floats,
which give the same digits on every machine.
"""

from itertools import pairwise
from random import Random

from ledger_pipelines.demo.accounts import DemoAccount, DemoPrice, DemoReading
from ledger_pipelines.demo.customers import PriceTerms, make_customer
from ledger_pipelines.demo.payments import replace_deposits
from ledger_pipelines.demo.plan import BillingDemoPlan, Month, Timeline

_SEASON = (96, 97, 102, 103, 98, 104, 101, 103, 104, 102, 100, 90)  # per cent of the yearly mean, from January
_LATEST_ENTRY = 90 * 60  # seconds from a reading to its entry, at most


def make_account(index: int, plan: BillingDemoPlan, timeline: Timeline) -> DemoAccount:
    """Return a complete customer without faults.

    Args:
        index: the customer's index in the plan, from 0.
        plan: size and period of the demo.
        timeline: the plan's months.
    """
    rng = plan.random(index)
    joined = rng.randrange(1, plan.months // 2) if plan.months >= 4 and rng.randrange(5) == 0 else 0
    months = timeline.months[joined:]
    account, terms = make_customer(index, rng, timeline, months)
    # From a bakery's 3,000 m³ a month to a steel mill's 300,000; in hundredths of a m³. Few customers are large.
    size = 300_000 + int(29_700_000 * rng.random() * rng.random() * rng.random())
    growth = rng.randint(-4, 12)  # per mille a month
    make = _fob_month if account.is_fob else _metered_month
    meter = rng.randrange(1_000, 2_000_000)
    for number, month in enumerate(months):
        monthly_use = size * (1000 + growth * number) // 1000 * _SEASON[int(month.year_month[5:]) - 1] // 100
        use = max(monthly_use // plan.readings_per_month, 100)
        cuts = _split_month(rng, month, plan.readings_per_month)
        meter = make(account, terms, rng, timeline, cuts, use, meter)
    replace_deposits(account, index, plan, timeline)
    if account.readings:
        account.updated_at = account.readings[-1].entered_at
    return account


def _split_month(rng: Random, month: Month, parts: int) -> list[int]:
    """Return the boundaries of about equal parts of a month, with a random shift of up to half a part or 6 hours.

    The last part ends with the month's last second.
    """
    length = (month.ends - month.starts) // parts
    jitter = min(length // 2, 6 * 3600)
    random = rng.random
    inner = [month.starts + length * part + int(random() * jitter) for part in range(1, parts)]
    return [month.starts, *inner, month.ends - 1]


def _metered_month(
    account: DemoAccount, terms: PriceTerms, rng: Random, timeline: Timeline, cuts: list[int], use: int, meter: int
) -> int:
    """Append a month's past meter readings; return the meter's last state.

    States and volumes are counted in hundredths of a m³. As in the application, half of the volumes are typed in and
    half are differences of two binary floats, with the digits that such a subtraction leaves.
    """
    random, text, owner, prices = rng.random, timeline.text, account.owner, account.prices or []
    until, last = timeline.until, timeline.months[-1].starts
    default = terms.rate
    paid = cuts[0] < last
    extra = f',"periode_input":"{text(cuts[0])[:7]}"' if int(owner.id) % 8 == 0 else ""
    opening, opened_at = _json_number(meter / 100), text(cuts[0], "T")
    for start, end in pairwise(cuts):
        if end > until:
            break
        volume = use * (768 + int(random() * 512)) >> 10
        flow = (meter + volume) / 100 - meter / 100 if random() < 0.5 else volume / 100
        meter += volume
        closing, closed_at = _json_number(meter / 100), text(end, "T")
        entered = text(min(end + int(random() * _LATEST_ENTRY), until))
        bill = flow * (_rate_at(prices, start, default) if prices else default)
        reading = DemoReading(
            owner,
            start,
            end,
            opened_at,
            closed_at,
            opening,
            closing,
            _json_number(flow),
            bill,
            entered,
            paid,
            False,
            extra,
        )
        account.readings.append(reading)
        opening, opened_at = closing, closed_at
    return meter


def _fob_month(
    account: DemoAccount, terms: PriceTerms, rng: Random, timeline: Timeline, cuts: list[int], use: int, meter: int
) -> int:
    """Append a month's past deliveries, in whole Sm³; return the meter state unchanged."""
    paid = cuts[0] < timeline.months[-1].starts
    prices = account.prices or []
    for delivered in cuts[1:]:
        if delivered > timeline.until:
            break
        volume = (use * (768 + int(rng.random() * 512)) >> 10) // 100 + 1
        entered_at = timeline.text(min(delivered + int(rng.random() * _LATEST_ENTRY), timeline.until))
        moment = timeline.text(delivered)[:16]
        bill = volume * _rate_at(prices, delivered, terms.rate)
        reading = DemoReading(
            account.owner, delivered, delivered, moment, "", "", "", f'"{volume}"', bill, entered_at, paid, is_fob=True
        )
        account.readings.append(reading)
    return meter


def _rate_at(prices: list[DemoPrice], second: int, default: float) -> float:
    """Return the rate of the first price entry that contains the moment, or the default rate."""
    for price in prices:
        if price.since <= second <= price.until:
            return price.rate
    return default


def _json_number(value: float) -> str:
    """Format a float as the application's JSON does: the shortest text that parses to the same float, no `.0`."""
    return repr(value).removesuffix(".0")
