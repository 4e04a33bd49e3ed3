"""Rejected rows of a load: staging table, summary of reasons, and the error if a row is neither loaded nor rejected."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.settings import EARLIEST_FIRST_MONTH
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops.rejected_rows import REJECTION_COLUMNS
from ledger_pipelines.warehouse.transaction_setup import temporary_table

STAGED_REJECTIONS = temporary_table(
    "staged_rejections", *(sa.Column(name, tables.rejected_rows.c[name].type) for name in REJECTION_COLUMNS)
)

_MAX_KINDS = 3
_MONTHS_PER_YEAR, _OUTLIER_DIVISOR = 12, 20
#: Names of the rows of each table, for messages.
ROW_NAMES: Mapping[str, str] = {
    tables.customers.name: "customers",
    tables.prices.name: "price entries",
    tables.deposits.name: "deposit entries",
    tables.meter_readings.name: "readings",
    tables.transaction_calculations.name: "readings",
}


class RowsLostError(LedgerError):
    """Rows that were read are neither loaded nor rejected. Nothing was changed; a retry may read all."""

    retryable = True
    http_status = 500


@dataclass
class RejectionSummary:
    """Summary of the reasons of rejected rows.

    Attributes:
        rows: Number of rows by kind of reason.
        examples: One reason and its source row, by kind of reason.
        before_first: Number of rows dated before the first month, by month.
    """

    rows: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[RejectionReason, str]] = field(default_factory=dict)
    before_first: Counter[str] = field(default_factory=Counter)

    def add(self, reason: RejectionReason, source_row: str, rows: int = 1) -> None:
        """Count rows rejected for a reason, under its kind."""
        kind = reason.kind()
        self.rows[kind] += rows
        self.examples.setdefault(kind, (reason, source_row))
        if reason.code is ReasonCode.BEFORE_FIRST_MONTH:
            self.before_first[reason.params["month"]] += rows

    def add_all(self, rejections: Iterable[Rejection]) -> None:
        """Count rejected rows."""
        for row in rejections:
            self.add(row.reason, f"{row.source_table} {row.source_id}")

    @property
    def total(self) -> int:
        """Number of rejected rows."""
        return self.rows.total()

    @property
    def most_frequent(self) -> str:
        """The most frequent kinds of reasons, each with its number of rows."""
        named = [f"{kind} ({rows:,}{self._months(kind)})" for kind, rows in self.rows.most_common(_MAX_KINDS)]
        others = self.total - sum(rows for _, rows in self.rows.most_common(_MAX_KINDS))
        return "; ".join([*named, *([f"other reasons ({others:,})"] if others else [])])

    def sentence(self, table: str, read: int) -> str:
        """Return one sentence about the rejected rows of a warehouse table; empty if no row is rejected."""
        if not self.total:
            return ""
        are = "is" if self.total == 1 else "are"
        return f"{self.total:,} of {read:,} {ROW_NAMES.get(table, table)} {are} rejected: {self.most_frequent}."

    def _months(self, kind: str) -> str:
        reason, _ = self.examples[kind]
        if reason.code is not ReasonCode.BEFORE_FIRST_MONTH:
            return ""
        first, last = min(self.before_first), max(self.before_first)
        return f", in {first}" if first == last else f", from {first} to {last}"


def first_plausible_month(rows: Mapping[str, int]) -> str | None:
    """Return the month in which the rows plausibly begin. A few rows, years before all others, are mistyped.

    Args:
        rows: Number of rows by month.

    Returns:
        The first month that the settings accept. If at most a twentieth of the rows lie before a gap of more than a
        year, the first month after that gap. None without rows.
    """
    months = sorted(month for month, count in rows.items() if count and month >= EARLIEST_FIRST_MONTH)
    first, before, total = (months[0] if months else None), 0, sum(rows.values())
    for month, following in pairwise(months):
        before += rows[month]
        if _month_number(following) - _month_number(month) > _MONTHS_PER_YEAR and before * _OUTLIER_DIVISOR <= total:
            first = following
    return first


def _month_number(month: str) -> int:
    return int(month[:4]) * _MONTHS_PER_YEAR + int(month[5:])
