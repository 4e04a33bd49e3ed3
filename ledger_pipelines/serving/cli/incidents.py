"""`ledger incidents`: list incidents, and confirm refused deletions."""

from dataclasses import asdict
from typing import Annotated

import typer

from ledger_pipelines.serving.cli.common.auditing import audited_command
from ledger_pipelines.serving.cli.common.console import AsJson, print_message, print_success, print_table
from ledger_pipelines.serving.cli.common.options import CustomerId
from ledger_pipelines.serving.cli.common.preparation import open_databases
from ledger_pipelines.serving.incidents import confirm_deletions
from ledger_pipelines.warehouse.ops.incidents import newest_incidents, open_incidents

app = typer.Typer(no_args_is_help=True, help="Incidents: what is wrong, since when, and what to do.")

_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "subject": "subject",
    "since": "opened_at",
    "closed": "closed_at",
    "occurrences": "occurrences",
    "owner": "owner",
    "what is wrong": "reason",
    "what to do": "what_to_do",
    "delivered": "delivered_at",
}


@app.command("list")
def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Include closed incidents, newest first.")] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="With --all: maximum number of incidents; the newest are shown.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List the open incidents, oldest first: what is wrong, since when, what to do, whether the webhook accepted it."""
    with open_databases(as_json=as_json) as databases, databases.warehouse_connection() as connection:
        found = newest_incidents(connection, limit) if every else open_incidents(connection)
    if as_json:
        print_success(incidents=[asdict(incident) for incident in found])
        return
    if not found:
        print_message("There has never been an incident." if every else "No incident is open.")
        return
    columns = {name: column for name, column in _COLUMNS.items() if every or name != "closed"}
    rows = [[getattr(incident, column) for column in columns.values()] for incident in found]
    print_table("Incidents" if every else "Open incidents", tuple(columns), rows, verbatim=("id",))


@app.command()
def confirm(
    customer_id: CustomerId,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Confirm only if exactly this number of rows would be deleted.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Confirm a refused deletion of a customer's rows, up to the number of rows that was refused."""
    with (
        open_databases(as_json=as_json) as databases,
        audited_command(databases, "incidents confirm", f"deletion of customer {customer_id}") as by,
    ):
        confirmed = confirm_deletions(databases, customer_id, by, rows)
    if as_json:
        print_success(confirmed=asdict(confirmed))
        return
    listed = ", ".join(f"{count:,} row{'s' * (count > 1)} of {table}" for table, count in confirmed.rows.items())
    print_message(
        f"Confirmed until {confirmed.until:%Y-%m-%d %H:%M}: {listed} of customer {customer_id} may be deleted."
    )
    print_message(
        "If `ledger up` is running, the rows are deleted within a minute. Otherwise run: ledger balance sync --all"
    )
