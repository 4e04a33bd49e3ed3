"""Dagster metadata of a run: reports and sums, as the UI shows them."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import dagster as dg
import sqlalchemy as sa

from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.table_report import TableReport

Metadata = dict[str, Any]
_BAR = "▁▂▃▄▅▆▇█"
# One data version for all materialisations turns Dagster's own staleness check off. It would report a month as stale
# because the month before was written in the same run. ledger.stale_months and ops.source_fingerprints are the source.
DATA_VERSION = dg.DataVersion("as the warehouse has it")


def static_metadata(table: sa.Table) -> Metadata:
    """Return the metadata that no run changes: the table's name and columns."""
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


def report_metadata(report: TableReport, seconds: float) -> Metadata:
    """Return the metadata of a run as a whole."""
    skipped = {"months_skipped": report.skipped_sentence} if report.skipped else {}
    return {
        "rows_read": report.read,
        "rows_rejected": sum(report.rejected.values()),
        **_of_counts(report.total),
        **skipped,
        "seconds": round(seconds, 3),
        "rows_per_second": round(report.processed / seconds) if seconds else report.processed,
    }


def customers_metadata(report: TableReport, customers: Sequence[int] | None) -> Metadata:
    """Return the metadata of billing data only: the customers in scope and the number of unreadable histories."""
    return {
        "customers_in_scope": "all" if customers is None else ", ".join(str(customer) for customer in customers),
        "lists_unreadable": report.unreadable,
    }


def month_metadata(report: TableReport, month: str, *, complete: bool) -> Metadata:
    """Return the metadata of one month of a run.

    Args:
        report: Of the run.
        month: The month.
        complete: Whether the run covered all rows of the month, so that the month's row count is known.
    """
    counts = report.counts.get(month, Counts())
    rejected = report.rejected.get(month, 0)
    rows = counts.present
    in_all = {"dagster/partition_row_count": rows} if complete else {}
    skipped = {"skipped": "inputs unchanged"} if month in report.skipped else {}
    return {
        **in_all,
        **skipped,
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


def data_version_tags(run_id: str, inputs: Iterable[dg.AssetKey]) -> dict[str, str]:
    """Return the data version tags that Dagster itself adds to the materialisations of a step."""
    tags = {"dagster/data_version": DATA_VERSION.value, "dagster/code_version": run_id}
    for key in inputs:
        tags[f"dagster/input_data_version/{key.to_user_string()}"] = DATA_VERSION.value
        tags[f"dagster/input_event_pointer/{key.to_user_string()}"] = "NULL"
    return tags


def rounded(amount: Decimal | None) -> int:
    """Return an amount rounded to whole rupiah, for plots; the tables show the exact amount."""
    return int((amount or Decimal(0)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def with_separators(value: object) -> str:
    """Return a value as the text of a table cell, numbers with thousands separators."""
    return f"{value:,}" if isinstance(value, int | Decimal) else "" if value is None else str(value)


def markdown_table(rows: Sequence[Sequence[Any]], headings: Sequence[str], *, bar_of: str | None = None) -> str:
    """Return rows as a Markdown table; ``bar_of`` names a column to draw as bars in an extra column."""
    if not rows:
        return "_no rows_"
    titles = [*headings, *(["" if bar_of is None else f"{bar_of} ▁█"] if bar_of else [])]
    numeric = [isinstance(value, int | Decimal) for value in rows[0]]
    lines = [_line(titles), _line(["---:" if right else "---" for right in [*numeric, *([False] if bar_of else [])]])]
    bars = _bars([row[headings.index(bar_of)] for row in rows]) if bar_of else [None] * len(rows)
    for row, bar in zip(rows, bars, strict=True):
        lines.append(_line([*(with_separators(value) for value in row), *([bar] if bar else [])]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '¦') for cell in cells)} |"


def _bars(values: Sequence[Decimal | int]) -> list[str]:
    """Return one block character for each value, scaled between the smallest and the largest."""
    low, high = min(values), max(values)
    steps = len(_BAR) - 1
    return [_BAR[int((value - low) * steps / (high - low)) if high > low else steps] for value in values]
