"""`ledger analyst`: roles that may read the warehouse, and nothing else."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from ledger_pipelines.serving import analysts
from ledger_pipelines.serving.analysts import Created
from ledger_pipelines.serving.cli.acting import written_down
from ledger_pipelines.serving.cli.console import answering, print_json, print_table, say
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Analysts: roles that may read the warehouse, and nothing else.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_Name = Annotated[str, typer.Option("--name", help="The role.")]
_FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin; without it, one is generated.")
]


@app.command("create")
def create(name: _Name = "analyst", password_stdin: _FromStdin = False, as_json: _AsJson = False) -> None:
    """Create a role that may read everything and change nothing; a generated password is printed once."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        password = _password(given=password_stdin)
        with written_down(databases, "analyst create", name):
            made = analysts.create(databases, name, password)
    if as_json:
        print_json({"success": True} | asdict(made))
    else:
        _tell(made)


@app.command("list")
def list_analysts(as_json: _AsJson = False) -> None:
    """Show who may read the warehouse, and how many sessions each has."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        found = analysts.listed(databases)
    if as_json:
        print_json({"success": True, "analysts": [asdict(one) for one in found]})
        return
    rows = [(one.name, one.valid_until, one.sessions) for one in found]
    print_table("Analysts", ("name", "valid until", "sessions"), rows)


@app.command("password")
def change_password(name: _Name = "analyst", password_stdin: _FromStdin = False, as_json: _AsJson = False) -> None:
    """Give an analyst another password; a generated one is printed once."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        password = _password(given=password_stdin)
        with written_down(databases, "analyst password", name):
            generated = analysts.change_password(databases, name, password)
    if as_json:
        print_json({"success": True, "name": name, "password": generated})
        return
    say(f"{name} has another password.")
    _print_password(generated)


@app.command("drop")
def drop(name: _Name = "analyst", as_json: _AsJson = False) -> None:
    """Drop an analyst's role and end its sessions."""
    with (
        answering(as_json=as_json),
        Databases(load_settings()) as databases,
        written_down(databases, "analyst drop", name),
    ):
        analysts.drop(databases, name)
    if as_json:
        print_json({"success": True, "name": name})
    else:
        say(f"{name} is dropped.")


def _tell(made: Created) -> None:
    if made.existed:
        say(f"{made.name} was there already and keeps its password; what it may read has been granted anew.")
    else:
        say(f"{made.name} may read the warehouse.")
    say(f'Log in by: psql "{made.address}"')
    if made.open_databases:
        say(
            f"It may also connect to {', '.join(made.open_databases)}, as everybody on this server may; to forbid "
            "that, let their owner run: REVOKE CONNECT ON DATABASE … FROM PUBLIC"
        )
    if made.for_administrator:
        say(
            "It may also do what every role may here, and that is more than reading: fill the server's memory by "
            "advisory locks, and its disk by temporary tables or large objects. The user of LEDGER_WAREHOUSE_URL "
            "cannot forbid that; let an administrator of the server run, in this database:\n"
        )
        for statement in made.for_administrator:
            say(f"    {statement};")
    _print_password(made.password)


def _print_password(generated: str | None) -> None:
    if generated is not None:
        say("Its password, which is shown this once:")
        typer.echo(generated)


def _password(*, given: bool) -> str | None:
    """The password out of stdin, if one is given there."""
    if not given:
        return None
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ServingError("There is no password on stdin.")
    return password
