"""`ledger db`: the embedded PostgreSQL server, and the schema of the warehouse on any server."""

from typing import Annotated

import typer

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.serving.base.databases import (
    connection_error,
    ensure_dagster_database,
    prepare_databases,
    upgrade,
)
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.console import print_message, print_table
from ledger_pipelines.serving.cli.common.preparation import start_embedded_with_message
from ledger_pipelines.settings import Settings, load_settings, mask_url
from ledger_pipelines.warehouse import data_dictionary, database_urls

app = typer.Typer(
    no_args_is_help=True,
    help="The embedded server and the warehouse: start, stop, address, schema, data dictionary.",
)


@app.command()
def url(
    show_password: Annotated[bool, typer.Option("--show-password", help="Print the password too.")] = False,
) -> None:
    """Print the URL of the warehouse."""
    address = database_urls.warehouse_url(load_settings()).set(drivername="postgresql")
    typer.echo(address.render_as_string(hide_password=False) if show_password else mask_url(address))


@app.command()
def start() -> None:
    """Start the embedded server, create its databases, and upgrade the schema of the warehouse."""
    settings = _embedded("start")
    done = prepare_databases(settings)
    server = database_urls.embedded_server(settings)
    print_message(
        f"The embedded server {'is started' if done.started else 'was already running'} on port {server.port}."
    )
    print_message(f"The schema of the warehouse is at version {done.version}.")


@app.command()
def stop() -> None:
    """Stop the embedded server and end its sessions."""
    settings = _embedded("stop")
    stopped = database_urls.embedded_server(settings).stop()
    print_message("The embedded server is stopped." if stopped else "The embedded server was not running.")


@app.command("upgrade")
def upgrade_schema() -> None:
    """Upgrade the schema of the warehouse to the newest version, and create Dagster's database if it is missing."""
    settings = load_settings()
    if database_urls.uses_embedded_server(settings):
        start_embedded_with_message(settings)
    version = upgrade(settings)
    created = ensure_dagster_database(settings)
    print_message(f"The schema of the warehouse is at version {version}.")
    if created:
        print_message(f"Created Dagster's database {database_urls.dagster_storage_url(settings).database}.")


@app.command()
def status() -> None:
    """Show each database's address and state; exit with code 1 if the warehouse or Dagster's does not answer."""
    settings = load_settings()
    rows: list[tuple[str, str, str]] = []
    if database_urls.uses_embedded_server(settings):
        server = database_urls.embedded_server(settings)
        found = server.status()
        state = f"running, process {found.pid}" if found.running else "stopped; to start it: ledger db start"
        rows.append(("embedded server", f"port {found.port}, {found.data_folder}", state))
    reachable = True
    for name, address in (
        ("warehouse", database_urls.warehouse_url(settings)),
        ("Dagster", database_urls.dagster_storage_url(settings)),
    ):
        reason = connection_error(address)
        reachable &= reason is None
        rows.append((name, mask_url(address.set(drivername="postgresql")), reason or "answers"))
    print_table(None, ("database", "address", "state"), rows)
    raise typer.Exit(0 if reachable else 1)


@app.command("dictionary")
def print_dictionary() -> None:
    """Print the data dictionary as Markdown: every table, view and column of the warehouse with its meaning."""
    typer.echo(data_dictionary.markdown(VIEWS), nl=False)


def _embedded(verb: str) -> Settings:
    """Return the settings.

    Raises:
        ServingError: the settings use no embedded server.
    """
    settings = load_settings()
    if not database_urls.uses_embedded_server(settings):
        raise ServingError(
            f"There is no embedded server to {verb}: LEDGER_WAREHOUSE_URL, LEDGER_BILLING_URL and LEDGER_ERP_URL "
            f"name other servers ({mask_url(database_urls.warehouse_url(settings))})."
        )
    return settings
