"""`ledger sync`: bring the copies of the ERP's tables up to date, watch that, end it, and look back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import sqlalchemy as sa
import typer

from ledger_pipelines.serving.cli.console import answering, complain, print_json, print_table, progress_bar, say
from ledger_pipelines.serving.cli.ready import make_ready
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.sync_order import Months, SyncOrder
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse import servers, sync_history, sync_logs
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.sync_logs import SyncedTable, SyncLog, SyncRunningError

if TYPE_CHECKING:
    from ledger_pipelines.serving.sync import Syncs

app = typer.Typer(no_args_is_help=True, help="The ERP's tables: sync them, watch, cancel, look back.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_Tables = Annotated[list[str] | None, typer.Option("--table", help="Only this table; may be repeated.")]
_Full = Annotated[bool, typer.Option("--full", help="Read every month that was ever loaded, even if nothing differs.")]
_AcceptDeletions = Annotated[
    bool, typer.Option("--accept-deletions", help="Go on even if the source lost implausibly many rows.")
]
_LOG_COLUMNS = ("id", "type", "status", "started", "seconds", "read", "rejected", "%", "why")
_IDS = ("id",)
_TABLE_COLUMNS = (
    "table", "status", "months", "read", "rejected", "inserted", "updated", "deleted", "unchanged", "seconds",
)  # fmt: skip


@app.command()
def start(
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Only this month.")] = None,
    from_month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="The first month.")] = None,
    to_month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="The last month.")] = None,
    table: _Tables = None,
    full: _Full = False,
    accept_deletions: _AcceptDeletions = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show how it goes, and end when it ends.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Start a sync. Without months: the last two, those never loaded, and whatever else differs at the ERP."""
    with answering(as_json=as_json):
        from ledger_pipelines.serving.sync import Wish  # slow to import

        wish = Wish(Months(month, from_month, to_month), tuple(table or ()), full, accept_deletions)
        with _syncs() as syncs:
            syncs.settle()
            web_ui = syncs.server()
            try:
                order = syncs.claim(wish)
            except SyncRunningError as error:
                _refuse(str(error), as_json=as_json, running_sync_id=error.running.id)
            where, see = "a process of its own", "ledger sync status"
            if web_ui is not None:
                where = "ledger up"
                see = f"{see}, or {web_ui.address_of_run(syncs.launch(order, web_ui))}"
            elif not wait:
                syncs.spawn(order)
            if wait:
                _wait(syncs, order, executed_here=web_ui is None)
                _tell_end(syncs, order.log_id, as_json=as_json)
    message = f"Sync {order.log_id} of {order.first} to {order.last} is running in {where}."
    _succeed(f"{message} See: {see}", as_json=as_json, sync_log_id=order.log_id, status="running")


@app.command(hidden=True)
def execute(
    log_id: int,
    first: str,
    last: str,
    table: _Tables = None,
    catch_up: Annotated[bool, typer.Option("--catch-up")] = False,
    full: _Full = False,
    accept_deletions: _AcceptDeletions = False,
) -> None:
    """Carry out a sync that another process has claimed; `start` calls it."""
    order = SyncOrder(log_id, first, last, tuple(table) if table else None, catch_up, full, accept_deletions)
    with _syncs() as syncs:
        syncs.execute(order, lambda _what, _done, _of: None)


