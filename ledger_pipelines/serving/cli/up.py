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


def up(
    initial_run: Annotated[
        bool,
        typer.Option(
            "--initial-run/--no-initial-run", help="Compute the demo's ledger and copy its ERP at the first start."
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
                show_banner(settings, everything.web_ui.address)
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
    if databases.settings.billing_url is None and not has_billing_tables(databases.billing):
        say("Seeding the demo's billing application ...")
        summary = seed_demo(databases.billing, usual_plan())
        say(f"It has {summary.customers} customers and {summary.readings:,} readings, {summary.first_month} on.")
    if (erp := seed_erp_if_new(databases.settings)) is not None:
        say(f"The demo's ERP has {sum(erp.rows.values()):,} rows in {len(erp.rows)} tables, {erp.first_month} on.")


def show_banner(settings: Settings, address: str) -> None:
    """Print where everything is, and what to try; addresses and commands are to be copied, so no line is broken."""
    lines = [
        f"Web interface   {address}",
        f"Dashboard, API  {address_of(settings)}",
        f"Warehouse       {masked(servers.warehouse(settings).set(drivername='postgresql'))}",
        f"Logs            {settings.home / 'logs'}",
        "",
        "Ctrl-C stops everything. In another terminal:",
        *(f"  {command}" for command in _activation()),
        "  ledger db url --show-password    the address of the warehouse, for psql and others",
        "  ledger token create --help       who may use the API",
        "  ledger balance test-system       whether all is well",
        "  ledger balance sync --all        read the billing application again",
    ]
    out.print()
    out.print("The ledger is up", style="bold")
    for line in lines:
        out.print(Text(f"  {line}" if line else ""), soft_wrap=True)
    out.print()


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
