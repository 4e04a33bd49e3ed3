"""The console script `ledger`: all commands, and one message for each explained error.

Only commands that need Dagster import it: the import takes a second or two.
"""

import errno
import shlex
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.serving.cli import (
    alerts,
    analyst,
    balance,
    billing,
    db,
    demo,
    erp,
    incidents,
    partners,
    price,
    sync,
    token,
    up,
)
from ledger_pipelines.serving.cli.common.console import print_error
from ledger_pipelines.serving.dagster.environment import DEFINITIONS, dagster_environment
from ledger_pipelines.settings import load_settings

#: Disk full, quota exceeded, or read-only file system.
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _LedgerGroup(TyperGroup):
    """Command group that prints an explained error as one message, without a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that the arguments name; exit with code 1 on an explained error."""
        try:
            return super().main(*args, **options)
        except LedgerError as error:
            print_error(error)
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            print_error(f"{error.filename or 'A file'} cannot be written: {error.strerror}.")
        sys.exit(1)


app = typer.Typer(
    name="ledger",
    cls=_LedgerGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Monthly customer balances of a gas distributor: run the pipeline, compute balances, check them.",
)
app.add_typer(db.app, name="db")
app.add_typer(balance.app, name="balance")
app.add_typer(billing.app, name="billing")
app.add_typer(price.app, name="price")
app.add_typer(incidents.app, name="incidents")
app.add_typer(alerts.app, name="alerts")
app.add_typer(partners.app, name="partners")
app.add_typer(analyst.app, name="analyst")
app.add_typer(sync.app, name="sync")
app.add_typer(erp.app, name="erp")
app.add_typer(token.app, name="token")
app.add_typer(demo.app, name="demo")
app.command("up")(up.up)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledger {version('ledger-pipelines')}")
        raise typer.Exit


@app.callback()
def _options(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Monthly customer balances of a gas distributor: run the pipeline, compute balances, check them."""


@app.command("env")
def env() -> None:
    """Print the environment variables for Dagster's own commands, passwords included. Use: eval "$(ledger env)"."""
    for name, value in dagster_environment(load_settings()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    # Not exported as DAGSTER_MODULE_NAME: the processes of `dagster dev` inherit the variable and fail because of it.
    typer.echo(f"# Dagster for development, while no ledger up runs: dagster dev -m {DEFINITIONS}")
