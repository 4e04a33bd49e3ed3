"""The analysts of a warehouse: created, listed, given passwords, dropped."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.analytics import role
from ledger_pipelines.analytics.role import Analyst, AnalystError
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import reachable

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SHORTEST_PASSWORD = 12
_GENERATED_BYTES = 24
_MAY_NOT = "42501"  # SQLSTATE: insufficient privilege


@dataclass(frozen=True)
class Created:
    """What creating an analyst came to.

    Attributes:
        name: The role.
        password: The one that was generated; None: it was given, or the role was there and keeps its own.
        existed: Whether the role was there already, and only its grants were made anew.
        address: Where it logs in, without a password.
        open_databases: Other databases of the server that it may connect to, as everybody may.
        for_administrator: The SQL that takes from everybody what is more than reading, where the configured user may
            not; empty: nothing is left to be taken.
    """

    name: str
    password: str | None
    existed: bool
    address: str
    open_databases: tuple[str, ...]
    for_administrator: tuple[str, ...]


def create(databases: Databases, name: str, password: str | None) -> Created:
    """Create a role for an analyst, and the group with its grants where there is none yet.

    Args:
        databases: Of the installation.
        name: The role.
        password: Its password; None: one is generated.

    Raises:
        AnalystError: the name or the password will not do, or the configured user may not create roles: the message
            then has the SQL for an administrator.
        WarehouseError: the warehouse cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise AnalystError(f"{name!r} is no name for a role: use small letters, digits and underscores, 63 at most.")
    given = _checked(password)
    with reachable(databases.warehouse), databases.warehouse.begin() as connection:
        existed = _exists(connection, name)
        stored = role.scrambled(connection, name, given)
        with _permitted(databases, _for_an_administrator(connection, name, databases.settings), name):
            if not role.exists(connection, role.group_of(connection)):
                connection.exec_driver_sql(role.group_creation(connection))
            if not existed:
                for statement in role.login_creation(connection, name, databases.settings.timezone, stored):
                    connection.exec_driver_sql(statement)
            role.grant(connection)
            role.shut(connection, _databases_to_shut(connection, databases.settings))
        open_databases = tuple(role.databases_open_to(connection, name))
        left = tuple(statement for opening in role.openings(connection) for statement in opening.closing)
    generated = None if existed or password is not None else given
    return Created(name, generated, existed, _address(databases, name), open_databases, left)


def listed(databases: Databases) -> list[Analyst]:
    """The analysts by name.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return role.analysts(connection)


def drop(databases: Databases, name: str) -> None:
    """Drop an analyst's role, ending its sessions.

    Raises:
        AnalystError: there is no such analyst, or the configured user may not.
        WarehouseError: the warehouse cannot be used.
    """
    with reachable(databases.warehouse), databases.warehouse.begin() as connection:
        _check_is_analyst(connection, name)
        with _permitted(databases, [f"DROP ROLE {name}"]):
            role.drop(connection, name)


def change_password(databases: Databases, name: str, password: str | None) -> str | None:
    """Give an analyst another password; returns the one that was generated, None if it was given.

    Raises:
        AnalystError: there is no such analyst, the password will not do, or the configured user may not.
        WarehouseError: the warehouse cannot be used.
    """
    given = _checked(password)
    with reachable(databases.warehouse), databases.warehouse.begin() as connection:
        _check_is_analyst(connection, name)
        with _permitted(databases, [f"ALTER ROLE {name} PASSWORD '…'"]):
            role.set_password(connection, name, role.scrambled(connection, name, given))
    return given if password is None else None


def _checked(password: str | None) -> str:
    """The password that was given, or a new one."""
    if password is None:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if len(password) < _SHORTEST_PASSWORD:
        raise AnalystError(f"The password is too short: {_SHORTEST_PASSWORD} characters or more.")
    if not password.isprintable():
        raise AnalystError("The password has characters that cannot be printed.")
    return password


def _exists(connection: sa.Connection, name: str) -> bool:
    """Whether the analyst is there already; refuses what is somebody else's role."""
    if not role.exists(connection, name):
        return False
    if name not in {analyst.name for analyst in role.analysts(connection)}:
        raise AnalystError(f"The server has a role {name} that is no analyst's. Choose another name: --name")
    return True


def _check_is_analyst(connection: sa.Connection, name: str) -> None:
    if name not in {analyst.name for analyst in role.analysts(connection)}:
        raise AnalystError(f"There is no analyst {name!r}. See: ledger analyst list")


def _for_an_administrator(connection: sa.Connection, name: str, settings: Settings) -> list[str]:
    """The SQL that somebody who may create roles has to run."""
    group = [] if role.exists(connection, role.group_of(connection)) else [role.group_creation(connection)]
    return [*group, *role.login_creation(connection, name, settings.timezone, "choose a password")]


@contextmanager
def _permitted(databases: Databases, statements: Sequence[str], name: str | None = None) -> Iterator[None]:
    """Turn the server's refusal into one that says who has to do what."""
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _MAY_NOT:
            raise
        again = f"Then let the grants be made: ledger analyst create --name {name}" if name else ""
        raise AnalystError(
            f"The user {databases.warehouse.url.username} of LEDGER_WAREHOUSE_URL may not do that: {error.orig} "
            "Nothing was changed. Let an administrator of the server run:\n\n"
            + "".join(f"    {statement};\n" for statement in statements)
            + f"\n{again}"
        ) from error


def _databases_to_shut(connection: sa.Connection, settings: Settings) -> list[str]:
    """The server's databases that are ours and no analyst's: all others of the embedded server, else Dagster's."""
    owned = role.owned_databases(connection)
    if settings.warehouse_url is None:
        return owned
    warehouse, dagster = servers.warehouse(settings), servers.dagster_storage(settings)
    same_server = (warehouse.host, warehouse.port) == (dagster.host, dagster.port)
    return [name for name in owned if same_server and name == dagster.database]


def _address(databases: Databases, name: str) -> str:
    url = databases.warehouse.url
    return sa.URL.create("postgresql", name, host=url.host, port=url.port, database=url.database).render_as_string()
