"""Read = loaded + rejected: where a load keeps what it rejects, why that is, and what it says when a row is neither."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import sqlalchemy as sa

from ledger_pipelines.settings import EARLIEST_FIRST_MONTH
from ledger_pipelines.sources.billing_rows import month_before_first
from ledger_pipelines.sources.rejection import Rejection, kind_of
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.rejected import CONTENT
from ledger_pipelines.warehouse.session import temporary

STAGED_REJECTIONS = temporary(
    "staged_rejections", *(sa.Column(name, tables.rejected_rows.c[name].type) for name in CONTENT)
)

_NAMED = 3
_YEAR, _FEW = 12, 20
#: What the rows are called that are loaded into a table, or rejected for it.
ROWS: Mapping[str, str] = {
    tables.customers.name: "customers",
    tables.prices.name: "price entries",
    tables.deposits.name: "deposit entries",
    tables.meter_readings.name: "readings",
    tables.transaction_calculations.name: "readings",
}


class RowsLostError(Exception):
    """Rows that were read are neither loaded nor rejected; nothing was changed. A fault of this program."""


@dataclass
class Reasons:
    """Why rows are rejected.

    Attributes:
        rows: How many, by kind of reason.
        examples: A reason and the source row that has it, by kind.
        before_first: How many are dated before the first month, by month.
    """

    rows: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    before_first: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, source_row: str, rows: int = 1) -> None:
        """Count rows that are rejected for a reason, or for reasons of its kind."""
        month = month_before_first(reason)
        kind = kind_of(reason) if month is None else reason.replace(f" {month},", "").partition(":")[0]
        self.rows[kind] += rows
        self.examples.setdefault(kind, (reason, source_row))
        if month is not None:
            self.before_first[month] += rows

    def add_all(self, rejections: Iterable[Rejection]) -> None:
        """Count rejected rows."""
        for row in rejections:
            self.add(row.reason, f"{row.source_table} {row.source_id}")

    @property
    def total(self) -> int:
        """How many rows are rejected."""
        return self.rows.total()

    @property
    def in_words(self) -> str:
        """The most frequent kinds of reasons, each with its number of rows."""
        named = [f"{kind} ({rows:,}{self._months(kind)})" for kind, rows in self.rows.most_common(_NAMED)]
        others = self.total - sum(rows for _, rows in self.rows.most_common(_NAMED))
        return "; ".join([*named, *([f"other reasons ({others:,})"] if others else [])])

    def sentence(self, table: str, read: int) -> str:
        """Return one sentence on the rejected rows of a table of the warehouse; empty if no row is rejected."""
        if not self.total:
            return ""
        are = "is" if self.total == 1 else "are"
        return f"{self.total:,} of {read:,} {ROWS.get(table, table)} {are} rejected: {self.in_words}."

    def _months(self, kind: str) -> str:
        reason, _ = self.examples[kind]
        if month_before_first(reason) is None:
            return ""
        first, last = min(self.before_first), max(self.before_first)
        return f", in {first}" if first == last else f", from {first} to {last}"


def first_month(rows: Mapping[str, int]) -> str | None:
    """Return the month in which rows really begin: few that lie years before all others are mistyped.

    Args:
        rows: How many rows each month has.

    Returns:
        The first month; one after a gap of more than a year if at most a twentieth of the rows lie before the gap. None
        that the settings refuse.
    """
    months = sorted(month for month, count in rows.items() if count and month >= EARLIEST_FIRST_MONTH)
    first, before, total = (months[0] if months else None), 0, sum(rows.values())
    for month, following in pairwise(months):
        before += rows[month]
        if _number(following) - _number(month) > _YEAR and before * _FEW <= total:
            first = following
    return first


def _number(month: str) -> int:
    return int(month[:4]) * _YEAR + int(month[5:])
