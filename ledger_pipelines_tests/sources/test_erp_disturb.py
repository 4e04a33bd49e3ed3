"""Disturbing the demo's ERP: what is said to have been done is what was done, to one row each time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from ledger_pipelines.sources.erp_tables import ERP_TABLES, ErpTable, erp_table
from ledger_pipelines.sources.sample import SeedPlan, SeedRefused, seed
from ledger_pipelines.sources.sample.erp import ErpPlan, create_erp_tables, erp_source_tables, seed_erp
from ledger_pipelines.sources.sample.erp.disturb import Disturbance, disturb
from ledger_pipelines.sources.sample.erp.one_row import (
    RowGoneError,
    delete_one,
    delete_one_statement,
    update_one,
    update_one_statement,
)
from ledger_pipelines.sources.sample.plan import WIB
from ledger_pipelines_tests.servers import fresh_database

# Makers of demos, which nothing but a demo needs: what they make is tested wherever a demo is used.
pytestmark = pytest.mark.slow

PLAN = ErpPlan(
    current_month="2025-03", until=datetime(2025, 3, 17, 15, 30, tzinfo=WIB), months=6, rows_per_month=12
)  # fmt: skip
CHANGES = 120

Contents = dict[str, Counter[tuple[Any, ...]]]


@pytest.fixture
def postgres(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    with fresh_database(embedded_url) as url:
        yield sa.create_engine(url, poolclass=sa.NullPool)


@pytest.fixture
def mariadb(mariadb_url: sa.URL) -> Iterator[sa.Engine]:
    with fresh_database(mariadb_url) as url:
        yield sa.create_engine(url, poolclass=sa.NullPool)


@pytest.fixture(params=["postgres", "mariadb"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    made = request.getfixturevalue(request.param)
    assert isinstance(made, sa.Engine)
    return made


def contents(engine: sa.Engine) -> Contents:
    """What each table holds, equal rows counted."""
    with engine.connect() as connection:
        return {
            name: Counter(tuple(row) for row in connection.execute(sa.select(table)))
            for name, table in erp_source_tables.items()
        }


def test_the_same_seed_does_the_same_on_every_server(postgres: sa.Engine, mariadb: sa.Engine) -> None:
    done = []
    for engine in (postgres, mariadb):
        seed_erp(engine, PLAN)
        done.append(disturb(engine, CHANGES, 7, "2025-03"))
    assert done[0] == done[1]
    assert contents(postgres) == contents(mariadb)
    assert len(done[0]) == CHANGES
    assert {each.table for each in done[0]} == {table.name for table in ERP_TABLES}
    assert {each.operation for each in done[0]} == {"change", "move", "duplicate", "insert", "delete"}


def test_another_seed_does_something_else(postgres: sa.Engine) -> None:
    seed_erp(postgres, PLAN)
    assert disturb(postgres, 5, 7, "2025-03") != disturb(postgres, 5, 8, "2025-03")


def test_each_disturbance_is_what_happened_to_one_row(engine: sa.Engine) -> None:
    seed_erp(engine, PLAN)
    before = contents(engine)
    for number in range(25):
        [done] = disturb(engine, 1, number, "2025-03")
        after = contents(engine)
        assert [name for name in before if before[name] != after[name]] == [done.table]
        gone, come = before[done.table] - after[done.table], after[done.table] - before[done.table]
        check(done, list(gone.elements()), list(come.elements()), before[done.table])
        before = after


def check(
    done: Disturbance, gone: list[tuple[Any, ...]], come: list[tuple[Any, ...]], before: Counter[tuple[Any, ...]]
) -> None:
    """The rows that went and came are those of the disturbance, and no others."""
    table = erp_table(done.table)
    old, new = ([dict(zip(table.names, row, strict=True)) for row in rows] for rows in (gone, come))
    assert (len(old), len(new)) == {"delete": (1, 0), "duplicate": (0, 1), "insert": (0, 1)}.get(done.operation, (1, 1))
    for row in (old or new)[:1]:
        assert {name: row[name] for name in table.key} == done.key
    assert done.operation != "duplicate" or come[0] in before
    assert done.operation != "insert" or come[0] not in before
    if done.column is not None:
        assert old[0] | {done.column: done.new} == new[0]
        assert old[0][done.column] == done.old != done.new
    assert (done.operation == "move") == (done.column in table.month_columns)
    if not table.is_snapshot:
        assert list(done.months) == list(dict.fromkeys(month_of(table, row) for row in old + new))
        assert len(done.months) == (2 if done.operation == "move" else 1)


def month_of(table: ErpTable, row: dict[str, Any]) -> str:
    first = next((row[name] for name in table.month_columns if row[name] is not None), None)
    return "" if first is None else f"{first:%Y-%m}"


def test_rows_come_up_to_the_month_after_the_current_one(postgres: sa.Engine) -> None:
    """Also where months have passed since the demo was made."""
    seed_erp(postgres, PLAN)
    done = disturb(postgres, 300, 1, "2025-06")
    come = {each.months[-1] for each in done if each.operation in ("insert", "move") and each.months}
    assert come == {"", "2024-10", "2024-11", "2024-12", *(f"2025-0{month}" for month in range(1, 8))}


def test_only_a_demo_is_disturbed(engine: sa.Engine) -> None:
    """Neither an ERP without a mark, nor one beside a demo of the billing application, nor a half-made demo."""
    create_erp_tables(engine)
    with engine.begin() as connection:
        connection.execute(erp_source_tables["view_prod_header"].insert().values(prod_index=1))
    before = contents(engine)
    with pytest.raises(SeedRefused, match="has no demo's ERP"):
        disturb(engine, 5, 1, "2025-03")
    seed(engine, SeedPlan(current_month="2025-03", customers=1, months=1))
    with pytest.raises(SeedRefused, match="has no demo's ERP"):
        disturb(engine, 5, 1, "2025-03")
    assert contents(engine) == before


def test_an_empty_demo_is_left_as_it_is(postgres: sa.Engine) -> None:
    seed_erp(postgres, replace(PLAN, months=1))
    with postgres.begin() as connection:
        for table in erp_source_tables.values():
            connection.execute(table.delete())
    assert disturb(postgres, 5, 1, "2025-03") == []


# One of several rows that look alike

ROW: dict[str, Any] = dict.fromkeys(erp_table("so_invoice_line").names) | {
    "bp_code": "C00001",
    "bp_name": "Pipa 🔧 gas",
    "so_line": 10,
    "delivery_date": datetime(2025, 3, 1),  # noqa: DTZ001 - as the ERP has it
    "amount_hc": Decimal("9876543210987654321098765432.1098765432"),
}
ALIKE = [ROW | {"bp_name": name} for name in ("pipa 🔧 gas", "Pipa 🔧 gas ", "Pípa 🔧 gas", "Pipa 🔨 gas", "", None)]


@pytest.fixture
def alike(engine: sa.Engine) -> sa.Engine:
    """A table with three equal rows, and others that some collations take for equal."""
    create_erp_tables(engine)
    with engine.begin() as connection:
        connection.execute(erp_source_tables["so_invoice_line"].insert(), [*ALIKE[:3], ROW, ROW, ROW, *ALIKE[3:]])
    return engine


def test_one_of_equal_rows_is_deleted(alike: sa.Engine) -> None:
    table = erp_source_tables["so_invoice_line"]
    for left in (2, 1, 0):
        with alike.begin() as connection:
            delete_one(connection, table, ROW)
        found = contents(alike)["so_invoice_line"]
        assert found[tuple(ROW.values())] == left
        assert all(found[tuple(other.values())] == 1 for other in ALIKE)
    with pytest.raises(RowGoneError), alike.begin() as connection:
        delete_one(connection, table, ROW)
    assert contents(alike)["so_invoice_line"].total() == len(ALIKE)


def test_one_of_equal_rows_is_changed(alike: sa.Engine) -> None:
    table = erp_source_tables["so_invoice_line"]
    changed = ROW | {"amount": Decimal(1), "so_date": datetime(2025, 2, 1)}  # noqa: DTZ001 - as the ERP has it
    with alike.begin() as connection:
        update_one(connection, table, ROW, {"amount": changed["amount"], "so_date": changed["so_date"]})
    expected = Counter(tuple(row.values()) for row in (ROW, ROW, changed, *ALIKE))
    assert contents(alike)["so_invoice_line"] == expected


def test_what_sql_server_is_told() -> None:
    dialect = mssql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped
    table = sa.Table("stock", sa.MetaData(), sa.Column("desc", sa.Unicode(9)), sa.Column("day", sa.Date))
    row = {"desc": "Pipa", "day": date(2025, 3, 1)}
    same = "CAST([desc] AS VARBINARY(8000)) = CAST(:param_1 AS VARBINARY(8000)) AND day = :day_1"
    told = {
        "UPDATE TOP (1) stock SET [desc]=:desc": update_one_statement(dialect, table, row, {"desc": "Katup"}),
        "DELETE TOP (1) FROM stock": delete_one_statement(dialect, table, row),
    }
    for start, statement in told.items():
        text = " ".join(str(statement.compile(dialect=dialect)).split()).replace("[stock].", "").replace("stock.", "")
        assert text == f"{start} WHERE {same}"
