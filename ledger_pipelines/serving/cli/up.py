"""`ledger up`: everything, from the database to the web interface, until Ctrl-C."""

import logging
import shlex
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from sqlalchemy import URL

from ledger_pipelines.serving.access.tokens import Created
from ledger_pipelines.serving.api.address import address_of
from ledger_pipelines.serving.cli.console import err, out, say
from ledger_pipelines.serving.cli.token import first_token
from ledger_pipelines.serving.databases import Databases, prepare, start_embedded
from ledger_pipelines.serving.demo import has_billing_tables, seed_demo, seed_erp_if_new, usual_plan
from ledger_pipelines.serving.instance_lock import InstanceLock, only_one
from ledger_pipelines.serving.interrupts import Interrupts
from ledger_pipelines.serving.ports import check_ports
from ledger_pipelines.settings import Settings, load_settings, masked
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.first_computation import CHECK_COMMAND, COMPUTE_COMMAND


def up(
    initial_run: Annotated[
        bool,
        typer.Option(
            "--initial-run/--no-initial-run",
            help="Compute the demo's ledger and copy its ERP at the first start; never one's own.",
        ),
    ] = True,
) -> None:
    """Start everything: the embedded database, Dagster, its web interface and the API. Ctrl-C stops all of it."""
    settings = load_settings()
    with Interrupts() as interrupts, only_one(settings.home) as lock:
        check_ports(settings)
        try:
            _serve(settings, lock, interrupts, initial_run=initial_run)
        except KeyboardInterrupt:
            pass  # how it is meant to end
        finally:
            interrupts.ignore()
            if lock.owns_database:
                servers.embedded_server(settings).stop()
                lock.owns_database = False
    _tell("Stopped.")


def _serve(settings: Settings, lock: InstanceLock, interrupts: Interrupts, *, initial_run: bool) -> None:
    """Start everything, watch it, and stop all but the embedded server at the end."""
    from ledger_pipelines.serving import dagster_client, supervisor  # slow to import

    say("Starting the databases ...")
    if servers.uses_embedded_server(settings):
        lock.owns_database |= not servers.embedded_server(settings).is_running()
        lock.note([])
        with interrupts.deferred():  # a server whose start is interrupted could not be found
            start_embedded(settings)
    prepare(settings)
    with Databases(settings) as databases:
        databases.demand_same_source()
        _seed_if_new(databases)
        if (token := first_token(databases)) is not None:
            _show_once(token)
        # Dagster's storage warns by the root logger of each attempt to connect; the supervisor reports it once.
        logging.getLogger().setLevel(logging.ERROR)
        logging.getLogger("ledger_pipelines").setLevel(logging.WARNING)
        warnings.simplefilter("ignore")
        with dagster_client.instance_of(settings) as instance:
            everything = supervisor.Supervisor(settings, instance, lock, interrupts, _warn)
            try:
                say("Starting Dagster ...")
                everything.start()
                computed = databases.is_computed()
                show_banner(settings, everything.web_ui.address, computed=computed)
                _warn_of_billing(databases, computed=computed)
                everything.resume_runs()
                if initial_run:
                    for what, run_id in everything.first_runs(databases):
                        say(f"{what}: {everything.web_ui.address_of_run(run_id)}")
                everything.watch()
            finally:
                interrupts.ignore()
                _tell("Stopping ...")
                everything.stop()


def _seed_if_new(databases: Databases) -> None:
    """Fill the demo's billing application and its ERP at the first start."""
    if servers.uses_demo_billing(databases.settings) and not has_billing_tables(databases.billing):
        say("Seeding the demo's billing application ...")
        summary = seed_demo(databases.billing, usual_plan())
        say(f"It has {summary.customers} customers and {summary.readings:,} readings, {summary.first_month} on.")
    if (erp := seed_erp_if_new(databases.settings)) is not None:
        say(f"The demo's ERP has {sum(erp.rows.values()):,} rows in {len(erp.rows)} tables, {erp.first_month} on.")


