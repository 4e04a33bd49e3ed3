"""Test of the connection to the billing application: diagnosis of its database, and a trial read of every row."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.billing.inspection import InspectionResult, inspect
from ledger_pipelines.loading.rejections import ROW_NAMES, first_plausible_month
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.sources.billing.diagnosis import BillingDiagnosis, diagnose
from ledger_pipelines.sources.diagnosis import Finding, FindingLevel
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

    diagnosis: BillingDiagnosis
    inspected: Mapping[str, InspectionResult] = field(default_factory=dict)
    first_month: str | None = None


def run_connection_test(databases: Databases, progress: Callable[[int], None] = lambda _: None) -> ConnectionTest:
    """Diagnose the billing application and, if possible, read every row once; change nothing.

    Args:
        databases: The installation's databases.
        progress: Called with the number of rows read so far.
    """
    app = databases.billing_app()
    found = diagnose(app, datetime.now(databases.settings.zone))
    if not found.is_usable:
        return ConnectionTest(found)
    try:
        inspected = inspect(app, progress)
    except SourceError as error:
        return ConnectionTest(
            replace(found, findings=(*found.findings, Finding(FindingLevel.ERROR, "rows", str(error))))
        )
    months = sum((of.months for of in inspected.values()), Counter[str]())
    findings = (*found.findings, _month_finding(months, inspected, app.horizon), *_row_findings(inspected))
    return ConnectionTest(replace(found, findings=findings), inspected, first_plausible_month(months))


def _month_finding(months: Counter[str], inspected: Mapping[str, InspectionResult], horizon: Horizon) -> Finding:
    """Compare the first month of readings and deposits with LEDGER_FIRST_MONTH, and say what to set."""
    first = first_plausible_month(months)
    if first is None:
        return Finding(FindingLevel.WARNING, "first month", "no reading or deposit has a valid month")
    found = f"readings and deposits begin in {first}; LEDGER_FIRST_MONTH is {horizon.first}"
    mistyped = sum(rows for month, rows in months.items() if month < first)
    if mistyped:
        found += f"; rows dated long before all others, from {min(months)} on, which may be mistyped: {mistyped:,}"
    if first >= horizon.first:
        return Finding(FindingLevel.OK, "first month", found)
    early = {name: of.reasons.before_first.total() for name, of in inspected.items()}
    rejected = " and ".join(f"{rows:,} {ROW_NAMES[name]}" for name, rows in early.items() if rows)
    found += f", so {rejected} would be rejected"
    return Finding(
        FindingLevel.WARNING, "first month", found, f"Set LEDGER_FIRST_MONTH={first} before the first computation."
    )


def _row_findings(inspected: Mapping[str, InspectionResult]) -> Iterator[Finding]:
    """Yield one finding per table: the number of usable rows, and why the others are rejected."""
    for name, of in inspected.items():
        if not of.reasons.total:
            empty = not of.read and name in {tables.customers.name, tables.meter_readings.name}
            yield Finding(
                FindingLevel.WARNING if empty else FindingLevel.OK,
                ROW_NAMES[name],
                f"{of.read:,}, all usable" if of.read else "0",
            )
            continue
        examples = "; ".join(f"{row}: {reason}" for reason, row in of.reasons.examples.values())
        yield Finding(
            FindingLevel.WARNING, ROW_NAMES[name], of.reasons.sentence(name, of.read), f"For example {examples}"
        )
