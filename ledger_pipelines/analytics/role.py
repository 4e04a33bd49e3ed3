"""The analyst's role: who may read what, and nothing more.

Each warehouse has one group role, which holds the grants and cannot log in; people log in by roles of their own that
are in it. Roles belong to the server, so the group is called after the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import metadata

#: What an analyst may read, in the order in which bare names are looked up.
SCHEMAS = ("analytics", "ledger", "billing", "erp", "ops")
#: Schemas of which whatever comes is for analysts too: partitions above all. Of `ops` each table is granted by itself.
_OPEN = SCHEMAS[:-1]
#: Tables of `ops` that are nobody's to read but the program's: what lets somebody in, and what they did.
WITHHELD = frozenset({"api_tokens", "audit_log", "sessions"})
STATEMENT_TIMEOUT, IDLE_TIMEOUT = "5min", "10min"
#: How many sessions an analyst may have at a time; unlike the others, a limit that a session cannot lift.
MOST_SESSIONS = 10
#: What everybody may call on a server as it comes, and is more than reading: advisory locks, of which enough stop every
#: session of the server, and large objects, which fill its disk. Those that end a lock stay, for pools of connections.
_MORE_THAN_READING = "^(pg_(try_)?advisory_(xact_)?lock(_shared)?|lo_creat|lo_create|lo_from_bytea)$"
_LONGEST_DATABASE = 54  # PostgreSQL cuts names off at 63 characters


class AnalystError(Exception):
    """The role cannot be what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Analyst:
    """A role that may log in as an analyst, until when if not for ever, and how many sessions it has now."""

    name: str
    valid_until: datetime | None
    sessions: int


@dataclass(frozen=True)
class Opening:
    """Something that everybody may do in the warehouse, and that is more than reading.

    Attributes:
        closing: The SQL that takes it from everybody.
        is_ours: Whether the configured user may run that.
    """

    closing: Sequence[str]
    is_ours: bool


def group_of(connection: sa.Connection) -> str:
    """The group role of the warehouse that one is connected to."""
    database = connection.execute(sa.select(sa.func.current_database())).scalar_one()
    return f"{database[:_LONGEST_DATABASE]}_analysts"


def exists(connection: sa.Connection, name: str) -> bool:
    """True if the server has a role of that name."""
    found = sa.text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name)")
    return bool(connection.scalar(found, {"name": name}))


def analysts(connection: sa.Connection) -> list[Analyst]:
    """The roles in the group, by name."""
    members = sa.text(
        "SELECT r.rolname, r.rolvaliduntil, "
        "(SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) "
        "FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member JOIN pg_roles AS g ON g.oid = m.roleid "
        "WHERE g.rolname = :group AND r.rolcanlogin AND r.rolname <> current_user ORDER BY r.rolname"
    )
    return [Analyst(*row) for row in connection.execute(members, {"group": group_of(connection)})]


def group_creation(connection: sa.Connection) -> str:
    """The SQL that creates the group."""
    return f"CREATE ROLE {_quoted(connection, group_of(connection))} NOLOGIN"


def login_creation(connection: sa.Connection, name: str, zone: str, password: str) -> list[str]:
    """The SQL that creates a role to log in by, in the group, and how its sessions in this database begin.

    Args:
        connection: To the warehouse.
        name: The role.
        zone: The company's time zone.
        password: The password, or what is stored of it.
    """
    role, group = _quoted(connection, name), _quoted(connection, group_of(connection))
    # Defaults, which a session may change: what holds is that nothing but reading is granted.
    settings = {
        "search_path": ", ".join(SCHEMAS),
        "default_transaction_read_only": "on",
        "statement_timeout": f"'{STATEMENT_TIMEOUT}'",
        "idle_in_transaction_session_timeout": f"'{IDLE_TIMEOUT}'",
        "timezone": f"'{zone}'",
    }
    return [
        f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {MOST_SESSIONS} PASSWORD {_literal(password)} IN ROLE {group}",
        *(
            f"ALTER ROLE {role} IN DATABASE {_database(connection)} SET {setting} = {value}"
            for setting, value in settings.items()
        ),
    ]