def show_banner(settings: Settings, address: str, *, computed: bool) -> None:
    """Print where everything is, and what to type next; all of it is to be copied, so no line is broken.

    Args:
        settings: Where everything is.
        address: Of Dagster's web interface.
        computed: Whether the ledger has ever been computed.
    """
    lines = [
        f"Web interface   {address}",
        f"Dashboard, API  {address_of(settings)}",
        f"Warehouse       {masked(servers.warehouse(settings).set(drivername='postgresql'))}",
        f"Billing         {_where(servers.billing(settings), demo=servers.uses_demo_billing(settings))}",
        f"ERP             {_erp(settings)}",
        f"Logs            {settings.home / 'logs'}",
        "",
        *_state(settings, computed=computed),
        "Ctrl-C stops everything. In another terminal:",
        *(f"  {command}" for command in _activation()),
        *(f"  {command:33}{purpose}" for command, purpose in _next_steps(settings, computed=computed)),
    ]
    out.print()
    out.print("The ledger is up", style="bold")
    for line in lines:
        out.print(Text(f"  {line}" if line else ""), soft_wrap=True)
    out.print()


def _where(url: URL, *, demo: bool) -> str:
    return "the demo's" if demo else masked(url)


def _erp(settings: Settings) -> str:
    if not servers.has_erp(settings):
        return "none (LEDGER_ERP_URL is not set)"
    return _where(servers.erp(settings), demo=servers.uses_demo_erp(settings))


def _state(settings: Settings, *, computed: bool) -> list[str]:
    """Return what to know before anything is typed: that the ledger of one's own billing application is empty."""
    if computed or servers.uses_demo_billing(settings):
        return []
    return ["Nothing has been computed yet, and nothing is until you ask for it: type the commands in this order.", ""]


def _next_steps(settings: Settings, *, computed: bool) -> list[tuple[str, str]]:
    """Return the next commands in the order in which they are to be typed, each with its purpose."""
    check = ("ledger balance test-system", "whether all is well")
    compare = ("ledger balance compare", "balances against the application's own totals")
    token = ("ledger token create --help", "who may use the API and the dashboard")
    psql = ("ledger db url --show-password", "the address of the warehouse, for psql and others")
    if servers.uses_demo_billing(settings):
        return [check, ("ledger balance sync --all", "read the billing application again"), token, psql]
    if computed:
        return [check, compare, token, psql]
    return [
        (CHECK_COMMAND, "whether the billing application can be read, and what to change if not"),
        (COMPUTE_COMMAND, "copy it and compute every balance"),
        compare,
        check,
    ]


def _warn_of_billing(databases: Databases, *, computed: bool) -> None:
    """Say once that one's own billing application cannot be read; everything runs all the same."""
    if servers.uses_demo_billing(databases.settings) or (fault := databases.billing_fault()) is None:
        return
    kept = " The figures in the warehouse can be read, and changes are taken up once it answers." if computed else ""
    _warn(f"{fault}{kept} What to change: {CHECK_COMMAND}")


def _activation() -> list[str]:
    """What lets a shell find `ledger`, if it lies in a virtual environment: another terminal has yet to enter that."""
    script = Path(sys.prefix) / "bin" / "activate"
    return [f". {shlex.quote(str(script))}"] if sys.prefix != sys.base_prefix and script.exists() else []


def _show_once(token: Created) -> None:
    """Print a token that was made just now, on stdout alone: no log of ours may hold it."""
    what = f"The first token, {token.token.name!r}, opens the dashboard and the API to an administrator."
    out.print(f"{what} It is shown this once:")
    out.print(token.text, markup=False, soft_wrap=True)


def _tell(message: str, style: str | None = None) -> None:
    """Print a message on stderr, unless the terminal is gone: after a log-out everything still has to be stopped."""
    with suppress(OSError):
        err.print(message, markup=False, soft_wrap=True, style=style)


def _warn(message: str) -> None:
    _tell(message, style="yellow")
