"""Customers and earliest months that a change in the billing application affects.

Pure functions: they compare the state of the warehouse with the state of the source and return the changes. A returned
month may be too early, which costs a comparison, but never too late: recalculating the customer from that month to the
current one gives the same result as a computation from scratch.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger_pipelines.horizon import Horizon


@dataclass(frozen=True)
class EntryState:
    """Element of a customer's lists: a price entry, a deposit entry, or a rejected entry of either list.

    Attributes:
        month: The first month that the entry affects; None if it affects none.
        content: Everything that is compared: entries with equal content are equal.
    """

    month: str | None
    content: Hashable


@dataclass(frozen=True)
class CustomerState:
    """Comparison state of a customer in the source or the warehouse. The default values mean: no customer.

    Attributes:
        profile: Descriptive columns, which no amount depends on; None: not a customer, or a rejected row.
        defaults: Price, pressure, temperature and factor that entries fall back to.
        prices: The price entries; None if the list is unreadable, so its entries are unknown.
        deposits: The deposit entries; None if the list is unreadable.
        rejected: The rejected row or rejected entries of its lists.
    """

    profile: Hashable = None
    defaults: Hashable = None
    prices: frozenset[EntryState] | None = field(default_factory=frozenset)
    deposits: frozenset[EntryState] | None = field(default_factory=frozenset)
    rejected: frozenset[EntryState] = field(default_factory=frozenset)


@dataclass(frozen=True)
class ReadingState:
    """Comparison state of a reading in the source or the warehouse, usable or rejected.

    Attributes:
        customer_id: The reading's customer.
        month: The reading's month; None if the partitions do not include it.
        content: Everything that is compared: readings with equal content are equal.
    """

    customer_id: int
    month: str | None
    content: Hashable


@dataclass(frozen=True)
class AffectedCustomer:
    """Customer and earliest month that a changed row of the source affects.

    Attributes:
        row_id: Id of the changed row: of a user or of a reading.
        customer_id: The customer to recalculate.
        first_month: The earliest month to recalculate, within the horizon.
    """

    row_id: int
    customer_id: int
    first_month: str


def diff_customers(
    before: Mapping[int, CustomerState],
    after: Mapping[int, CustomerState],
    first_readings: Mapping[int, str],
    horizon: Horizon,
) -> list[AffectedCustomer]:
    """Return the changes between two states of some customers; a customer missing from a state is no customer there.

    Args:
        before: State of the warehouse.
        after: State of the source.
        first_readings: Month of each customer's first reading; a default affects no earlier month.
        horizon: The months that count.
    """
    changes = []
    for customer_id in sorted({*before, *after}):
        old, new = before.get(customer_id, CustomerState()), after.get(customer_id, CustomerState())
        months = set(_affected_months(old, new, first_readings.get(customer_id), horizon))
        if months:
            changes.append(AffectedCustomer(customer_id, customer_id, _earliest_month(months, horizon)))
    return changes


def diff_readings(
    before: Mapping[int, ReadingState], after: Mapping[int, ReadingState], horizon: Horizon
) -> list[AffectedCustomer]:
    """Return the changes between two states of some readings; a reading missing from a state does not exist there.

    A moved reading affects its old and its new month, and its old and its new customer. A reading without a month
    affects all months: a load of some months may not select it, because its text may name any month.
    """
    changes = []
    for reading_id in sorted({*before, *after}):
        old, new = before.get(reading_id), after.get(reading_id)
        if old == new:
            continue
        months: dict[int, set[str | None]] = {}
        for reading in (old, new):
            if reading is not None:
                months.setdefault(reading.customer_id, set()).add(reading.month)
        if new is not None and new.month is None:
            months[new.customer_id].add(horizon.first)
        changes += [
            AffectedCustomer(reading_id, customer, _earliest_month(affected, horizon))
            for customer, affected in months.items()
        ]
    return changes


def earliest_months(changes: Collection[AffectedCustomer]) -> dict[int, str]:
    """Return the earliest affected month of each customer."""
    earliest: dict[int, str] = {}
    for change in changes:
        known = earliest.get(change.customer_id, change.first_month)
        earliest[change.customer_id] = min(known, change.first_month)
    return earliest


def _affected_months(
    old: CustomerState, new: CustomerState, first_reading: str | None, horizon: Horizon
) -> Iterator[str | None]:
    """Yield the months that a change of an account affects; None: a change that affects no particular month."""
    if (old.profile is None) != (new.profile is None):
        yield horizon.first  # the customer's readings of all months start or stop counting
    elif old.profile != new.profile:
        yield None
    if old.defaults != new.defaults:
        yield first_reading
    lists = ((old.prices, new.prices), (old.deposits, new.deposits), (old.rejected, new.rejected))
    for previous, current in lists:
        # An unreadable list leaves its entries unknown, so it counts as unchanged.
        if previous is not None and current is not None:
            yield from (entry.month for entry in previous ^ current)


def _earliest_month(months: Collection[str | None], horizon: Horizon) -> str:
    """Return the earliest month, limited to the horizon; the current month if all are None."""
    known = [month for month in months if month is not None]
    return max(horizon.first, min([*known, horizon.current]))
