"""The warehouse's schema: migrations create what the tables declare, on both servers."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ledger_pipelines.horizon import Scope
from ledger_pipelines.warehouse import partitions, schema, tables
from ledger_pipelines.warehouse.engine import translate_connection_errors, warehouse_engine
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.tables import execute

PARTITIONED = (
    tables.deposits,
    tables.meter_readings,
    tables.transaction_calculations,
    *tables.erp_tables.values(),
)


@contextmanager
def empty_database(server: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to an empty database."""
    with fresh_database(server) as url:
        created = warehouse_engine(url, WIB)
        created.connect().close()
        yield created
        created.dispose()


@pytest.fixture
def engine(postgres_url: sa.URL) -> Iterator[sa.Engine]:
    """An empty database, on each of the two servers."""
    with empty_database(postgres_url) as created:
        yield created


@pytest.fixture
def embedded_engine(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """An empty database on the embedded server."""
    with empty_database(embedded_url) as created:
        yield created


def differences(engine: sa.Engine) -> list[object]:
    """Return what `alembic check` would report: differences between the declared tables and the database."""
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name in tables.SCHEMAS,
                "include_object": lambda item, name, kind, reflected, _: not reflected or is_declared(item, name, kind),
                "version_table_schema": "ops",
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        return list(compare_metadata(context, tables.metadata))


def is_declared(item: object, name: str | None, kind: str) -> bool:
    """Return False for a monthly partition and its indexes."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", "")
    return not any(str(table).startswith(f"{parent.name}_20") for parent in PARTITIONED)


def snapshot(engine: sa.Engine) -> list[tuple[object, ...]]:
    """Return every table and index of the schemas with its OID."""
    query = (
        "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('billing', 'erp', 'ledger', 'ops') ORDER BY 1"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def create_partitions(engine: sa.Engine) -> None:
    """Create partitions for two months of each partitioned table."""
    with engine.begin() as connection:
        for table in PARTITIONED:
            for month in ("2025-01", "2025-02"):
                partitions.ensure_partition(connection, table, month)


def test_upgrade_creates_the_declared_schema_and_is_idempotent(engine: sa.Engine) -> None:
    version = schema.upgrade(engine)
    assert differences(engine) == []
    create_partitions(engine)
    assert differences(engine) == [], "partitions count as differences"
    before = snapshot(engine)
    assert len(before) > 20
    assert schema.upgrade(engine) == version
    assert snapshot(engine) == before
    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT version_num FROM ops.alembic_version")).all() == [version]


def test_differences_are_detected(embedded_engine: sa.Engine) -> None:
    schema.upgrade(embedded_engine)
    execute(
        embedded_engine,
        "ALTER TABLE billing.customers DROP COLUMN balance_last_updated_at",
        "ALTER TABLE ledger.monthly_customer_balances ADD extra int",
        "ALTER TABLE ops.audit_log ALTER action TYPE varchar(7)",
        "COMMENT ON COLUMN billing.customers.name IS 'another'",
    )
    found = str(differences(embedded_engine))
    for word in ("add_column", "remove_column", "modify_type", "modify_comment"):
        assert word in found


def test_generated_migration_contains_the_differences(
    embedded_engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = shutil.copytree(schema._MIGRATIONS, tmp_path / "migrations")
    monkeypatch.setattr(schema, "_MIGRATIONS", str(migrations))
    schema.upgrade(embedded_engine)
    create_partitions(embedded_engine)
    with embedded_engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE erp.so_invoice_line CASCADE"))
        connection.execute(sa.text("ALTER TABLE ledger.balance_alerts DROP COLUMN last_error"))
    with embedded_engine.connect() as connection:
        command.revision(schema.alembic_config(connection), "Restore the tables", autogenerate=True, rev_id="9999")
    assert differences(embedded_engine) != []
    assert schema.upgrade(embedded_engine) == "9999"
    assert differences(embedded_engine) == []


def test_the_comments_are_in_the_database(engine: sa.Engine) -> None:
    schema.upgrade(engine)
    create_partitions(engine)
    inspector = sa.inspect(engine)
    for table in tables.metadata.sorted_tables:
        assert inspector.get_table_comment(table.name, table.schema)["text"] == table.comment
        found = {column["name"]: column["comment"] for column in inspector.get_columns(table.name, table.schema)}
        assert found == {column.name: column.comment for column in table.columns}
    partition = {column["name"]: column["comment"] for column in inspector.get_columns("deposits_2025_01", "billing")}
    assert partition == {column.name: column.comment for column in tables.deposits.columns}


@pytest.mark.slow
def test_two_processes_upgrade_simultaneously(engine: sa.Engine) -> None:
    program = (
        "import sys; from zoneinfo import ZoneInfo\n"
        "from ledger_pipelines.settings import parse_database_url\n"
        "from ledger_pipelines.warehouse import schema\n"
        "from ledger_pipelines.warehouse.engine import warehouse_engine\n"
        "engine = warehouse_engine(parse_database_url(sys.stdin.readline().strip()), ZoneInfo('Asia/Jakarta'))\n"
        "engine.connect().close()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(schema.upgrade(engine))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    url = engine.url.render_as_string(hide_password=False)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{url}\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert differences(engine) == []


def test_upgrade_leaves_no_lock_behind(embedded_engine: sa.Engine) -> None:
    """The upgrading engine keeps its connection in the pool, but must not keep the lock."""
    version = schema.upgrade(embedded_engine)
    other = sa.create_engine(embedded_engine.url.update_query_dict({"options": "-c lock_timeout=2s"}))
    try:
        assert schema.upgrade(other) == version
    finally:
        other.dispose()


def test_a_later_connection_finds_no_differences(embedded_engine: sa.Engine) -> None:
    """The embedded server's role has the name of a schema, which must not make it the default schema."""
    schema.upgrade(embedded_engine)
    later = warehouse_engine(embedded_engine.url, WIB)
    try:
        assert differences(later) == []
    finally:
        later.dispose()


def test_a_schema_newer_than_the_program_is_refused(embedded_engine: sa.Engine) -> None:
    schema.upgrade(embedded_engine)
    execute(embedded_engine, "UPDATE ops.alembic_version SET version_num = '9999_from_the_future'")
    before = snapshot(embedded_engine)
    with pytest.raises(WarehouseError, match=r"9999_from_the_future.* newer one\. Install that version"):
        schema.upgrade(embedded_engine)
    assert snapshot(embedded_engine) == before


def test_schema_from_before_the_first_release_is_refused(embedded_engine: sa.Engine) -> None:
    schema.upgrade(embedded_engine)
    execute(embedded_engine, "UPDATE ops.alembic_version SET version_num = '0014'")
    before = snapshot(embedded_engine)
    with pytest.raises(WarehouseError, match=r"version 0014, from before the first release.*empty database"):
        schema.upgrade(embedded_engine)
    assert snapshot(embedded_engine) == before


def constraints(engine: sa.Engine) -> list[tuple[str, ...]]:
    """Return every constraint of the schemas with its definition."""
    query = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) FROM pg_constraint c "
        "JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname IN ('billing', 'erp', 'ledger', 'ops') "
        "AND conrelid::regclass::text <> 'ops.alembic_version' ORDER BY 1, 2"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_constraints_equal_the_declarations(embedded_engine: sa.Engine, embedded_url: sa.URL) -> None:
    """Alembic's comparison does not see check constraints."""
    schema.upgrade(embedded_engine)
    with fresh_database(embedded_url) as url:
        declared = warehouse_engine(url, WIB)
        with declared.begin() as connection:
            for name in tables.SCHEMAS:
                connection.execute(sa.schema.CreateSchema(name))
            tables.metadata.create_all(connection)
        assert constraints(embedded_engine) == constraints(declared)
        declared.dispose()


