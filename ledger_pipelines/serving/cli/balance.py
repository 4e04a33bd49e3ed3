"""`ledger balance`: compute, sync, check and compare the customer balances."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Annotated

import typer
from rich.text import Text

from ledger_pipelines.serving import health
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    out,
    print_error,
    print_json,
    print_message,
    print_records,
    print_success,
    print_table,
    progress_bar,
)
from ledger_pipelines.serving.cli.common.options import AcceptDeletions
from ledger_pipelines.serving.cli.common.preparation import prepare_with_message
from ledger_pipelines.serving.dagster import run_summary
from ledger_pipelines.serving.dagster.run_summary import LedgerRunRequest, ProgressCallback, RunSummary
from ledger_pipelines.serving.dry_run import DryRunCustomer, dry_run_of
from ledger_pipelines.serving.reconciliation import possible_reconciliations
from ledger_pipelines.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="Customer balances: compute, sync, check, compare.")

_All = Annotated[bool, typer.Option("--all", help="All customers.")]
_Customers = Annotated[list[int] | None, typer.Option("--customer-id", help="Only this customer; may be repeated.")]


@app.command()
def initialize(
    every: _All = False,
    customer_id: _Customers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be read; change nothing.")] = False,
    accept_deletions: AcceptDeletions = False,
    as_json: AsJson = False,
) -> None:
    """Compute the whole ledger of existing customers, from the first to the current month."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        customers = _customers(settings, every, customer_id)
        if dry_run:
            _print_dry_run(settings, customers, as_json=as_json)
            return
        with Databases(settings) as databases:
            databases.check_same_source()
        result = run_and_report(
            "balance initialize",
            settings,
            first=settings.first_month,
            customers=customers,
            accept_deletions=accept_deletions,
            as_json=as_json,
        )
    raise typer.Exit(0 if result.success else 1)


@app.command()
def sync(
    every: _All = False,
    customer_id: _Customers = None,
    from_month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="First month; default: LEDGER_FIRST_MONTH.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Drop the calculated rows and rebuild them.")] = False,
    accept_deletions: AcceptDeletions = False,
    as_json: AsJson = False,
) -> None:
    """Read the billing application again and correct all differences, from a month to the current one."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        horizon = Databases(settings).horizon()
        first = horizon.first if from_month is None else horizon.require_month(from_month)
        result = run_and_report(
            "balance sync",
            settings,
            first=first,
            customers=_customers(settings, every, customer_id),
            force=force,
            accept_deletions=accept_deletions,
            as_json=as_json,
        )
    raise typer.Exit(0 if result.success else 1)


@app.command("test-system")
def check_system(customer_id: _Customers = None, as_json: AsJson = False) -> None:
    """Check the health of the system: databases, incidents, data, accuracy of the calculation, query speed."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        customers = tuple(sorted(set(customer_id))) if customer_id else None
        with progress_bar() as progress, Databases(settings) as databases:
            task = progress.add_task("checking", total=None)
            report = health.check_health(
                databases,
                customers,
                lambda step, done, of: progress.update(task, description=step, completed=done, total=of),
            )
        if as_json:
            print_json(health.report_as_json(report))
        else:
            for section in health.report_sections(report):
                print_table(section.title, section.columns, section.rows)
            print_message(
                "[bold green]All checks passed." if report.healthy else "[bold red]Problems were found, see above."
            )
    raise typer.Exit(0 if report.healthy else 1)


