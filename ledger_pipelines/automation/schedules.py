"""Schedules: when the whole ledger is run, in the company's time zone."""

from collections.abc import Sequence

import dagster as dg

from ledger_pipelines.automation.jobs import ledger_job
from ledger_pipelines.partitions import range_tags
from ledger_pipelines.resources import Databases
from ledger_pipelines.settings import Settings


def ledger_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """The daily reconciliation at 02:00 and the full recalculation on Sunday at 01:00."""

    @dg.schedule(
        cron_schedule="0 2 * * *",
        job=ledger_job,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Daily at 02:00: read the billing application again, every month, and correct what differs.",
    )
    def daily_reconciliation(databases: dg.ResourceParam[Databases]) -> dg.RunRequest:
        return _all_months(databases, force=False)

    @dg.schedule(
        cron_schedule="0 1 * * 0",
        job=ledger_job,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sunday at 01:00: drop every transaction and balance and compute them anew.",
    )
    def weekly_recalculation(databases: dg.ResourceParam[Databases]) -> dg.RunRequest:
        return _all_months(databases, force=True)

    return [daily_reconciliation, weekly_recalculation]


def _all_months(databases: Databases, *, force: bool) -> dg.RunRequest:
    horizon = databases.horizon()
    return dg.RunRequest(
        tags=range_tags(horizon.first, horizon.current),
        run_config={"resources": {"scope": {"config": {"force": force}}}},
    )