def test_an_old_server_is_refused(embedded_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_engine.dialect, "server_version_info", (14, 9))
    with pytest.raises(WarehouseError, match=r"PostgreSQL 14\.9; 15 or newer is needed.*LEDGER_WAREHOUSE_URL"):
        schema.upgrade(embedded_engine)
    assert snapshot(embedded_engine) == []


def test_the_oldest_supported_server_is_accepted(embedded_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_engine.dialect, "server_version_info", (15, 0))
    assert schema.upgrade(embedded_engine)


def test_sessions_show_times_in_the_companys_zone(embedded_engine: sa.Engine) -> None:
    with embedded_engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW timezone")) == "Asia/Jakarta"


def test_error_about_an_unreachable_warehouse_hides_the_password() -> None:
    engine = warehouse_engine(sa.make_url("postgresql+psycopg://me:geheim@127.0.0.1:1/gone"), WIB)
    with (
        pytest.raises(WarehouseError, match=r"postgresql\+psycopg://me:\*\*\*@127\.0\.0\.1:1/gone") as caught,
        translate_connection_errors(engine),
    ):
        engine.connect()
    message = str(caught.value)
    assert "LEDGER_WAREHOUSE_URL" in message
    assert "ledger db start" in message
    assert "geheim" not in message


def test_the_order_of_months_is_the_order_of_text(embedded_engine: sa.Engine) -> None:
    """Under any locale of the database: a range of months must be a range of text."""
    schema.upgrade(embedded_engine)
    scope = Scope(("2024-12", "2025-01"))
    with embedded_engine.begin() as connection:
        for month in scope.months:
            connection.execute(
                sa.insert(tables.stale_months).values(table_name="t", year_month=month, customer_id=None)
            )
        collation = sa.text(
            "SELECT collation_name FROM information_schema.columns "
            "WHERE table_schema = 'ledger' AND table_name = 'stale_months' AND column_name = 'year_month'"
        )
        assert connection.scalar(collation) == "C"
        ordered = sa.select(tables.stale_months.c.year_month).order_by(tables.stale_months.c.year_month)
        assert tuple(connection.scalars(ordered)) == scope.months
