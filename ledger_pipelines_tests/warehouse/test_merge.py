"""Writes of the months of a table: counts, unchanged rows, and what other sessions see."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger.transactions import TARGET
from ledger_pipelines.warehouse import merge, partitions, schema, tables, transaction_setup
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.ops import loaded_months
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.support.tables import execute

TABLE = tables.transaction_calculations
JAN, FEB = "2025-01", "2025-02"
STAMPS = {"calculated_at", "is_recalculated"}

Row = tuple[int, int, str, int]
"""A target row: reading, customer, month, volume."""


@pytest.fixture
def engine(empty_warehouse: sa.Engine) -> sa.Engine:
    """The module's warehouse without rows and partitions."""
    with empty_warehouse.begin() as connection:
        for month in (JAN, FEB):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {partition(month)}"))
        connection.execute(sa.delete(tables.loaded_months))
        connection.execute(sa.delete(tables.monthly_customer_balances))
    return empty_warehouse


def partition(month: str) -> str:
    """Return a partition's name with its schema."""
    return f"{TABLE.schema}.{partitions.partition_name(TABLE, month)}"


def target(rows: Sequence[Row], within: Scope) -> Any:
    """Return the function `rows` for `merge.write_months`: the content of the rows of some months in a scope."""
    wanted = [row for row in rows if within.customers is None or row[1] in within.customers]

    def of_months(keys: Sequence[str]) -> sa.Select[Any]:
        given = sa.values(
            sa.column("reading", sa.BigInteger),
            sa.column("customer", sa.BigInteger),
            sa.column("month", sa.Text),
            sa.column("volume", sa.Numeric),
            name="given",
        ).data([row for row in wanted if row[2] in keys] or [(0, 0, "", 0)])
        volume = given.c.volume
        values: dict[str, Any] = {
            "customer_id": given.c.customer,
            "data_pencatatan_id": given.c.reading,
            "year_month": given.c.month,
            "transaction_date": given.c.month.concat("-15 10:00"),
            "volume_flow_meter": volume,
            "koreksi_meter": sa.literal(1),
            "volume_sm3": volume,
            "harga_per_m3": sa.literal(2),
            "total_harga": volume * 2,
            "pricing_used": sa.func.jsonb_build_object("rule", "default"),
            "tekanan_keluar": sa.null(),
            "suhu": sa.null(),
        }
        columns = (sa.cast(values[name], TABLE.c[name].type).label(name) for name in TARGET.content)
        return sa.select(*columns).where(given.c.customer > 0)

    return of_months


def write(
    engine: sa.Engine, rows: Sequence[Row], *keys: str, customers: tuple[int, ...] | None = None, **options: Any
) -> dict[str, Counts]:
    """Write rows in a transaction of their own."""
    scope = Scope(keys or (JAN,), customers)
    with engine.begin() as connection:
        return merge.write_months(connection, TARGET, target(rows, scope), scope, **options)


def stored(engine: sa.Engine) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the stored rows by month and reading."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TABLE)).mappings()
        return {(row["year_month"], row["data_pencatatan_id"]): dict(row) for row in rows}


def contents(engine: sa.Engine) -> set[Row]:
    """Return the stored rows in the form of the target rows."""
    return {
        (row["data_pencatatan_id"], row["customer_id"], row["year_month"], int(row["volume_flow_meter"]))
        for row in stored(engine).values()
    }


FIRST = [(1, 1, JAN, 10), (2, 1, JAN, 20), (3, 2, JAN, 30), (4, 2, FEB, 40)]
SECOND = [(1, 1, JAN, 10), (2, 1, JAN, 21), (5, 2, JAN, 50), (6, 3, JAN, 60), (4, 2, FEB, 40)]


def test_a_new_month_is_inserted(engine: sa.Engine) -> None:
    assert write(engine, FIRST, JAN, FEB) == {JAN: Counts(inserted=3), FEB: Counts(inserted=1)}
    assert contents(engine) == set(FIRST)
    assert not any(row["is_recalculated"] for row in stored(engine).values())


def test_an_empty_month_has_counts(engine: sa.Engine) -> None:
    assert write(engine, [], JAN) == {JAN: Counts()}
    assert write(engine, [], JAN) == {JAN: Counts()}


