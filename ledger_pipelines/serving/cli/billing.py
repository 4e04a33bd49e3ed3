"""`ledger billing`: test whether the billing application can be read; report what to change if not."""

from typing import Any

import typer
from rich.text import Text

from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.billing import ConnectionTest, run_connection_test
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    out,
    print_json,
    print_message,
    print_table,
    progress_bar,
)
from ledger_pipelines.serving.cli.common.findings import findings_as_json, print_findings
from ledger_pipelines.serving.cli.common.preparation import start_embedded_with_message
from ledger_pipelines.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, help="Test the connection to the billing application.")


@app.callback()
def _group() -> None:
    """Test the connection to the billing application."""


@app.command("test-connection")
def check_connection(
    as_json: AsJson = False,
) -> None:
    """Test login, tables, columns, rights, indexes and clock, and read every row once. Read-only."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        tested = _tested(settings)
        if as_json:
            print_json(result_as_json(tested, settings))
        else:
            _print(tested)
    raise typer.Exit(0 if tested.diagnosis.is_usable else 1)


def _tested(settings: Settings) -> ConnectionTest:
    if settings.billing_url is None:
        start_embedded_with_message(settings)
        print_message("LEDGER_BILLING_URL is not set: testing the demo's billing application in the embedded server.")
    with progress_bar() as progress, Databases(settings) as databases:
        task = progress.add_task("reading rows", total=None)
        return run_connection_test(databases, lambda rows: progress.update(task, completed=rows))


def result_as_json(tested: ConnectionTest, settings: Settings) -> dict[str, Any]:
    """Return the result of the test as JSON."""
    first = tested.first_month
    return {
        "success": tested.diagnosis.is_usable,
        "findings": findings_as_json(tested.diagnosis.findings),
        "columns": findings_as_json(tested.diagnosis.columns),
        "statements": list(tested.diagnosis.statements),
        "first_month": first,
        "first_month_to_set": first if first is not None and first < settings.first_month else None,
        "rows": {
            name: {
                "read": of.read,
                "rejected": of.reasons.total,
                "reasons": [
                    {"kind": kind, "rows": rows, "example": list(map(str, of.reasons.examples[kind]))}
                    for kind, rows in of.reasons.rows.most_common()
                ],
            }
            for name, of in tested.inspected.items()
        },
    }


def _print(tested: ConnectionTest) -> None:
    """Print columns and statements first and the verdict last, so that it stays on the screen."""
    columns = tested.diagnosis.columns
    if columns:
        rows = [(each.table, each.column, each.needed, each.type or "missing", each.level.value) for each in columns]
        print_table("Columns", ("table", "column", "required", "type", "level"), rows)
    advised = [(each.table, each.column, each.advice) for each in columns if each.advice]
    if advised:
        print_table("Columns that are missing or have another type", ("table", "column", "consequence"), advised)
    if tested.diagnosis.statements:
        out.print(Text("Statements for an administrator of the application's database:", "bold"))
        for statement in tested.diagnosis.statements:
            out.print(Text(statement), soft_wrap=True)
        out.print()
    print_findings(
        "Billing application",
        tested.diagnosis.findings,
        success="The billing application can be read",
        failure="The billing application cannot be read",
    )
