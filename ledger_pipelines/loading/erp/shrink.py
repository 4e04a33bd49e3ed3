"""Past months that lose many rows at the source: a second look before the loss is copied, then an incident.

While a job of the ERP deletes and reloads a table, readers may see a part of a month. A load that meets such a month is
rolled back and repeated after a pause, in a new snapshot. If the rows are still missing, the month is loaded as it is,
and an incident stays open until the rows are back or a user accepts the deletions. Rows that moved to another month are
not lost.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind

RowsByMonth = Mapping[str, int]


@dataclass(frozen=True)
class ShrinkRule:
    """Bounds from which a past month's loss of rows is looked at again.

    Attributes:
        share: Smallest share of the month's rows.
        rows: Smallest number of rows, at least 1.
        pause_seconds: Time between two looks.
    """

    share: Decimal = Decimal("0.05")
    rows: int = 20
    pause_seconds: float = 60

    def shrunk_months(self, before: RowsByMonth, now: RowsByMonth) -> frozenset[str]:
        """Return the months that lost at least `share` and at least `rows` of their rows."""
        return frozenset(
            month
            for month, rows in before.items()
            if (lost := rows - now.get(month, 0)) >= self.rows and lost >= rows * self.share
        )


class SecondLookError(Exception):
    """Past months lost many rows at the source. Nothing was changed; the load must be repeated after a pause.

    Attributes:
        months: The months that were not looked at before.
    """

    def __init__(self, reason: str, months: frozenset[str]) -> None:
        super().__init__(reason)
        self.months = months


@dataclass(frozen=True)
class PastMonths:
    """Past months of a table before a load; their rows after the load are compared with them.

    Attributes:
        table: Name of the table.
        rule: Bounds of a loss that is looked at again.
        before: Numbers of rows before the load, rejected rows included; empty if every deletion is accepted.
        looked_at: Months whose loss was seen before the pause, so that it no longer stops the load.
        moved: Numbers of rows that the load moves to other months, by month that was looked at.
    """

    table: str
    rule: ShrinkRule
    before: RowsByMonth
    looked_at: Collection[str]
    moved: RowsByMonth = field(default_factory=dict)

    def check(self, now: RowsByMonth) -> None:
        """Stop a load that meets shrunk months for the first time.

        Raises:
            SecondLookError: Some shrunk months were not looked at before.
        """
        if unseen := self.rule.shrunk_months(self.before, now).difference(self.looked_at):
            figures = " ".join(_figures(month, self.before[month], now.get(month, 0)) for month in sorted(unseen))
            raise SecondLookError(f"{self.table} has lost rows of past months at the ERP. {figures}", unseen)

    def recovered(self, now: RowsByMonth) -> list[str]:
        """Return the months that had shrunk before the pause and have their rows again."""
        return sorted(set(self.looked_at) - self.rule.shrunk_months(self.before, now))

    def review_incident(self, connection: sa.Connection, now: RowsByMonth, run_id: str) -> None:
        """Record the shrunk months as the table's incident, or close it if there are none.

        A month stays in the incident until its earlier rows are back, so their number is kept in the details.
        """
        known = _months_of_incident(connection, self.table)
        expected = {
            month: max(rows, known.get(month, {}).get("before", 0)) - self.moved.get(month, 0)
            for month, rows in self.before.items()
        }
        shrunk = sorted(self.rule.shrunk_months(expected, now))
        if shrunk:
            months = {month: {"before": expected[month], "now": now[month]} for month in shrunk}
            incidents.record(connection, _cause(self.table, months, run_id))
        elif known:
            incidents.close(connection, [IncidentKind.MONTH_SHRANK], [self.table])


def _cause(table: str, months: Mapping[str, RowsByMonth], run_id: str) -> IncidentCause:
    figures = " ".join(_figures(month, of["before"], of["now"]) for month, of in months.items())
    return IncidentCause(
        IncidentKind.MONTH_SHRANK,
        table,
        f"{table} has lost rows of past months at the ERP, and a second look confirmed it. {figures} (Rows that moved "
        "to other months are not counted.) The copy has the rows that the ERP has now.",
        "Check whether a job of the ERP that reloads the table is still running or has failed. The next sync that "
        "finds the rows again closes this incident. If they were deleted on purpose, or moved to a month that is not "
        f"copied, confirm it: ledger sync start --table {table} --accept-deletions",
        details={"months": months},
        run_id=run_id,
    )


def _months_of_incident(connection: sa.Connection, table: str) -> Mapping[str, RowsByMonth]:
    """Return the months of the table's open incident, with their details."""
    for incident in incidents.open_incidents(connection):
        if (incident.kind, incident.subject) == (IncidentKind.MONTH_SHRANK, table):
            months: Mapping[str, RowsByMonth] = incident.details["months"]
            return months
    return {}


def _figures(month: str, before: int, now: int) -> str:
    return f"{month} had {before:,} rows and now has {now:,}."
