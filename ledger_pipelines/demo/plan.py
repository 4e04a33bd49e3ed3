"""Plans, time line and summaries of the demo's databases; generating and writing rows is elsewhere."""

import dataclasses
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import ClassVar
from zoneinfo import ZoneInfo

from ledger_pipelines.horizon import is_month, shift_month

WIB = ZoneInfo("Asia/Jakarta")
DAY = 86_400
"""Seconds in a day; WIB has no summer time."""


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """Size, period and random seed of a demo. The same plan always makes the same rows, to the byte.

    Attributes:
        current_month: the last month with rows, such as `2025-03`.
        until: end of the demo's events, within `current_month`; by default the month's last second. It is part of the
            plan's identity: to repeat a plan, round it.
        months: number of months of history, including the current one.
        seed: seed of all random numbers.
        replace: whether an earlier demo may be dropped first. Not part of the plan's identity.

    Raises:
        ValueError: at construction, if a value is out of range.
    """

    generator_version: ClassVar[int] = 1
    """Part of a plan's identity: increment it when the same plan makes other rows than before."""
    limits: ClassVar[dict[str, int]] = {"months": 240}
    """Maximum of each number; the minimum is 1."""

    current_month: str
    until: datetime | None = None
    months: int = 24
    seed: int = 20250301
    replace: bool = False

    def __post_init__(self) -> None:
        if not is_month(self.current_month) or self.current_month.startswith("0"):
            raise ValueError(f"current_month must look like 2025-03, not {self.current_month!r}")
        for name, most in self.limits.items():
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must lie between 1 and {most}, not {getattr(self, name)}")
        if self.until is None:
            return
        if self.until.tzinfo is None:
            raise ValueError("until must have a time zone")
        if self.until.astimezone(WIB).strftime("%Y-%m") != self.current_month:
            raise ValueError(f"until ({self.until}) must lie in the current month, {self.current_month} (WIB)")

    @property
    def first_month(self) -> str:
        """Return the first month with rows."""
        return shift_month(self.current_month, 1 - self.months)

    def identity(self) -> str:
        """Return everything that determines the rows, as JSON text."""
        facts = dataclasses.asdict(self)
        del facts["replace"]
        facts["until"] = self.until and self.until.astimezone(WIB).isoformat(sep=" ", timespec="seconds")
        return json.dumps({"generator": self.generator_version, **facts}, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class BillingDemoPlan(DemoPlan):
    """Plan of the billing application's demo.

    Attributes:
        customers: number of customers; every fourth is a fob customer.
        readings_per_month: readings per customer and month.
    """

    generator_version: ClassVar[int] = 2
    limits: ClassVar[dict[str, int]] = {"customers": 10_000_000, "months": 240, "readings_per_month": 1_000}

    customers: int = 36
    readings_per_month: int = 4

    def random(self, *names: object) -> Random:
        """Return the random generator of a part of the plan; every call returns the same sequence."""
        return Random("/".join(map(str, (self.seed, *names))))  # noqa: S311 - not for security


@dataclass(frozen=True)
class BillingDemoSummary:
    """Summary of a seeded billing database.

    Attributes:
        users: number of rows of `users`.
        customers: number of users who are customers.
        readings: number of rows of `data_pencatatan`.
        deposits: number of entries in the deposit histories.
        price_entries: number of entries in the pricing histories.
        first_month: the plan's first month, such as `2023-04`.
        last_month: the plan's current month.
        dirt: number of rows and entries that each kind of fault touched; 0 for a kind that does not fit into the plan.
        already_there: whether an earlier run of the same plan had written everything, and this run nothing.
    """

    users: int
    customers: int
    readings: int
    deposits: int
    price_entries: int
    first_month: str
    last_month: str
    dirt: dict[str, int]
    already_there: bool = False


@dataclass(frozen=True, slots=True)
class Month:
    """One month of the time line, in its seconds: from `starts` to before `ends`."""

    year_month: str
    starts: int
    ends: int


class Timeline:
    """A plan's months, counted in seconds of WIB from the start of the month before the first one.

    Attributes:
        months: the plan's months, in order.
        before: the month before the plan's first.
        after: the month after the plan's last.
        until: the last second with events.
    """

    def __init__(self, plan: DemoPlan) -> None:
        names = [shift_month(plan.first_month, n) for n in range(-1, plan.months + 2)]
        origin = date.fromisoformat(f"{names[0]}-01")
        starts = [(date.fromisoformat(f"{name}-01") - origin).days * DAY for name in names]
        spans = [Month(names[n], starts[n], starts[n + 1]) for n in range(len(names) - 1)]
        self.before, *self.months, self.after = spans
        self._days = [(origin + timedelta(days=n)).isoformat() for n in range(starts[-1] // DAY)]
        # Millions of timestamps are formatted; lookups of date and time are the fastest way.
        minutes = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(DAY // 60)]
        self._clock = [f"{minute}{second:02d}" for minute in minutes for second in range(60)]
        self.until = self.months[-1].ends - 1
        if plan.until is not None:
            moment = plan.until.astimezone(WIB)
            seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
            self.until = (moment.date() - origin).days * DAY + seconds

    def text(self, second: int, separator: str = " ") -> str:
        """Format a second as the application does: `2025-03-01 20:45:27`."""
        return self._days[second // DAY] + separator + self._clock[second % DAY]
