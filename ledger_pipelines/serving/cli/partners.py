"""`ledger partners`: the mapping of customers to business partners of the ERP."""

from dataclasses import asdict, fields
from typing import Annotated

import typer

from ledger_pipelines.ledger.reconciliation.suggestions import PartnerSuggestion
from ledger_pipelines.serving import partners
from ledger_pipelines.serving.cli.common.auditing import audited_command
from ledger_pipelines.serving.cli.common.console import AsJson, print_message, print_records, print_success
from ledger_pipelines.serving.cli.common.options import CustomerId, OnlyCustomer
from ledger_pipelines.serving.cli.common.preparation import open_databases

app = typer.Typer(
    no_args_is_help=True, help="Mapping of customers to the business partners under which the ERP invoices them."
)

_Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of rows.")]
_TAKES_EFFECT = "It takes effect at the next reconciliation, daily at 03:00. To run one now: ledger balance compare"


@app.command("list")
def list_partners(
    customer_id: OnlyCustomer = None,
    limit: _Limit = 1000,
    as_json: AsJson = False,
) -> None:
    """List the business partners of customers, since when they apply, and whether each was set by hand."""
    with open_databases(as_json=as_json) as databases:
        found = partners.mappings(databases, customer_id=customer_id, limit=limit)
    if as_json:
        print_success(partners=found)
        return
    print_records("Business partners", ("customer_id", "customer_name", "bp_code", "origin", "since"), found)


@app.command("set")
def set_partner(
    customer_id: CustomerId,
    bp_code: Annotated[str, typer.Option("--bp-code", help="Code of the business partner, exactly as in the ERP.")],
    as_json: AsJson = False,
) -> None:
    """Add a business partner to a customer. Partners that were set before are kept."""
    with (
        open_databases(as_json=as_json) as databases,
        audited_command(databases, "partners set", f"customer {customer_id} as {bp_code}"),
    ):
        partners.set_partner(databases, customer_id, bp_code, _print_waiting)
    if as_json:
        print_success(customer_id=customer_id, bp_code=bp_code)
    else:
        print_message(f"Customer {customer_id} is invoiced as {bp_code}. {_TAKES_EFFECT}")


@app.command("remove")
def remove_partner(
    customer_id: CustomerId,
    bp_code: Annotated[
        str | None, typer.Option("--bp-code", help="Only this business partner; default: all of the customer.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a business partner from a customer: delete one that was set, exclude a default."""
    with (
        open_databases(as_json=as_json) as databases,
        audited_command(databases, "partners remove", f"customer {customer_id} as {bp_code or 'any'}"),
    ):
        removed = partners.remove_partner(databases, customer_id, bp_code, _print_waiting)
    if as_json:
        print_success(removed=[asdict(item) for item in removed])
        return
    for item in removed:
        print_message(f"Customer {customer_id} is no longer invoiced as {item.bp_code} ({item.origin}).")
    print_message(_TAKES_EFFECT)


@app.command("suggest")
def suggest(limit: _Limit = 50, as_json: AsJson = False) -> None:
    """Suggest business partners for customers without one, by contract number, name or amounts. Read-only."""
    with open_databases(as_json=as_json) as databases:
        rows = [asdict(item) for item in partners.suggest_partners(databases, limit)]
    if as_json:
        print_success(suggestions=rows)
        return
    print_records("Suggestions", [field.name for field in fields(PartnerSuggestion)], rows)
    if rows:
        print_message("To accept a suggestion: ledger partners set --customer-id N --bp-code CODE")


def _print_waiting() -> None:
    print_message("A reconciliation is running; waiting until it ends …")
