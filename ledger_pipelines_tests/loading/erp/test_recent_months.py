"""The last two months at the hourly sync: only changed days are read where the ERP's fingerprints show every change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger_pipelines.sources.erp.catalogue import SO_INVOICE_LINE, ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.reader import ErpSource, TableReader
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines_tests.support.erp.erp_copy import HORIZON, ErpCopy, Row, expected_copy

LINES = SO_INVOICE_LINE.name
FIRST_DAY = date(2025, 5, 1)
Change = Callable[[list[Row]], list[Row]]


@pytest.fixture(autouse=True)
def _reset(erp_copy: ErpCopy) -> None:
    erp_copy.reset()


def line(number: int, day: date | None, **values: Any) -> Row:
    dates = {"delivery_date": day, "invoice_date": date(2025, 3, 3), "so_date": date(2025, 2, 2)}
    return {"sales_order": f"SO{number}", "so_line": number, "amount": Decimal(number), **dates, **values}


def lines(per_day: int = 3) -> list[Row]:
    """Return lines of the last two months and of the month before, some on each day."""
    days = [FIRST_DAY + timedelta(days=n) for n in range(-30, 60)]
    return [line(number, day) for number, day in enumerate(day for day in days for _ in range(per_day))]


def changed(number: int, **values: Any) -> Change:
    return lambda rows: [{**row, **values} if row["so_line"] == number else row for row in rows]


#: A change of rows of 2025-05-01, which has the lines 90 to 92, and the rows that the next sync reads.
CHANGES: dict[str, tuple[Change, dict[str, Counts]]] = {
    "insert": (
        lambda rows: [*rows, line(1000, FIRST_DAY)],
        {"2025-05": Counts(inserted=1, unchanged=3)},
    ),
    "insert on an empty day": (
        lambda rows: [*rows, line(1000, date(2025, 6, 30))],
        {"2025-06": Counts(inserted=1)},
    ),
    "duplicate": (
        lambda rows: [*rows, rows[90]],
        {"2025-05": Counts(inserted=1, unchanged=3)},
    ),
    "delete": (
        lambda rows: [row for row in rows if row["so_line"] != 90],
        {"2025-05": Counts(deleted=1, unchanged=2)},
    ),
    "delete a whole day": (
        lambda rows: [row for row in rows if row["delivery_date"] != FIRST_DAY],
        {"2025-05": Counts(deleted=3)},
    ),
    "update": (
        changed(90, status="paid"),
        {"2025-05": Counts(updated=1, unchanged=2)},
    ),
    "values swapped": (
        lambda rows: changed(91, amount=Decimal(90))(changed(90, amount=Decimal(91))(rows)),
        {"2025-05": Counts(updated=2, unchanged=1)},
    ),
    "moved to another day": (
        changed(90, delivery_date=date(2025, 5, 9)),
        {"2025-05": Counts(updated=1, unchanged=5)},
    ),
    "moved within the two months": (
        changed(90, delivery_date=date(2025, 6, 10)),
        {"2025-05": Counts(deleted=1, unchanged=2), "2025-06": Counts(inserted=1, unchanged=3)},
    ),
    "moved to an older month": (
        changed(90, delivery_date=None),
        {"2025-03": Counts(inserted=1), "2025-05": Counts(deleted=1, unchanged=2)},
    ),
    "moved from an older month": (
        changed(0, delivery_date=FIRST_DAY),
        {"2025-04": Counts(deleted=1, unchanged=2), "2025-05": Counts(inserted=1, unchanged=3)},
    ),
    "moved out of the partitions": (
        changed(90, delivery_date=date(2026, 1, 1)),
        {"2025-05": Counts(deleted=1, unchanged=2)},
    ),
    "another month column": (
        changed(90, so_date=date(2025, 2, 3)),
        {"2025-05": Counts(updated=1, unchanged=2)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "counts"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_copied_by_reading_its_days(erp_copy: ErpCopy, change: Change, counts: dict[str, Counts]) -> None:
    rows = lines()
    erp_copy.fill(LINES, rows)
    erp_copy.sync(LINES)
    assert erp_copy.sync(LINES)[LINES].read == 0
    rows = change(rows)
    erp_copy.fill(LINES, rows)
    assert erp_copy.sync(LINES)[LINES].counts == counts
    assert erp_copy.copied_rows(LINES) == expected_copy(SO_INVOICE_LINE, rows, HORIZON)
    assert erp_copy.sync(LINES)[LINES].read == 0


def two_values(column: ErpColumn) -> tuple[Any, Any]:
    values: dict[Kind, tuple[Any, Any]] = {
        Kind.TEXT: ("a", "b"),
        Kind.INTEGER: (1, 2),
        Kind.DECIMAL: (Decimal(1), Decimal(2)),
        Kind.DATE: (date(2025, 6, 1), date(2025, 6, 2)),
        Kind.BOOLEAN: ("yes", "no"),
    }
    return values[column.kind]


@pytest.mark.parametrize("column", SO_INVOICE_LINE.columns, ids=lambda column: column.name)
def test_values_of_each_column_that_two_rows_swap_are_copied(erp_copy: ErpCopy, column: ErpColumn) -> None:
    """A swap changes no count and no sum, so that only the hash shows it."""
    one, other = two_values(column)
    day = FIRST_DAY if column.name != "delivery_date" else None
    before = [line(1, day, **{column.name: one}), line(2, day, **{column.name: other})]
    after = [{**before[0], column.name: other}, {**before[1], column.name: one}]
    erp_copy.fill(LINES, before)
    erp_copy.sync(LINES)
    erp_copy.fill(LINES, after)
    erp_copy.sync(LINES)
    assert erp_copy.copied_rows(LINES) == expected_copy(SO_INVOICE_LINE, after, HORIZON)


def damage_the_copy(erp_copy: ErpCopy) -> None:
    """Change a text of the copy, which neither fingerprints nor sums show, in the last two months and before."""
    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql(f"UPDATE erp.{LINES} SET status = 'x' WHERE so_line IN (0, 90, 200)")


def age_fingerprints(erp_copy: ErpCopy, by: str) -> None:
    """Make the stored fingerprints older by an interval."""
    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql(f"UPDATE ops.source_fingerprints SET taken_at = taken_at - interval '{by}'")


def test_unchanged_days_are_read_once_a_day(erp_copy: ErpCopy) -> None:
    erp_copy.fill(LINES, lines())
    erp_copy.sync(LINES)
    damage_the_copy(erp_copy)
    age_fingerprints(erp_copy, "23 hours")
    assert erp_copy.sync(LINES)[LINES].read == 0
    age_fingerprints(erp_copy, "1 hour")
    counts = erp_copy.sync(LINES)[LINES].counts
    assert counts == {"2025-05": Counts(updated=1, unchanged=92), "2025-06": Counts(updated=1, unchanged=86)}
    assert erp_copy.sync(LINES)[LINES].read == 0
    damaged = [row for row in erp_copy.copied_rows(LINES) if "x" in row]
    assert [row[0] for row in damaged] == ["2025-04"], "older months are read where they differ only"


def test_only_days_that_are_due_are_read(erp_copy: ErpCopy) -> None:
    rows = lines()
    erp_copy.fill(LINES, rows)
    erp_copy.sync(LINES)
    age_fingerprints(erp_copy, "1 day")
    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.source_fingerprints SET taken_at = now() WHERE day > '2025-05-03'")
    assert erp_copy.sync(LINES)[LINES].counts == {"2025-05": Counts(unchanged=9)}


def test_months_that_a_user_names_are_read_in_full(erp_copy: ErpCopy) -> None:
    erp_copy.fill(LINES, lines())
    erp_copy.sync(LINES)
    damage_the_copy(erp_copy)
    counts = erp_copy.sync(LINES, months=["2025-05"])[LINES].counts
    assert counts == {"2025-05": Counts(updated=1, unchanged=92)}


def test_a_month_never_loaded_is_read_in_full(erp_copy: ErpCopy) -> None:
    rows = lines()
    erp_copy.fill(LINES, rows)
    erp_copy.sync(LINES, months=["2025-05"])
    assert erp_copy.sync(LINES)[LINES].counts == {"2025-06": Counts(inserted=87)}


class _WeakErp(ErpSource):
    """ERP whose fingerprints do not show every change."""

    @contextmanager
    def reading(self, table: ErpTable) -> Iterator[Any]:
        with super().reading(table) as reading:
            yield _WeakReader(reading)


class _WeakReader:
    shows_every_change = False

    def __init__(self, reading: TableReader) -> None:
        self._reading = reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reading, name)


def test_weak_fingerprints_do_not_decide(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erp_copy, "erp", _WeakErp(erp_copy.erp.engine))
    erp_copy.fill(LINES, lines())
    erp_copy.sync(LINES)
    damage_the_copy(erp_copy)
    counts = erp_copy.sync(LINES)[LINES].counts
    assert counts == {"2025-05": Counts(updated=1, unchanged=92), "2025-06": Counts(updated=1, unchanged=86)}
