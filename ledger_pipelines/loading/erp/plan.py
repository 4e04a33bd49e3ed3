"""Plan which days and months of an ERP table to read: pure functions without input or output.

The plan follows from the source's present and last known fingerprints, and from the state of the copy. A month is read
in full if it is requested or if much of it changed. Of other months only single days are read: those that changed,
those whose count or sums differ between source and copy, and those that are due. Months outside the partitions, and
rows without a date, are read if they changed, because their rejections must be renewed.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from ledger_pipelines.horizon import Horizon, shift_month
from ledger_pipelines.sources.erp.reader import Fingerprint, Span, Wanted
from ledger_pipelines.warehouse.keyless_merge import DaySums
from ledger_pipelines.warehouse.merge import UNPARTITIONED
from ledger_pipelines.warehouse.ops.fingerprints import StoredFingerprint

#: Key of the day of rows without a date.
NO_DAY = ""
_MAX_SINGLE_DAYS = 15  # of a month; if more days differ, the whole month is read
_LAST_MONTH = "9999-12"
_A_DAY = timedelta(days=1)
_NOTHING = DaySums(0, {})

SourceDays = Mapping[date | None, Fingerprint]


@dataclass(frozen=True)
class CopyState:
    """State of a table's copy in the warehouse.

    Attributes:
        known: Last known fingerprints of the source's days.
        loaded: Months that were ever loaded.
        days: Counts and sums by month and day.
        rejected: Number of rejected rows by month; rows without a date are under `UNPARTITIONED`.
    """

    known: Mapping[str, StoredFingerprint]
    loaded: Collection[str]
    days: Mapping[str, Mapping[date | None, DaySums]]
    rejected: Mapping[str, int]

    def rows(self, month: str) -> int:
        """Return the number of rows of a month."""
        return sum(day.rows for day in self.days.get(month, {}).values())

    def rows_with_rejected(self, months: Iterable[str]) -> dict[str, int]:
        """Return the numbers of rows of months, rejected rows included."""
        return {month: self.rows(month) + self.rejected.get(month, 0) for month in months}


@dataclass(frozen=True)
class ReadPlan:
    """Days and months to read.

    Attributes:
        wanted: The request to the table reader.
        whole: Months to read in full.
        days: Days to read of other months.
        outside: Months outside the partitions to read; contains `UNPARTITIONED` if rows without a date are read.
    """

    wanted: Wanted
    whole: frozenset[str]
    days: Mapping[str, frozenset[date]] = field(default_factory=dict)
    outside: frozenset[str] = frozenset()

    @property
    def months(self) -> tuple[str, ...]:
        """Months of the partitions of which rows are read, in order."""
        return tuple(sorted({*self.whole, *self.days}))

    @property
    def reads_anything(self) -> bool:
        """Whether there is anything to read."""
        return self.wanted.everything or self.wanted.undated or bool(self.wanted.spans)

    def covers(self, day: date | None) -> bool:
        """Return whether the rows of a day are read."""
        month = month_of_day(day)
        return month in self.whole or month in self.outside or day in self.days.get(month, ())


def plan_reads(
    source_days: SourceDays,
    copy: CopyState,
    requested: Collection[str],
    horizon: Horizon,
    *,
    due: Iterable[date | None] = (),
    full: bool = False,
) -> ReadPlan:
    """Plan the reads of a table with dates.

    Args:
        source_days: Present fingerprints of the source, by day.
        copy: State of the copy.
        requested: Months to read even if they look unchanged.
        horizon: Months of the partitions.
        due: Days to read even if they look unchanged.
        full: Also read every month that was ever loaded.
    """
    covered = covered_months(source_days, copy, requested, horizon)
    changed = _changed(source_days, copy, horizon)
    for day in due:
        changed[month_of_day(day)].add(day)
    deviating = deviations(source_days, copy, covered, horizon)
    whole, outside = set(covered if full else requested), set[str]()
    days: dict[str, frozenset[date]] = {}
    for month in covered - whole:
        differing = frozenset(day for day in changed[month] | deviating.get(month, set()) if day is not None)
        differs = month in deviating or bool(changed[month])
        if not is_in_partitions(month, horizon):
            outside |= {month} if differs else set()
        elif len(differing) > _MAX_SINGLE_DAYS or (copy.rejected.get(month) and differs):
            whole.add(month)
        elif differing:
            days[month] = differing
    outside |= {month for month in whole if not is_in_partitions(month, horizon)}
    wanted = Wanted(spans=tuple(_spans({*whole, *outside}, days)), undated=UNPARTITIONED in outside)
    return ReadPlan(wanted, frozenset(whole - outside), days, frozenset(outside))


def plan_full_read(copy: CopyState, requested: Collection[str], horizon: Horizon) -> ReadPlan:
    """Plan the read of a table whose rows cannot be requested by day: all rows are read."""
    return ReadPlan(Wanted(everything=True), frozenset(_stored_months(copy, requested, horizon)))


def covered_months(source_days: SourceDays, copy: CopyState, requested: Collection[str], horizon: Horizon) -> set[str]:
    """Return the months whose rows must all be in the copy or among the rejected rows.

    These are the requested months, the months that were ever loaded, and all months outside the partitions.
    """
    days = [*source_days, *(day_of(key) for key in copy.known)]
    outside = {month for month in map(month_of_day, days) if not is_in_partitions(month, horizon)}
    return outside | _stored_months(copy, requested, horizon)


def deviations(
    source_days: SourceDays, copy: CopyState, months: Collection[str], horizon: Horizon
) -> dict[str, set[date | None]]:
    """Return the days, by month, whose count or sums differ between source and copy.

    The days of rejected rows are not stored. For a month with rejected rows only the count of the whole month is
    compared, and all its days at the source are returned.
    """
    at_source: dict[str, dict[date | None, Fingerprint]] = defaultdict(dict)
    for day, fingerprint in source_days.items():
        at_source[month_of_day(day)][day] = fingerprint
    found: dict[str, set[date | None]] = {}
    for month in months:
        source = at_source[month]
        copied = copy.days.get(month, {}) if is_in_partitions(month, horizon) else {}
        if rejected := copy.rejected.get(month):
            if sum(day.rows for day in source.values()) != sum(day.rows for day in copied.values()) + rejected:
                found[month] = set(source)
        elif differing := {
            day for day in {*source, *copied} if not _matches(source.get(day), copied.get(day, _NOTHING))
        }:
            found[month] = differing
    return found


def _matches(source: Fingerprint | None, copied: DaySums) -> bool:
    if source is None:
        return copied.rows == 0
    return source.rows == copied.rows and all(total == copied.sums.get(name, 0) for name, total in source.sums.items())


def day_key(day: date | None) -> str:
    """Return the key of a day."""
    return NO_DAY if day is None else day.isoformat()


def day_of(key: str) -> date | None:
    """Return the day of a key."""
    return None if key == NO_DAY else date.fromisoformat(key)


def month_of_day(day: date | None) -> str:
    """Return the month of a day, within the partitions or not; `UNPARTITIONED` without a day."""
    return UNPARTITIONED if day is None else day.isoformat()[:7]


def rows_by_month(source_days: SourceDays) -> Counter[str]:
    """Return the numbers of rows of the source by month."""
    rows = Counter[str]()
    for day, fingerprint in source_days.items():
        rows[month_of_day(day)] += fingerprint.rows
    return rows


def is_in_partitions(month: str, horizon: Horizon) -> bool:
    """Return whether a month is one of the partitions."""
    return horizon.first <= month <= horizon.current


def stored_month(day: date | None, horizon: Horizon) -> str:
    """Return the month of a day, or `UNPARTITIONED` if that month has no partition."""
    month = month_of_day(day)
    return month if is_in_partitions(month, horizon) else UNPARTITIONED


def _stored_months(copy: CopyState, requested: Collection[str], horizon: Horizon) -> set[str]:
    return {*requested, *(month for month in copy.loaded if is_in_partitions(month, horizon))}


def _changed(source_days: SourceDays, copy: CopyState, horizon: Horizon) -> defaultdict[str, set[date | None]]:
    """Return the days, by month, that changed since they were last read.

    A day changed if its fingerprint differs, if it is deleted, or if its month entered or left the partitions.
    """
    changed: defaultdict[str, set[date | None]] = defaultdict(set)
    for day, fingerprint in source_days.items():
        last = copy.known.get(day_key(day))
        if last is None or (last.digest, last.year_month) != (fingerprint.digest, stored_month(day, horizon)):
            changed[month_of_day(day)].add(day)
    for day in map(day_of, copy.known):
        if day not in source_days:
            changed[month_of_day(day)].add(day)
    return changed


def _spans(months: Iterable[str], days: Mapping[str, Collection[date]]) -> Iterable[Span]:
    """Yield the spans of the months and days to read, in any order."""
    for month in months:
        if month != UNPARTITIONED:
            after = None if month == _LAST_MONTH else _first_day(shift_month(month, 1))
            yield Span(_first_day(month), after)
    for days_of_month in days.values():
        for day in days_of_month:
            yield Span(day, day + _A_DAY)


def _first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:]), 1)
