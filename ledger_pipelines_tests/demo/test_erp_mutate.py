"""Tests of `mutate_erp`: each reported operation matches the change of exactly one row."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from ledger_pipelines.demo import BillingDemoPlan, seed_billing
from ledger_pipelines.demo.erp import ErpDemoPlan, create_erp_tables, erp_source_tables, seed_erp
from ledger_pipelines.demo.erp.mutate import ErpMutation, mutate_erp
from ledger_pipelines.demo.erp.single_row import (
    delete_one,
    delete_one_statement,
    update_one,
    update_one_statement,
)
from ledger_pipelines.demo.plan import WIB
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, erp_table
from ledger_pipelines_tests.support.erp.erp_copy import month_of_row

# Slow: these tests cover the demo's generators only; every test that uses a demo checks their result, too.
pytestmark = pytest.mark.slow

PLAN = ErpDemoPlan(
    current_month="2025-03", until=datetime(2025, 3, 17, 15, 30, tzinfo=WIB), months=6, rows_per_month=12
)  # fmt: skip
CHANGES = 120

TableContents = dict[str, Counter[tuple[Any, ...]]]


def contents(engine: sa.Engine) -> TableContents:
    """Return the rows of each table with their counts."""
    with engine.connect() as connection:
        return {
            name: Counter(tuple(row) for row in connection.execute(sa.select(table)))
            for name, table in erp_source_tables.items()
        }


def test_same_seed_makes_same_changes_on_every_server(postgres: sa.Engine, mariadb: sa.Engine) -> None:
    done = []
    for engine in (postgres, mariadb):
        seed_erp(engine, PLAN)
        done.append(mutate_erp(engine, CHANGES, 7, "2025-03"))
    assert done[0] == done[1]
    assert contents(postgres) == contents(mariadb)
    assert len(done[0]) == CHANGES
    assert {each.table for each in done[0]} == {table.name for table in ERP_TABLES}
    assert {each.operation for each in done[0]} == {"change", "move", "duplicate", "insert", "delete"}


def test_another_seed_makes_other_changes(postgres: sa.Engine) -> None:
    seed_erp(postgres, PLAN)
    assert mutate_erp(postgres, 5, 7, "2025-03") != mutate_erp(postgres, 5, 8, "2025-03")


def test_each_disturbance_reports_the_change_of_one_row(engine: sa.Engine) -> None:
    seed_erp(engine, PLAN)
    before = contents(engine)
    for number in range(25):
        [done] = mutate_erp(engine, 1, number, "2025-03")
        after = contents(engine)
        assert [name for name in before if before[name] != after[name]] == [done.table]
        removed, added = before[done.table] - after[done.table], after[done.table] - before[done.table]
        assert_disturbance_matches(done, list(removed.elements()), list(added.elements()), before[done.table])
        before = after


def assert_disturbance_matches(
    done: ErpMutation, removed: list[tuple[Any, ...]], added: list[tuple[Any, ...]], before: Counter[tuple[Any, ...]]
) -> None:
    """Assert that exactly the rows of the disturbance were removed and added."""
    table = erp_table(done.table)
    old, new = ([dict(zip(table.names, row, strict=True)) for row in rows] for rows in (removed, added))
    assert (len(old), len(new)) == {"delete": (1, 0), "duplicate": (0, 1), "insert": (0, 1)}.get(done.operation, (1, 1))
    for row in (old or new)[:1]:
        assert {name: row[name] for name in table.key} == done.key
    assert done.operation != "duplicate" or added[0] in before
    assert done.operation != "insert" or added[0] not in before
    if done.column is not None:
        assert old[0] | {done.column: done.new} == new[0]
        assert old[0][done.column] == done.old != done.new
    assert (done.operation == "move") == (done.column in table.month_columns)
    if not table.is_snapshot:
        assert list(done.months) == list(dict.fromkeys(month_of_row(table, row) for row in old + new))
        assert len(done.months) == (2 if done.operation == "move" else 1)


def test_rows_reach_up_to_the_next_month(postgres: sa.Engine) -> None:
    """This includes months that have passed since the demo was made."""
    seed_erp(postgres, PLAN)
    done = mutate_erp(postgres, 500, 1, "2025-06")
    added = {each.months[-1] for each in done if each.operation in ("insert", "move") and each.months}
    assert added == {"", "2024-10", "2024-11", "2024-12", *(f"2025-0{month}" for month in range(1, 8))}


def test_other_databases_are_refused(engine: sa.Engine) -> None:
    """An ERP without a marker is refused, also next to a demo of the billing application."""
    create_erp_tables(engine)
    with engine.begin() as connection:
        connection.execute(erp_source_tables["view_prod_header"].insert().values(prod_index=1))
    before = contents(engine)
    with pytest.raises(LedgerError, match="has no demo ERP"):
        mutate_erp(engine, 5, 1, "2025-03")
    seed_billing(engine, BillingDemoPlan(current_month="2025-03", customers=1, months=1))
    with pytest.raises(LedgerError, match="has no demo ERP"):
        mutate_erp(engine, 5, 1, "2025-03")
    assert contents(engine) == before


def test_empty_demo_is_unchanged(postgres: sa.Engine) -> None:
    seed_erp(postgres, replace(PLAN, months=1))
    with postgres.begin() as connection:
        for table in erp_source_tables.values():
            connection.execute(table.delete())
    assert mutate_erp(postgres, 5, 1, "2025-03") == []


# One of several similar rows

ROW: dict[str, Any] = dict.fromkeys(erp_table("so_invoice_line").names) | {
    "bp_code": "C00001",
    "bp_name": "Pipa 🔧 gas",
    "so_line": 10,
    "delivery_date": datetime(2025, 3, 1),  # noqa: DTZ001 - ERP timestamps have no time zone
    "amount_hc": Decimal("9876543210987654321098765432.1098765432"),
}
SIMILAR_ROWS = [
    ROW | {"bp_name": name} for name in ("pipa 🔧 gas", "Pipa 🔧 gas ", "Pípa 🔧 gas", "Pipa 🔨 gas", "", None)
]


@pytest.fixture
def similar_rows(engine: sa.Engine) -> sa.Engine:
    """Create a table with three equal rows, and others that some collations treat as equal."""
    create_erp_tables(engine)
    with engine.begin() as connection:
        connection.execute(
            erp_source_tables["so_invoice_line"].insert(), [*SIMILAR_ROWS[:3], ROW, ROW, ROW, *SIMILAR_ROWS[3:]]
        )
    return engine


def test_one_of_equal_rows_is_deleted(similar_rows: sa.Engine) -> None:
    table = erp_source_tables["so_invoice_line"]
    for left in (2, 1, 0):
        with similar_rows.begin() as connection:
            delete_one(connection, table, ROW)
        found = contents(similar_rows)["so_invoice_line"]
        assert found[tuple(ROW.values())] == left
        assert all(found[tuple(other.values())] == 1 for other in SIMILAR_ROWS)
    with pytest.raises(LedgerError, match="no longer exists"), similar_rows.begin() as connection:
        delete_one(connection, table, ROW)
    assert contents(similar_rows)["so_invoice_line"].total() == len(SIMILAR_ROWS)


def test_one_of_equal_rows_is_changed(similar_rows: sa.Engine) -> None:
    table = erp_source_tables["so_invoice_line"]
    changed = ROW | {"amount": Decimal(1), "so_date": datetime(2025, 2, 1)}  # noqa: DTZ001 - ERP timestamps have no time zone
    with similar_rows.begin() as connection:
        update_one(connection, table, ROW, {"amount": changed["amount"], "so_date": changed["so_date"]})
    expected = Counter(tuple(row.values()) for row in (ROW, ROW, changed, *SIMILAR_ROWS))
    assert contents(similar_rows)["so_invoice_line"] == expected


def test_sql_server_statements() -> None:
    dialect = mssql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped
    table = sa.Table("stock", sa.MetaData(), sa.Column("desc", sa.Unicode(9)), sa.Column("day", sa.Date))
    row = {"desc": "Pipa", "day": date(2025, 3, 1)}
    same = "CAST([desc] AS VARBINARY(8000)) = CAST(:param_1 AS VARBINARY(8000)) AND day = :day_1"
    statements = {
        "UPDATE TOP (1) stock SET [desc]=:desc": update_one_statement(dialect, table, row, {"desc": "Katup"}),
        "DELETE TOP (1) FROM stock": delete_one_statement(dialect, table, row),
    }
    for start, statement in statements.items():
        text = " ".join(str(statement.compile(dialect=dialect)).split()).replace("[stock].", "").replace("stock.", "")
        assert text == f"{start} WHERE {same}"
