"""Test of the connection to the billing application: diagnosis of its database, and a trial read of every row."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.billing.inspection import Inspected, inspect
from ledger_pipelines.loading.rejections import ROWS, first_month
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.sources.billing.diagnosis import Diagnosis, diagnose
from ledger_pipelines.sources.diagnosis import Finding, Level
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import tables


@dataclass(frozen=True)
class ConnectionTest:
    """Result of a connection test.

    Attributes:
        diagnosis: All findings.
        inspected: Numbers of rows that a load would read and reject, by table; empty if the application cannot be read.
        first_month: First month with readings or deposits; None if there are none.
    """

    diagnosis: Diagnosis
    inspected: Mapping[str, Inspected] = field(default_factory=dict)
    first_month: str | None = None


def run_connection_test(databases: Databases, progress: Callable[[int], None] = lambda _: None) -> ConnectionTest:
    """Diagnose the billing application and, if possible, read every row once; change nothing.

    Args:
        databases: The installation's databases.
        progress: Called with the number of rows read so far.
    """
    app = databases.billing_app
    found = diagnose(app, datetime.now(databases.settings.zone))
    if not found.works:
        return ConnectionTest(found)
    try:
        inspected = inspect(app, progress)
    except SourceError as error:
        return ConnectionTest(replace(found, findings=(*found.findings, Finding(Level.ERROR, "rows", str(error)))))
    months = sum((of.months for of in inspected.values()), Counter[str]())
    findings = (*found.findings, _month_finding(months, inspected, app.horizon), *_row_findings(inspected))
    return ConnectionTest(replace(found, findings=findings), inspected, first_month(months))


def _month_finding(months: Counter[str], inspected: Mapping[str, Inspected], horizon: Horizon) -> Finding:
    """Compare the first month of readings and deposits with LEDGER_FIRST_MONTH, and say what to set."""
    first = first_month(months)
    if first is None:
        return Finding(Level.WARNING, "first month", "no reading or deposit has a valid month")
    found = f"readings and deposits begin in {first}; LEDGER_FIRST_MONTH is {horizon.first}"
    mistyped = sum(rows for month, rows in months.items() if month < first)
    if mistyped:
        found += f"; {mistyped:,} rows, from {min(months)} on, are dated long before all others and may be mistyped"
    if first >= horizon.first:
        return Finding(Level.OK, "first month", found)
    early = {name: of.reasons.before_first.total() for name, of in inspected.items()}
    rejected = " and ".join(f"{rows:,} {ROWS[name]}" for name, rows in early.items() if rows)
    found += f", so {rejected} would be rejected"
    return Finding(Level.WARNING, "first month", found, f"Set LEDGER_FIRST_MONTH={first} before the first computation.")


def _row_findings(inspected: Mapping[str, Inspected]) -> Iterator[Finding]:
    """Yield one finding per table: the number of usable rows, and why the others are rejected."""
    for name, of in inspected.items():
        if not of.reasons.total:
            empty = not of.read and name in {tables.customers.name, tables.meter_readings.name}
            yield Finding(
                Level.WARNING if empty else Level.OK, ROWS[name], f"{of.read:,}, all usable" if of.read else "0"
            )
            continue
        examples = "; ".join(f"{row}: {reason}" for reason, row in of.reasons.examples.values())
        yield Finding(Level.WARNING, ROWS[name], of.reasons.sentence(name, of.read), f"For example {examples}")
