"""The test of the connection to the billing application: what its server says, and what a load would make of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.inspection import Inspected, inspect
from ledger_pipelines.loading.rejections import ROWS, first_month
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.sources.billing_diagnosis import Diagnosis, diagnose
from ledger_pipelines.sources.diagnosis import Finding, Level
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import tables


@dataclass(frozen=True)
class Tested:
    """What a test of the connection found.

    Attributes:
        diagnosis: All of it.
        inspected: What a load would read for each table; empty if the application cannot be read.
        first_month: The first month with activity, of readings and deposits; None if there is none.
    """

    diagnosis: Diagnosis
    inspected: Mapping[str, Inspected] = field(default_factory=dict)
    first_month: str | None = None


def examine(databases: Databases, progress: Callable[[int], None] = lambda _: None) -> Tested:
    """Look at the billing application, and read every row once if it can be read; change nothing.

    Args:
        databases: Of the settings.
        progress: Called with the number of rows read so far.
    """
    app = databases.billing_app
    found = diagnose(app, datetime.now(databases.settings.zone))
    if not found.works:
        return Tested(found)
    try:
        inspected = inspect(app, progress)
    except SourceError as error:
        return Tested(replace(found, findings=(*found.findings, Finding(Level.ERROR, "rows", str(error)))))
    months = sum((of.months for of in inspected.values()), Counter[str]())
    findings = (*found.findings, _of_months(months, inspected, app.horizon), *_of_rows(inspected))
    return Tested(replace(found, findings=findings), inspected, first_month(months))


def _of_months(months: Counter[str], inspected: Mapping[str, Inspected], horizon: Horizon) -> Finding:
    """Where readings and deposits begin, and what to set if that is before the first month of the partitions."""
    first = first_month(months)
    if first is None:
        return Finding(Level.WARNING, "first month", "no reading or deposit has a month")
    found = f"readings and deposits begin in {first}; LEDGER_FIRST_MONTH is {horizon.first}"
    mistyped = sum(rows for month, rows in months.items() if month < first)
    if mistyped:
        found += f"; {mistyped:,} rows of {min(months)} and later lie long before all others: mistyped?"
    if first >= horizon.first:
        return Finding(Level.OK, "first month", found)
    lost = {name: of.reasons.before_first.total() for name, of in inspected.items()}
    rejected = " and ".join(f"{rows:,} {ROWS[name]}" for name, rows in lost.items() if rows)
    found += f", so {rejected} would be rejected"
    return Finding(Level.WARNING, "first month", found, f"Set LEDGER_FIRST_MONTH={first} before the first computation.")


def _of_rows(inspected: Mapping[str, Inspected]) -> Iterator[Finding]:
    """How many rows of each kind can be used, and why the others cannot."""
    for name, of in inspected.items():
        if not of.reasons.total:
            empty = not of.read and name in {tables.customers.name, tables.meter_readings.name}
            yield Finding(
                Level.WARNING if empty else Level.OK, ROWS[name], f"{of.read:,}, all usable" if of.read else "0"
            )
            continue
        examples = "; ".join(f"{row}: {reason}" for reason, row in of.reasons.examples.values())
        yield Finding(Level.WARNING, ROWS[name], of.reasons.sentence(name, of.read), f"For example {examples}")
