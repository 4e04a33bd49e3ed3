"""`ledger demo`: the demo's billing application, and the whole ledger once without the web interface."""

import dataclasses
from typing import Annotated

import sqlalchemy as sa
import typer

from ledger_pipelines.serving.cli.balance import run_and_report
from ledger_pipelines.serving.cli.console import out, progress_bar, say, table_of
from ledger_pipelines.serving.databases import Databases, prepare, start_embedded
from ledger_pipelines.serving.demo import has_billing_tables, seed_demo, usual_plan
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import Settings, database_url, load_settings, masked
from ledger_pipelines.sources.sample import SeedPlan, SeedSummary
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.queries import latest_balances

app = typer.Typer(no_args_is_help=True, help="The demo: a billing application with realistic faults.")
_BALANCE = (
    "customer_id", "name", "opening_balance", "total_deposits", "total_purchases", "closing_balance",
    "total_volume_sm3",
)  # fmt: skip
_USUAL = SeedPlan(current_month="2000-01")


@app.command()
def seed(
    customers: Annotated[int, typer.Option(help="How many users are customers.")] = _USUAL.customers,
    months: Annotated[int, typer.Option(help="Months of history, the current one included.")] = _USUAL.months,
    readings_per_month: Annotated[int, typer.Option(help="Of each customer.")] = _USUAL.readings_per_month,
    random_seed: Annotated[int, typer.Option("--seed", help="Of all random numbers.")] = _USUAL.seed,
    url: Annotated[str | None, typer.Option(help="Another database than the demo's: any SQLAlchemy URL.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop an earlier demo first.")] = False,
) -> None:
    """Fill a database with a demo of the billing application; the same options make the same rows."""
    settings = load_settings()
    address = _target(settings, url)
    try:
        plan = dataclasses.replace(
            usual_plan(),
            customers=customers,
            months=months,
            readings_per_month=readings_per_month,
            seed=random_seed,
            replace=replace,
        )
    except ValueError as error:
        raise ServingError(str(error)) from None
    _show(_seed(address, plan), address)
    if plan.first_month < settings.first_month:
        say(
            f"Its first month is {plan.first_month}, before LEDGER_FIRST_MONTH ({settings.first_month}): what is dated "
            "before that will be rejected."
        )


@app.command()
def run() -> None:
    """Compute the whole ledger of the demo once, without the web interface, and print the latest balances."""
    settings = load_settings()
    started = prepare(settings).started
    with Databases(settings) as databases:
        if settings.billing_url is None and not has_billing_tables(databases.billing):
            say("Seeding the demo's billing application ...")
            _show(_seed(databases.billing.url, usual_plan()), databases.billing.url)
        result = run_and_report("demo run", settings, first=databases.horizon.first)
        with databases.warehouse.connect() as connection:
            rows = connection.execute(latest_balances()).all()
        headings = ("customer", "name", "opening", "deposits", "purchases", "closing", "Sm³")
        cells = [[getattr(row, column) for column in _BALANCE] for row in rows]
        month = rows[0].year_month if rows else databases.horizon.current
        out.print(table_of(f"The latest balances: {month}, in rupiah", headings, cells))
    if started:
        say("The embedded server keeps running; stop it by: ledger db stop")
    raise typer.Exit(0 if result.success else 1)


def _target(settings: Settings, url: str | None) -> sa.URL:
    """The database to seed; the embedded server is started if it is there."""
    if url is not None:
        try:
            return database_url(url)
        except ValueError as error:
            raise ServingError(f"--url {error}. Example: mysql+pymysql://root:secret@127.0.0.1:3306/demo") from None
    if settings.billing_url is not None:
        raise ServingError(
            "LEDGER_BILLING_URL names a billing application of its own, which the demo stays away from. "
            "Name the database to fill by --url, or unset LEDGER_BILLING_URL."
        )
    start_embedded(settings)
    return servers.billing(settings)


def _seed(address: sa.URL, plan: SeedPlan) -> SeedSummary:
    engine = source_engine(address)
    try:
        with progress_bar() as progress:
            task = progress.add_task("customers", total=plan.customers)
            return seed_demo(engine, plan, lambda done, of: progress.update(task, completed=done, total=of))
    finally:
        engine.dispose()


def _show(summary: SeedSummary, address: sa.URL) -> None:
    rows: list[tuple[str, object]] = [
        ("months", f"{summary.first_month} to {summary.last_month}"),
        ("users", summary.users),
        ("customers among them", summary.customers),
        ("readings", summary.readings),
        ("deposit entries", summary.deposits),
        ("price entries", summary.price_entries),
        *((f"fault: {kind.replace('_', ' ')}", count) for kind, count in summary.dirt.items() if count),
    ]
    verb = "had before, from the same plan" if summary.already_there else "has now"
    out.print(table_of(f"What {masked(address)} {verb}", ("what", "how many"), rows))
