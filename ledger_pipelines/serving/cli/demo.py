"""`ledger demo`: seed and change the demo's source databases, and compute its ledger without the web UI."""

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
import typer

from ledger_pipelines.demo import BillingDemoPlan, BillingDemoSummary
from ledger_pipelines.demo.erp import ErpDemoPlan, ErpDemoSummary
from ledger_pipelines.demo.erp.mutate import ErpMutation
from ledger_pipelines.serving.alerts import by_days_left
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.alerts import print_days_left
from ledger_pipelines.serving.cli.balance import run_and_report
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    print_message,
    print_success,
    print_table,
    progress_bar,
)
from ledger_pipelines.serving.cli.common.preparation import prepare_with_message, start_embedded_with_message
from ledger_pipelines.serving.demo import (
    default_erp_plan,
    default_plan,
    has_billing_tables,
    mutate_demo_erp,
    seed_demo,
    seed_demo_erp,
    seed_demo_erp_if_missing,
)
from ledger_pipelines.settings import Settings, load_settings, mask_url, parse_database_url
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.queries.customers.latest_balances import named_latest_balances

app = typer.Typer(no_args_is_help=True, help="The demo: a billing application and an ERP with realistic faults.")
_BALANCE_COLUMNS = (
    "customer_id", "name", "opening_balance", "total_deposits", "total_purchases", "closing_balance",
    "total_volume_sm3",
)  # fmt: skip
_OWN_ERP_IS_SET = "LEDGER_ERP_URL or DB_HOST2 names an ERP of your own, which the demo does not touch."
_DEFAULT_PLAN = BillingDemoPlan(current_month="2000-01")
_DEFAULT_ERP_PLAN = ErpDemoPlan(current_month="2000-01")


class Source(StrEnum):
    """One of the demo's two source databases."""

    BILLING = "billing"
    ERP = "erp"


@app.command()
def seed(
    customers: Annotated[int, typer.Option(help="Number of customers.")] = _DEFAULT_PLAN.customers,
    months: Annotated[int, typer.Option(help="Months of history, including the current one.")] = _DEFAULT_PLAN.months,
    readings_per_month: Annotated[
        int, typer.Option(help="Readings per customer and month.")
    ] = _DEFAULT_PLAN.readings_per_month,
    erp_rows_per_month: Annotated[
        int, typer.Option(help="Rows of so_invoice_line per month; the ERP's other tables are in proportion.")
    ] = _DEFAULT_ERP_PLAN.rows_per_month,
    random_seed: Annotated[int, typer.Option("--seed", help="Seed of the random numbers.")] = _DEFAULT_PLAN.seed,
    url: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy URL of the database for the billing application; default: in the embedded server."
        ),
    ] = None,
    erp_url: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the database for the ERP; default: in the embedded server.")
    ] = None,
    only: Annotated[
        Source | None, typer.Option(help="Seed only this database; default: those for which a URL is given, else both.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop an existing demo first.")] = False,
) -> None:
    """Seed a demo of the billing application and of the ERP. The same options create the same rows."""
    settings = load_settings()
    wanted = _wanted(only, url, erp_url)
    try:
        plan = dataclasses.replace(
            default_plan(),
            customers=customers,
            months=months,
            readings_per_month=readings_per_month,
            seed=random_seed,
            replace=replace,
        )
        erp_plan = dataclasses.replace(
            default_erp_plan(), months=months, rows_per_month=erp_rows_per_month, seed=random_seed, replace=replace
        )
    except ValueError as error:
        raise ServingError(str(error)) from None
    if Source.BILLING in wanted:
        address = _target(settings, url)
        _print_billing_summary(_seed(address, plan), address)
    if Source.ERP in wanted and not _skips_real_erp(settings, only, erp_url):
        address = _erp_target(settings, erp_url, "--erp-url")
        _print_erp_summary(_seed_erp(address, erp_plan), address)
    if plan.first_month < settings.first_month:
        print_message(
            f"The demo begins in {plan.first_month}, before LEDGER_FIRST_MONTH ({settings.first_month}): rows dated "
            "before that month will be rejected."
        )


