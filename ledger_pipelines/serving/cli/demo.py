"""`ledger demo`: the demo's billing application and ERP, and the whole ledger once without the web interface."""

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
import typer

from ledger_pipelines.serving.alerts import by_days_left
from ledger_pipelines.serving.cli.alerts import print_days_left
from ledger_pipelines.serving.cli.balance import run_and_report
from ledger_pipelines.serving.cli.console import answering, print_json, print_table, progress_bar, say
from ledger_pipelines.serving.cli.ready import make_ready, start_and_tell
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.demo import (
    disturb_demo_erp,
    has_billing_tables,
    seed_demo,
    seed_demo_erp,
    seed_erp_if_new,
    usual_erp_plan,
    usual_plan,
)
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import Settings, database_url, load_settings, masked
from ledger_pipelines.sources.sample import SeedPlan, SeedSummary
from ledger_pipelines.sources.sample.erp import ErpPlan, ErpSummary
from ledger_pipelines.sources.sample.erp.disturb import Disturbance
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.queries import latest_balances

app = typer.Typer(no_args_is_help=True, help="The demo: a billing application and an ERP with realistic faults.")
_BALANCE = (
    "customer_id", "name", "opening_balance", "total_deposits", "total_purchases", "closing_balance",
    "total_volume_sm3",
)  # fmt: skip
_REAL_ERP = "LEDGER_ERP_URL or DB_HOST2 names an ERP of its own, which the demo stays away from."
_USUAL = SeedPlan(current_month="2000-01")
_USUAL_ERP = ErpPlan(current_month="2000-01")


class Source(StrEnum):
    """One of the demo's two source databases."""

    BILLING = "billing"
    ERP = "erp"


@app.command()
def seed(
    customers: Annotated[int, typer.Option(help="How many users are customers.")] = _USUAL.customers,
    months: Annotated[int, typer.Option(help="Months of history, the current one included.")] = _USUAL.months,
    readings_per_month: Annotated[int, typer.Option(help="Of each customer.")] = _USUAL.readings_per_month,
    erp_rows_per_month: Annotated[
        int, typer.Option(help="Of so_invoice_line; the ERP's other tables follow in proportion.")
    ] = _USUAL_ERP.rows_per_month,
    random_seed: Annotated[int, typer.Option("--seed", help="Of all random numbers.")] = _USUAL.seed,
    url: Annotated[
        str | None, typer.Option(help="Another database for the billing application: any SQLAlchemy URL.")
    ] = None,
    erp_url: Annotated[str | None, typer.Option(help="Another database for the ERP: any SQLAlchemy URL.")] = None,
    only: Annotated[
        Source | None, typer.Option(help="Fill one of the two; without it both, or those a URL is given for.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop an earlier demo first.")] = False,
) -> None:
    """Fill databases with a demo of the billing application and of the ERP; the same options make the same rows."""
    settings = load_settings()
    wanted = _wanted(only, url, erp_url)
    try:
        plan = dataclasses.replace(
            usual_plan(),
            customers=customers,
            months=months,
            readings_per_month=readings_per_month,
            seed=random_seed,
            replace=replace,
        )
        erp_plan = dataclasses.replace(
            usual_erp_plan(), months=months, rows_per_month=erp_rows_per_month, seed=random_seed, replace=replace
        )
    except ValueError as error:
        raise ServingError(str(error)) from None
    if Source.BILLING in wanted:
        address = _target(settings, url)
        _show(_seed(address, plan), address)
    if Source.ERP in wanted and not _left_alone(settings, only, erp_url):
        address = _erp_target(settings, erp_url, "--erp-url")
        _show_erp(_seed_erp(address, erp_plan), address)
    if plan.first_month < settings.first_month:
        say(
            f"Its first month is {plan.first_month}, before LEDGER_FIRST_MONTH ({settings.first_month}): what is dated "
            "before that will be rejected."
        )


