"""`ledger analyst`: read-only roles in the warehouse."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from ledger_pipelines.serving import analysts
from ledger_pipelines.serving.analysts import CreatedAnalyst
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.auditing import audited_command
from ledger_pipelines.serving.cli.common.console import AsJson, print_message, print_success, print_table
from ledger_pipelines.serving.cli.common.preparation import open_databases

app = typer.Typer(no_args_is_help=True, help="Analysts: database roles that may read the warehouse and change nothing.")

_Name = Annotated[str, typer.Option("--name", help="Name of the role.")]
_FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; default: generate one.")
]


@app.command("create")
def create(name: _Name = "analyst", password_stdin: _FromStdin = False, as_json: AsJson = False) -> None:
    """Create a read-only role, or renew the grants of an existing one. A generated password is printed once."""
    with open_databases(as_json=as_json) as databases:
        password = _password(given=password_stdin)
        with audited_command(databases, "analyst create", name):
            created = analysts.create(databases, name, password)
    if as_json:
        print_success(**asdict(created))
    else:
        _print_created(created)


@app.command("list")
def list_analysts(as_json: AsJson = False) -> None:
    """List the analysts with the expiry of their passwords and the number of their sessions."""
    with open_databases(as_json=as_json) as databases:
        found = analysts.list_all(databases)
    if as_json:
        print_success(analysts=[asdict(analyst) for analyst in found])
        return
    rows = [(analyst.name, analyst.valid_until, analyst.sessions) for analyst in found]
    print_table("Analysts", ("name", "valid until", "sessions"), rows)


@app.command("password")
def change_password(name: _Name = "analyst", password_stdin: _FromStdin = False, as_json: AsJson = False) -> None:
    """Change the password of an analyst. A generated password is printed once."""
    with open_databases(as_json=as_json) as databases:
        password = _password(given=password_stdin)
        with audited_command(databases, "analyst password", name):
            generated = analysts.change_password(databases, name, password)
    if as_json:
        print_success(name=name, password=generated)
        return
    print_message(f"Changed the password of {name}.")
    _print_password(generated)


@app.command("drop")
def drop(name: _Name = "analyst", as_json: AsJson = False) -> None:
    """Drop the role of an analyst and end its sessions."""
    with open_databases(as_json=as_json) as databases, audited_command(databases, "analyst drop", name):
        analysts.drop(databases, name)
    if as_json:
        print_success(name=name)
    else:
        print_message(f"Dropped {name}.")


def _print_created(created: CreatedAnalyst) -> None:
    if created.existed:
        print_message(f"{created.name} exists already and keeps its password; its grants were renewed.")
    else:
        print_message(f"{created.name} may now read the warehouse.")
    print_message(f'Log in with: psql "{created.address}"')
    if created.open_databases:
        print_message(
            f"The role may also connect to {', '.join(created.open_databases)}, as every role of this server may. To "
            "prevent that, the owner of each database has to run: REVOKE CONNECT ON DATABASE … FROM PUBLIC"
        )
    if created.for_administrator:
        print_message(
            "Every role of this server, so this one too, may fill the server's memory with advisory locks and its disk "
            "with temporary tables or large objects. The user of LEDGER_WAREHOUSE_URL may not revoke that. An "
            "administrator of the server has to run in this database:\n"
        )
        for statement in created.for_administrator:
            print_message(f"    {statement};")
    _print_password(created.password)


def _print_password(generated: str | None) -> None:
    if generated is not None:
        print_message("Its password, shown only once:")
        typer.echo(generated)


def _password(*, given: bool) -> str | None:
    """Return the password from stdin, None if it is to be generated."""
    if not given:
        return None
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ServingError("There is no password on stdin.")
    return password
