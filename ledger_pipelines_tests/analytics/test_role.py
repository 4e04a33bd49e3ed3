"""Role of analysts, on both servers: it reads all tables, including future ones, and cannot change data."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics import role
from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.serving.base.databases import upgrade
from ledger_pipelines.warehouse import schema, tables
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.partitions import ensure_partition, partition_name
from ledger_pipelines.warehouse.transaction_setup import lock_tables, try_lock_tables
from ledger_pipelines_tests.support.analysts import PASSWORD, analyst_engine, databases_of
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.tables import execute

BY_MONTH = (tables.deposits, tables.transaction_calculations, tables.erp_tables["so_invoice_line"])
FORBIDDEN = "permission denied"


@pytest.fixture(scope="module")
def owner(postgres_url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to a warehouse with one month, as its owner."""
    with fresh_database(postgres_url) as url:
        engine = warehouse_engine(url, WIB)
        schema.upgrade(engine)
        with engine.begin() as connection:
            for table in BY_MONTH:
                ensure_partition(connection, table, "2025-01")
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def analyst(owner: sa.Engine) -> Iterator[sa.Engine]:
    """Yield an engine to the same warehouse with an analyst's role."""
    with analyst_engine(owner.url) as engine:
        yield engine


@pytest.fixture
def connection(analyst: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a session of the analyst."""
    with analyst.connect() as connection:
        yield connection


def test_unqualified_names_are_found(connection: sa.Connection) -> None:
    readable = [table for table in tables.metadata.sorted_tables if table.name not in role.WITHHELD_TABLES]
    expected = {table.name: f"{table.schema}.{table.name}" for table in readable}
    expected |= {view.name: f"analytics.{view.name}" for view in VIEWS}
    found = {}
    for name in expected:
        connection.exec_driver_sql(f'SELECT * FROM "{name}" LIMIT 1')
        place = sa.text(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(:name)"
        )
        found[name] = connection.scalar(place, {"name": name})
    assert found == expected


def test_future_tables_are_readable(owner: sa.Engine, analyst: sa.Engine) -> None:
    """An open session reads new tables and partitions, including staging partitions that are attached."""
    with analyst.connect() as session:
        session.exec_driver_sql("SELECT 1 FROM deposits")
        session.rollback()
        with owner.begin() as connection:
            for table in BY_MONTH:
                ensure_partition(connection, table, "2025-02")
            connection.exec_driver_sql("CREATE TABLE ledger.new_one (id int)")
        for table in BY_MONTH:
            session.exec_driver_sql(f"SELECT * FROM {partition_name(table, '2025-02')}")
        session.exec_driver_sql("SELECT * FROM new_one")
    execute(owner, "DROP TABLE ledger.new_one")


CHANGES = [
    *(f"INSERT INTO {name} DEFAULT VALUES" for name in ("customers", "loaded_months", "stockbywh")),
    "UPDATE monthly_customer_balances SET closing_balance = 0",
    "DELETE FROM transaction_calculations",
    "TRUNCATE ledger.stale_months",
    "LOCK TABLE monthly_customer_balances IN EXCLUSIVE MODE",
    "ALTER TABLE customers ADD extra int",
    "DROP VIEW analytics.current_balances",
    *(f"CREATE TABLE {name}.mine (id int)" for name in (*role.READABLE_SCHEMAS, "public")),
    "CREATE SCHEMA mine",
    "CREATE ROLE another",
    "COPY customers TO PROGRAM 'cat'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT nextval('ops.sync_logs_id_seq')",
    "CREATE TEMPORARY TABLE mine (id int)",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'much')",
    *(
        f"SELECT pg_{attempt}advisory_{until}lock{shared}({key})"
        for attempt in ("", "try_")
        for until in ("", "xact_")
        for shared in ("", "_shared")
        for key in ("1", "1, 2")
    ),
    *(f"SELECT * FROM ops.write_locks FOR {mode}" for mode in ("UPDATE", "KEY SHARE")),
    "LOCK TABLE ops.write_locks IN ROW SHARE MODE",
    "LOCK TABLE ops.alembic_version IN ACCESS SHARE MODE",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_analyst_cannot_change_data(connection: sa.Connection, statement: str) -> None:
    """The role cannot change data even if the session turns read-only off."""
    connection.exec_driver_sql("SET default_transaction_read_only = off")
    connection.commit()
    with pytest.raises(sa.exc.DBAPIError) as caught:
        connection.exec_driver_sql(statement)
    assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege), caught.value
    connection.rollback()


def test_advisory_locks_do_not_block_writers(owner: sa.Engine) -> None:
    """On an external server every role may take advisory locks until its administrator revokes the right."""
    names = [qualified_name(table) for table in tables.metadata.sorted_tables]
    impatient = sa.create_engine(owner.url, connect_args={"options": "-c lock_timeout=2s"})
    with owner.connect() as holder:
        for name in (*names, "ledger_pipelines migrations"):
            holder.execute(sa.select(sa.func.pg_advisory_lock(sa.func.hashtextextended(name, 0))))
        with impatient.begin() as writer:
            lock_tables(writer, tables.deposits)
            assert try_lock_tables(writer, tables.metadata.sorted_tables)
        schema.upgrade(impatient)
        holder.invalidate()
    impatient.dispose()


def test_number_of_sessions_is_limited(analyst: sa.Engine) -> None:
    with ExitStack() as stack:
        for _ in range(role.MAX_SESSIONS):
            stack.enter_context(analyst.connect())
        with pytest.raises(sa.exc.OperationalError, match="too many connections for role"):
            analyst.connect()


def test_session_defaults(connection: sa.Connection) -> None:
    expected = {
        "transaction_read_only": "on",
        "search_path": "analytics, ledger, billing, erp, ops",
        "statement_timeout": "5min",
        "idle_in_transaction_session_timeout": "10min",
        "TimeZone": "Asia/Jakarta",
    }
    assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in expected} == expected


@pytest.mark.parametrize("name", sorted(role.WITHHELD_TABLES))
def test_withheld_tables_are_not_readable(connection: sa.Connection, name: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
        connection.exec_driver_sql(f"SELECT count(*) FROM ops.{name}")


def test_no_readable_column_is_named_like_a_secret(connection: sa.Connection) -> None:
    readable = sa.text(
        "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v') AND NOT a.attisdropped "
        "AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
    )
    names = connection.scalars(readable, {"schemas": list(role.READABLE_SCHEMAS)}).all()
    assert "billing.customers.name" in names
    secret_name = re.compile("secret|password|token|hash|cookie|csrf|session")
    assert [name for name in names if secret_name.search(name)] == []


def test_tables_with_bytes_are_withheld() -> None:
    """Only credentials are stored as bytes, in the form of digests."""
    with_bytes = {
        table.name
        for table in tables.metadata.sorted_tables
        if any(isinstance(column.type, sa.LargeBinary) for column in table.columns)
    }
    assert with_bytes <= role.WITHHELD_TABLES
    assert with_bytes


def test_tables_of_ops_are_granted_one_by_one(owner: sa.Engine, connection: sa.Connection) -> None:
    """A new table of `ops` is not readable until the program declares it and an upgrade grants it."""
    with owner.begin() as writing:
        writing.exec_driver_sql("CREATE TABLE ops.unknown (id int)")
        writing.exec_driver_sql("REVOKE SELECT ON ops.watermarks FROM PUBLIC")
        writing.exec_driver_sql(f'REVOKE SELECT ON ops.watermarks FROM "{role.group_role_name(writing)}"')
    for name in ("unknown", "watermarks"):
        with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
            connection.exec_driver_sql(f"SELECT * FROM ops.{name}")
        connection.rollback()
    upgrade(databases_of(owner.url).settings)
    connection.exec_driver_sql("SELECT * FROM ops.watermarks")
    with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
        connection.exec_driver_sql("SELECT * FROM ops.unknown")
    execute(owner, "DROP TABLE ops.unknown")


def test_password_is_in_no_statement(owner: sa.Engine) -> None:
    statements: list[str] = []

    def record(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", record)
    try:
        with owner.begin() as connection:
            role.password_verifier(connection, "some_role", PASSWORD)
            verifier = role.password_verifier(connection, "some_role", PASSWORD)
            connection.exec_driver_sql(f"SELECT '{verifier}'")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", record)
    assert verifier.startswith("SCRAM-SHA-256$")
    assert statements
    assert not any(PASSWORD in statement for statement in statements)
