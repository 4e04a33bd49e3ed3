"""The console script `ledger`: everything that a person starts.

Here the commands are put together, and errors that explain themselves become one message. Modules that import
Dagster are imported by the commands that need it, so that the others answer at once.
"""

import errno
import shlex
import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
from ledger_pipelines.serving.cli.console import complain
from ledger_pipelines.serving.environment import DEFINITIONS, dagster_environment
from ledger_pipelines.serving.errors import EXPLAINED
from ledger_pipelines.settings import load_settings

#: The disk is full, the user's quota is used up, or the disk is read-only.
_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _Explained(TyperGroup):
    """A group of commands whose explained errors are told in one message, without a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command that the arguments name; exit code 1 if it fails."""
        try:
            return super().main(*args, **options)
        except EXPLAINED as error:
            complain(error)
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            complain(f"{error.filename or 'A file'} cannot be written: {error.strerror}.")
        sys.exit(1)


app = typer.Typer(
    name="ledger",
    cls=_Explained,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Customer balances of a gas distributor, month by month: start it, compute it, check it.",
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
    """Customer balances of a gas distributor, month by month: start it, compute it, check it."""


@app.command("env")
def env() -> None:
    """Print the environment of Dagster's own commands, for a shell: eval "$(ledger env)". It holds passwords."""
    for name, value in dagster_environment(load_settings()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    # Not as DAGSTER_MODULE_NAME: the processes that `dagster dev` starts inherit it, and fail for it.
    typer.echo(f"# A developer's Dagster, beside no ledger up: dagster dev -m {DEFINITIONS}")