@app.command()
def compare(as_json: AsJson = False) -> None:
    """Compare balances with the application's totals, purchases with the ERP's invoices. Also runs daily at 03:00."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        prepare_with_message(settings)
        horizon, assets = Databases(settings).horizon(), possible_reconciliations(settings)
        request = LedgerRunRequest(horizon.first, horizon.current, None, "balance compare")
        with _progress() as on_progress:
            from ledger_pipelines.serving.dagster import client  # slow to import

            result = client.execute_reconciliation(settings, request, assets, on_progress)
        _print_result(result, as_json=as_json)
    raise typer.Exit(0 if result.success else 1)


def run_and_report(
    command: str,
    settings: Settings,
    *,
    first: str,
    customers: tuple[int, ...] | None = None,
    force: bool = False,
    accept_deletions: bool = False,
    as_json: bool = False,
) -> RunSummary:
    """Run the ledger's job from a month to the current one with a progress bar, and print the run summary."""
    prepare_with_message(settings)
    last = Databases(settings).horizon().current
    request = LedgerRunRequest(first, last, customers, command, force=force, accept_deletions=accept_deletions)
    with _progress() as on_progress:
        from ledger_pipelines.serving.dagster import client  # slow to import

        result = client.execute_ledger(settings, request, on_progress)
    _print_result(result, as_json=as_json)
    return result


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """Show a progress bar, and yield the callback that moves it."""
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)

        def on_progress(step: str, done: int, of: int) -> None:
            progress.update(task, description=step.replace("_", " "), completed=done, total=of)

        yield on_progress


def _print_result(result: RunSummary, *, as_json: bool) -> None:
    """Print the summary of a run, and its errors on stderr."""
    if as_json:
        print_json(run_summary.summary_as_json(result))
    else:
        _print(result)
    for fault in result.errors:
        print_error(fault.message if fault.step is None else f"{fault.step}: {fault.message}")


def _customers(settings: Settings, every: bool, ids: list[int] | None) -> tuple[int, ...] | None:
    """Prepare the databases and return the selected customers, which must exist; None for all."""
    if every == bool(ids):
        raise ServingError("Give either --all, or --customer-id once or several times.")
    prepare_with_message(settings)
    if every:
        return None
    wanted = tuple(sorted(set(ids or ())))
    with Databases(settings) as databases:
        databases.check_customers_exist(wanted)
    return wanted


def _print_dry_run(settings: Settings, customers: tuple[int, ...] | None, *, as_json: bool) -> None:
    """Print what a run would read, one row per customer."""
    with Databases(settings) as databases:
        found = dry_run_of(databases, customers)
    rows = [asdict(customer) for customer in found.customers.values()]
    if as_json:
        print_success(dry_run=True, customers=rows, readings_of_no_customer=found.orphan_readings)
        return
    print_records("Dry run: nothing was changed", [field.name for field in fields(DryRunCustomer)], rows)
    if found.orphan_readings:
        print_message(f"Readings that belong to no customer, which a run rejects: {found.orphan_readings:,}.")


def _print(result: RunSummary) -> None:
    """Print the row counts of each step, remarks, and the checks that did not pass."""
    request = result.request
    selection = "all customers" if request.customers is None else f"customers {', '.join(map(str, request.customers))}"
    title = f"{request.first} to {request.last}, {selection}: {result.seconds:.1f} s (run {result.run_id[:8]})"
    headings = ("table", "read", "rejected", "inserted", "updated", "deleted", "unchanged", "seconds")
    print_table(title, headings, [step.counts for step in result.steps])
    for step in result.steps:
        for remark in filter(None, (step.columns_missing, step.rejected_because)):
            out.print(Text(remark), soft_wrap=True)
        if step.months_skipped:
            out.print(Text(f"{step.asset}: {step.months_skipped} --force rebuilds them."), soft_wrap=True)
    if (first := result.first_month_to_set) is not None:
        advice = f"To load earlier rows, set LEDGER_FIRST_MONTH={first} and run: ledger balance initialize --all"
        out.print(Text(advice, "bold yellow"), soft_wrap=True)
    if result.checks:
        rows = [
            (check.asset, check.name.replace("_", " "), check.rows, "error" if check.is_error else "warning")
            for check in result.checks
        ]
        print_table("Checks that did not pass", ("table", "check", "rows", "severity"), rows)