def test_only_different_rows_are_written_and_all_are_counted(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    counts = write(engine, SECOND, JAN, FEB)
    assert counts == {JAN: Counts(inserted=2, updated=1, deleted=1, unchanged=1), FEB: Counts(unchanged=1)}
    assert merge.total_counts(counts) == Counts(2, 1, 1, 2)
    assert contents(engine) == set(SECOND)
    after = stored(engine)
    assert after[JAN, 1] == before[JAN, 1], "an unchanged row keeps its stamps"
    assert after[FEB, 4] == before[FEB, 4]
    assert after[JAN, 2]["calculated_at"] > before[JAN, 2]["calculated_at"]
    assert [after[JAN, reading]["is_recalculated"] for reading in (1, 2, 5, 6)] == [False, True, False, False]


def test_a_rerun_writes_nothing(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    with engine.connect() as connection:
        versions = connection.execute(sa.text(f"SELECT tableoid, ctid, xmin FROM {TABLE}")).all()
    assert write(engine, FIRST, JAN, FEB) == {JAN: Counts(unchanged=3), FEB: Counts(unchanged=1)}
    assert stored(engine) == before
    with engine.connect() as connection:
        assert connection.execute(sa.text(f"SELECT tableoid, ctid, xmin FROM {TABLE}")).all() == versions


def test_null_differs_from_a_value_but_not_from_null(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    execute(engine, sa.update(TABLE).where(TABLE.c.data_pencatatan_id == 1).values(suhu=20))
    assert write(engine, FIRST, JAN)[JAN] == Counts(updated=1, unchanged=2)
    assert stored(engine)[JAN, 1]["suhu"] is None


def test_a_write_of_some_customers_leaves_others_unchanged(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    counts = write(engine, [(1, 1, JAN, 11), (9, 2, JAN, 99)], JAN, customers=(1,))
    assert counts == {JAN: Counts(updated=1, deleted=1)}
    assert contents(engine) == {(1, 1, JAN, 11), (3, 2, JAN, 30), (4, 2, FEB, 40)}
    assert {key: row for key, row in stored(engine).items() if row["customer_id"] == 2} == {
        key: row for key, row in before.items() if row["customer_id"] == 2
    }


def test_a_write_of_some_customers_creates_a_missing_partition(engine: sa.Engine) -> None:
    assert write(engine, FIRST, JAN, customers=(2,)) == {JAN: Counts(inserted=1)}
    assert write(engine, FIRST, JAN, FEB) == {JAN: Counts(inserted=2, unchanged=1), FEB: Counts(inserted=1)}


def test_a_month_outside_the_scope_is_unchanged(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    assert write(engine, [], JAN) == {JAN: Counts(deleted=3)}
    assert stored(engine) == {key: row for key, row in before.items() if key[0] == FEB}


def test_kept_customers_are_unchanged(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    counts = write(engine, [(1, 1, JAN, 12)], JAN, FEB, unchanged_customers=(2,))
    assert counts == {JAN: Counts(updated=1, deleted=1), FEB: Counts()}
    assert stored(engine)[JAN, 3] == before[JAN, 3]
    assert stored(engine)[FEB, 4] == before[FEB, 4]


@pytest.mark.parametrize("customers", [None, (1, 2)])
def test_force_replaces_all_rows(engine: sa.Engine, customers: tuple[int, ...] | None) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    counts = write(engine, FIRST, JAN, customers=customers, force=True)
    assert counts == {JAN: Counts(inserted=3, deleted=3)}
    assert contents(engine) == set(FIRST)
    after = stored(engine)
    assert all(after[JAN, reading]["is_recalculated"] for reading in (1, 2, 3))
    assert all(after[JAN, reading]["calculated_at"] > before[JAN, reading]["calculated_at"] for reading in (1, 2, 3))
    assert after[FEB, 4] == before[FEB, 4]


def test_force_for_some_customers_leaves_others_unchanged(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN, FEB)
    before = stored(engine)
    assert write(engine, FIRST, JAN, FEB, customers=(1,), force=True)[JAN] == Counts(inserted=2, deleted=2)
    assert {key: row for key, row in stored(engine).items() if row["customer_id"] == 2} == {
        key: row for key, row in before.items() if row["customer_id"] == 2
    }


@pytest.mark.parametrize("force", [False, True])
def test_an_exception_changes_nothing(engine: sa.Engine, force: bool) -> None:
    write(engine, FIRST, JAN)
    before = stored(engine)

    def fail_at_february(keys: Sequence[str]) -> sa.Select[Any]:
        if FEB in keys:
            raise RuntimeError("in the middle")
        made: sa.Select[Any] = target(SECOND, Scope((JAN, FEB)))(keys)
        return made

    def write_both() -> None:
        with engine.begin() as connection:
            merge.write_months(connection, TARGET, target(SECOND, Scope((JAN,))), Scope((JAN,)), force=force)
            assert connection.scalar(sa.select(sa.func.count()).select_from(TABLE)) == 4, "January has been written"
            merge.write_months(connection, TARGET, fail_at_february, Scope((JAN, FEB)), force=force)

    with pytest.raises(RuntimeError, match="in the middle"):
        write_both()
    assert stored(engine) == before
    assert not sa.inspect(engine).has_table(f"{TABLE.name}_2025_02", "ledger")


def test_a_database_error_changes_nothing(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN)
    before = stored(engine)
    twice = [(7, 1, FEB, 1), (7, 1, FEB, 2)]
    with pytest.raises(sa.exc.IntegrityError):
        write(engine, [*SECOND, *twice], JAN, FEB)
    assert stored(engine) == before


def structure(engine: sa.Engine, table: str) -> dict[str, Any]:
    """Return a partition's columns, indexes, constraints and parent, without names of indexes and constraints."""
    relation = f"'{table}'::regclass"
    queries = {
        "columns": "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation::text, "
        "pg_get_expr(adbin, adrelid), col_description(attrelid, attnum) FROM pg_attribute "
        f"LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = {relation} AND attnum > 0 "
        "ORDER BY attnum",
        "indexes": "SELECT indisprimary, indisunique, indisvalid, indkey::text, "
        "(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = indexrelid) AS of_parent "
        f"FROM pg_index WHERE indrelid = {relation} ORDER BY 1, 4",
        "constraints": f"SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {relation} "
        "ORDER BY 1, 2",
        "parent": "SELECT p.relnamespace::regnamespace::text || '.' || p.relname, c.relispartition FROM pg_inherits "
        f"JOIN pg_class c ON c.oid = inhrelid JOIN pg_class p ON p.oid = inhparent WHERE inhrelid = {relation}",
    }
    with engine.connect() as connection:
        return {name: [tuple(row) for row in connection.execute(sa.text(query))] for name, query in queries.items()}


def test_a_staged_partition_equals_one_created_by_postgresql(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN)
    execute(engine, f"CREATE TABLE {partition(FEB)} PARTITION OF ledger.{TABLE.name} FOR VALUES IN ('{FEB}')")
    built, created = structure(engine, partition(JAN)), structure(engine, partition(FEB))
    assert len(built["indexes"]) == 1 + len(TABLE.indexes)
    assert all(index[-1] for index in built["indexes"]), "an index is not attached to the parent's"
    assert built["columns"] == [
        (*column[:-1], built["columns"][place][-1]) for place, column in enumerate(created["columns"])
    ]
    assert [column[-1] for column in built["columns"]] == [column.comment for column in TABLE.columns]
    for part in ("indexes", "constraints", "parent"):
        assert built[part] == created[part]


def test_a_replaced_partition_has_the_same_structure(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN)
    before = structure(engine, partition(JAN))
    write(engine, SECOND, JAN, force=True)
    assert structure(engine, partition(JAN)) == before


def test_ensure_partition_is_idempotent(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        partitions.ensure_partition(connection, TABLE, JAN)
        partitions.ensure_partition(connection, TABLE, JAN)
    empty = structure(engine, partition(JAN))
    assert empty["parent"] == [(str(TABLE), True)]
    assert write(engine, FIRST, JAN) == {JAN: Counts(inserted=3)}
    assert structure(engine, partition(JAN)) == empty


def test_a_table_without_partitions(engine: sa.Engine) -> None:
    """Balances are merged in one table, but counted by month."""
    table = tables.monthly_customer_balances
    stamp = {"last_calculated_at": sa.func.now()}
    written = merge.TargetTable(table, stamp, stamp)

    def rows(*given: tuple[int, str, int]) -> Any:
        amounts = sa.values(
            sa.column("customer", sa.BigInteger), sa.column("month", sa.Text), sa.column("amount", sa.Numeric), name="v"
        ).data(list(given))
        values: dict[str, Any] = {name: sa.literal(0) for name in written.content} | {
            "customer_id": amounts.c.customer,
            "year_month": amounts.c.month,
            "total_deposits": amounts.c.amount,
            "closing_balance": amounts.c.amount,
            "calculation_details": sa.func.jsonb_build_object(),
        }
        columns = [sa.cast(values[name], table.c[name].type).label(name) for name in written.content]
        return lambda keys: sa.select(*columns).where(amounts.c.month.in_(keys))

    both = Scope((JAN, FEB))
    with engine.begin() as connection:
        first = merge.write_months(connection, written, rows((1, JAN, 5), (1, FEB, 5), (2, FEB, 7)), both)
    with engine.begin() as connection:
        second = merge.write_months(connection, written, rows((1, JAN, 5), (1, FEB, 6)), both)
    assert first == {JAN: Counts(inserted=1), FEB: Counts(inserted=2)}
    assert second == {JAN: Counts(unchanged=1), FEB: Counts(updated=1, deleted=1)}


@pytest.mark.parametrize("force", [False, True])
def test_a_reader_sees_the_old_or_the_new_month(engine: sa.Engine, force: bool) -> None:
    """A session reads while the month is replaced repeatedly; each result is one of the two states."""
    old = [(reading, 1, JAN, 1) for reading in range(1, 301)]
    new = [(reading, 1, JAN, 2) for reading in range(101, 501)]
    write(engine, old, JAN)
    seen: set[tuple[int, int | None]] = set()
    reading = sa.select(sa.func.count(), sa.func.sum(TABLE.c.volume_flow_meter)).where(TABLE.c.year_month == JAN)
    started, done = threading.Event(), threading.Event()

    def read() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not done.is_set():
                count, volume = connection.execute(reading).one()
                seen.add((count, volume))
                started.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert started.wait(30)
        for turn in range(6):
            write(engine, old if turn % 2 else new, JAN, force=force)
    finally:
        done.set()
        reader.join()
    assert seen <= {(300, Decimal(300)), (400, Decimal(800))}


def test_uncommitted_rows_are_not_visible(engine: sa.Engine) -> None:
    write(engine, FIRST, JAN)
    before = contents(engine)
    scope = Scope((JAN,))
    with engine.begin() as connection:
        merge.write_months(connection, TARGET, target(SECOND, scope), scope)
        assert contents(engine) == before, "another connection sees what is not committed"
    assert contents(engine) == {row for row in SECOND if row[2] == JAN}


def test_lock_excludes_other_writers_of_a_table(engine: sa.Engine) -> None:
    with engine.begin() as first, engine.connect() as second:
        transaction_setup.lock_tables(first, TABLE)
        second.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        transaction_setup.lock_tables(second, tables.deposits)
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            transaction_setup.lock_tables(second, TABLE)
    with engine.begin() as third:
        third.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        transaction_setup.lock_tables(third, TABLE)


def test_try_lock_needs_all_locks(engine: sa.Engine) -> None:
    with engine.begin() as first, engine.begin() as second:
        transaction_setup.lock_tables(first, TABLE)
        assert not transaction_setup.try_lock_tables(second, (TABLE, tables.deposits))
        assert transaction_setup.try_lock_tables(first, (TABLE, tables.prices))
    with engine.begin() as third:
        assert transaction_setup.try_lock_tables(third, (TABLE, tables.deposits))


def test_lock_of_a_table_without_a_row_raises(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(tables.write_locks).where(tables.write_locks.c.table_name == "billing.deposits"))
        with pytest.raises(WarehouseError, match=r"no row of billing\.deposits"):
            transaction_setup.lock_tables(connection, tables.deposits)
        with pytest.raises(WarehouseError, match="ledger db upgrade"):
            transaction_setup.try_lock_tables(connection, (TABLE, tables.deposits))
    assert schema.upgrade(engine) == schema.newest_version()
    with engine.begin() as connection:
        transaction_setup.lock_tables(connection, tables.deposits)


def test_mark_loaded(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        assert loaded_months.months_loaded(connection, TABLE) == frozenset()
        loaded_months.mark_loaded(connection, TABLE, [JAN, FEB], "first")
        loaded_months.mark_loaded(connection, TABLE, [FEB], "second")
        loaded_months.mark_loaded(connection, tables.deposits, ["2025-03"], "first")
        assert loaded_months.months_loaded(connection, TABLE) == {JAN, FEB}
        marks = tables.loaded_months
        own = sa.select(marks).where(marks.c.table_name == "ledger.transaction_calculations")
        runs = {row.year_month: row.run_id for row in connection.execute(own)}
    assert runs == {JAN: "first", FEB: "second"}


def test_counts_add_up() -> None:
    first = {JAN: Counts(1, 2, 3, 4)}
    second = {JAN: Counts(10, 20, 30, 40), FEB: Counts(deleted=1)}
    assert merge.add_counts(first, second) == {JAN: Counts(11, 22, 33, 44), FEB: Counts(deleted=1)}
    assert merge.total_counts(second) == Counts(10, 20, 31, 40)
    assert Counts(1, 2, 3, 4).changed == 6


def test_stamps_have_a_time_zone(engine: sa.Engine) -> None:
    before = datetime.now(UTC)
    write(engine, FIRST, JAN)
    stamps = [row["calculated_at"] for row in stored(engine).values()]
    assert [abs((stamp - before).total_seconds()) < 60 for stamp in stamps] == [True] * 3
    assert set(TARGET.stamps) == STAMPS
