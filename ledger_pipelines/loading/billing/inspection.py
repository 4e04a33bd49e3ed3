"""Inspection of the billing application's rows: how many a load would reject and why, and in which month they begin.

Rows are read, normalised and validated as in a load, and then counted. No warehouse is needed. Whether a reading has a
price is known only when the reading is calculated.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.billing import normalisation
from ledger_pipelines.loading.billing.staging import Normalise, split_valid
from ledger_pipelines.loading.rejections import RejectionSummary
from ledger_pipelines.sources.billing import rules as billing_rules
from ledger_pipelines.sources.billing.reader import BillingSource, Chunk
from ledger_pipelines.sources.billing.records import Deposit, MeterReading
from ledger_pipelines.sources.billing.rules import RecordRules
from ledger_pipelines.warehouse import tables

_FROM_USERS: Mapping[str, tuple[RecordRules, Normalise[Chunk]]] = {
    tables.customers.name: (billing_rules.CUSTOMERS, normalisation.customers),
    tables.prices.name: (billing_rules.PRICES, normalisation.prices),
    tables.deposits.name: (billing_rules.DEPOSITS, normalisation.deposits),
}
_FROM_READINGS: Mapping[str, tuple[RecordRules, Normalise[Chunk]]] = {
    tables.meter_readings.name: (billing_rules.READINGS, normalisation.readings)
}
_MONTH_POSITIONS = {
    tables.deposits.name: Deposit._fields.index("year_month"),
    tables.meter_readings.name: MeterReading._fields.index("year_month"),
}


@dataclass
class InspectionResult:
    """Rows that a load would read for one table.

    Attributes:
        usable: Number of rows that would be loaded.
        reasons: Reasons of the rows that would be rejected.
        months: Number of readings or deposits by month, including months before the first month.
    """

    usable: int = 0
    reasons: RejectionSummary = field(default_factory=RejectionSummary)
    months: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """Number of rows that would be read."""
        return self.usable + self.reasons.total


def inspect(app: BillingSource, progress: Callable[[int], None] = lambda _: None) -> dict[str, InspectionResult]:
    """Read all rows once, and count them by the name of the table that a load would write.

    Args:
        app: The billing application.
        progress: Called with the number of rows read so far.

    Raises:
        SourceError: The billing application cannot be read.
    """
    scope, read = Scope(app.horizon.months), 0
    found = {name: InspectionResult() for name in (*_FROM_USERS, *_FROM_READINGS)}
    for rows, parts in ((app.customers, _FROM_USERS), (app.readings, _FROM_READINGS)):
        for chunk in rows(scope):
            for name, (rules, normalise) in parts.items():
                _count(found[name], app, chunk, rules, normalise, _MONTH_POSITIONS.get(name))
            read += len(chunk)
            progress(read)
    for result in found.values():
        result.months.update(result.reasons.before_first)
    return found


def _count(
    found: InspectionResult,
    app: BillingSource,
    chunk: Chunk,
    rules: RecordRules,
    normalise: Normalise[Chunk],
    month: int | None,
) -> None:
    normalised = normalise(chunk, app.horizon)
    usable, failed = split_valid(rules, normalised.records)
    found.reasons.add_all((*normalised.rejections, *failed))
    rows: Sequence[tuple[object, ...]] = list(usable)
    found.usable += len(rows)
    if month is not None:
        found.months.update(str(row[month]) for row in rows)
