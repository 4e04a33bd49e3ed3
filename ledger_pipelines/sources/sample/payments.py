"""Deposits of the demo's customers, who pay in advance: when they pay, and how much.

What the customers use is in `billing`. A customer pays on the day on which a reading ends, so that every day ends with
balances that last.
"""

import math
from collections.abc import Callable

from ledger_pipelines.sources.sample.accounts import Account, Deposit, Reading, money, running_total
from ledger_pipelines.sources.sample.plan import DAY, SeedPlan, Timeline

_DAYS_OF_USE = 30
"""The ledger averages use over the last 30 days (docs/rules.md, "Low balances")."""
_RESERVE = 14.5
"""A customer tops up a balance that lasts fewer days than this."""
_AHEAD = 23
"""A balance lasts this many days once topped up; for a few customers, who pay far ahead, up to 20 more."""
_OPENING, _OPEN_MINUTES = 8 * 3600, 8 * 60


def prepay(account: Account, index: int, plan: SeedPlan, timeline: Timeline) -> None:
    """Replace an account's deposits and month-end balances by those that its readings call for.

    Args:
        account: with its readings in the order of time.
        index: the place in the plan, from 0.
        plan: what to make.
        timeline: the plan's months.
    """
    random = plan.random(index, "deposits").random
    ahead = _AHEAD + 20 * random() * random() * random() * random()
    low, high = _RESERVE / _DAYS_OF_USE, ahead / _DAYS_OF_USE
    readings, deposits, balances = account.readings, list[Deposit](), dict[str, float]()
    ceiling = _ceiling(index, readings, timeline.until)
    oldest, use, balance = 0, 0.0, 0.0
    for number, reading in enumerate(readings):
        bill, since = reading.bill, reading.ends - _DAYS_OF_USE * DAY
        use += bill
        while readings[oldest].starts <= since and oldest < number:
            use -= readings[oldest].bill
            oldest += 1
        balance -= bill
        ceiling -= bill
        if balance < use * low:
            # Use that drops out of the 30 days in the next three days would make the balance seem to last longer.
            fades = oldest < number and readings[oldest].starts <= since + 3 * DAY
            lasting = use - readings[oldest].bill if fades else use
            missing = int(min(lasting * high, ceiling) - balance)
            if missing * _DAYS_OF_USE > use:  # less than a day's use is not worth a transfer
                for entry in _deposit(random, timeline, reading.ends // DAY * DAY + _OPENING, missing):
                    deposits.append(entry)
                    balance += entry.signed / 100
        balances[reading.moment[:7]] = balance
    account.deposits, account.balances = deposits, balances


def _ceiling(index: int, readings: list[Reading], until: int) -> float:
    """Return the largest balance before the first bill, in rupiah; each bill lowers it.

    It is infinite for all but the customers who run short. Whenever the plan ends, every tenth customer has 3 days
    left, and every fortieth owes two months of use: a debtor whom the distributor still supplies.
    """
    if index % 10 == 3:
        days = 3
    elif index % 40 == 4:
        days = -60
    else:
        return math.inf
    use = running_total(reading.bill for reading in readings if reading.starts > until - _DAYS_OF_USE * DAY)
    return running_total(reading.bill for reading in readings) + use * days / _DAYS_OF_USE


def _deposit(random: Callable[[], float], timeline: Timeline, opens: int, rupiah: int) -> list[Deposit]:
    """Make a deposit, mostly of a round amount; now and then the distributor takes back a small part of it.

    Args:
        random: the customer's own random numbers.
        timeline: the plan's months; what would be later than its end is left out.
        opens: the second at which the office opens on the day of the deposit.
        rupiah: the most that is deposited.
    """
    minute = int(random() * _OPEN_MINUTES)
    if opens + minute * 60 > timeline.until:
        return []
    if random() < 0.3:
        amount = rupiah * 100 + int(random() * 100)
    else:
        step = 10 ** (len(str(rupiah)) - 2)
        amount = rupiah // step * step * 100
    entries = [Deposit(timeline.text(opens + minute * 60), money(amount), amount)]
    minute += int(random() * (_OPEN_MINUTES - minute))
    if random() < 0.03 and opens + minute * 60 <= timeline.until:
        amount = amount // 5_000_000 * 100_000
        moment = timeline.text(opens + minute * 60)
        entries.append(Deposit(moment, money(amount), -amount, "pengurangan", "Koreksi tagihan"))
    return entries
