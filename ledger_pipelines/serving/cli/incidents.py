"""`ledger incidents`: what is wrong and waits for a person, and what the person confirms."""

from dataclasses import asdict
from typing import Annotated

import typer

from ledger_pipelines.serving.cli.acting import written_down
from ledger_pipelines.serving.cli.console import answering, print_json, print_table, say
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.incidents import confirm_deletions
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.incidents import newest_incidents, open_incidents

app = typer.Typer(no_args_is_help=True, help="Incidents: what is wrong, since when, and what to do about it.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "subject": "subject",
    "since": "opened_at",
    "closed": "closed_at",
    "times seen": "occurrences",
    "owner": "owner",
    "what is wrong": "reason",
    "what to do": "what_to_do",
    "delivered": "delivered_at",
}


@app.command("list")
def list_incidents(
    every: Annotated[bool, typer.Option("--all", help="Also those whose cause is gone, the newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="With --all: how many, the newest.")] = 50,
    as_json: _AsJson = False,
) -> None:
    """Show the open incidents, the oldest first: what is wrong, since when, what to do, and whether it was posted."""
    with (
        answering(as_json=as_json),
        Databases(load_settings()) as databases,
        reachable(databases.warehouse),
        databases.warehouse.connect() as connection,
    ):
        found = newest_incidents(connection, limit) if every else open_incidents(connection)
    if as_json:
        print_json({"success": True, "incidents": [asdict(one) for one in found]})
        return
    if not found:
        say("There has been no incident." if every else "No incident is open.")
        return
    columns = {name: column for name, column in _COLUMNS.items() if every or name != "closed"}
    rows = [[getattr(one, column) for column in columns.values()] for one in found]
    print_table("Incidents" if every else "Open incidents", tuple(columns), rows, whole=("id",))


@app.command()
def confirm(
    customer_id: Annotated[int, typer.Option("--customer-id", help="The customer.")],
    rows: Annotated[int | None, typer.Option("--rows", help="Only if the deletion is of so many rows.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Confirm that the rows of a customer whose deletion was refused are to be deleted: as many as were refused."""
    with (
        answering(as_json=as_json),
        Databases(load_settings()) as databases,
        written_down(databases, "incidents confirm", f"deletion of customer {customer_id}") as by,
    ):
        confirmed = confirm_deletions(databases, customer_id, by, rows)
    if as_json:
        print_json({"success": True, "confirmed": asdict(confirmed)})
        return
    listed = ", ".join(f"{count:,} rows of {table}" for table, count in confirmed.rows.items())
    say(f"Confirmed until {confirmed.until:%Y-%m-%d %H:%M}: of customer {customer_id}, {listed} may be deleted.")
    say("While `ledger up` runs it is done within a minute; otherwise by: ledger balance sync --all")
