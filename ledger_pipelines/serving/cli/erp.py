"""`ledger erp`: test whether the ERP can be read, and report what an administrator has to change."""

from collections import defaultdict
from typing import Any

import typer

from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    print_json,
    print_message,
    print_table,
    progress_bar,
)
from ledger_pipelines.serving.cli.common.findings import findings_as_json, print_findings
from ledger_pipelines.serving.cli.common.preparation import start_embedded_with_message
from ledger_pipelines.settings import Settings, load_settings
from ledger_pipelines.sources.erp.diagnosis import Diagnosis, diagnose
from ledger_pipelines.warehouse import database_urls

app = typer.Typer(no_args_is_help=True, help="Test the connection to the ERP.")


@app.callback()
def _group() -> None:
    """Test the connection to the ERP."""


@app.command("test-connection")
def check_connection(
    as_json: AsJson = False,
) -> None:
    """Test what a sync needs from the ERP: driver, login, each table, each column and its type. Read-only."""
    with json_errors(as_json=as_json):
        settings = load_settings()
        found = _diagnosis(settings)
        if as_json:
            print_json(diagnosis_as_json(found))
        else:
            _print(found)
    raise typer.Exit(0 if found.works else 1)


def _diagnosis(settings: Settings) -> Diagnosis:
    if settings.erp_url is None:
        start_embedded_with_message(settings)
        print_message("LEDGER_ERP_URL is not set: testing the demo's ERP in the embedded server.")
    with progress_bar() as progress:
        task = progress.add_task("connecting", total=None)
        return diagnose(
            database_urls.erp_url(settings),
            statement_seconds=settings.erp_statement_timeout_seconds,
            progress=lambda check: progress.update(task, description=check),
            schemas=settings.erp_schemas,
            zone=settings.zone,
        )


def diagnosis_as_json(found: Diagnosis) -> dict[str, Any]:
    """Return the diagnosis as JSON."""
    return {
        "success": found.works,
        "findings": findings_as_json(found.findings),
        "columns": findings_as_json(found.columns),
    }


def _print(found: Diagnosis) -> None:
    """Print the columns first and the verdict last, so that it stays on the screen."""
    if found.columns:
        rows = [(each.table, each.column, each.kind, each.type, each.level.value) for each in found.columns]
        print_table("Columns", ("table", "column", "required type", "type in the ERP", "level"), rows)
        advised = defaultdict(list)
        for each in found.columns:
            if each.advice:
                advised[each.type, each.advice].append(f"{each.table}.{each.column}")
        if advised:
            rows_by_type = [("\n".join(names), *of) for of, names in advised.items()]
            print_table("Columns whose type may not suit", ("columns", "type", "consequence"), rows_by_type)
    print_findings("ERP", found.findings, success="The ERP can be synced", failure="The ERP cannot be synced")
