"""A check: a query whose rows are findings, and its evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon

_EXAMPLES = 10


class Severity(StrEnum):
    """Severity of a check that has findings: ERROR if the ledger is wrong, WARN if a person should look at the rows."""

    ERROR = "ERROR"
    WARN = "WARN"


@dataclass(frozen=True)
class CheckScope:
    """What a check covers: all months of the horizon; without ``customers``, all customers."""

    horizon: Horizon
    customers: tuple[int, ...] | None = None

    def includes(self, customer_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a row is of one of the customers."""
        return sa.true() if self.customers is None else customer_id.in_(self.customers)


Query = Callable[[CheckScope], sa.Select[Any]]


@dataclass(frozen=True)
class Check:
    """Check of a table.

    Attributes:
        name: Name in the UI.
        table: The table that is checked.
        severity: Severity of findings.
        description: What the check requires or finds, in one sentence.
        rows: Returns the query; its rows are the findings, and the first ten of them the examples.
        amount: Column of the findings whose sum is reported, in rupiah.
        reasons: Query that counts the findings by reason, shown instead of examples.
    """

    name: str
    table: sa.Table
    severity: Severity
    description: str
    rows: Query
    amount: str | None = None
    reasons: sa.Select[Any] | None = None


@dataclass(frozen=True)
class Findings:
    """Number of the findings of a check, their amount if it has one, and examples or reasons."""

    rows: int
    amount: Decimal | None
    shown: Sequence[sa.Row[Any]]


def declared_in(checks: list[Check], severity: Severity, table: sa.Table) -> Callable[[Query], Check]:
    """Return a decorator that appends a query as a check; its name and docstring become name and description."""

    def declare(rows: Query) -> Check:
        checks.append(Check(rows.__name__, table, severity, rows.__doc__ or "", rows))
        return checks[-1]

    return declare


def count_findings(connection: sa.Connection, check: Check, scope: CheckScope) -> int:
    """Return the number of the findings of a check."""
    found = check.rows(scope).order_by(None).subquery("found")
    return connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0


def evaluate(connection: sa.Connection, check: Check, scope: CheckScope) -> Findings:
    """Evaluate a check."""
    query = check.rows(scope)
    found = query.order_by(None).subquery("found")
    amount = sa.null() if check.amount is None else sa.func.coalesce(sa.func.sum(found.c[check.amount]), 0)
    rows, total = connection.execute(sa.select(sa.func.count(), amount).select_from(found)).one()
    shown = query.limit(_EXAMPLES) if check.reasons is None else check.reasons
    return Findings(rows, total, connection.execute(shown).all() if rows else ())
