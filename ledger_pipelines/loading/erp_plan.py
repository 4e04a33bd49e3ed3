"""What to read of an ERP table: a pure decision, from what the source has, what it had, and what the copy has.

A month is read in whole if it is asked for or if much of it changed; of other months only the days that changed, or of
which the copy has not as many rows as the source, or other sums. Months outside the partitions, and rows without any
date, are read too, if something about them changed: to be rejected anew.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from ledger_pipelines.horizon import Horizon, shift
from ledger_pipelines.sources.erp import Fingerprint, Span, Wanted
from ledger_pipelines.warehouse.contents import Sums
from ledger_pipelines.warehouse.fingerprints import Known
from ledger_pipelines.warehouse.months import NO_MONTH

#: The day under which rows without any date are known.
NO_DAY = ""
_MOST_DAYS = 15  # of a month that are read one by one
_LAST_MONTH = "9999-12"
_A_DAY = timedelta(days=1)
_NOTHING = Sums(0, {})

Seen = Mapping[date | None, Fingerprint]


@dataclass(frozen=True)
class Copy:
    """What the warehouse has of a table.

    Attributes:
        known: Its days as they were when last read.
        loaded: The months that were ever loaded.
        days: What each month holds, day by day.
        rejected: How many rows of each month are rejected; under `NO_MONTH` those without any date.
    """

    known: Mapping[str, Known]
    loaded: Collection[str]
    days: Mapping[str, Mapping[date | None, Sums]]
    rejected: Mapping[str, int]

    def rows(self, month: str) -> int:
        """How many rows a month has."""
        return sum(of.rows for of in self.days.get(month, {}).values())


@dataclass(frozen=True)
class Plan:
    """What to read.

    Attributes:
        wanted: What the reader is asked for.
        whole: Months that are read in whole.
        days: Days that are read of other months.
        outside: Months outside the partitions that are read, and `NO_MONTH` if rows without any date are.
    """

    wanted: Wanted
    whole: frozenset[str]
    days: Mapping[str, frozenset[date]] = field(default_factory=dict)
    outside: frozenset[str] = frozenset()

    @property
    def months(self) -> tuple[str, ...]:
        """The months of the partitions of which rows are read, in order."""
        return tuple(sorted({*self.whole, *self.days}))

    @property
    def reads_anything(self) -> bool:
        """False if there is nothing to read."""
        return self.wanted.everything or self.wanted.undated or bool(self.wanted.spans)

    def covers(self, day: date | None) -> bool:
        """True if the rows of a day are read."""
        month = month_of_day(day)
        return month in self.whole or month in self.outside or day in self.days.get(month, ())


def plan(seen: Seen, copy: Copy, asked: Collection[str], horizon: Horizon, *, full: bool = False) -> Plan:
    """Decide what to read of a table with dates.

    Args:
        seen: What the source has now, day by day.
        copy: What the warehouse has.
        asked: Months to read whatever they look like.
        horizon: The months of the partitions.
        full: Read every month that was ever loaded, too.
    """
    covered = covered_months(seen, copy, asked, horizon)
    changed = _changed(seen, copy, horizon)
    deviating = deviations(seen, copy, covered, horizon)
    whole, outside = set(covered if full else asked), set[str]()
    days: dict[str, frozenset[date]] = {}
    for month in covered - whole:
        differing = frozenset(day for day in changed[month] | deviating.get(month, set()) if day is not None)
        differs = month in deviating or bool(changed[month])
        if not is_stored(month, horizon):
            outside |= {month} if differs else set()
        elif len(differing) > _MOST_DAYS or (copy.rejected.get(month) and differs):
            whole.add(month)
        elif differing:
            days[month] = differing
    outside |= {month for month in whole if not is_stored(month, horizon)}
    wanted = Wanted(spans=tuple(_spans({*whole, *outside}, days)), undated=NO_MONTH in outside)
    return Plan(wanted, frozenset(whole - outside), days, frozenset(outside))


def plan_everything(copy: Copy, asked: Collection[str], horizon: Horizon) -> Plan:
    """What to read of a table of which no days can be asked for: all of it."""
    return Plan(Wanted(everything=True), frozenset(_stored_months(copy, asked, horizon)))


def covered_months(seen: Seen, copy: Copy, asked: Collection[str], horizon: Horizon) -> set[str]:
    """The months for which the copy and its rejected rows are to account: all rows of theirs are in one of the two.

    Those asked for, those ever loaded, and everything outside the partitions.
    """
    days = [*seen, *(day_of(key) for key in copy.known)]
    outside = {month for month in map(month_of_day, days) if not is_stored(month, horizon)}
    return outside | _stored_months(copy, asked, horizon)


def deviations(seen: Seen, copy: Copy, months: Collection[str], horizon: Horizon) -> dict[str, set[date | None]]:
    """Where the copy has not as many rows as the source, or other sums: the days of each such month.

    Of a month with rejected rows it is not known which day they are of: its rows are counted as a whole, its sums not
    compared, and its days are those of the source.
    """
    at_source: dict[str, dict[date | None, Fingerprint]] = defaultdict(dict)
    for day, fingerprint in seen.items():
        at_source[month_of_day(day)][day] = fingerprint
    found: dict[str, set[date | None]] = {}
    for month in months:
        source = at_source[month]
        here = copy.days.get(month, {}) if is_stored(month, horizon) else {}
        if rejected := copy.rejected.get(month):
            if sum(of.rows for of in source.values()) != sum(of.rows for of in here.values()) + rejected:
                found[month] = set(source)
        elif differing := {day for day in {*source, *here} if not _agree(source.get(day), here.get(day, _NOTHING))}:
            found[month] = differing
    return found


def _agree(source: Fingerprint | None, here: Sums) -> bool:
    if source is None:
        return here.rows == 0
    return source.rows == here.rows and all(total == here.sums.get(name, 0) for name, total in source.sums.items())


def day_key(day: date | None) -> str:
    """The text by which a day is known."""
    return NO_DAY if day is None else day.isoformat()


def day_of(key: str) -> date | None:
    """The day of a text by which it is known."""
    return None if key == NO_DAY else date.fromisoformat(key)


def month_of_day(day: date | None) -> str:
    """The month of a day, within the partitions or not; `NO_MONTH` of none."""
    return NO_MONTH if day is None else day.isoformat()[:7]


def is_stored(month: str, horizon: Horizon) -> bool:
    """True if the rows of a month have a place in the copy."""
    return horizon.first <= month <= horizon.current


def stored_as(day: date | None, horizon: Horizon) -> str:
    """The month under which the rows of a day are noted: empty if they have no place in the copy."""
    month = month_of_day(day)
    return month if is_stored(month, horizon) else NO_MONTH


def _stored_months(copy: Copy, asked: Collection[str], horizon: Horizon) -> set[str]:
    return {*asked, *(month for month in copy.loaded if is_stored(month, horizon))}


def _changed(seen: Seen, copy: Copy, horizon: Horizon) -> defaultdict[str, set[date | None]]:
    """The days, by month, that do not look as they did: also those that are gone, or whose month came or went."""
    changed: defaultdict[str, set[date | None]] = defaultdict(set)
    for day, fingerprint in seen.items():
        was = copy.known.get(day_key(day))
        if was is None or (was.digest, was.year_month) != (fingerprint.digest, stored_as(day, horizon)):
            changed[month_of_day(day)].add(day)
    for day in map(day_of, copy.known):
        if day not in seen:
            changed[month_of_day(day)].add(day)
    return changed


def _spans(months: Iterable[str], days: Mapping[str, Collection[date]]) -> Iterable[Span]:
    """The days to read as spans, in any order."""
    for month in months:
        if month != NO_MONTH:
            after = None if month == _LAST_MONTH else _first_day(shift(month, 1))
            yield Span(_first_day(month), after)
    for of_month in days.values():
        for day in of_month:
            yield Span(day, day + _A_DAY)


def _first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:]), 1)