def grant(connection: sa.Connection) -> None:
    """Let the group read what an analyst may read, what comes later included, and take more from everybody; repeatable.

    In the caller's transaction, as the owner of the schemas.
    """
    group, schemas = _quoted(connection, group_of(connection)), ", ".join(_OPEN)
    preparer = connection.dialect.identifier_preparer
    tables = (table for table in metadata.sorted_tables if table.schema == "ops" and table.name not in WITHHELD)
    statements = [
        f"GRANT CONNECT ON DATABASE {_database(connection)} TO {group}",
        f"GRANT USAGE ON SCHEMA {', '.join(SCHEMAS)} TO {group}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {group}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT ON TABLES TO {group}",
        f"GRANT SELECT ON {', '.join(preparer.format_table(table) for table in tables)} TO {group}",
    ]
    closing = [statement for opening in openings(connection) if opening.is_ours for statement in opening.closing]
    for statement in statements + closing:
        connection.exec_driver_sql(statement)


def openings(connection: sa.Connection) -> list[Opening]:
    """What everybody, and so an analyst, may still do in the warehouse beside reading.

    It belongs to the database, and so comes back with a new one into which a dump is restored.
    """
    return [*_temporary_tables(connection), *_functions(connection)]


def _temporary_tables(connection: sa.Connection) -> Sequence[Opening]:
    found = sa.text(
        "SELECT pg_has_role(datdba, 'USAGE'), quote_ident(current_user) FROM pg_database "
        "WHERE datname = current_database() AND has_database_privilege('public', oid, 'TEMPORARY')"
    )
    row = connection.execute(found).one_or_none()
    if row is None:
        return []
    is_ours, user = row
    # Whoever writes the ledger needs it, and has it by no other way unless the database is theirs.
    kept = [] if is_ours else [f"GRANT TEMPORARY ON DATABASE {_database(connection)} TO {user}"]
    return [Opening([*kept, f"REVOKE TEMPORARY ON DATABASE {_database(connection)} FROM PUBLIC"], is_ours)]


def _functions(connection: sa.Connection) -> Sequence[Opening]:
    found = sa.text(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ :names AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1"
    )
    names = connection.scalars(found, {"names": _MORE_THAN_READING}).all()
    if not names:
        return []
    is_ours = connection.scalar(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    return [Opening([f"REVOKE EXECUTE ON FUNCTION {', '.join(names)} FROM PUBLIC"], bool(is_ours))]


def renew(connection: sa.Connection) -> bool:
    """Grant what a newer schema has, if there is a group; True if there is."""
    if not exists(connection, group_of(connection)):
        return False
    grant(connection)
    return True


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a role of the group; it owns nothing. Its sessions end, as far as one may end them."""
    ending = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = :name AND pg_has_role(current_user, usesysid, 'USAGE')"
    )
    connection.execute(ending, {"name": name})
    connection.exec_driver_sql(f"DROP ROLE {_quoted(connection, name)}")


def set_password(connection: sa.Connection, name: str, password: str) -> None:
    """Give a role another password (or what is stored of it)."""
    connection.exec_driver_sql(f"ALTER ROLE {_quoted(connection, name)} PASSWORD {_literal(password)}")


def scrambled(connection: sa.Connection, name: str, password: str) -> str:
    """What the server stores of a password: so the password itself is in no statement, and in no log of them."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise AnalystError("The connection to the warehouse is closed.")
    verifier: bytes = driver.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    return verifier.decode()


def shut(connection: sa.Connection, databases: Sequence[str]) -> None:
    """Let nobody connect to databases of the server but who owns them or was given it by name."""
    preparer = connection.dialect.identifier_preparer
    for name in map(preparer.quote_identifier, databases):
        connection.exec_driver_sql(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")


def owned_databases(connection: sa.Connection) -> list[str]:
    """The server's other databases that the configured user owns."""
    found = sa.text(
        "SELECT d.datname FROM pg_database AS d JOIN pg_roles AS r ON r.oid = d.datdba "
        "WHERE d.datallowconn AND d.datname <> current_database() AND r.rolname = current_user ORDER BY d.datname"
    )
    return list(connection.scalars(found))


def databases_open_to(connection: sa.Connection, name: str) -> list[str]:
    """The server's other databases that a role may connect to, as everybody may."""
    found = sa.text(
        "SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database() "
        "AND has_database_privilege(:name, oid, 'CONNECT') ORDER BY datname"
    )
    return list(connection.scalars(found, {"name": name}))


def _database(connection: sa.Connection) -> str:
    name = connection.scalar(sa.select(sa.func.current_database()))
    return _quoted(connection, str(name))


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
