"""`ledger alerts`: low balances, their thresholds, and the delivery of alerts and incidents to the webhook."""

from collections.abc import Sequence
from dataclasses import asdict, astuple
from typing import Annotated, Any

import typer

from ledger_pipelines.ledger.alerts import AlertCounts
from ledger_pipelines.ledger.days_left import DaysLeftGroup
from ledger_pipelines.notifications.alerts import deliver
from ledger_pipelines.notifications.webhook import webhook_from_settings
from ledger_pipelines.serving import alerts
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.auditing import audited_command
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    print_json,
    print_message,
    print_records,
    print_success,
    print_table,
)
from ledger_pipelines.serving.cli.common.options import CustomerId, OnlyCustomer
from ledger_pipelines.serving.cli.common.preparation import open_databases
from ledger_pipelines.serving.price_preview import parse_signed_amount
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops.incidents import count_open

app = typer.Typer(no_args_is_help=True, help="Low balances: alerts, thresholds and delivery to the webhook.")

_COLUMNS = ("id", "customer_id", "customer_name", "kind", "raised_at", "balance", "threshold", "days_left", "days")


@app.command("list")
def list_alerts(
    customer_id: OnlyCustomer = None,
    every: Annotated[bool, typer.Option("--all", help="Include alerts of balances that have recovered.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of alerts; the newest are shown.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List low-balance alerts and their delivery; without --customer-id also how many days balances last."""
    with open_databases(as_json=as_json) as databases:
        found = alerts.alerts_of(databases, customer_id=customer_id, cleared=every, limit=limit)
        groups = alerts.by_days_left(databases) if customer_id is None else None
        with databases.warehouse_connection() as connection:
            incidents = sum(count_open(connection).values())
    if as_json:
        days_left = {"days_left": [asdict(group) for group in groups]} if groups is not None else {}
        print_success(alerts=found, **days_left)
        return
    columns = (*_COLUMNS, "cleared_at", "delivered_at", "last_error")
    print_records("Low balances", columns, found)
    if groups is not None:
        print_days_left(groups)
    if incidents:
        print_message(
            f"[yellow]Balances may be wrong. Open incidents: {incidents:,}. To list them: ledger incidents list"
        )


def print_days_left(groups: Sequence[DaysLeftGroup]) -> None:
    """Print customers grouped by the days their balances last, with the sums of the balances."""
    rows = [astuple(group) for group in groups]
    print_table("How long the balances last", ("days left", "customers", "balance, rupiah"), rows)


@app.command("thresholds")
def list_thresholds(as_json: AsJson = False) -> None:
    """List the customers with limits of their own, and the default limits."""
    with open_databases(as_json=as_json) as databases:
        found, days = alerts.thresholds(databases), databases.settings.alert_days
    if as_json:
        print_success(usual={"threshold": "0.00", "days": days}, thresholds=found)
        return
    print_records(
        "Customers with limits of their own", ("customer_id", "customer_name", "threshold", "days", "set_at"), found
    )
    print_message(
        f"Default: a balance is low below 0 rupiah{f', or if it lasts fewer than {days} days' if days else ''}."
    )


@app.command("set")
def set_threshold(
    customer_id: CustomerId,
    threshold: Annotated[
        str | None, typer.Option(metavar="RUPIAH", help="A balance below this amount is low; default: unchanged.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=0, max=3650, help="A balance that lasts fewer days is low; 0 turns this off; default: unchanged."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set when a customer's balance is low, and evaluate it immediately."""
    with json_errors(as_json=as_json):
        if threshold is None and days is None:
            raise ServingError("Give --threshold (in rupiah), --days, or both.")
        limit = None if threshold is None else parse_signed_amount(threshold, "--threshold")
        _change("alerts set", customer_id, as_json=as_json, threshold=limit, days=days)


@app.command("clear")
def clear_threshold(customer_id: CustomerId, as_json: AsJson = False) -> None:
    """Remove a customer's own limits, and evaluate its balance with the defaults immediately."""
    with json_errors(as_json=as_json):
        _change("alerts clear", customer_id, as_json=as_json, forget=True)


@app.command("deliver")
def deliver_now(as_json: AsJson = False) -> None:
    """Post open incidents and alerts to the webhook, as the sensor does; exit code 1 if one is not accepted."""
    with open_databases(as_json=as_json) as databases:
        webhook = webhook_from_settings(databases.settings)
        if webhook is None:
            raise ServingError(
                "No webhook is configured. Set LEDGER_ALERT_WEBHOOK_URL and LEDGER_ALERT_WEBHOOK_SECRET "
                "(see .env.example)."
            )
        with translate_connection_errors(databases.warehouse):
            done = deliver(databases.warehouse, webhook)
    if as_json:
        print_json({"success": done.failed == 0} | asdict(done))
    else:
        print_message(f"Messages delivered: {done.delivered:,}.")
        if done.failed:
            print_message(
                f"[bold red]Messages not accepted, which will be posted again: {done.failed:,}.[/] {done.last_error}"
            )
    raise typer.Exit(0 if done.failed == 0 else 1)


def _change(action: str, customer_id: int, *, as_json: bool, **change: Any) -> None:
    parts = (f"{name} {change[name]}" for name in ("threshold", "days") if change.get(name) is not None)
    target = ", ".join([f"customer {customer_id}", *parts])
    with Databases(load_settings()) as databases, audited_command(databases, action, target):
        signals = alerts.change_threshold(
            databases,
            customer_id,
            lambda: print_message("A run is writing the balances; waiting until it ends …"),
            **change,
        )
    if as_json:
        print_success(customer_id=customer_id, **asdict(signals))
    else:
        print_message(f"Updated customer {customer_id}: {_describe(signals)}.")


def _describe(signals: AlertCounts) -> str:
    parts = [
        f"{count} alert{'s' if count > 1 else ''} {change}"
        for count, change in ((signals.raised, "raised"), (signals.cleared, "cleared"))
        if count
    ]
    return " and ".join(parts) or "no alert was raised or cleared"
