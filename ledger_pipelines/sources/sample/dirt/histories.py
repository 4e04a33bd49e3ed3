"""Faults in the row of a user: deposits, prices, defaults."""

from ledger_pipelines.sources.sample.accounts import Deposit, money
from ledger_pipelines.sources.sample.dirt.case import Case
from ledger_pipelines.sources.sample.plan import DAY


def twice_encoded_histories(case: Case) -> int:
    """Hold both histories as JSON strings that hold the JSON."""
    case.account.histories_encoded_twice = True
    return 2


def twice_encoded_empty_lists(case: Case) -> int:
    r"""Hold both histories as `"\"[]\""`, as a form that was left blank does, of a new customer."""
    _make_new(case)
    case.account.histories_encoded_twice = True
    case.account.deposits, case.account.prices = [], []
    return 2


def strings_in_histories(case: Case) -> int:
    """Write the numbers of a deposit and of every price entry as strings."""
    for deposit in case.deposit():
        deposit.amount = f'"{deposit.amount}"'
    prices = case.account.prices or []
    for price in prices:
        price.price, price.pressure = f'"{price.price}"', f'"{price.pressure}"'
    return len(case.deposit()) + len(prices)


def deposit_without_keterangan(case: Case) -> int:
    """Leave out the entry's kind, as the application once did."""
    for deposit in case.deposit():
        deposit.keterangan = None
    return len(case.deposit())


def negative_pengurangan(case: Case) -> int:
    """Write the minus sign of a reduction into its amount as well."""
    return _reduce(case, "-")


def positive_pengurangan(case: Case) -> int:
    """Leave the sign of a reduction to its kind."""
    return _reduce(case, "")


def _reduce(case: Case, sign: str) -> int:
    """Take a hundredth of a deposit back at the same moment."""
    reductions = []
    for deposit in case.deposit():
        amount = abs(deposit.signed) // 100
        reductions.append(Deposit(deposit.date, sign + money(amount), -amount, "pengurangan", "Koreksi tagihan"))
    if case.account.deposits is not None:
        case.account.deposits.extend(reductions)
    return len(reductions)


def deposit_without_date(case: Case) -> int:
    """Leave out the day on which the money came; the application adds it up all the same."""
    return case.pay(Deposit(None, "2500000", 250_000_000))


def deposit_before_the_first_month(case: Case) -> int:
    """Keep a deposit from before the time that is being looked at."""
    date = case.timeline.text(case.timeline.before.starts + 11 * DAY + 10 * 3600)
    return case.pay(Deposit(date, "5000000", 500_000_000))


def deposit_before_the_first_reading(case: Case) -> int:
    """Let the money come first: the customer's readings begin a month after the first deposit."""
    readings = case.account.readings
    first = min((reading.moment[:7] for reading in readings), default="")
    later = [reading for reading in readings if reading.moment[:7] != first]
    if not later:
        return 0
    case.account.readings = later
    case.pay_again()
    return case.pay(Deposit(f"{first}-03 10:15:00", "25000000.5", 2_500_000_050))


def no_price(case: Case) -> int:
    """Leave a customer without a price or a factor by any rule; the application bills nothing, so one deposit lasts."""
    account = case.account
    account.deposits = (account.deposits or [])[:1]
    account.price = account.pressure = account.temperature = account.factor = None
    account.prices = []
    for reading in account.readings:
        reading.bill = 0.0
    return 1


def null_histories(case: Case) -> int:
    """Leave both histories of a new customer NULL: the default price is in force, and nothing has been paid yet."""
    _make_new(case)
    case.account.deposits = case.account.prices = None
    return 2


def _make_new(case: Case) -> None:
    """Leave a customer the last two weeks' readings: without any deposit a distributor supplies none for longer."""
    case.account.readings = case.account.readings[-max(case.plan.readings_per_month // 2, 1) :]
    case.account.balances = {}
