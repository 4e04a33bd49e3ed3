"""`ledger alerts`: low balances, when a balance is low, and the webhook that low balances and incidents go to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Annotated, Any

import typer

from ledger_pipelines.delivery.alerts import deliver
from ledger_pipelines.delivery.webhook import webhook_of
from ledger_pipelines.ledger.alerts import Signals
from ledger_pipelines.ledger.days_left import DaysLeft
from ledger_pipelines.serving import alerts
from ledger_pipelines.serving.cli.acting import written_down
from ledger_pipelines.serving.cli.console import answering, print_json, print_table, say
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.price import signed_amount
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.incidents import count_open

app = typer.Typer(no_args_is_help=True, help="Low balances: who, since when, and what low means.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_Customer = Annotated[int, typer.Option("--customer-id", help="The customer.")]
_COLUMNS = ("id", "customer_id", "customer_name", "kind", "raised_at", "balance", "threshold", "days_left", "days")


@app.command("list")
def list_alerts(
    customer_id: Annotated[int | None, typer.Option("--customer-id", help="Only of this customer.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also of balances that have recovered.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    as_json: _AsJson = False,
) -> None:
    """Show low balances, since when, and whether the webhook has them; of all customers, how long balances last."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        found = alerts.recorded(databases, customer_id=customer_id, cleared=every, limit=limit)
        groups = alerts.by_days_left(databases) if customer_id is None else None
        with reachable(databases.warehouse), databases.warehouse.connect() as connection:
            incidents = sum(count_open(connection).values())
    if as_json:
        days_left = {"days_left": [asdict(group) for group in groups]} if groups is not None else {}
        print_json({"success": True, "alerts": found, **days_left})
        return
    columns = (*_COLUMNS, "cleared_at", "delivered_at", "last_error")
    _print_table("Low balances", columns, found)
    if groups is not None:
        print_days_left(groups)
    if incidents:
        say(f"[yellow]Balances may be wrong while incidents are open ({incidents:,}): ledger incidents list")


def print_days_left(groups: Sequence[DaysLeft]) -> None:
    """Print how many customers owe, are low, or have how many weeks left, and the sums of their balances."""
    rows = [astuple(group) for group in groups]
    print_table("How long the balances last, in rupiah", ("days left", "customers", "balance"), rows)


@app.command("thresholds")
def list_thresholds(as_json: _AsJson = False) -> None:
    """Show the customers whose balance is low at another point than everybody's."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        found, days = alerts.thresholds(databases), databases.settings.alert_days
    if as_json:
        print_json({"success": True, "usual": {"threshold": "0.00", "days": days}, "thresholds": found})
        return
    _print_table("Thresholds", ("customer_id", "customer_name", "threshold", "days", "set_at"), found)
    say(f"Everybody else's balance is low below 0 rupiah{f', or if it lasts fewer than {days} days' if days else ''}.")


@app.command("set")
def set_threshold(
    customer_id: _Customer,
    threshold: Annotated[
        str | None, typer.Option(metavar="RUPIAH", help="Low is a balance below this; not given: as it was.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=0, max=3650, help="Low is what lasts fewer days; 0: never; not given: as it was.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Say when a customer's balance is low, and look at it at once."""
    with answering(as_json=as_json):
        if threshold is None and days is None:
            raise ServingError("Say what is low: --threshold, in rupiah, or --days, or both.")
        limit = None if threshold is None else signed_amount(threshold, "--threshold")
        _change("alerts set", customer_id, as_json=as_json, threshold=limit, days=days)


@app.command("clear")
def clear_threshold(customer_id: _Customer, as_json: _AsJson = False) -> None:
    """Let a customer's balance be low when everybody's is, and look at it at once."""
    with answering(as_json=as_json):
        _change("alerts clear", customer_id, as_json=as_json, forget=True)


@app.command("deliver")
def deliver_now(as_json: _AsJson = False) -> None:
    """Post open incidents and low balances to the webhook, as the sensor does; exit code 1 if one is not accepted."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        webhook = webhook_of(databases.settings)
        if webhook is None:
            raise ServingError(
                "There is no webhook: set LEDGER_ALERT_WEBHOOK_URL and LEDGER_ALERT_WEBHOOK_SECRET (see .env.example)."
            )
        with reachable(databases.warehouse):
            done = deliver(databases.warehouse, webhook)
    if as_json:
        print_json({"success": done.failed == 0} | asdict(done))
    else:
        say(f"{done.delivered:,} messages delivered.")
        if done.failed:
            say(f"[bold red]{done.failed:,} not, and to be posted again:[/] {done.last_error}")
    raise typer.Exit(0 if done.failed == 0 else 1)


def _change(action: str, customer_id: int, *, as_json: bool, **change: Any) -> None:
    said = (f"{name} {change[name]}" for name in ("threshold", "days") if change.get(name) is not None)
    target = ", ".join([f"customer {customer_id}", *said])
    with Databases(load_settings()) as databases, written_down(databases, action, target):
        signals = alerts.change_threshold(
            databases, customer_id, lambda: say("A run is writing the balances; waiting for its end …"), **change
        )
    if as_json:
        print_json({"success": True, "customer_id": customer_id} | asdict(signals))
    else:
        say(f"Said. Customer {customer_id}: {_in_words(signals)}.")


def _in_words(signals: Signals) -> str:
    said = [
        f"{count} alert{'s' if count > 1 else ''} {what}"
        for count, what in ((signals.raised, "raised"), (signals.cleared, "cleared"))
        if count
    ]
    return " and ".join(said) or "no alert is raised or cleared by it"


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    headings = [column.replace("_", " ") for column in columns]
    print_table(title, headings, [[row[column] for column in columns] for row in rows], whole=("id", "customer id"))