@app.command()
def disturb(
    changes: Annotated[int, typer.Option(min=1, max=100_000, help="Number of rows to change.")] = 20,
    random_seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of the random numbers; default: a new one each time.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the demo's ERP; default: the one in the embedded server.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change, move, duplicate, insert and delete random rows of the demo's ERP, and print the changes."""
    with json_errors(as_json=as_json):
        address = _erp_target(load_settings(), url, "--url")
        number = secrets.randbelow(1_000_000) if random_seed is None else random_seed
        with _engine(address) as engine:
            done = mutate_demo_erp(engine, changes, number)
    if as_json:
        print_success(seed=number, disturbances=[dataclasses.asdict(each) for each in done])
        return
    headings = ("table", "operation", "months", "row", "column", "old", "new")
    title = f"Changes to {mask_url(address)} (seed {number})"
    print_table(title, headings, [_table_row(each) for each in done], verbatim=("row",))


@app.command()
def run() -> None:
    """Seed the demo if needed, compute its whole ledger once, and print balances and how many days they last."""
    settings = load_settings()
    prepare_with_message(settings)
    with Databases(settings) as databases:
        if settings.billing_url is None and not has_billing_tables(databases.billing):
            print_message("Seeding the demo's billing application ...")
            _print_billing_summary(_seed(databases.billing.url, default_plan()), databases.billing.url)
        if (summary := seed_demo_erp_if_missing(settings)) is not None:
            _print_erp_summary(summary, database_urls.erp_url(settings))
        result = run_and_report("demo run", settings, first=databases.horizon().first)
        with databases.warehouse.connect() as connection:
            rows = connection.execute(named_latest_balances()).all()
        headings = ("customer", "name", "opening", "deposits", "purchases", "closing", "Sm³")
        cells = [[getattr(row, column) for column in _BALANCE_COLUMNS] for row in rows]
        month = rows[0].year_month if rows else databases.horizon().current
        print_table(f"Latest balances, {month}, in rupiah", headings, cells, verbatim=("customer",))
        print_days_left(by_days_left(databases))
    raise typer.Exit(0 if result.success else 1)


def _wanted(only: Source | None, url: str | None, erp_url: str | None) -> set[Source]:
    """Return the databases to seed: the one named by --only, else those with a URL, else both."""
    named = {source for source, address in ((Source.BILLING, url), (Source.ERP, erp_url)) if address is not None}
    if only is None:
        return named or set(Source)
    if named - {only}:
        raise ServingError(f"--only {only} seeds that database alone. Omit the URL of the other database, or --only.")
    return {only}


def _skips_real_erp(settings: Settings, only: Source | None, erp_url: str | None) -> bool:
    """Return whether no ERP is seeded because the settings name a real one, and print that."""
    skipped = only is None and erp_url is None and settings.erp_url is not None
    if skipped:
        print_message(f"{_OWN_ERP_IS_SET} No ERP was seeded.")
    return skipped


def _target(settings: Settings, url: str | None) -> sa.URL:
    """Return the URL of the database for the billing application; start the embedded server if it is there."""
    if url is not None:
        return _parse_url(url, "--url")
    if settings.billing_url is not None:
        raise ServingError(
            "LEDGER_BILLING_URL names a billing application of your own, which the demo does not touch. "
            "Name the database to seed with --url, or unset LEDGER_BILLING_URL."
        )
    start_embedded_with_message(settings)
    return database_urls.billing_url(settings)


def _erp_target(settings: Settings, url: str | None, option: str) -> sa.URL:
    """Return the URL of the database of the demo's ERP; start the embedded server if it is there."""
    if url is not None:
        return _parse_url(url, option)
    if settings.erp_url is not None:
        raise ServingError(
            f"{_OWN_ERP_IS_SET} Name the demo's database with {option}, or unset LEDGER_ERP_URL, DB_HOST2 and the "
            "other DB_…2 variables."
        )
    start_embedded_with_message(settings)
    return database_urls.erp_url(settings)


def _parse_url(url: str, option: str) -> sa.URL:
    try:
        return parse_database_url(url)
    except ValueError as error:
        raise ServingError(f"{option} {error}. Example: mysql+pymysql://root:secret@127.0.0.1:3306/demo") from None


@contextmanager
def _engine(address: sa.URL) -> Iterator[sa.Engine]:
    engine = source_engine(address)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar; yield the function that sets the done and the total number of steps."""
    with progress_bar() as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _seed(address: sa.URL, plan: BillingDemoPlan) -> BillingDemoSummary:
    with _engine(address) as engine, _progress("customers") as progress:
        return seed_demo(engine, plan, progress)


def _seed_erp(address: sa.URL, plan: ErpDemoPlan) -> ErpDemoSummary:
    with _engine(address) as engine, _progress("months of the ERP's tables") as progress:
        return seed_demo_erp(engine, plan, progress)


def _print_billing_summary(summary: BillingDemoSummary, address: sa.URL) -> None:
    rows: list[tuple[str, object]] = [
        ("months", f"{summary.first_month} to {summary.last_month}"),
        ("users", summary.users),
        ("users that are customers", summary.customers),
        ("readings", summary.readings),
        ("deposit entries", summary.deposits),
        ("price entries", summary.price_entries),
    ]
    _print_summary(rows, summary.dirt, address, already_there=summary.already_there)


def _print_erp_summary(summary: ErpDemoSummary, address: sa.URL) -> None:
    rows: list[tuple[str, object]] = [("months", f"{summary.first_month} to {summary.last_month}")]
    _print_summary([*rows, *summary.rows.items()], summary.dirt, address, already_there=summary.already_there)


def _print_summary(
    rows: list[tuple[str, object]], dirt: dict[str, int], address: sa.URL, *, already_there: bool
) -> None:
    faults = [(f"fault: {kind.replace('_', ' ')}", count) for kind, count in dirt.items() if count]
    state = "exists already, from the same plan" if already_there else "was seeded"
    print_table(f"{mask_url(address)} {state}", ("content", "number"), [*rows, *faults])


def _table_row(done: ErpMutation) -> list[str]:
    """Return a change as a table row; texts are quoted, so that blanks and special characters are visible."""
    months = " → ".join(month or "no date" for month in done.months)
    key = ", ".join(f"{name}={_quoted(value)}" for name, value in done.key.items())
    values = [_quoted(done.old), _quoted(done.new)] if done.column else ["", ""]
    return [done.table, done.operation, months, key, done.column or "", *values]


def _quoted(value: object) -> str:
    if value is None:
        return "NULL"
    return repr(value) if isinstance(value, str) else str(value)
