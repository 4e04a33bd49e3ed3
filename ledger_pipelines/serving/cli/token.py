"""`ledger token`: tokens of the API and the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.access.tokens import CreatedToken
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.auditing import audited_command
from ledger_pipelines.serving.cli.common.console import (
    AsJson,
    json_errors,
    out,
    print_message,
    print_records,
    print_success,
)
from ledger_pipelines.serving.cli.common.preparation import prepare_with_message
from ledger_pipelines.settings import load_settings
from ledger_pipelines.warehouse.ops import api_tokens
from ledger_pipelines.warehouse.ops.api_tokens import Role, Token

app = typer.Typer(no_args_is_help=True, help="Access tokens of the API and the dashboard: create, list, revoke.")

_COLUMNS = ("name", "role", "state", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
_FIRST = "first-admin"


@app.command()
def create(
    name: Annotated[
        str, typer.Option(help="Name of the person or program that gets the token; shown in the audit log.")
    ],
    role: Annotated[Role, typer.Option(help="viewer: read only; admin: read and change.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until the token expires; default: it never expires.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it. It cannot be shown again: only its hash is stored."""
    with json_errors(as_json=as_json), _databases() as databases:
        made = _create(databases, name, role, days)
    if as_json:
        print_success(token=made.text, **_token_as_json(made.token))
        return
    until = f"until {made.token.expires_at:%Y-%m-%d %H:%M}" if made.token.expires_at else "until it is revoked"
    print_message(f"Token of {name!r}, valid {until}. It is shown only once:")
    out.print(made.text, markup=False, soft_wrap=True)


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List all tokens, also expired and revoked ones, newest first."""
    with json_errors(as_json=as_json), _databases() as databases, databases.warehouse_transaction() as connection:
        found = api_tokens.all_tokens(connection)
    if as_json:
        print_success(tokens=[_token_as_json(token) for token in found])
        return
    print_records("Tokens", _COLUMNS, [asdict(token) for token in found])


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the token.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a token: it is refused from now on."""
    with json_errors(as_json=as_json), _databases() as databases, audited_command(databases, "token revoke", name):
        with databases.warehouse_transaction() as connection:
            revoked = api_tokens.revoke(connection, name)
        if revoked is None:
            raise ServingError(
                f"There is no token named {name!r}, or it is already revoked. To list all tokens: ledger token list"
            )
    if as_json:
        print_success(**_token_as_json(revoked))
    else:
        print_message(f"The token of {name!r} is revoked.")


def create_first_token(databases: Databases) -> CreatedToken | None:
    """Create and return the first administrator token; None if any token was ever created."""
    with databases.warehouse_transaction() as connection:
        if api_tokens.any_issued(connection):
            return None
    return _create(databases, _FIRST, "admin", None)


def _create(databases: Databases, name: str, role: Role, days: int | None) -> CreatedToken:
    with (
        audited_command(databases, "token create", f"{name} ({role})"),
        databases.warehouse_transaction() as connection,
    ):
        return tokens.create(connection, name, role, days)


@contextmanager
def _databases() -> Iterator[Databases]:
    settings = load_settings()
    prepare_with_message(settings)
    with Databases(settings) as databases:
        yield databases


def _token_as_json(token: Token) -> dict[str, object]:
    """Return a token as JSON; times in ISO 8601 with their offset."""
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    shown = asdict(token)
    return shown | {name: shown[name].isoformat() for name in moments if shown[name] is not None}
