"""What a change in the billing application can touch: which customers, and the earliest month.

Pure functions: what the warehouse has and what the source has go in as plain values, changes come out. A month may be
too early, which costs a comparison, but never too late: recomputing a customer from it to the current month leaves
what a computation from scratch leaves.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from ledger_pipelines.horizon import Horizon


@dataclass(frozen=True)
class Entry:
    """An element of a customer's lists: a price entry, a deposit, or one of either that cannot be used.

    Attributes:
        month: The first month that it can touch; None if it touches none.
        content: All that is known of it: two entries with the same content are the same.
    """

    month: str | None
    content: Hashable


@dataclass(frozen=True)
class Account:
    """A customer as it is known on one side, the source's or the warehouse's; as it stands here, it is none.

    Attributes:
        profile: What describes the customer and nothing is computed from; None: no customer, or an unusable one.
        defaults: Price, pressure, temperature and factor that entries fall back to.
        prices: The price entries; None if the list is unreadable, so that nothing is known of them.
        deposits: The deposits; None as with the prices.
        rejected: What cannot be used of the row and its lists.
    """

    profile: Hashable = None
    defaults: Hashable = None
    prices: frozenset[Entry] | None = field(default_factory=frozenset)
    deposits: frozenset[Entry] | None = field(default_factory=frozenset)
    rejected: frozenset[Entry] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Reading:
    """A reading as it is known on one side, usable or not.

    Attributes:
        customer_id: Whose it is.
        month: Its month; None if it has none within the partitions.
        content: All that is known of it: two readings with the same content are the same.
    """

    customer_id: int
    month: str | None
    content: Hashable


@dataclass(frozen=True)
class Change:
    """What a changed row of the source can touch.

    Attributes:
        row_id: The row: a user's or a reading's id.
        customer_id: The customer to recalculate.
        first_month: The earliest month to recalculate, within the horizon.
    """

    row_id: int
    customer_id: int
    first_month: str


def account_changes(
    before: Mapping[int, Account],
    after: Mapping[int, Account],
    first_readings: Mapping[int, str],
    horizon: Horizon,
) -> list[Change]:
    """The changes between two states of some customers; one that a state does not name is none there.

    Args:
        before: What the warehouse has.
        after: What the source has.
        first_readings: Of customers with readings, the month of the first: no default matters before.
        horizon: The months that count.
    """
    changes = []
    for customer_id in sorted({*before, *after}):
        old, new = before.get(customer_id, Account()), after.get(customer_id, Account())
        months = set(_months(old, new, first_readings.get(customer_id), horizon))
        if months:
            changes.append(Change(customer_id, customer_id, _earliest(months, horizon)))
    return changes


def reading_changes(before: Mapping[int, Reading], after: Mapping[int, Reading], horizon: Horizon) -> list[Change]:
    """The changes between two states of some readings; one that a state does not name is not there.

    A reading that moved touches where it was and where it is: both months and both customers. One that has no month
    touches all of them: a load of some may not see it, for its text may name any.
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
        changes += [Change(reading_id, customer, _earliest(of, horizon)) for customer, of in months.items()]
    return changes


def first_months(changes: Collection[Change]) -> dict[int, str]:
    """Each customer that the changes touch, with the earliest month."""
    earliest: dict[int, str] = {}
    for change in changes:
        known = earliest.get(change.customer_id, change.first_month)
        earliest[change.customer_id] = min(known, change.first_month)
    return earliest


def _months(old: Account, new: Account, first_reading: str | None, horizon: Horizon) -> Iterator[str | None]:
    """The months that a change of an account touches; None: whichever is recalculated."""
    if (old.profile is None) != (new.profile is None):
        yield horizon.first  # its readings, of whatever month, begin or cease to count
    elif old.profile != new.profile:
        yield None
    if old.defaults != new.defaults:
        yield first_reading
    lists = ((old.prices, new.prices), (old.deposits, new.deposits), (old.rejected, new.rejected))
    for was, is_now in lists:
        # Of a list that is unreadable nothing is known, so nothing changes.
        if was is not None and is_now is not None:
            yield from (entry.month for entry in was ^ is_now)


def _earliest(months: Collection[str | None], horizon: Horizon) -> str:
    """The earliest month within the horizon; the current one where there is none."""
    known = [month for month in months if month is not None]
    return max(horizon.first, min([*known, horizon.current]))
