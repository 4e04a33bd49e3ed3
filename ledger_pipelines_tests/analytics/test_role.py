"""The analyst's role, on both servers: it reads everything by bare names, what comes later too, and changes nothing."""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics import role
from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.serving.databases import upgrade
from ledger_pipelines.warehouse import schema, tables
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.months import qualified
from ledger_pipelines.warehouse.partitions import ensure_partition, partition_name
from ledger_pipelines.warehouse.session import lock, try_lock
from ledger_pipelines_tests.analytics.warehouses import PASSWORD, analyst_of, databases_of
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import fresh_database

BY_MONTH = (tables.deposits, tables.transaction_calculations, tables.erp_tables["so_invoice_line"])
FORBIDDEN = "permission denied"


@pytest.fixture(scope="module")
def owner(postgres_url: sa.URL) -> Iterator[sa.Engine]:
    """A warehouse with one month, as its owner sees it."""
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
    """The same warehouse as an analyst sees it."""
    with analyst_of(owner.url) as engine:
        yield engine


@pytest.fixture
def connection(analyst: sa.Engine) -> Iterator[sa.Connection]:
    """A session of the analyst's."""
    with analyst.connect() as made:
        yield made


def test_every_bare_name_is_found(connection: sa.Connection) -> None:
    readable = [table for table in tables.metadata.sorted_tables if table.name not in role.WITHHELD]
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


def test_what_comes_later_is_there_too(owner: sa.Engine, analyst: sa.Engine) -> None:
    """Also while a session of the analyst's is open, and what is built aside and attached."""
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
    with owner.begin() as connection:
        connection.exec_driver_sql("DROP TABLE ledger.new_one")


CHANGES = [
    *(f"INSERT INTO {name} DEFAULT VALUES" for name in ("customers", "loaded_months", "stockbywh")),
    "UPDATE monthly_customer_balances SET closing_balance = 0",
    "DELETE FROM transaction_calculations",
    "TRUNCATE ledger.stale_months",
    "LOCK TABLE monthly_customer_balances IN EXCLUSIVE MODE",
    "ALTER TABLE customers ADD extra int",
    "DROP VIEW analytics.current_balances",
    *(f"CREATE TABLE {name}.mine (id int)" for name in (*role.SCHEMAS, "public")),
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
def test_it_changes_nothing(connection: sa.Connection, statement: str) -> None:
    """Not even when the session says that it is not read-only."""
    connection.exec_driver_sql("SET default_transaction_read_only = off")
    connection.commit()
    with pytest.raises(sa.exc.DBAPIError) as caught:
        connection.exec_driver_sql(statement)
    assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege), caught.value
    connection.rollback()


def test_whoever_holds_advisory_locks_stops_no_writer(owner: sa.Engine) -> None:
    """On a server of one's own everybody may take them until its administrator forbids it."""
    names = [qualified(table) for table in tables.metadata.sorted_tables]
    impatient = sa.create_engine(owner.url, connect_args={"options": "-c lock_timeout=2s"})
    with owner.connect() as holder:
        for name in (*names, "ledger_pipelines migrations"):
            holder.execute(sa.select(sa.func.pg_advisory_lock(sa.func.hashtextextended(name, 0))))
        with impatient.begin() as writer:
            lock(writer, tables.deposits)
            assert try_lock(writer, tables.metadata.sorted_tables)
        schema.upgrade(impatient)
        holder.invalidate()
    impatient.dispose()


def test_it_has_few_sessions(analyst: sa.Engine) -> None:
    with ExitStack() as stack:
        for _ in range(role.MOST_SESSIONS):
            stack.enter_context(analyst.connect())
        with pytest.raises(sa.exc.OperationalError, match="too many connections for role"):
            analyst.connect()


def test_its_sessions_begin_read_only_and_limited(connection: sa.Connection) -> None:
    expected = {
        "transaction_read_only": "on",
        "search_path": "analytics, ledger, billing, erp, ops",
        "statement_timeout": "5min",
        "idle_in_transaction_session_timeout": "10min",
        "TimeZone": "Asia/Jakarta",
    }
    assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in expected} == expected


@pytest.mark.parametrize("name", sorted(role.WITHHELD))
def test_it_sees_no_secrets(connection: sa.Connection, name: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
        connection.exec_driver_sql(f"SELECT count(*) FROM ops.{name}")


def test_nothing_readable_is_called_like_a_secret(connection: sa.Connection) -> None:
    readable = sa.text(
        "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v') AND NOT a.attisdropped "
        "AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
    )
    names = connection.scalars(readable, {"schemas": list(role.SCHEMAS)}).all()
    assert "billing.customers.name" in names
    named_like_one = re.compile("secret|password|token|hash|cookie|csrf|session")
    assert [name for name in names if named_like_one.search(name)] == []


def test_whatever_holds_bytes_is_withheld() -> None:
    """What lets somebody in is stored as a digest, in bytes; nothing else is."""
    with_bytes = {
        table.name
        for table in tables.metadata.sorted_tables
        if any(isinstance(column.type, sa.LargeBinary) for column in table.columns)
    }
    assert with_bytes <= role.WITHHELD
    assert with_bytes


def test_tables_of_ops_are_granted_one_by_one(owner: sa.Engine, connection: sa.Connection) -> None:
    """A new table of `ops` is nobody's to read until the program knows it, and its upgrade grants it."""
    with owner.begin() as writing:
        writing.exec_driver_sql("CREATE TABLE ops.unknown (id int)")
        writing.exec_driver_sql("REVOKE SELECT ON ops.cursors FROM PUBLIC")
        writing.exec_driver_sql(f'REVOKE SELECT ON ops.cursors FROM "{role.group_of(writing)}"')
    for name in ("unknown", "cursors"):
        with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
            connection.exec_driver_sql(f"SELECT * FROM ops.{name}")
        connection.rollback()
    upgrade(databases_of(owner.url).settings)
    connection.exec_driver_sql("SELECT * FROM ops.cursors")
    with pytest.raises(sa.exc.ProgrammingError, match=FORBIDDEN):
        connection.exec_driver_sql("SELECT * FROM ops.unknown")
    with owner.begin() as writing:
        writing.exec_driver_sql("DROP TABLE ops.unknown")


def test_its_password_is_in_no_statement(owner: sa.Engine) -> None:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        with owner.begin() as connection:
            role.scrambled(connection, "somebody", PASSWORD)
            verifier = role.scrambled(connection, "somebody", PASSWORD)
            connection.exec_driver_sql(f"SELECT '{verifier}'")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert verifier.startswith("SCRAM-SHA-256$")
    assert statements
    assert not any(PASSWORD in statement for statement in statements)
