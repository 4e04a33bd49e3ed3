"""`ledger erp`: whether the ERP can be read, and what an administrator has to change if it cannot."""

from typing import Annotated, Any

import typer

from ledger_pipelines.serving.cli.console import answering, print_json, print_table, progress_bar, say
from ledger_pipelines.serving.cli.diagnosis import for_programs, print_findings
from ledger_pipelines.serving.cli.ready import start_and_tell
from ledger_pipelines.settings import Settings, load_settings
from ledger_pipelines.sources.erp_diagnosis import Diagnosis, diagnose
from ledger_pipelines.warehouse import servers

app = typer.Typer(no_args_is_help=True, help="The ERP: whether it can be read.")


@app.callback()
def _group() -> None:
    """The ERP: whether it can be read."""


@app.command("test-connection")
def check_connection(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Try what a sync needs of the ERP: driver, login, each table, each column and its type. Changes nothing."""
    with answering(as_json=as_json):
        settings = load_settings()
        found = _diagnosis(settings)
        if as_json:
            print_json(answer(found))
        else:
            _print(found)
    raise typer.Exit(0 if found.works else 1)


def _diagnosis(settings: Settings) -> Diagnosis:
    if settings.erp_url is None:
        start_and_tell(settings)
        say("LEDGER_ERP_URL is not set: this is the demo's ERP, in the embedded server.")
    with progress_bar() as progress:
        task = progress.add_task("connecting", total=None)
        return diagnose(
            servers.erp(settings),
            statement_seconds=settings.erp_statement_timeout_seconds,
            progress=lambda what: progress.update(task, description=what),
        )


def answer(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis for a program."""
    return {
        "success": found.works,
        "findings": for_programs(found.findings),
        "columns": for_programs(found.columns),
    }


def _print(found: Diagnosis) -> None:
    """Print what was found, the columns first, so that the verdict is what stays on the screen."""
    if found.columns:
        rows = [(each.table, each.column, each.kind, each.type, each.level.value) for each in found.columns]
        print_table("Columns", ("table", "column", "must be", "type at the ERP", ""), rows)
        advice = {(each.type, each.kind, each.advice) for each in found.columns if each.advice}
        if advice:
            print_table("Types that may not suit", ("type", "must be", "what it means"), sorted(advice))
    print_findings("The ERP", found.findings, can="The ERP can be synced", cannot="The ERP cannot be synced")
