"""`ledger balance`: compute balances, correct them, and check their health."""

from collections.abc import Callable
from dataclasses import asdict, astuple, fields
from types import ModuleType
from typing import Annotated

import typer
from rich.text import Text

from ledger_pipelines.serving import health, outcome
from ledger_pipelines.serving.cli.console import answering, complain, out, print_json, print_table, progress_bar, say
from ledger_pipelines.serving.cli.ready import make_ready
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.outcome import Order, Outcome
from ledger_pipelines.serving.reconciliation import possible
from ledger_pipelines.serving.rehearsal import CustomerNow, rehearse
from ledger_pipelines.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="Customer balances: compute, correct, check.")

_All = Annotated[bool, typer.Option("--all", help="Every customer.")]
_Customers = Annotated[list[int] | None, typer.Option("--customer-id", help="This customer; may be repeated.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_AcceptDeletions = Annotated[
    bool, typer.Option("--accept-deletions", help="Go on even if the source lost implausibly many rows.")
]


@app.command()
def initialize(
    every: _All = False,
    customer_id: _Customers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what there is; change nothing.")] = False,
    accept_deletions: _AcceptDeletions = False,
    as_json: _AsJson = False,
) -> None:
    """Compute the whole ledger of existing customers, from the first month to the current one."""
    with answering(as_json=as_json):
        settings = load_settings()
        customers = _customers(settings, every, customer_id)
        if dry_run:
            _rehearse(settings, customers, as_json=as_json)
            return
        with Databases(settings) as databases:
            databases.demand_same_source()
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
        str | None, typer.Option(metavar="YYYY-MM", help="The first month; not given: the first of all.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Drop what was calculated and calculate it anew.")] = False,
    accept_deletions: _AcceptDeletions = False,
    as_json: _AsJson = False,
) -> None:
    """Read the billing application again and correct what differs, from a month to the current one."""
    with answering(as_json=as_json):
        settings = load_settings()
        horizon = Databases(settings).horizon
        first = horizon.first if from_month is None else horizon.check(from_month)
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
def check_system(customer_id: _Customers = None, as_json: _AsJson = False) -> None:
    """Check the health of the system: status, data, accuracy of the calculation, speed of queries."""
    with answering(as_json=as_json):
        settings = load_settings()
        customers = tuple(sorted(set(customer_id))) if customer_id else None
        with progress_bar() as progress, Databases(settings) as databases:
            task = progress.add_task("checking", total=None)
            report = health.examine(
                databases,
                customers,
                lambda what, done, of: progress.update(task, description=what, completed=done, total=of),
            )
        if as_json:
            print_json(health.answer(report))
        else:
            for section in health.sections(report):
                print_table(section.title, section.columns, section.rows)
            say("[bold green]All is well." if report.healthy else "[bold red]Something is wrong, see above.")
    raise typer.Exit(0 if report.healthy else 1)


@app.command()
def compare(as_json: _AsJson = False) -> None:
    """Compare balances with the application's totals, and purchases with the ERP's invoices, now; daily at 03:00."""
    with answering(as_json=as_json):
        settings = load_settings()
        make_ready(settings)
        horizon, assets = Databases(settings).horizon, possible(settings)
        order = Order(horizon.first, horizon.current, None, "balance compare")
        result = _watched(lambda client, told: client.execute_reconciliation(settings, order, assets, told))
        _report(result, as_json=as_json)
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
) -> Outcome:
    """Run the ledger from a month to the current one, with a progress bar, and print what it did."""
    make_ready(settings)
    last = Databases(settings).horizon.current
    order = Order(first, last, customers, command, force=force, accept_deletions=accept_deletions)
    result = _watched(lambda client, told: client.execute(settings, order, told))
    _report(result, as_json=as_json)
    return result


def _watched(run: Callable[[ModuleType, Callable[[str, int, int], None]], Outcome]) -> Outcome:
    """Let the one module that speaks with Dagster run something, with a progress bar."""
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)

        def told(what: str, done: int, of: int) -> None:
            progress.update(task, description=what.replace("_", " "), completed=done, total=of)

        from ledger_pipelines.serving import dagster_client  # slow to import

        return run(dagster_client, told)


def _report(result: Outcome, *, as_json: bool) -> None:
    """Print what a run did, and why it failed if it did."""
    if as_json:
        print_json(outcome.answer(result))
    else:
        _print(result)
    for fault in result.faults:
        complain(fault.message if fault.step is None else f"{fault.step}: {fault.message}")


def _customers(settings: Settings, every: bool, ids: list[int] | None) -> tuple[int, ...] | None:
    """The customers asked for, which must exist; None for all. The databases are made ready on the way."""
    if every == bool(ids):
        raise ServingError("Name either every customer by --all, or some by --customer-id, which may be repeated.")
    make_ready(settings)
    if every:
        return None
    wanted = tuple(sorted(set(ids or ())))
    with Databases(settings) as databases:
        databases.demand_customers(wanted)
    return wanted


def _rehearse(settings: Settings, customers: tuple[int, ...] | None, *, as_json: bool) -> None:
    """Print what a run would read, customer by customer."""
    with Databases(settings) as databases:
        found = rehearse(databases, customers)
    if as_json:
        rows = [asdict(customer) for customer in found.customers.values()]
        print_json({"success": True, "dry_run": True, "customers": rows, "readings_of_no_customer": found.strays})
        return
    headings = [item.name.replace("_", " ") for item in fields(CustomerNow)]
    print_table(
        "Dry run: nothing is changed",
        headings,
        [astuple(row) for row in found.customers.values()],
        whole=("customer id",),
    )
    if found.strays:
        say(f"{found.strays:,} readings are of users who are no customers; they will be rejected.")


def _print(result: Outcome) -> None:
    """Print what a run did, step by step, and what its checks found."""
    order = result.order
    whose = "all customers" if order.customers is None else f"customers {', '.join(map(str, order.customers))}"
    title = f"{order.first} to {order.last}, {whose}: {result.seconds:.1f} s (run {result.run_id[:8]})"
    headings = ("table", "read", "rejected", "inserted", "updated", "deleted", "unchanged", "seconds")
    print_table(title, headings, [step.counts for step in result.steps])
    for step in result.steps:
        for remark in filter(None, (step.columns_missing, step.rejected_because)):
            out.print(Text(remark), soft_wrap=True)
    if (first := result.first_month_to_set) is not None:
        todo = f"Set LEDGER_FIRST_MONTH={first}, and run ledger balance initialize --all, to load what is before."
        out.print(Text(todo, "bold yellow"), soft_wrap=True)
    if result.checks:
        rows = [
            (check.asset, check.name.replace("_", " "), check.rows, "wrong" if check.is_error else "worth a look")
            for check in result.checks
        ]
        print_table("What the checks found", ("table", "check", "rows", ""), rows)
