"""`ledger sync`: start, watch and cancel syncs of the ERP's tables, and list past syncs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import sqlalchemy as sa
import typer
from pydantic import TypeAdapter

from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    print_error,
    print_json,
    print_message,
    print_success,
    print_table,
    progress_bar,
)
from ledger_pipelines.serving.cli.common.options import AcceptDeletions
from ledger_pipelines.serving.cli.common.preparation import prepare_with_message
from ledger_pipelines.serving.dagster.sync_job import SyncJob, SyncMonths
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops import sync_logs
from ledger_pipelines.warehouse.ops.sync_logs import SyncedTable, SyncLog, SyncRunningError, SyncSummary
from ledger_pipelines.warehouse.queries import sync_history
from ledger_pipelines.warehouse.queries.sync_history import SyncStatisticsData

if TYPE_CHECKING:
    from ledger_pipelines.serving.sync import SyncService

app = typer.Typer(no_args_is_help=True, help="Syncs of the ERP's tables: start, watch, cancel, list, statistics.")

_Tables = Annotated[list[str] | None, typer.Option("--table", help="Only this table; may be repeated.")]
_Full = Annotated[
    bool, typer.Option("--full", help="Read every month that was ever loaded, even if nothing differs at the ERP.")
]
_LOG_COLUMNS = ("id", "type", "status", "started", "seconds", "read", "rejected", "success %", "error")
_IDS = ("id",)
_TABLE_COLUMNS = (
    "table", "status", "months", "read", "rejected", "inserted", "updated", "deleted", "unchanged", "seconds",
)  # fmt: skip


@app.command()
def start(
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Only this month.")] = None,
    from_month: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM", help="First month of a range; default, with --to-month: LEDGER_FIRST_MONTH."),
    ] = None,
    to_month: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM", help="Last month of a range; default, with --from-month: the current month."),
    ] = None,
    table: _Tables = None,
    full: _Full = False,
    accept_deletions: AcceptDeletions = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show the progress, and exit when the sync has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a sync. Without months, it reads the last two, those never loaded, and those that differ at the ERP."""
    with json_errors(as_json=as_json):
        from ledger_pipelines.serving.sync import SyncRequest  # slow to import

        request = SyncRequest(SyncMonths(month, from_month, to_month), tuple(table or ()), full, accept_deletions)
        with _sync_service() as service:
            service.close_dead_sync()
            graphql = service.running_dagster()
            try:
                job = service.register(request)
            except SyncRunningError as error:
                _refuse(str(error), as_json=as_json, **error.extra_fields)
            where, see = "a separate process", "ledger sync status"
            if graphql is not None:
                where = "ledger up"
                see = f"{see}, or {graphql.run_url(service.launch(job, graphql))}"
            elif not wait:
                service.spawn(job)
            if wait:
                _wait(service, job, executed_here=graphql is None)
                _exit_with_result(service, job.log_id, as_json=as_json)
    message = f"Sync {job.log_id} of {job.first} to {job.last} is running in {where}."
    _succeed(f"{message} See: {see}", as_json=as_json, sync_log_id=job.log_id, status="running")


@app.command(hidden=True)
def execute(
    log_id: int,
    first: str,
    last: str,
    table: _Tables = None,
    catch_up: Annotated[bool, typer.Option("--catch-up")] = False,
    full: _Full = False,
    accept_deletions: AcceptDeletions = False,
) -> None:
    """Execute a sync that `ledger sync start` has already registered. Internal."""
    job = SyncJob(log_id, first, last, tuple(table) if table else None, catch_up, full, accept_deletions)
    with _sync_service() as service:
        service.execute(job, lambda _step, _done, _of: None)


