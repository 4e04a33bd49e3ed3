"""Roles of analysts: read access to the warehouse, and no other privilege.

Each warehouse has one group role, which holds the grants and cannot log in. Analysts log in with roles of their own
that are members of the group. Roles belong to the server, so the group is named after the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.tables import metadata

#: Schemas that an analyst may read, in the order in which unqualified names are looked up.
READABLE_SCHEMAS = ("analytics", "ledger", "billing", "erp", "ops")
#: Schemas whose future tables, mostly partitions, are readable too. Tables of `ops` are granted one by one.
_OPEN_SCHEMAS = READABLE_SCHEMAS[:-1]
#: Tables of `ops` that only the program reads, because they hold credentials and the actions of users.
WITHHELD_TABLES = frozenset({"api_tokens", "audit_log", "sessions"})
STATEMENT_TIMEOUT, IDLE_TIMEOUT = "5min", "10min"
#: Number of concurrent sessions of an analyst. A session cannot change this limit, unlike the two timeouts.
MAX_SESSIONS = 10
#: Functions that PostgreSQL lets every role call and that do more than read. Enough advisory locks stop every session
#: of the server, and large objects fill its disk. Functions that release a lock stay, for connection pools.
_UNSAFE_FUNCTIONS = "^(pg_(try_)?advisory_(xact_)?lock(_shared)?|lo_creat|lo_create|lo_from_bytea)$"
_MAX_DATABASE_NAME = 54  # PostgreSQL cuts names off at 63 characters


@dataclass(frozen=True)
class Analyst:
    """Login role of an analyst, with its expiry (None: no expiry) and its current number of sessions."""

    name: str
    valid_until: datetime | None
    sessions: int


@dataclass(frozen=True)
class PublicPrivilege:
    """Privilege in the warehouse that PUBLIC has and that allows more than reading.

    Attributes:
        revoke_statements: The SQL statements that revoke the privilege from PUBLIC.
        can_revoke: True if the configured user may run these statements.
    """

    revoke_statements: Sequence[str]
    can_revoke: bool


def group_role_name(connection: sa.Connection) -> str:
    """Return the name of the group role of the connected warehouse."""
    database = connection.execute(sa.select(sa.func.current_database())).scalar_one()
    return f"{database[:_MAX_DATABASE_NAME]}_analysts"


def role_exists(connection: sa.Connection, name: str) -> bool:
    """Return True if the server has a role of that name."""
    query = sa.text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name)")
    return bool(connection.scalar(query, {"name": name}))


def list_analysts(connection: sa.Connection) -> list[Analyst]:
    """Return the login roles of the group, by name."""
    members = sa.text(
        "SELECT r.rolname, r.rolvaliduntil, "
        "(SELECT count(*) FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) "
        "FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member JOIN pg_roles AS g ON g.oid = m.roleid "
        "WHERE g.rolname = :group AND r.rolcanlogin AND r.rolname <> current_user ORDER BY r.rolname"
    )
    return [Analyst(*row) for row in connection.execute(members, {"group": group_role_name(connection)})]


def create_group_sql(connection: sa.Connection) -> str:
    """Return the SQL that creates the group role."""
    return f"CREATE ROLE {_quoted(connection, group_role_name(connection))} NOLOGIN"


def create_login_sql(connection: sa.Connection, name: str, zone: str, password: str) -> list[str]:
    """Return the SQL that creates a login role in the group and sets the defaults of its sessions in this database.

    Args:
        connection: To the warehouse.
        name: The role.
        zone: The company's time zone.
        password: The password or its verifier.
    """
    role, group = _quoted(connection, name), _quoted(connection, group_role_name(connection))
    # Defaults that a session may change. The protection is that only SELECT is granted.
    settings = {
        "search_path": ", ".join(READABLE_SCHEMAS),
        "default_transaction_read_only": "on",
        "statement_timeout": f"'{STATEMENT_TIMEOUT}'",
        "idle_in_transaction_session_timeout": f"'{IDLE_TIMEOUT}'",
        "timezone": f"'{zone}'",
    }
    return [
        f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {MAX_SESSIONS} PASSWORD {_literal(password)} IN ROLE {group}",
        *(
            f"ALTER ROLE {role} IN DATABASE {_database(connection)} SET {setting} = {value}"
            for setting, value in settings.items()
        ),
    ]


def grant_read_access(connection: sa.Connection) -> None:
    """Grant the group read access, including to future tables, and revoke privileges of PUBLIC that allow more.

    Idempotent. Runs in the caller's transaction, as the owner of the schemas.
    """
    group, schemas = _quoted(connection, group_role_name(connection)), ", ".join(_OPEN_SCHEMAS)
    preparer = connection.dialect.identifier_preparer
    tables = (table for table in metadata.sorted_tables if table.schema == "ops" and table.name not in WITHHELD_TABLES)
    statements = [
        f"GRANT CONNECT ON DATABASE {_database(connection)} TO {group}",
        f"GRANT USAGE ON SCHEMA {', '.join(READABLE_SCHEMAS)} TO {group}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {group}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT ON TABLES TO {group}",
        f"GRANT SELECT ON {', '.join(preparer.format_table(table) for table in tables)} TO {group}",
    ]
    closing = [
        statement
        for opening in public_privileges(connection)
        if opening.can_revoke
        for statement in opening.revoke_statements
    ]
    for statement in statements + closing:
        connection.exec_driver_sql(statement)


def public_privileges(connection: sa.Connection) -> list[PublicPrivilege]:
    """Return the privileges beyond reading that PUBLIC, and therefore every analyst, still has in the warehouse.

    They belong to the database, so a new database into which a dump is restored has them again.
    """
    return [*_temporary_table_privilege(connection), *_function_privileges(connection)]


def _temporary_table_privilege(connection: sa.Connection) -> Sequence[PublicPrivilege]:
    query = sa.text(
        "SELECT pg_has_role(datdba, 'USAGE'), quote_ident(current_user) FROM pg_database "
        "WHERE datname = current_database() AND has_database_privilege('public', oid, 'TEMPORARY')"
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return []
    is_ours, user = row
    # The user that writes the ledger needs this privilege, and has it only through PUBLIC unless it owns the database.
    kept = [] if is_ours else [f"GRANT TEMPORARY ON DATABASE {_database(connection)} TO {user}"]
    return [PublicPrivilege([*kept, f"REVOKE TEMPORARY ON DATABASE {_database(connection)} FROM PUBLIC"], is_ours)]


def _function_privileges(connection: sa.Connection) -> Sequence[PublicPrivilege]:
    query = sa.text(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ :names AND has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1"
    )
    names = connection.scalars(query, {"names": _UNSAFE_FUNCTIONS}).all()
    if not names:
        return []
    is_ours = connection.scalar(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    return [PublicPrivilege([f"REVOKE EXECUTE ON FUNCTION {', '.join(names)} FROM PUBLIC"], bool(is_ours))]


def refresh_grants(connection: sa.Connection) -> bool:
    """Grant read access to new tables and views if the group exists; return True if it does."""
    if not role_exists(connection, group_role_name(connection)):
        return False
    grant_read_access(connection)
    return True


def drop_role(connection: sa.Connection, name: str) -> None:
    """Drop a login role of the group, which owns no objects. Sessions that this user may terminate are terminated."""
    terminate = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE usename = :name AND pg_has_role(current_user, usesysid, 'USAGE')"
    )
    connection.execute(terminate, {"name": name})
    connection.exec_driver_sql(f"DROP ROLE {_quoted(connection, name)}")


def set_password(connection: sa.Connection, name: str, password: str) -> None:
    """Set the password of a role, given as password or verifier."""
    connection.exec_driver_sql(f"ALTER ROLE {_quoted(connection, name)} PASSWORD {_literal(password)}")


def password_verifier(connection: sa.Connection, name: str, password: str) -> str:
    """Return the SCRAM verifier of a password, so that statements and their logs do not contain the password."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise WarehouseError("The connection to the warehouse is closed. Run the command again.")
    verifier: bytes = driver.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    return verifier.decode()


def revoke_public_connect(connection: sa.Connection, databases: Sequence[str]) -> None:
    """Revoke CONNECT and TEMPORARY on databases from PUBLIC; owners and roles granted by name keep them."""
    preparer = connection.dialect.identifier_preparer
    for name in map(preparer.quote_identifier, databases):
        connection.exec_driver_sql(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")


def owned_databases(connection: sa.Connection) -> list[str]:
    """Return the server's other databases that the configured user owns."""
    query = sa.text(
        "SELECT d.datname FROM pg_database AS d JOIN pg_roles AS r ON r.oid = d.datdba "
        "WHERE d.datallowconn AND d.datname <> current_database() AND r.rolname = current_user ORDER BY d.datname"
    )
    return list(connection.scalars(query))


def connectable_databases(connection: sa.Connection, name: str) -> list[str]:
    """Return the server's other databases that a role may connect to."""
    query = sa.text(
        "SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database() "
        "AND has_database_privilege(:name, oid, 'CONNECT') ORDER BY datname"
    )
    return list(connection.scalars(query, {"name": name}))


def _database(connection: sa.Connection) -> str:
    name = connection.scalar(sa.select(sa.func.current_database()))
    return _quoted(connection, str(name))


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