@app.command()
def disturb(
    changes: Annotated[int, typer.Option(min=1, max=100_000, help="How many rows to touch.")] = 20,
    random_seed: Annotated[
        int | None, typer.Option("--seed", help="Of all random numbers; without it, others each time.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Another database than the demo's: any SQLAlchemy URL.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Change, move, duplicate, insert and delete rows of the demo's ERP at random, and say what was done."""
    with answering(as_json=as_json):
        address = _erp_target(load_settings(), url, "--url")
        number = secrets.randbelow(1_000_000) if random_seed is None else random_seed
        with _engine(address) as engine:
            done = disturb_demo_erp(engine, changes, number)
    if as_json:
        print_json({"success": True, "seed": number, "disturbances": [dataclasses.asdict(each) for each in done]})
        return
    headings = ("table", "operation", "months", "row", "column", "old", "new")
    title = f"What was done to {masked(address)} (seed {number})"
    print_table(title, headings, [_told(each) for each in done], whole=("row",))


@app.command()
def run() -> None:
    """Compute the whole ledger of the demo once, without the web interface; print balances and how long they last."""
    settings = load_settings()
    make_ready(settings)
    with Databases(settings) as databases:
        if settings.billing_url is None and not has_billing_tables(databases.billing):
            say("Seeding the demo's billing application ...")
            _show(_seed(databases.billing.url, usual_plan()), databases.billing.url)
        if (summary := seed_erp_if_new(settings)) is not None:
            _show_erp(summary, servers.erp(settings))
        result = run_and_report("demo run", settings, first=databases.horizon.first)
        with databases.warehouse.connect() as connection:
            rows = connection.execute(latest_balances()).all()
        headings = ("customer", "name", "opening", "deposits", "purchases", "closing", "Sm³")
        cells = [[getattr(row, column) for column in _BALANCE] for row in rows]
        month = rows[0].year_month if rows else databases.horizon.current
        print_table(f"The latest balances: {month}, in rupiah", headings, cells, whole=("customer",))
        print_days_left(by_days_left(databases))
    raise typer.Exit(0 if result.success else 1)


def _wanted(only: Source | None, url: str | None, erp_url: str | None) -> set[Source]:
    """Which databases to fill: the one named, else those a URL is given for, else both."""
    given = {source for source, address in ((Source.BILLING, url), (Source.ERP, erp_url)) if address is not None}
    if only is None:
        return given or set(Source)
    if given - {only}:
        raise ServingError(f"--only {only} fills that one alone; leave out the other's URL, or --only.")
    return {only}


def _left_alone(settings: Settings, only: Source | None, erp_url: str | None) -> bool:
    """Whether the ERP is not seeded, though nobody said so, because a real one is set; if so, that is told."""
    left_alone = only is None and erp_url is None and settings.erp_url is not None
    if left_alone:
        say(f"{_REAL_ERP} No ERP was made.")
    return left_alone


def _target(settings: Settings, url: str | None) -> sa.URL:
    """The database for the billing application; the embedded server is started if it is there."""
    if url is not None:
        return _given(url, "--url")
    if settings.billing_url is not None:
        raise ServingError(
            "LEDGER_BILLING_URL names a billing application of its own, which the demo stays away from. "
            "Name the database to fill by --url, or unset LEDGER_BILLING_URL."
        )
    start_and_tell(settings)
    return servers.billing(settings)


def _erp_target(settings: Settings, url: str | None, option: str) -> sa.URL:
    """The database of the demo's ERP; the embedded server is started if it is there."""
    if url is not None:
        return _given(url, option)
    if settings.erp_url is not None:
        raise ServingError(
            f"{_REAL_ERP} Name the demo's database by {option}, or unset LEDGER_ERP_URL and DB_HOST2 with its fellows."
        )
    start_and_tell(settings)
    return servers.erp(settings)


def _given(url: str, option: str) -> sa.URL:
    try:
        return database_url(url)
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
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, moved on by being told what is done of what there is to do."""
    with progress_bar() as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _seed(address: sa.URL, plan: SeedPlan) -> SeedSummary:
    with _engine(address) as engine, _progress("customers") as progress:
        return seed_demo(engine, plan, progress)


def _seed_erp(address: sa.URL, plan: ErpPlan) -> ErpSummary:
    with _engine(address) as engine, _progress("months of the ERP's tables") as progress:
        return seed_demo_erp(engine, plan, progress)


def _show(summary: SeedSummary, address: sa.URL) -> None:
    rows: list[tuple[str, object]] = [
        ("months", f"{summary.first_month} to {summary.last_month}"),
        ("users", summary.users),
        ("customers among them", summary.customers),
        ("readings", summary.readings),
        ("deposit entries", summary.deposits),
        ("price entries", summary.price_entries),
    ]
    _print_summary(rows, summary.dirt, address, already_there=summary.already_there)


def _show_erp(summary: ErpSummary, address: sa.URL) -> None:
    rows: list[tuple[str, object]] = [("months", f"{summary.first_month} to {summary.last_month}")]
    _print_summary([*rows, *summary.rows.items()], summary.dirt, address, already_there=summary.already_there)


def _print_summary(
    rows: list[tuple[str, object]], dirt: dict[str, int], address: sa.URL, *, already_there: bool
) -> None:
    faults = [(f"fault: {kind.replace('_', ' ')}", count) for kind, count in dirt.items() if count]
    verb = "had before, from the same plan" if already_there else "has now"
    print_table(f"What {masked(address)} {verb}", ("what", "how many"), [*rows, *faults])


def _told(done: Disturbance) -> list[str]:
    """A disturbance as a row of a table; texts in quotes, so that blanks and odd characters are seen."""
    months = " → ".join(month or "no date" for month in done.months)
    key = ", ".join(f"{name}={_quoted(value)}" for name, value in done.key.items())
    values = [_quoted(done.old), _quoted(done.new)] if done.column else ["", ""]
    return [done.table, done.operation, months, key, done.column or "", *values]


def _quoted(value: object) -> str:
    if value is None:
        return "NULL"
    return repr(value) if isinstance(value, str) else str(value)
