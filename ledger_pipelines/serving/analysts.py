"""Analysts, read-only roles of the warehouse: create, list, change passwords, drop."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege

from ledger_pipelines.analytics import role
from ledger_pipelines.analytics.role import Analyst
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MIN_PASSWORD_LENGTH = 12
_GENERATED_BYTES = 24


@dataclass(frozen=True)
class CreatedAnalyst:
    """Result of creating an analyst.

    Attributes:
        name: Name of the role.
        password: The generated password; None if one was given, or if the role existed and keeps its own.
        existed: Whether the role existed already and only its grants were renewed.
        address: URL for logging in, without a password.
        open_databases: Other databases of the server that every role may connect to.
        for_administrator: SQL that revokes more than reading from PUBLIC and that the configured user may not run;
            empty if nothing is left to revoke.
    """

    name: str
    password: str | None
    existed: bool
    address: str
    open_databases: tuple[str, ...]
    for_administrator: tuple[str, ...]


def create(databases: Databases, name: str, password: str | None) -> CreatedAnalyst:
    """Create a role for an analyst, and the group with the grants if it does not exist yet.

    Args:
        databases: The installation's databases.
        name: Name of the role.
        password: Its password; None to generate one.

    Raises:
        ServingError: the name or the password is invalid, or the configured user may not create roles; the message
            then contains the SQL for an administrator.
        WarehouseError: the warehouse cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise ServingError(
            f"{name!r} is not a valid role name. Use lower-case letters, digits and underscores, 63 characters at most."
        )
    given = _checked(password)
    with databases.warehouse_transaction() as connection:
        existed = _exists(connection, name)
        stored = role.password_verifier(connection, name, given)
        with _permitted(databases, _administrator_sql(connection, name, databases.settings), name):
            if not role.role_exists(connection, role.group_role_name(connection)):
                connection.exec_driver_sql(role.create_group_sql(connection))
            if not existed:
                for statement in role.create_login_sql(connection, name, databases.settings.timezone, stored):
                    connection.exec_driver_sql(statement)
            role.grant_read_access(connection)
            role.revoke_public_connect(connection, _databases_to_close(connection, databases.settings))
        open_databases = tuple(role.connectable_databases(connection, name))
        left = tuple(
            statement for opening in role.public_privileges(connection) for statement in opening.revoke_statements
        )
    generated = None if existed or password is not None else given
    return CreatedAnalyst(name, generated, existed, _address(databases, name), open_databases, left)


def list_all(databases: Databases) -> list[Analyst]:
    """Return the analysts, ordered by name.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with databases.warehouse_connection() as connection:
        return role.list_analysts(connection)


def drop(databases: Databases, name: str) -> None:
    """Drop an analyst's role and end its sessions.

    Raises:
        ServingError: there is no such analyst, or the configured user may not drop it.
        WarehouseError: the warehouse cannot be used.
    """
    with databases.warehouse_transaction() as connection:
        _check_is_analyst(connection, name)
        with _permitted(databases, [f"DROP ROLE {name}"]):
            role.drop_role(connection, name)


def change_password(databases: Databases, name: str, password: str | None) -> str | None:
    """Change an analyst's password; return the generated one, None if one was given.

    Raises:
        ServingError: there is no such analyst, the password is invalid, or the configured user may not change it.
        WarehouseError: the warehouse cannot be used.
    """
    given = _checked(password)
    with databases.warehouse_transaction() as connection:
        _check_is_analyst(connection, name)
        with _permitted(databases, [f"ALTER ROLE {name} PASSWORD '…'"]):
            role.set_password(connection, name, role.password_verifier(connection, name, given))
    return given if password is None else None


def _checked(password: str | None) -> str:
    """Return the password if it is valid; generate one for None."""
    if password is None:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if len(password) < _MIN_PASSWORD_LENGTH:
        raise ServingError(f"The password is too short. Use {_MIN_PASSWORD_LENGTH} characters or more.")
    if not password.isprintable():
        raise ServingError("The password contains characters that are not printable. Use printable ones only.")
    return password


def _exists(connection: sa.Connection, name: str) -> bool:
    """Return whether the analyst exists; raise an error if the name belongs to a role that is no analyst."""
    if not role.role_exists(connection, name):
        return False
    if name not in {analyst.name for analyst in role.list_analysts(connection)}:
        raise ServingError(f"The server has a role {name} that is not an analyst. Choose another name with --name.")
    return True


def _check_is_analyst(connection: sa.Connection, name: str) -> None:
    if name not in {analyst.name for analyst in role.list_analysts(connection)}:
        raise ServingError(f"There is no analyst {name!r}. See: ledger analyst list")


def _administrator_sql(connection: sa.Connection, name: str, settings: Settings) -> list[str]:
    """Return the SQL that a user who may create roles has to run."""
    group = (
        [] if role.role_exists(connection, role.group_role_name(connection)) else [role.create_group_sql(connection)]
    )
    return [*group, *role.create_login_sql(connection, name, settings.timezone, "choose a password")]


@contextmanager
def _permitted(databases: Databases, statements: Sequence[str], name: str | None = None) -> Iterator[None]:
    """Convert a missing privilege into an error with the SQL for an administrator."""
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        then = f"Then run again, for the grants: ledger analyst create --name {name}" if name else ""
        raise ServingError(
            f"The user {databases.warehouse.url.username} of LEDGER_WAREHOUSE_URL lacks a privilege: {error.orig} "
            "Nothing was changed. An administrator of the server has to run:\n\n"
            + "".join(f"    {statement};\n" for statement in statements)
            + f"\n{then}"
        ) from error


def _databases_to_close(connection: sa.Connection, settings: Settings) -> list[str]:
    """Return the server's databases to close to analysts: all others of the embedded server, else only Dagster's."""
    owned = role.owned_databases(connection)
    if settings.warehouse_url is None:
        return owned
    warehouse, dagster = database_urls.warehouse_url(settings), database_urls.dagster_storage_url(settings)
    same_server = (warehouse.host, warehouse.port) == (dagster.host, dagster.port)
    return [name for name in owned if same_server and name == dagster.database]


def _address(databases: Databases, name: str) -> str:
    url = databases.warehouse.url
    return sa.URL.create("postgresql", name, host=url.host, port=url.port, database=url.database).render_as_string()