@app.command()
def status(
    sync_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Id of the sync; default: the latest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a sync and its result for each table."""
    with json_errors(as_json=as_json), _log_connection() as connection:
        log = sync_history.latest(connection) if sync_id is None else sync_history.by_id(connection, sync_id)
        tables = [] if log is None else sync_history.tables_of(connection, log.id)
    if log is not None:
        _show(log, tables, success=True, as_json=as_json)
    elif sync_id is not None:
        _refuse(f"There is no sync {sync_id}. To list syncs: ledger sync logs", as_json=as_json)
    elif not database_urls.has_erp(load_settings()):
        _succeed(database_urls.NO_ERP_MESSAGE, as_json=as_json, data=None)
    else:
        _succeed("There has been no sync yet. To start one: ledger sync start", as_json=as_json, data=None)


@app.command()
def logs(
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Number of syncs per page.")] = 10,
    page: Annotated[int, typer.Option(min=1, help="Number of the page.")] = 1,
    status: Annotated[
        Literal["running", "completed", "failed", "cancelled"] | None, typer.Option(help="Filter by status.")
    ] = None,
    sync_type: Annotated[
        Literal["manual", "scheduled"] | None,
        typer.Option("--type", help="Filter by type: started by hand or by the schedule."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List syncs, newest first."""
    with json_errors(as_json=as_json), _log_connection() as connection:
        found = sync_history.page(connection, per_page=per_page, number=page, status=status, sync_type=sync_type)
    if as_json:
        data = _api_fields(list[SyncSummary], found.items)
        print_success(data=data, pagination=found.pagination())
        return
    title = f"Syncs, page {found.number} of {found.last_page} ({found.total:,} in total)"
    print_table(title, _LOG_COLUMNS, [_log_row(log) for log in found.items], verbatim=_IDS)


@app.command()
def statistics(
    days: Annotated[int, typer.Option(min=1, max=36500, help="Number of days to look back.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Show statistics of the syncs of the last days."""
    with json_errors(as_json=as_json), _log_connection() as connection:
        found = sync_history.statistics(connection, days)
    if as_json:
        print_success(data=_api_fields(SyncStatisticsData, found))
        return
    rows = [(name.replace("_", " "), value) for name, value in asdict(found.statistics).items()]
    print_table(f"Syncs of the last {days:,} days", ("statistic", "value"), rows)
    print_table("Latest syncs", _LOG_COLUMNS, [_log_row(log) for log in found.recent_logs], verbatim=_IDS)


@app.command()
def cancel(
    sync_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Cancel only this sync; default: the running one.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait two minutes instead of ten seconds before the run is ended by force.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel the running sync. Finished tables keep their new rows; all others stay as they were."""
    with json_errors(as_json=as_json):
        from ledger_pipelines.serving.sync import CANCEL_SECONDS, CANCEL_WAIT_SECONDS  # slow to import

        force_after = CANCEL_WAIT_SECONDS if wait else CANCEL_SECONDS
        with _sync_service() as service, _sync_progress() as on_progress:
            try:
                log = service.cancel(sync_id, force_after_seconds=force_after, on_progress=on_progress)
            except SyncRunningError as error:
                _refuse(str(error), as_json=as_json, **error.extra_fields)
    if log is None:
        _refuse("No sync is running.", as_json=as_json)
    if log.status != "cancelled":
        message = f"Sync {log.id} ended before it could be cancelled: it is {log.status}."
        _refuse(message, as_json=as_json, sync_log_id=log.id, status=log.status)
    _succeed(f"Sync {log.id}: {log.error_message}", as_json=as_json, sync_log_id=log.id, status=log.status)


@contextmanager
def _log_connection() -> Iterator[sa.Connection]:
    """Yield a connection to the sync logs, after the log of a killed sync has been closed."""
    settings = load_settings()
    prepare_with_message(settings)
    with Databases(settings) as databases, translate_connection_errors(databases.warehouse):
        with databases.warehouse.connect() as connection:
            runs = sync_logs.running_sync(connection) is not None
        if runs:
            from ledger_pipelines.serving.sync import open_sync_service  # slow to import

            with open_sync_service(settings) as service:
                service.close_dead_sync()
        with databases.warehouse.connect() as connection:  # a consistent snapshot of a sync and its tables
            yield connection.execution_options(isolation_level="REPEATABLE READ")


@contextmanager
def _sync_service() -> Iterator["SyncService"]:
    """Yield the sync service of the settings, with prepared databases."""
    from ledger_pipelines.serving.sync import open_sync_service  # slow to import

    settings = load_settings()
    prepare_with_message(settings)
    with open_sync_service(settings) as service:
        yield service


def _wait(service: "SyncService", job: SyncJob, *, executed_here: bool) -> None:
    """Wait for the end of a sync, with a progress bar."""
    if not executed_here:
        try:
            with _sync_progress() as on_progress:
                service.wait_until_ended(job.log_id, on_progress)
        except KeyboardInterrupt:
            print_message(f"Sync {job.log_id} continues in the background. To cancel it: ledger sync cancel")
            raise
        return
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        service.execute(job, lambda step, done, of: progress.update(task, description=step, completed=done, total=of))


@contextmanager
def _sync_progress() -> Iterator[Callable[[SyncLog, list[SyncedTable]], None]]:
    """Show a progress bar of a sync in another process; yield the function that updates it."""
    with progress_bar() as progress:
        task = progress.add_task("waiting", total=None)

        def on_progress(_log: SyncLog, tables: list[SyncedTable]) -> None:
            done = sum(table.status == "completed" for table in tables)
            active = [f"{table.table_name}, {table.rows_read:,} rows" for table in tables if table.status == "running"]
            progress.update(task, description="; ".join(active) or "waiting", completed=done, total=len(tables))

        yield on_progress


def _exit_with_result(service: "SyncService", log_id: int, *, as_json: bool) -> None:
    """Print a sync that has ended, and exit with code 0 if it completed, else 1."""
    log = service.log(log_id)
    if log is None:
        raise ServingError(f"Sync {log_id} is no longer in ops.sync_logs.")
    _show(log, service.tables(log_id), success=log.status == "completed", as_json=as_json)
    raise typer.Exit(0 if log.status == "completed" else 1)


def _show(log: SyncLog, tables: list[SyncedTable], *, success: bool, as_json: bool) -> None:
    if as_json:
        details = [asdict(table) for table in tables]
        print_json({"success": success, "data": _api_fields(SyncSummary, log), "tables": _numbers(details)})
        return
    print_table(None, _LOG_COLUMNS, [_log_row(log)], verbatim=_IDS)
    if tables:
        print_table("Tables", _TABLE_COLUMNS, [_table_row(table) for table in tables])


def _log_row(log: SyncSummary) -> tuple[object, ...]:
    numbers = (log.duration, log.total_records, log.failed_records, log.success_rate)
    return (log.id, log.sync_type, log.status, log.started_at, *numbers, log.error_message)


def _table_row(table: SyncedTable) -> tuple[object, ...]:
    months = table.months
    period = "" if not months else months[0] if len(months) == 1 else f"{len(months)}: {months[0]} to {months[-1]}"
    counts = (table.rows_read, table.rows_rejected, table.rows_inserted, table.rows_updated, table.rows_deleted)
    return (table.table_name, table.status, period, *counts, table.rows_unchanged, table.seconds)


def _api_fields(read_model: Any, value: object) -> Any:
    """Return the fields that the API returns of a read model, with moments as text."""
    return _numbers(TypeAdapter(read_model).dump_python(value))


def _numbers(value: Any) -> Any:
    """Return the value with decimals as JSON numbers: seconds, averages and percentages are no amounts of money."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)
        case dict():
            return {name: _numbers(item) for name, item in value.items()}
        case list() | tuple():
            return [_numbers(item) for item in value]
    return value


def _succeed(message: str, *, as_json: bool, **extra: object) -> None:
    if as_json:
        print_success(message=message, **extra)
    else:
        print_message(message)


def _refuse(message: str, *, as_json: bool, **extra: object) -> NoReturn:
    """Print why the command was refused, and exit with code 1."""
    if as_json:
        print_json({"success": False, "message": message, **extra})
    print_error(message)
    raise typer.Exit(1)
