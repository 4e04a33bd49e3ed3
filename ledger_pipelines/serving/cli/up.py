"""`ledger up`: run the embedded server, Dagster, the web UI and the API until Ctrl-C."""

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

from ledger_pipelines.serving.access.tokens import CreatedToken
from ledger_pipelines.serving.base.databases import Databases, prepare_databases, start_embedded
from ledger_pipelines.serving.cli.common.console import err, out, print_message
from ledger_pipelines.serving.cli.token import create_first_token
from ledger_pipelines.serving.demo import default_plan, has_billing_tables, seed_demo, seed_demo_erp_if_missing
from ledger_pipelines.serving.process_control.instance_lock import InstanceLock, hold_instance_lock
from ledger_pipelines.serving.process_control.interrupts import Interrupts
from ledger_pipelines.serving.process_control.ports import check_ports
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.settings import Settings, load_settings, mask_url
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines.warehouse.ops.first_computation import CHECK_COMMAND, COMPUTE_COMMAND


def up(
    initial_run: Annotated[
        bool,
        typer.Option(
            "--initial-run/--no-initial-run",
            help="At the first start, compute the demo's ledger and sync its ERP. Without effect on your own sources.",
        ),
    ] = True,
) -> None:
    """Start the embedded server, Dagster with its web UI, the API and the dashboard. Ctrl-C stops everything."""
    settings = load_settings()
    with Interrupts() as interrupts, hold_instance_lock(settings.home) as lock:
        check_ports(settings)
        try:
            _serve(settings, lock, interrupts, initial_run=initial_run)
        except KeyboardInterrupt:
            pass  # the regular end
        finally:
            interrupts.ignore()
            if lock.owns_database:
                database_urls.embedded_server(settings).stop()
                lock.owns_database = False
    _print_stderr("Stopped.")


def _serve(settings: Settings, lock: InstanceLock, interrupts: Interrupts, *, initial_run: bool) -> None:
    """Start everything, supervise it, and finally stop everything except the embedded server."""
    from ledger_pipelines.serving.dagster import client as dagster_client
    from ledger_pipelines.serving.supervisor import supervisor  # slow to import

    print_message("Starting the databases ...")
    if database_urls.uses_embedded_server(settings):
        lock.owns_database |= not database_urls.embedded_server(settings).is_running()
        lock.record([])
        with interrupts.deferred():  # an interrupted start would leave a server that is not recorded
            start_embedded(settings)
    prepare_databases(settings)
    with Databases(settings) as databases:
        databases.check_same_source()
        _seed_if_new(databases)
        if (token := create_first_token(databases)) is not None:
            _print_token(token)
        # Dagster's storage logs each attempt to connect to the root logger; the supervisor reports the failure once.
        logging.getLogger().setLevel(logging.ERROR)
        logging.getLogger("ledger_pipelines").setLevel(logging.WARNING)
        warnings.simplefilter("ignore")
        with dagster_client.open_instance(settings) as instance:
            services = supervisor.Supervisor(settings, instance, lock, interrupts, _warn)
            try:
                print_message("Starting Dagster ...")
                services.start()
                computed = databases.is_computed()
                show_banner(settings, services.graphql.address, computed=computed)
                _warn_of_billing(databases, computed=computed)
                services.resume_runs()
                if initial_run:
                    for description, run_id in services.first_runs(databases):
                        print_message(f"{description}: {services.graphql.run_url(run_id)}")
                services.watch()
            finally:
                interrupts.ignore()
                _print_stderr("Stopping ...")
                services.stop()


def _seed_if_new(databases: Databases) -> None:
    """Seed the demo's billing application and ERP at the first start."""
    if database_urls.uses_demo_billing(databases.settings) and not has_billing_tables(databases.billing):
        print_message("Seeding the demo's billing application ...")
        writable = source_engine(databases.billing.url)  # the engine of the databases only reads
        try:
            summary = seed_demo(writable, default_plan())
        finally:
            writable.dispose()
        print_message(
            f"It has {summary.customers} customers and {summary.readings:,} readings, from {summary.first_month} on."
        )
    if (erp := seed_demo_erp_if_missing(databases.settings)) is not None:
        print_message(
            f"The demo's ERP has {sum(erp.rows.values()):,} rows in {len(erp.rows)} tables, from {erp.first_month} on."
        )


