"""Detection of a column that the ERP computes from the clock, such as the age of an order in days.

Such a column changes every row of every month, so that each sync reads and rewrites the whole table.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from ledger_pipelines.loading.erp.plan import CopyState, SourceDays, day_of
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.warehouse.merge import Counts

_MIN_ROWS = 20  # of a month; fewer are changed by hand, too


def fully_changed_months(
    source_days: SourceDays, before: CopyState, staged: Mapping[str, int], requested: Collection[str]
) -> list[str]:
    """Return the months that are read because every day changed, though with as many rows; the smallest first.

    Args:
        source_days: Present fingerprints of the source, by day.
        before: State of the copy.
        staged: Number of rows that were read, by month.
        requested: Months that are read in any case, which are left out.
    """
    changed: defaultdict[str, list[bool]] = defaultdict(list)
    for key, last in before.known.items():
        now = source_days.get(day_of(key))
        changed[last.year_month].append(now is not None and now.digest != last.digest)
    months = (month for month, days in changed.items() if all(days) and month not in requested)
    found = (month for month in months if _MIN_ROWS <= staged.get(month, 0) == before.rows(month))
    return sorted(found, key=lambda month: (staged[month], month))


def clock_warning(table: ErpTable, column: str, counts: Mapping[str, Counts], months: Sequence[str]) -> str | None:
    """Return the warning that a column is probably computed from the clock; None if not every row was updated.

    Args:
        table: The table.
        column: Column in which alone the rows of the first of the months differed.
        counts: Changes of the copy, by month.
        months: Months of which every day changed; at least one.
    """
    rewritten = [month for month in months if counts[month] == Counts(updated=counts[month].updated)]
    if months[0] not in rewritten:
        return None
    return (
        f"{table.name}: every row of {', '.join(sorted(rewritten))} changed, those of {months[0]} in {column} alone. "
        f"{column} is probably computed from the clock, so that syncs read and rewrite the whole table. Exclude it "
        "from the comparison: give it compared=False in sources/erp/catalogue.py."
    )
