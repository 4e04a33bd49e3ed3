"""What a load would make of the billing application's rows: how many it would reject and why, and where they begin.

Rows are read, normalised and validated as a load does, and then counted; no warehouse is needed. Whether a price is
known for a reading is seen only when it is calculated.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading import normalising
from ledger_pipelines.loading.rejections import Reasons
from ledger_pipelines.loading.staging import Normalise, validated
from ledger_pipelines.sources import billing_rules
from ledger_pipelines.sources.billing_app import BillingApp, Chunk
from ledger_pipelines.sources.billing_records import Deposit, Reading
from ledger_pipelines.sources.billing_rules import Rules
from ledger_pipelines.warehouse import tables

_OF_USERS: Mapping[str, tuple[Rules, Normalise]] = {
    tables.customers.name: (billing_rules.CUSTOMERS, normalising.customers),
    tables.prices.name: (billing_rules.PRICES, normalising.prices),
    tables.deposits.name: (billing_rules.DEPOSITS, normalising.deposits),
}
_OF_READINGS: Mapping[str, tuple[Rules, Normalise]] = {
    tables.meter_readings.name: (billing_rules.READINGS, normalising.readings)
}
_MONTH = {
    tables.deposits.name: Deposit._fields.index("year_month"),
    tables.meter_readings.name: Reading._fields.index("year_month"),
}


@dataclass
class Inspected:
    """What a load would read for one table.

    Attributes:
        usable: How many rows it would load.
        reasons: Why it would reject the others.
        months: How many readings or deposits each month has, those before the first month among them.
    """

    usable: int = 0
    reasons: Reasons = field(default_factory=Reasons)
    months: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """How many rows it would read."""
        return self.usable + self.reasons.total


def inspect(app: BillingApp, progress: Callable[[int], None] = lambda _: None) -> dict[str, Inspected]:
    """Read everything once, and count it, by the names of the tables that a load would write.

    Args:
        app: The billing application.
        progress: Called with the number of rows read so far.

    Raises:
        SourceError: it cannot be read.
    """
    scope, read = Scope(app.horizon.months), 0
    found = {name: Inspected() for name in (*_OF_USERS, *_OF_READINGS)}
    for rows, parts in ((app.customers, _OF_USERS), (app.readings, _OF_READINGS)):
        for chunk in rows(scope):
            for name, (rules, normalise) in parts.items():
                _count(found[name], app, chunk, rules, normalise, _MONTH.get(name))
            read += len(chunk)
            progress(read)
    for of in found.values():
        of.months.update(of.reasons.before_first)
    return found


def _count(
    found: Inspected, app: BillingApp, chunk: Chunk, rules: Rules, normalise: Normalise, month: int | None
) -> None:
    batch = normalise(chunk, app.horizon)
    usable, failed = validated(rules, batch.records)
    found.reasons.add_all((*batch.rejections, *failed))
    rows: Sequence[tuple[object, ...]] = list(usable)
    found.usable += len(rows)
    if month is not None:
        found.months.update(str(row[month]) for row in rows)
