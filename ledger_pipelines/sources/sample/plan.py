"""What a demo database is to hold, and what it came to hold.

Plans, their time line and summaries belong here; making rows and writing them do not.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import ClassVar
from zoneinfo import ZoneInfo

WIB = ZoneInfo("Asia/Jakarta")
DAY = 86_400
"""Seconds in a day: WIB knows no summer time."""


class SeedRefused(Exception):  # noqa: N818 - a refusal is no fault of the program
    """The database holds something that the demo would destroy or contradict; nothing was changed."""


def shift_month(year_month: str, months: int) -> str:
    """Give the month that lies `months` after (before, if negative) one such as `2025-03`."""
    year, month = divmod(int(year_month[:4]) * 12 + int(year_month[5:]) - 1 + months, 12)
    return f"{year:04d}-{month + 1:02d}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to make. The same plan makes the same rows, to the byte, whenever and wherever it is carried out.

    Attributes:
        current_month: the last month with rows, such as `2025-03`.
        until: the moment, in `current_month`, after which nothing has happened yet; without it, the month's last
            second. A plan with another `until` is another plan: whoever wants to repeat one rounds it.
        months: how many months of history, the current one included.
        seed: of all random numbers.
        replace: whether an earlier demo may be dropped first. No part of the plan's identity.

    Raises:
        ValueError: for what cannot be carried out, at construction.
    """

    generator: ClassVar[int] = 1
    """Part of a plan's identity: to be raised when the same plan would make other rows."""
    limits: ClassVar[dict[str, int]] = {"months": 240}
    """The most that each number may be; the least is 1."""

    current_month: str
    until: datetime | None = None
    months: int = 24
    seed: int = 20250301
    replace: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[1-9]\d{3}-(0[1-9]|1[0-2])", self.current_month, re.ASCII):
            raise ValueError(f"current_month must look like 2025-03, not {self.current_month!r}")
        for name, most in self.limits.items():
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must lie between 1 and {most}, not be {getattr(self, name)}")
        if self.until is None:
            return
        if self.until.tzinfo is None:
            raise ValueError("until must have a time zone")
        if self.until.astimezone(WIB).strftime("%Y-%m") != self.current_month:
            raise ValueError(f"until ({self.until}) must lie in the current month, {self.current_month} (WIB)")

    @property
    def first_month(self) -> str:
        """The first month with rows."""
        return shift_month(self.current_month, 1 - self.months)

    def identity(self) -> str:
        """Say as JSON text everything on which the rows depend."""
        facts = dataclasses.asdict(self)
        del facts["replace"]
        facts["until"] = self.until and self.until.astimezone(WIB).isoformat(sep=" ", timespec="seconds")
        return json.dumps({"generator": self.generator, **facts}, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class SeedPlan(Plan):
    """What to make of the billing application.

    Attributes:
        customers: how many users are customers; every fourth of them is a fob customer.
        readings_per_month: of each customer.
    """

    generator: ClassVar[int] = 2
    limits: ClassVar[dict[str, int]] = {"customers": 10_000_000, "months": 240, "readings_per_month": 1_000}

    customers: int = 36
    readings_per_month: int = 4

    def random(self, *names: object) -> Random:
        """Return the random numbers of a part of the plan, the same ones at every call."""
        return Random("/".join(map(str, (self.seed, *names))))  # noqa: S311 - a demo's random numbers guard nothing


@dataclass(frozen=True)
class SeedSummary:
    """What a seeded database holds.

    Attributes:
        users: rows of `users`.
        customers: those among them who are customers.
        readings: rows of `data_pencatatan`.
        deposits: entries in the deposit histories.
        price_entries: entries in the pricing histories.
        first_month: the plan's first month, such as `2023-04`.
        last_month: the plan's current month.
        dirt: how many rows and entries each kind of fault touched; 0 for a kind that the plan has no room for.
        already_there: whether an earlier run of the same plan had made all this and nothing was written.
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
    """One month of the time line: `starts` up to but excluding `ends`, in its seconds."""

    year_month: str
    starts: int
    ends: int


class Timeline:
    """A plan's months, counted in seconds of WIB from the start of the month before the first.

    Attributes:
        months: those of the plan, in order.
        before: the month before them.
        after: the month after them.
        until: the last second in which something may have happened.
    """

    def __init__(self, plan: Plan) -> None:
        names = [shift_month(plan.first_month, n) for n in range(-1, plan.months + 2)]
        origin = date.fromisoformat(f"{names[0]}-01")
        starts = [(date.fromisoformat(f"{name}-01") - origin).days * DAY for name in names]
        spans = [Month(names[n], starts[n], starts[n + 1]) for n in range(len(names) - 1)]
        self.before, *self.months, self.after = spans
        self._days = [(origin + timedelta(days=n)).isoformat() for n in range(starts[-1] // DAY)]
        # Millions of moments are written; looking their halves up is the fastest way.
        minutes = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(DAY // 60)]
        self._clock = [f"{minute}{second:02d}" for minute in minutes for second in range(60)]
        self.until = self.months[-1].ends - 1
        if plan.until is not None:
            moment = plan.until.astimezone(WIB)
            seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
            self.until = (moment.date() - origin).days * DAY + seconds

    def text(self, second: int, separator: str = " ") -> str:
        """Write a moment as the application does: `2025-03-01 20:45:27`."""
        return self._days[second // DAY] + separator + self._clock[second % DAY]
