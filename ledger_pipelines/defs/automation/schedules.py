"""Schedules of the ledger, the reconciliations and the ERP sync, in the company's time zone."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from ledger_pipelines.defs.automation.failures import record_failures
from ledger_pipelines.defs.automation.first_computation import SKIPPED_UNTIL_COMPUTED, skip_unless_computed
from ledger_pipelines.defs.automation.jobs import erp_job, ledger_job, reconciliation_job
from ledger_pipelines.defs.automation.reconciliation import reconcilable
from ledger_pipelines.defs.partitions import month_range_tags
from ledger_pipelines.defs.resources import PipelineDatabases, close_dead_sync
from ledger_pipelines.defs.resources.run_process import UNFINISHED
from ledger_pipelines.loading.erp.sync_log_file import append_line
from ledger_pipelines.loading.erp.sync_months import first_month_to_sync
from ledger_pipelines.settings import Settings
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.loaded_months import LEDGER_TABLES, unwritten_months
from ledger_pipelines.warehouse.tables import balance_comparison, invoice_reconciliation

_Tick = Callable[[PipelineDatabases], dg.RunRequest | dg.SkipReason]


def _schedule(settings: Settings, job: Any, cron: str) -> Callable[[_Tick], dg.ScheduleDefinition]:
    """Return the decorator of a schedule of the ledger, described by its docstring and skipped until computed.

    Dagster exports no type of an asset job.
    """

    def declare(tick: _Tick) -> dg.ScheduleDefinition:
        return dg.schedule(
            cron_schedule=cron,
            job=job,
            execution_timezone=settings.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"{tick.__doc__}{SKIPPED_UNTIL_COMPUTED}",
        )(tick)

    return declare


def ledger_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """Return the schedules of the ledger.

    The turn of the month runs on day 1 at 00:00, the daily reconciliation at 02:00, the full recalculation on Sunday at
    01:00.
    """

    @_schedule(settings, ledger_job, "0 0 1 * *")
    def month_turn(databases: dg.ResourceParam[PipelineDatabases]) -> dg.RunRequest | dg.SkipReason:
        """Day 1 at 00:00: carry every customer forward into the new month, and read that month."""
        horizon = databases.horizon()
        with record_failures(databases, "schedule month_turn"):
            if (reason := skip_unless_computed(databases)) is not None:
                return reason
            with databases.warehouse_connection() as connection:
                behind = {month for table in LEDGER_TABLES for month in unwritten_months(connection, horizon, table)}
        return dg.RunRequest(tags=month_range_tags(min([*behind, horizon.current]), horizon.current))

    @_schedule(settings, ledger_job, "0 2 * * *")
    def daily_reconciliation(databases: dg.ResourceParam[PipelineDatabases]) -> dg.RunRequest | dg.SkipReason:
        """Daily at 02:00: read all months of the billing application again, and correct rows that differ."""
        return _all_months(databases, "daily_reconciliation", every_month=False)

    @_schedule(settings, ledger_job, "0 1 * * 0")
    def weekly_recalculation(databases: dg.ResourceParam[PipelineDatabases]) -> dg.RunRequest | dg.SkipReason:
        """Sunday at 01:00: read all months again, and recalculate each of them, even if its inputs are unchanged."""
        return _all_months(databases, "weekly_recalculation", every_month=True)

    return [month_turn, daily_reconciliation, weekly_recalculation]


def _all_months(databases: PipelineDatabases, schedule: str, *, every_month: bool) -> dg.RunRequest | dg.SkipReason:
    with record_failures(databases, f"schedule {schedule}"):
        if (reason := skip_unless_computed(databases)) is not None:
            return reason
    horizon = databases.horizon()
    return dg.RunRequest(
        tags=month_range_tags(horizon.first, horizon.current),
        run_config={"resources": {"scope": {"config": {"every_month": every_month}}}},
    )


def reconciliation_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """Return the schedule of the daily comparison: 03:00, one hour after `daily_reconciliation`."""

    @_schedule(settings, reconciliation_job, "0 3 * * *")
    def daily_comparison(databases: dg.ResourceParam[PipelineDatabases]) -> dg.RunRequest | dg.SkipReason:
        """Daily at 03:00: compare balances with the application's totals, and all months with the invoices."""
        horizon = databases.horizon()
        with record_failures(databases, "schedule daily_comparison"):
            if (reason := skip_unless_computed(databases)) is not None:
                return reason
            with databases.warehouse_connection() as connection:
                possible = reconcilable(connection, horizon.months, with_erp=database_urls.has_erp(settings))
        if not possible:  # after a long pause, missed months must be read first
            return dg.SkipReason(
                "Balances of a month are missing. The comparison runs at the next 03:00 that has them."
            )
        if invoice_reconciliation not in possible:
            return dg.RunRequest(asset_selection=[dg.AssetKey(balance_comparison.name)])
        return dg.RunRequest(tags=month_range_tags(horizon.first, horizon.current))

    return [daily_comparison]


def sync_schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """Return the schedule of the hourly sync of the ERP."""

    @dg.schedule(
        cron_schedule="0 * * * *",
        job=erp_job,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour at minute 0: correct the copies of the ERP's tables, unless a sync runs.",
    )
    def hourly_sync(
        context: dg.ScheduleEvaluationContext, databases: dg.ResourceParam[PipelineDatabases]
    ) -> dg.RunRequest | dg.SkipReason:
        if not database_urls.has_erp(settings):
            return dg.SkipReason(database_urls.NO_ERP_MESSAGE)
        horizon = databases.horizon()
        with record_failures(databases, "schedule hourly_sync"):
            close_dead_sync(context.instance, databases)
            with databases.warehouse_connection() as connection:
                running = sync_logs.running_sync(connection)
                first = first_month_to_sync(connection, horizon, ERP_TABLES)
        if running is not None:
            reason = f"Sync {running.id} has been running since {running.started_at:%Y-%m-%d %H:%M:%S}"
        elif waiting := _waiting_sync(context.instance):
            reason = f"Run {waiting} is queued to sync the ERP"
        else:
            config = {"sync_type": "scheduled", "catch_up": True}
            return dg.RunRequest(
                tags=month_range_tags(first, horizon.current), run_config={"resources": {"sync": {"config": config}}}
            )
        append_line(settings, f"hourly sync skipped: {reason}")
        return dg.SkipReason(f"{reason}. The next hourly sync loads what remains.")

    return [hourly_sync]


def _waiting_sync(instance: dg.DagsterInstance) -> str | None:
    """Return the id of a run of the ERP job that has been requested and has not ended, or None."""
    runs = instance.get_runs(dg.RunsFilter(job_name=erp_job.name, statuses=UNFINISHED), limit=1)
    return runs[0].run_id if runs else None
