"""`ledger token`: who may use the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import sqlalchemy as sa
import typer

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.access.tokens import Created
from ledger_pipelines.serving.cli.acting import written_down
from ledger_pipelines.serving.cli.console import answering, out, print_json, print_table, say
from ledger_pipelines.serving.cli.ready import make_ready
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse import api_tokens
from ledger_pipelines.warehouse.api_tokens import Role, Token
from ledger_pipelines.warehouse.engine import reachable

app = typer.Typer(no_args_is_help=True, help="Who may use the API: create, list and revoke tokens.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
_COLUMNS = ("name", "role", "state", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
_FIRST = "first-admin"


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whom or what it is given to; the audit log names it.")],
    role: Annotated[Role, typer.Option(help="viewer: may read; admin: may act, too.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="After how many days it expires; not given: never.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Make a token and print it, this once: only a hash of it is kept."""
    with answering(as_json=as_json), _databases() as databases:
        made = _create(databases, name, role, days)
    if as_json:
        print_json({"success": True, "token": made.text} | _shown(made.token))
        return
    until = f"until {made.token.expires_at:%Y-%m-%d %H:%M}" if made.token.expires_at else "until it is revoked"
    say(f"The token of {name!r}, valid {until}. It is shown this once:")
    out.print(made.text, markup=False, soft_wrap=True)


@app.command("list")
def list_tokens(as_json: _AsJson = False) -> None:
    """List all tokens that were ever given out, the newest first."""
    with answering(as_json=as_json), _databases() as databases, _transaction(databases) as connection:
        found = api_tokens.every(connection)
    if as_json:
        print_json({"success": True, "tokens": [_shown(token) for token in found]})
        return
    rows = [[getattr(token, column) for column in _COLUMNS] for token in found]
    print_table("Tokens", [column.replace("_", " ") for column in _COLUMNS], rows)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Whose token.")],
    as_json: _AsJson = False,
) -> None:
    """Refuse a token from now on."""
    with answering(as_json=as_json), _databases() as databases, written_down(databases, "token revoke", name):
        with _transaction(databases) as connection:
            revoked = api_tokens.revoke(connection, name)
        if revoked is None:
            raise ServingError(f"There is no token called {name!r} that is not revoked. `ledger token list` lists all.")
    if as_json:
        print_json({"success": True} | _shown(revoked))
    else:
        say(f"The token of {name!r} is refused from now on.")


def first_token(databases: Databases) -> Created | None:
    """An admin's token where none was ever given out; None where one was."""
    with _transaction(databases) as connection:
        if api_tokens.any_ever(connection):
            return None
    return _create(databases, _FIRST, "admin", None)


def _create(databases: Databases, name: str, role: Role, days: int | None) -> Created:
    with written_down(databases, "token create", f"{name} ({role})"), _transaction(databases) as connection:
        return tokens.create(connection, name, role, days)


@contextmanager
def _databases() -> Iterator[Databases]:
    settings = load_settings()
    make_ready(settings)
    with Databases(settings) as databases:
        yield databases


@contextmanager
def _transaction(databases: Databases) -> Iterator[sa.Connection]:
    with reachable(databases.warehouse), databases.warehouse.begin() as connection:
        yield connection


def _shown(token: Token) -> dict[str, object]:
    """A token for a program; times in ISO 8601 with their offset."""
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    shown = asdict(token)
    return shown | {name: shown[name].isoformat() for name in moments if shown[name] is not None}