@app.command()
def status(
    sync_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Its number; not given: the latest.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Show a sync, and what it did to each table."""
    with answering(as_json=as_json), _history() as connection:
        log = sync_history.latest(connection) if sync_id is None else sync_history.by_id(connection, sync_id)
        tables = [] if log is None else sync_history.tables_of(connection, log.id)
    if log is not None:
        _show(log, tables, success=True, as_json=as_json)
    elif sync_id is not None:
        _refuse(f"There is no sync {sync_id}. `ledger sync logs` lists them.", as_json=as_json)
    elif not servers.has_erp(load_settings()):
        _succeed(servers.NO_ERP, as_json=as_json, data=None)
    else:
        _succeed("There has been no sync yet. Start one by: ledger sync start", as_json=as_json, data=None)


@app.command()
def logs(
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="How many are shown.")] = 10,
    page: Annotated[int, typer.Option(min=1, help="Which page of them.")] = 1,
    status: Annotated[
        Literal["running", "completed", "failed", "cancelled"] | None, typer.Option(help="Only such ones.")
    ] = None,
    sync_type: Annotated[
        Literal["manual", "scheduled"] | None, typer.Option("--type", help="Only those started so.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """List the syncs, the newest first."""
    with answering(as_json=as_json), _history() as connection:
        found = sync_history.page(connection, per_page=per_page, number=page, status=status, sync_type=sync_type)
    if as_json:
        data = [_numbers(log.as_dict()) for log in found.items]
        print_json({"success": True, "data": data, "pagination": found.pagination()})
        return
    title = f"Page {found.number} of {found.last_page}, of {found.total:,} syncs"
    print_table(title, _LOG_COLUMNS, [_log_row(log) for log in found.items], whole=_IDS)


@app.command()
def statistics(
    days: Annotated[int, typer.Option(min=1, max=36500, help="Of the last so many days.")] = 7,
    as_json: _AsJson = False,
) -> None:
    """Show the syncs of the last days in numbers."""
    with answering(as_json=as_json), _history() as connection:
        found = sync_history.statistics(connection, days)
    answer = found.as_dict()
    if as_json:
        print_json({"success": True, "data": _numbers(answer)})
        return
    rows = [(name.replace("_", " "), value) for name, value in answer["statistics"].items()]
    print_table(f"The last {days:,} days", ("what", ""), rows)
    print_table("The newest syncs", _LOG_COLUMNS, [_log_row(log) for log in found.recent_logs], whole=_IDS)


@app.command()
def cancel(
    sync_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Only this one; not given: whichever runs.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Give the run two minutes to end by itself, not ten seconds.")
    ] = False,
    as_json: _AsJson = False,
) -> None:
    """End the sync that runs: its statements are cancelled, finished tables stay, the others are as they were."""
    with answering(as_json=as_json):
        from ledger_pipelines.serving.sync import GRACE_SECONDS, PATIENCE_SECONDS, OtherSyncRunsError  # slow to import

        patience = PATIENCE_SECONDS if wait else GRACE_SECONDS
        with _syncs() as syncs, _watching() as look:
            try:
                log = syncs.cancel(sync_id, patience=patience, look=look)
            except OtherSyncRunsError as error:
                _refuse(str(error), as_json=as_json, running_sync_id=error.running.id)
    if log is None:
        _refuse("No sync is running.", as_json=as_json)
    if log.status != "cancelled":
        message = f"Sync {log.id} was quicker: it is {log.status}."
        _refuse(message, as_json=as_json, sync_log_id=log.id, status=log.status)
    _succeed(f"Sync {log.id}: {log.error_message}", as_json=as_json, sync_log_id=log.id, status=log.status)


@contextmanager
def _history() -> Iterator[sa.Connection]:
    """A connection to the logs, on which a sync that was killed does not seem to run any more."""
    settings = load_settings()
    make_ready(settings)
    with Databases(settings) as databases, reachable(databases.warehouse):
        with databases.warehouse.connect() as connection:
            runs = sync_logs.running(connection) is not None
        if runs:
            from ledger_pipelines.serving.sync import syncs_of  # slow to import

            with syncs_of(settings) as syncs:
                syncs.settle()
        with databases.warehouse.connect() as connection:  # a sync and its tables as they were at one moment
            yield connection.execution_options(isolation_level="REPEATABLE READ")


@contextmanager
def _syncs() -> Iterator["Syncs"]:
    """The syncs, with Dagster, which knows of their runs."""
    from ledger_pipelines.serving.sync import syncs_of  # slow to import

    settings = load_settings()
    make_ready(settings)
    with syncs_of(settings) as syncs:
        yield syncs


def _wait(syncs: "Syncs", order: SyncOrder, *, executed_here: bool) -> None:
    """Wait for the end of a sync, with a progress bar."""
    if not executed_here:
        try:
            with _watching() as look:
                syncs.await_end(order.log_id, look)
        except KeyboardInterrupt:
            say(f"Sync {order.log_id} goes on without being watched. End it by: ledger sync cancel")
            raise
        return
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        syncs.execute(order, lambda what, done, of: progress.update(task, description=what, completed=done, total=of))


@contextmanager
def _watching() -> Iterator[Callable[[SyncLog, list[SyncedTable]], None]]:
    """A progress bar of a sync that runs elsewhere."""
    with progress_bar() as progress:
        task = progress.add_task("waiting", total=None)

        def look(_log: SyncLog, tables: list[SyncedTable]) -> None:
            done = sum(table.status == "completed" for table in tables)
            at_work = [f"{table.table_name}, {table.rows_read:,} rows" for table in tables if table.status == "running"]
            progress.update(task, description="; ".join(at_work) or "waiting", completed=done, total=len(tables))

        yield look


def _tell_end(syncs: "Syncs", log_id: int, *, as_json: bool) -> None:
    """Show a sync that has ended; the exit code says whether it did so well."""
    log = syncs.log(log_id)
    if log is None:
        raise ServingError(f"Sync {log_id} is not in ops.sync_logs any more.")
    _show(log, syncs.tables(log_id), success=log.status == "completed", as_json=as_json)
    raise typer.Exit(0 if log.status == "completed" else 1)


def _show(log: SyncLog, tables: list[SyncedTable], *, success: bool, as_json: bool) -> None:
    if as_json:
        details = [asdict(table) for table in tables]
        print_json({"success": success, "data": _numbers(log.as_dict()), "tables": _numbers(details)})
        return
    print_table(None, _LOG_COLUMNS, [_log_row(log)], whole=_IDS)
    if tables:
        print_table("Its tables", _TABLE_COLUMNS, [_table_row(table) for table in tables])


def _log_row(log: SyncLog) -> tuple[object, ...]:
    numbers = (log.duration, log.total_records, log.failed_records, log.success_rate)
    return (log.id, log.sync_type, log.status, log.started_at, *numbers, log.error_message)


def _table_row(table: SyncedTable) -> tuple[object, ...]:
    months = table.months
    which = "" if not months else months[0] if len(months) == 1 else f"{len(months)}: {months[0]} to {months[-1]}"
    counts = (table.rows_read, table.rows_rejected, table.rows_inserted, table.rows_updated, table.rows_deleted)
    return (table.table_name, table.status, which, *counts, table.rows_unchanged, table.seconds)


def _numbers(value: Any) -> Any:
    """The value with decimals as JSON numbers: seconds, averages and per cents are no amounts."""
    match value:
        case Decimal():
            return float(value)
        case dict():
            return {name: _numbers(item) for name, item in value.items()}
        case list() | tuple():
            return [_numbers(item) for item in value]
    return value


def _succeed(message: str, *, as_json: bool, **more: object) -> None:
    if as_json:
        print_json({"success": True, "message": message, **more})
    else:
        say(message)


def _refuse(message: str, *, as_json: bool, **more: object) -> NoReturn:
    """Say why nothing is done, and end with exit code 1."""
    if as_json:
        print_json({"success": False, "message": message, **more})
    complain(message)
    raise typer.Exit(1)
