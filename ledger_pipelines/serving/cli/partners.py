"""`ledger partners`: which business partners of the ERP a customer is invoiced as."""

from dataclasses import asdict, astuple, fields
from typing import Annotated

import typer

from ledger_pipelines.ledger.reconciliation.suggestions import Suggestion
from ledger_pipelines.serving import partners
from ledger_pipelines.serving.cli.acting import written_down
from ledger_pipelines.serving.cli.console import answering, print_json, print_table, say
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Business partners of the ERP that customers are invoiced as.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_Customer = Annotated[int, typer.Option("--customer-id", help="The customer.")]
_Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]
_WHOLE = ("customer id", "bp code")
_LATER = "It counts at the next reconciliation: daily at 03:00, or now by: ledger balance compare."


@app.command("list")
def list_partners(
    customer_id: Annotated[int | None, typer.Option("--customer-id", help="Only of this customer.")] = None,
    limit: _Limit = 1000,
    as_json: _AsJson = False,
) -> None:
    """Show which business partners customers are invoiced as, since when, and whether a person said so."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        found = partners.said(databases, customer_id=customer_id, limit=limit)
    if as_json:
        print_json({"success": True, "partners": found})
        return
    columns = ("customer_id", "customer_name", "bp_code", "origin", "since")
    rows = [[row[column] for column in columns] for row in found]
    print_table("Business partners", [column.replace("_", " ") for column in columns], rows, whole=_WHOLE)


@app.command("set")
def set_partner(
    customer_id: _Customer,
    bp_code: Annotated[str, typer.Option("--bp-code", help="The business partner, to the letter.")],
    as_json: _AsJson = False,
) -> None:
    """Say that a customer is invoiced as a business partner, beside those that were set before."""
    with (
        answering(as_json=as_json),
        Databases(load_settings()) as databases,
        written_down(databases, "partners set", f"customer {customer_id} as {bp_code}"),
    ):
        partners.set_partner(databases, customer_id, bp_code, _waiting)
    if as_json:
        print_json({"success": True, "customer_id": customer_id, "bp_code": bp_code})
    else:
        say(f"Customer {customer_id} is invoiced as {bp_code}. {_LATER}")


@app.command("remove")
def remove_partner(
    customer_id: _Customer,
    bp_code: Annotated[str | None, typer.Option("--bp-code", help="Only this business partner.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Say that a customer is not invoiced as a business partner: forget what was set, exclude a default."""
    with (
        answering(as_json=as_json),
        Databases(load_settings()) as databases,
        written_down(databases, "partners remove", f"customer {customer_id} as {bp_code or 'any'}"),
    ):
        gone = partners.remove_partner(databases, customer_id, bp_code, _waiting)
    if as_json:
        print_json({"success": True, "removed": [asdict(one) for one in gone]})
        return
    for one in gone:
        say(f"Customer {customer_id} is not invoiced as {one.bp_code} any more ({one.origin}).")
    say(_LATER)


@app.command("suggest")
def suggest(limit: _Limit = 50, as_json: _AsJson = False) -> None:
    """Show customers without a business partner beside the partners who look like them. Changes nothing."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        found = partners.suggested(databases, limit)
    if as_json:
        print_json({"success": True, "suggestions": [asdict(one) for one in found]})
        return
    columns = [field.name for field in fields(Suggestion)]
    rows = [astuple(one) for one in found]
    print_table("Suggestions", [column.replace("_", " ") for column in columns], rows, whole=_WHOLE)
    if found:
        say("Take one up by: ledger partners set --customer-id N --bp-code CODE")


def _waiting() -> None:
    say("A reconciliation is under way; waiting for its end …")
