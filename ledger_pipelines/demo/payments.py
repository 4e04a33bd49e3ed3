"""Deposits of the demo's customers, who pay in advance.

Consumption is in `billing`. A customer pays on the day on which a reading ends, so that at the end of every day most
balances last for weeks.
"""

import math
from collections.abc import Callable

from ledger_pipelines.demo.accounts import DemoAccount, DemoDeposit, DemoReading, money, running_total
from ledger_pipelines.demo.plan import DAY, BillingDemoPlan, Timeline

_USE_WINDOW_DAYS = 30
"""Window over which the ledger averages consumption (docs/rules.md, "Low balances")."""
_TOP_UP_BELOW_DAYS = 14.5
"""A customer pays when the balance lasts fewer days than this."""
_TOP_UP_TO_DAYS = 23
"""Days that a balance lasts after a deposit; a few customers pay further ahead, by up to 20 days."""
_OPENING, _OPEN_MINUTES = 8 * 3600, 8 * 60


def replace_deposits(account: DemoAccount, index: int, plan: BillingDemoPlan, timeline: Timeline) -> None:
    """Replace an account's deposits and month-end balances to match its readings.

    Args:
        account: its readings must be in chronological order.
        index: the customer's index in the plan, from 0.
        plan: size and period of the demo.
        timeline: the plan's months.
    """
    random = plan.random(index, "deposits").random
    ahead = _TOP_UP_TO_DAYS + 20 * random() * random() * random() * random()
    low, high = _TOP_UP_BELOW_DAYS / _USE_WINDOW_DAYS, ahead / _USE_WINDOW_DAYS
    readings, deposits, balances = account.readings, list[DemoDeposit](), dict[str, float]()
    ceiling = _ceiling(index, readings, timeline.until)
    oldest, use, balance = 0, 0.0, 0.0
    for number, reading in enumerate(readings):
        bill, since = reading.bill, reading.ends - _USE_WINDOW_DAYS * DAY
        use += bill
        while readings[oldest].starts <= since and oldest < number:
            use -= readings[oldest].bill
            oldest += 1
        balance -= bill
        ceiling -= bill
        if balance < use * low:
            # Consumption that leaves the 30-day window within three days would make the balance seem to last longer.
            fades = oldest < number and readings[oldest].starts <= since + 3 * DAY
            lasting = use - readings[oldest].bill if fades else use
            missing = int(min(lasting * high, ceiling) - balance)
            if missing * _USE_WINDOW_DAYS > use:  # less than a day's use is not worth a transfer
                for entry in _make_deposit(random, timeline, reading.ends // DAY * DAY + _OPENING, missing):
                    deposits.append(entry)
                    balance += entry.signed / 100
        balances[reading.moment[:7]] = balance
    account.deposits, account.balances = deposits, balances


def _ceiling(index: int, readings: list[DemoReading], until: int) -> float:
    """Return the upper limit of the balance before the first bill, in rupiah; each bill lowers the limit.

    The limit is infinite except for customers who run short: at the end of the plan, every tenth customer has a balance
    for 3 days, and every fortieth owes two months of consumption (a debtor whom the distributor still supplies).
    """
    if index % 10 == 3:
        days = 3
    elif index % 40 == 4:
        days = -60
    else:
        return math.inf
    use = running_total(reading.bill for reading in readings if reading.starts > until - _USE_WINDOW_DAYS * DAY)
    return running_total(reading.bill for reading in readings) + use * days / _USE_WINDOW_DAYS


def _make_deposit(random: Callable[[], float], timeline: Timeline, opens: int, rupiah: int) -> list[DemoDeposit]:
    """Return a deposit, mostly of a round amount; sometimes followed by a small reduction (`pengurangan`).

    Args:
        random: the customer's own random generator.
        timeline: the plan's months; entries after its end are left out.
        opens: the second at which the office opens on the day of the deposit.
        rupiah: upper limit of the amount.
    """
    minute = int(random() * _OPEN_MINUTES)
    if opens + minute * 60 > timeline.until:
        return []
    if random() < 0.3:
        amount = rupiah * 100 + int(random() * 100)
    else:
        step = 10 ** (len(str(rupiah)) - 2)
        amount = rupiah // step * step * 100
    entries = [DemoDeposit(timeline.text(opens + minute * 60), money(amount), amount)]
    minute += int(random() * (_OPEN_MINUTES - minute))
    if random() < 0.03 and opens + minute * 60 <= timeline.until:
        amount = amount // 5_000_000 * 100_000
        moment = timeline.text(opens + minute * 60)
        entries.append(DemoDeposit.reduction(moment, money(amount), amount))
    return entries
