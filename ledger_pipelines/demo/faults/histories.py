"""Faults in the row of a user: deposits, prices, defaults."""

from ledger_pipelines.demo.accounts import DemoDeposit, money
from ledger_pipelines.demo.faults.context import FaultContext
from ledger_pipelines.demo.plan import DAY


def twice_encoded_histories(context: FaultContext) -> int:
    """Encode both histories as JSON twice."""
    context.account.histories_encoded_twice = True
    return 2


def twice_encoded_empty_lists(context: FaultContext) -> int:
    r"""Store both histories of a new customer as `"\"[]\""`, as an empty form does."""
    _make_new(context)
    context.account.histories_encoded_twice = True
    context.account.deposits, context.account.prices = [], []
    return 2


def strings_in_histories(context: FaultContext) -> int:
    """Write the numbers of a deposit and of every price entry as strings."""
    for deposit in context.middle_deposit():
        deposit.amount = f'"{deposit.amount}"'
    prices = context.account.prices or []
    for price in prices:
        price.price, price.pressure = f'"{price.price}"', f'"{price.pressure}"'
    return len(context.middle_deposit()) + len(prices)


def deposit_without_keterangan(context: FaultContext) -> int:
    """Omit `keterangan`, as old versions of the application did."""
    for deposit in context.middle_deposit():
        deposit.keterangan = None
    return len(context.middle_deposit())


def negative_pengurangan(context: FaultContext) -> int:
    """Add a reduction with a negative amount."""
    return _reduce(context, "-")


def positive_pengurangan(context: FaultContext) -> int:
    """Add a reduction with a positive amount: only `keterangan` marks it as a reduction."""
    return _reduce(context, "")


def _reduce(context: FaultContext, sign: str) -> int:
    """Add a reduction of one per cent of a deposit, at the same moment."""
    reductions = []
    for deposit in context.middle_deposit():
        amount = abs(deposit.signed) // 100
        reductions.append(DemoDeposit.reduction(deposit.date, sign + money(amount), amount))
    if context.account.deposits is not None:
        context.account.deposits.extend(reductions)
    return len(reductions)


def deposit_without_date(context: FaultContext) -> int:
    """Add a deposit without a date, which the application's total includes."""
    return context.add_deposit(DemoDeposit(None, "2500000", 250_000_000))


def deposit_before_the_first_month(context: FaultContext) -> int:
    """Add a deposit from before the first month."""
    date = context.timeline.text(context.timeline.before.starts + 11 * DAY + 10 * 3600)
    return context.add_deposit(DemoDeposit(date, "5000000", 500_000_000))


def deposit_before_the_first_reading(context: FaultContext) -> int:
    """Start the customer's readings a month after the first deposit."""
    readings = context.account.readings
    first = min((reading.moment[:7] for reading in readings), default="")
    later = [reading for reading in readings if reading.moment[:7] != first]
    if not later:
        return 0
    context.account.readings = later
    context.replace_deposits()
    return context.add_deposit(DemoDeposit(f"{first}-03 10:15:00", "25000000.5", 2_500_000_050))


def no_price(context: FaultContext) -> int:
    """Remove price and factor from all rules. The application bills nothing, so one deposit is enough."""
    account = context.account
    account.deposits = (account.deposits or [])[:1]
    account.price = account.pressure = account.temperature = account.factor = None
    account.prices = []
    for reading in account.readings:
        reading.bill = 0.0
    return 1


def null_histories(context: FaultContext) -> int:
    """Set both histories of a new customer to NULL: the default price applies, and there are no deposits yet."""
    _make_new(context)
    context.account.deposits = context.account.prices = None
    return 2


def _make_new(context: FaultContext) -> None:
    """Keep only the last two weeks' readings: a distributor supplies no customer for longer without a deposit."""
    context.account.readings = context.account.readings[-max(context.plan.readings_per_month // 2, 1) :]
    context.account.balances = {}