def show_banner(settings: Settings, address: str, *, computed: bool) -> None:
    """Print all addresses and the next commands; lines are not wrapped, so that they can be copied.

    Args:
        settings: The settings.
        address: URL of Dagster's web UI.
        computed: Whether the ledger has ever been computed.
    """
    billing = database_urls.billing_url(settings)
    lines = [
        f"Dagster         {address}",
        f"Dashboard, API  {api_url(settings)}",
        f"Warehouse       {mask_url(database_urls.warehouse_url(settings).set(drivername='postgresql'))}",
        f"Billing         {_address(billing, demo=database_urls.uses_demo_billing(settings))}",
        f"ERP             {_erp_address(settings)}",
        f"Logs            {settings.home / 'logs'}",
        "",
        *_notice(settings, computed=computed),
        "Ctrl-C stops everything. In another terminal:",
        *(f"  {command}" for command in _activation()),
        *(f"  {command:33}{purpose}" for command, purpose in _next_steps(settings, computed=computed)),
    ]
    out.print()
    out.print("The ledger is up", style="bold")
    for line in lines:
        out.print(Text(f"  {line}" if line else ""), soft_wrap=True)
    out.print()


def _address(url: URL, *, demo: bool) -> str:
    return "demo" if demo else mask_url(url)


def _erp_address(settings: Settings) -> str:
    if not database_urls.has_erp(settings):
        return "none (LEDGER_ERP_URL is not set)"
    return _address(database_urls.erp_url(settings), demo=database_urls.uses_demo_erp(settings))


def _notice(settings: Settings, *, computed: bool) -> list[str]:
    """Return the notice that the ledger of the user's own billing application is empty."""
    if computed or database_urls.uses_demo_billing(settings):
        return []
    return ["Nothing has been computed yet, and nothing is computed until you run these commands, in this order.", ""]


def _next_steps(settings: Settings, *, computed: bool) -> list[tuple[str, str]]:
    """Return the next commands, in the order in which to run them, each with its purpose."""
    check = ("ledger balance test-system", "check the health of the system")
    compare = ("ledger balance compare", "compare balances with the application's own totals")
    token = ("ledger token create --help", "create tokens for the API and the dashboard")
    psql = ("ledger db url --show-password", "print the URL of the warehouse for psql and other clients")
    if database_urls.uses_demo_billing(settings):
        return [check, ("ledger balance sync --all", "read the billing application again"), token, psql]
    if computed:
        return [check, compare, token, psql]
    return [
        (CHECK_COMMAND, "test whether the billing application can be read"),
        (COMPUTE_COMMAND, "read the billing application and compute all balances"),
        compare,
        check,
    ]


def _warn_of_billing(databases: Databases, *, computed: bool) -> None:
    """Warn once that the user's own billing application cannot be read; everything runs nevertheless."""
    if database_urls.uses_demo_billing(databases.settings) or (fault := databases.billing_error()) is None:
        return
    kept = (
        " The figures in the warehouse can be read; changes are applied once the application answers."
        if computed
        else ""
    )
    _warn(f"{fault}{kept} To find out what to change: {CHECK_COMMAND}")


def _activation() -> list[str]:
    """Return the command that activates the virtual environment of `ledger`, if there is one."""
    script = Path(sys.prefix) / "bin" / "activate"
    return [f". {shlex.quote(str(script))}"] if sys.prefix != sys.base_prefix and script.exists() else []


def _print_token(token: CreatedToken) -> None:
    """Print a new token, on stdout only: no log may contain it."""
    use = f"Administrator token {token.token.name!r} for the dashboard and the API."
    out.print(f"{use} It is shown only once:")
    out.print(token.text, markup=False, soft_wrap=True)


def _print_stderr(message: str, style: str | None = None) -> None:
    """Print a message on stderr, unless the terminal is gone: after a log-out the processes must still be stopped."""
    with suppress(OSError):
        err.print(message, markup=False, soft_wrap=True, style=style)


def _warn(message: str) -> None:
    _print_stderr(message, style="yellow")
