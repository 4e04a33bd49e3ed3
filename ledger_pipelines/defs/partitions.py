"""Monthly partitions of the assets; the keys are the month keys of the ledger (``2025-03``)."""

import dagster as dg

from ledger_pipelines.settings import Settings

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def monthly_partitions(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Return the partitions from the first month of the settings to the current month in the company's time zone."""
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first_month, timezone=settings.timezone, fmt="%Y-%m", end_offset=1
    )


def month_range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of a run that covers a range of months."""
    return {RANGE_START_TAG: first, RANGE_END_TAG: last}
