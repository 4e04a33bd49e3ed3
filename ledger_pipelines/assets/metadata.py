"""What a run says of its work in the UI: reports and sums as Dagster metadata."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.warehouse.months import Counts
from ledger_pipelines.warehouse.report import Report

Metadata = dict[str, Any]
_BAR = "▁▂▃▄▅▆▇█"
# Dagster would call a month out of date because the month before was written in the same run. What really is out of
# date is known here (ledger.stale_months, ops.source_fingerprints); with one version for all, Dagster does not ask.
VERSION = dg.DataVersion("as the warehouse has it")


def static_metadata(table: sa.Table) -> Metadata:
    """What never changes about an asset: the name of its table and its columns."""
    columns = [
        dg.TableColumn(
            column.name,
            type=str(column.type),
            description=column.comment,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable)),
        )
        for column in table.columns
    ]
    return {
        "dagster/table_name": f"{table.schema}.{table.name}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def of_report(report: Report, seconds: float) -> Metadata:
    """What a run as a whole did."""
    rows = report.read
    return {
        "rows_read": rows,
        "rows_rejected": sum(report.rejected.values()),
        **_of_counts(report.total),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds) if seconds else rows,
    }


def of_customers(report: Report, customers: Sequence[int] | None) -> Metadata:
    """What is said only of the billing application's data: whose it was, and how many of them cannot be read."""
    return {
        "customers_in_scope": "all" if customers is None else ", ".join(str(customer) for customer in customers),
        "lists_unreadable": report.unreadable,
    }


def of_month(report: Report, month: str, *, whole: bool) -> Metadata:
    """What a run did to one month; how many rows it has in all is known only if the run was about the whole of it."""
    counts = report.counts.get(month, Counts())
    rejected = report.rejected.get(month, 0)
    rows = counts.inserted + counts.updated + counts.unchanged
    in_all = {"dagster/partition_row_count": rows} if whole else {}
    return {
        **in_all,
        "month_rows_read": rows + rejected,
        "month_rows_rejected": rejected,
        **{f"month_{name}": value for name, value in _of_counts(counts).items()},
    }


def _of_counts(counts: Counts) -> Metadata:
    return {
        "rows_inserted": counts.inserted,
        "rows_updated": counts.updated,
        "rows_deleted": counts.deleted,
        "rows_unchanged": counts.unchanged,
    }


def provenance(run_id: str, inputs: Iterable[dg.AssetKey]) -> dict[str, str]:
    """What Dagster notes by itself with the months of a run: the data's version, and those of what it was made from."""
    tags = {"dagster/data_version": VERSION.value, "dagster/code_version": run_id}
    for key in inputs:
        tags[f"dagster/input_data_version/{key.to_user_string()}"] = VERSION.value
        tags[f"dagster/input_event_pointer/{key.to_user_string()}"] = "NULL"
    return tags


def whole(amount: Decimal | None) -> int:
    """An amount without its decimals, for a plot; the exact amount is in the table beside it."""
    return int((amount or Decimal(0)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def grouped(value: object) -> str:
    """A value for a table: numbers with thousands separated."""
    return f"{value:,}" if isinstance(value, int | Decimal) else "" if value is None else str(value)


def markdown_table(rows: Sequence[Sequence[Any]], headings: Sequence[str], *, bar_of: str | None = None) -> str:
    """Rows as a Markdown table; with ``bar_of``, a column that draws one of the others as bars."""
    if not rows:
        return "_no rows_"
    titles = [*headings, *(["" if bar_of is None else f"{bar_of} ▁█"] if bar_of else [])]
    numeric = [isinstance(value, int | Decimal) for value in rows[0]]
    lines = [_line(titles), _line(["---:" if right else "---" for right in [*numeric, *([False] if bar_of else [])]])]
    bars = _bars([row[headings.index(bar_of)] for row in rows]) if bar_of else [None] * len(rows)
    for row, bar in zip(rows, bars, strict=True):
        lines.append(_line([*(grouped(value) for value in row), *([bar] if bar else [])]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '¦') for cell in cells)} |"


def _bars(values: Sequence[Decimal | int]) -> list[str]:
    """One block character for each value, from the smallest to the largest."""
    low, high = min(values), max(values)
    steps = len(_BAR) - 1
    return [_BAR[int((value - low) * steps / (high - low)) if high > low else steps] for value in values]
