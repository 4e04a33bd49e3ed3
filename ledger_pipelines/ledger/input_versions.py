"""Versions of a month's inputs: a recalculation of all customers skips the months whose inputs are unchanged.

The version of the inputs of a month has two parts:

- **The rows.** Every transaction that changes rows which a computed month depends on invalidates the month
  (`warehouse/invalidations.py`), unless it also recalculates the affected customers, and no others. A month without an
  invalidation is therefore computed from the present rows. An invalidation is kept instead of a number that grows with
  each change because it names the customer: a change that real time has applied leaves the month current.
- **The formula.** `ops.loaded_months.computed_by` has the formula version of all rows of a month: a digest of the SQL
  statements that compute a month, with their parameters. It changes with every change of an expression, a rule, a limit
  or the time zone, and needs no number that a developer could forget to increase.

Events that change the inputs of a month:

| event | written in the same transaction |
|---|---|
| readings of the month are inserted, updated, deleted, or moved to or from it | invalidation of its transactions |
| a price entry, a default or the existence of customers changes | invalidation of their transactions in all months |
| transactions or deposits of the month change | invalidation of its balances |
| closing balances of the month before change | the later balances of these customers, carried forward |
| the formula or the time zone changes | none: the formula version differs from the recorded one |
| the first month of the horizon moves back, or a month begins | none: the new months have no record |

A month is skipped if the recalculation has consumed no invalidation of it and its recorded formula version is the
present one. In all other cases it is computed:

- The recalculation consumes the invalidations first and reads the inputs afterwards, each statement in a snapshot of
  its own. A change that is committed later than the consumption keeps its invalidation for the next recalculation.
- Prices invalidate the months that are recorded. A load that changes prices therefore waits for the write lock of the
  transactions before it reads the records.
- A run of some customers skips nothing and records no month. If its formula version differs from the recorded one, it
  removes the record, because the rows of the month have then different versions.
- A transaction that fails leaves invalidations and records as they were.
- Rows that a person changed in the warehouse have no version. A run that recalculates every month finds them: the
  weekly one, or one with ``force``. The checks of the tables read all rows in any case.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse.invalidations import ConsumedInvalidations
from ledger_pipelines.warehouse.merge import Counts, CountsByMonth
from ledger_pipelines.warehouse.ops.loaded_months import adjust_computed, mark_computed, months_computed

#: Month whose statements stand for those of all months in a formula version.
SAMPLE_MONTH = "2000-01"


def formula_version(*statements: sa.Select[Any]) -> str:
    """Return the formula version of a table: a digest of statements for the sample month, with their parameters."""
    digest = hashlib.sha256()
    for statement in statements:
        compiled = statement.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        digest.update(f"{compiled}\n{sorted(compiled.params.items())}\n".encode())
    return digest.hexdigest()


def months_to_skip(
    connection: sa.Connection,
    table: sa.Table,
    scope: Scope,
    consumed: ConsumedInvalidations,
    formula: str,
    *,
    every_month: bool,
) -> dict[str, int]:
    """Return the months of a scope that a recalculation skips, with their numbers of rows.

    Args:
        connection: Within the transaction that holds the table's write lock and consumed the invalidations.
        table: The computed table.
        scope: The scope to recalculate.
        consumed: The consumed invalidations.
        formula: The present formula version.
        every_month: True to skip no month.
    """
    if every_month or not scope.covers_all_customers:
        return {}
    known = months_computed(connection, table, formula)
    return {month: known[month] for month in scope.months if month in known and month not in consumed.months}


def complete_counts(counts: CountsByMonth, skipped: Mapping[str, int]) -> CountsByMonth:
    """Return the counts of a recalculation with all rows of the months that it did not compute.

    Args:
        counts: Counts of the written rows.
        skipped: Number of rows before the recalculation of each month that was not computed. Balances may have been
            carried forward into some of these months.
    """
    return counts | {month: counts.get(month, Counts()).of(before) for month, before in skipped.items()}


def record_months(
    connection: sa.Connection, table: sa.Table, scope: Scope, counts: CountsByMonth, formula: str, run_id: str
) -> None:
    """Record the formula version and the numbers of rows of the months that a recalculation wrote or skipped.

    Args:
        connection: Within the transaction of the recalculation.
        table: The computed table.
        scope: The recalculated scope; its months are recorded if it covers all customers.
        counts: Counts of the scope's months, and of other months of which rows of some customers were written.
        formula: Formula version of the written rows.
        run_id: The run.
    """
    whole = set(scope.months) if scope.covers_all_customers else set()
    mark_computed(connection, table, {month: counts[month].present for month in sorted(whole)}, formula, run_id)
    adjust_computed(
        connection, table, {month: count.added for month, count in counts.items() if month not in whole}, formula
    )
