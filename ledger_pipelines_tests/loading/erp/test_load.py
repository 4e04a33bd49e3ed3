"""Loading the ERP's tables: rows that are read, refused or rejected, and failures of the source."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo.erp.schema import create_erp_tables
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.sources.dialects.parts import Span
from ledger_pipelines.sources.erp.catalogue import SO_INVOICE_LINE, STOCKBYWH, VIEW_PROD_HEADER, ErpTable
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import (
    ErpSource,
    Fingerprint,
    SourceInterruptedError,
    SourceUnreachableError,
    TableReader,
    Wanted,
)
from ledger_pipelines.sources.erp.spans import EVERYTHING, merged
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines_tests.support.erp.erp_copy import HORIZON, ErpCopy, Row, expected_copy, new_erp_copy
from ledger_pipelines_tests.support.erp.second_schema import second_schema
from ledger_pipelines_tests.support.tables import altered

ORDERS, LINES, STOCK = VIEW_PROD_HEADER.name, SO_INVOICE_LINE.name, STOCKBYWH.name
GUARD = DeletionGuard()


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "erp_copy" in request.fixturenames:
        request.getfixturevalue("erp_copy").reset()
    monkeypatch.setattr("ledger_pipelines.loading.erp.load.time.sleep", lambda _: None)


def order(number: int, day: date | None, **values: Any) -> Row:
    return {"prod_index": number, "planning_date": day, "prod_no": f"P{number}", "qty_order": Decimal(number), **values}


def orders(days: int = 150) -> list[Row]:
    """Return one order per day, from the first of January on."""
    return [order(n, date(2025, 1, 1) + timedelta(days=n)) for n in range(days)]


def assert_equal(erp_copy: ErpCopy, rows: list[Row], table: ErpTable = VIEW_PROD_HEADER) -> None:
    assert erp_copy.copied_rows(table.name) == expected_copy(table, rows, erp_copy.horizon)


def test_first_sync_loads_everything_and_next_reads_nothing(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    first = erp_copy.sync(ORDERS)[ORDERS]
    assert first.total == Counts(inserted=150)
    assert sorted(first.counts) == list(HORIZON.months)
    assert_equal(erp_copy, rows)
    assert erp_copy.sync(ORDERS)[ORDERS].counts == {}


def test_older_months_are_read_only_for_differing_days(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    rows[3] = {**rows[3], "status": "changed"}
    rows[40] = {**rows[40], "planning_date": date(2025, 3, 7)}
    del rows[70]
    erp_copy.fill(ORDERS, rows)
    counts = erp_copy.sync(ORDERS)[ORDERS].counts
    assert counts["2025-01"] == Counts(updated=1)
    assert counts["2025-02"] == Counts(deleted=1)
    assert counts["2025-03"] == Counts(inserted=1, deleted=1, unchanged=1)
    assert "2025-04" not in counts
    assert_equal(erp_copy, rows)


def test_another_schema_replaces_only_the_days_that_differ(erp_copy: ErpCopy) -> None:
    """The stored fingerprints are those of the first schema: equal days need no read, and no other row stays."""
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    with second_schema(erp_copy.source) as name:
        second = replace(
            erp_copy,
            source=erp_copy.source.execution_options(schema_translate_map={None: name}),
            erp=ErpSource(erp_copy.erp.engine, schemas={ORDERS: name}),
        )
        create_erp_tables(second.source)
        others = [{**row, "status": "other"} if number in {3, 140} else row for number, row in enumerate(rows)]
        second.fill(ORDERS, others)
        assert second.sync(ORDERS)[ORDERS].counts == {"2025-01": Counts(updated=1), "2025-05": Counts(updated=1)}
        assert_equal(second, others)
    erp_copy.sync(ORDERS)
    assert_equal(erp_copy, rows)


def test_month_with_many_changes_is_read_in_full(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    rows[:20] = [{**row, "status": "changed"} for row in rows[:20]]
    erp_copy.fill(ORDERS, rows)
    assert erp_copy.sync(ORDERS)[ORDERS].counts["2025-01"] == Counts(updated=20, unchanged=11)
    assert_equal(erp_copy, rows)


@pytest.mark.parametrize("damage", ["DELETE FROM erp.{0} WHERE prod_index = 3", "UPDATE erp.{0} SET qty_order = 7"])
def test_changes_made_to_the_copy_are_undone(erp_copy: ErpCopy, damage: str) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql(damage.format(ORDERS))
    erp_copy.sync(ORDERS)
    assert_equal(erp_copy, rows)


def test_full_sync_finds_differences_that_no_sum_shows(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql(f"UPDATE erp.{ORDERS} SET status = 'x' WHERE prod_index = 3")
    assert "2025-01" not in erp_copy.sync(ORDERS)[ORDERS].counts
    assert erp_copy.sync(ORDERS, full=True)[ORDERS].counts["2025-01"] == Counts(updated=1, unchanged=30)
    assert_equal(erp_copy, rows)


def test_sync_of_one_month_keeps_rows_that_moved_out(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    rows[3] = {**rows[3], "planning_date": date(2025, 4, 4)}
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS, months=["2025-01"])
    assert_equal(erp_copy, rows)


def test_sync_of_one_month_ignores_months_never_loaded(erp_copy: ErpCopy) -> None:
    rows = orders()
    erp_copy.fill(ORDERS, rows)
    assert sorted(erp_copy.sync(ORDERS, months=["2025-02"])[ORDERS].counts) == ["2025-02"]
    assert erp_copy.sync(ORDERS, months=["2025-03"])[ORDERS].counts == {"2025-03": Counts(inserted=31)}
    assert {row[0] for row in erp_copy.copied_rows(ORDERS)} == {"2025-02", "2025-03"}


def test_equal_rows_are_all_copied(erp_copy: ErpCopy) -> None:
    line = {"sales_order": "SO1", "so_line": 1, "delivery_date": date(2025, 3, 3), "amount": Decimal("1.1")}
    erp_copy.fill(LINES, [line] * 3)
    erp_copy.sync(LINES)
    assert_equal(erp_copy, [line] * 3, SO_INVOICE_LINE)
    erp_copy.fill(LINES, [line] * 2)
    assert erp_copy.sync(LINES)[LINES].counts["2025-03"] == Counts(deleted=1, unchanged=2)
    assert_equal(erp_copy, [line] * 2, SO_INVOICE_LINE)


def test_past_month_of_snapshot_is_not_read(erp_copy: ErpCopy) -> None:
    erp_copy.fill(STOCK, [{"warehouse": "W", "partno": "1", "onhand": Decimal(1)}])
    erp_copy.sync(STOCK)
    erp_copy.fill(STOCK, [{"warehouse": "W", "partno": "1", "onhand": Decimal(2)}])
    report = erp_copy.sync(STOCK, months=["2025-03"])[STOCK]
    assert (report.counts, erp_copy.warnings) == (
        {},
        ["stockbywh has only its current state: nothing was read, and its past months are unchanged"],
    )


def test_month_that_would_lose_too_many_rows_is_refused(erp_copy: ErpCopy) -> None:
    rows = [order(n, date(2025, 2, 1 + n % 28)) for n in range(600)]
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    erp_copy.fill(ORDERS, rows[:400])
    with pytest.raises(DeletionRefusedError, match=r"delete 200 of the 600 rows of erp.view_prod_header.*--accept-del"):
        erp_copy.sync(ORDERS, guard=GUARD)
    assert_equal(erp_copy, rows)
    erp_copy.sync(ORDERS)
    assert_equal(erp_copy, rows[:400])


def test_deleted_share_is_of_the_month_not_of_days_read(erp_copy: ErpCopy) -> None:
    rows = [order(n, date(2025, 2, 1 + n % 4)) for n in range(800)]
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    fewer = [row for row in rows if row["planning_date"] != date(2025, 2, 1) or row["prod_index"] % 8 < 1]
    assert len(rows) - len(fewer) == 100
    more = [row for row in fewer if row["prod_index"] not in (0, 8, 16)]
    erp_copy.fill(ORDERS, more)
    assert erp_copy.sync(ORDERS, guard=GUARD)[ORDERS].total.deleted == 103
    assert_equal(erp_copy, more)


def test_changing_every_row_deletes_none(erp_copy: ErpCopy) -> None:
    rows = [order(n, date(2025, 2, 1)) for n in range(300)]
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    rows = [{**row, "status": "done"} for row in rows]
    erp_copy.fill(ORDERS, rows)
    assert erp_copy.sync(ORDERS, guard=GUARD)[ORDERS].counts["2025-02"] == Counts(updated=300)
    assert_equal(erp_copy, rows)


def test_emptied_table_is_refused(erp_copy: ErpCopy) -> None:
    erp_copy.fill(ORDERS, orders(5))
    erp_copy.sync(ORDERS)
    erp_copy.fill(ORDERS, [])
    with pytest.raises(DeletionRefusedError, match="The ERP has no rows in view_prod_header at all"):
        erp_copy.sync(ORDERS, guard=GUARD)
    assert_equal(erp_copy, orders(5))


def test_rows_outside_the_partitions_are_rejected_until_inside(erp_copy: ErpCopy) -> None:
    undated, early, late = order(1, None), order(2, date(2024, 12, 31)), order(3, date(2025, 7, 1))
    good = order(4, date(2025, 2, 2))
    erp_copy.fill(ORDERS, [undated, undated, early, late, good])
    report = erp_copy.sync(ORDERS)[ORDERS]
    assert (report.total.inserted, report.read) == (1, 5)
    assert report.rejected == {"": 2, "2024-12": 1, "2025-07": 1}
    reasons = {row["source_id"].partition(" #")[0]: row["reason"] for row in erp_copy.rejected(ORDERS)}
    assert reasons == {
        "prod_index=1": "no date: no value in planning_date",
        "prod_index=2": "dated 2024-12, before 2025-01, the first month of the partitions: "
        "set LEDGER_FIRST_MONTH to an earlier month",
        "prod_index=3": "dated 2025-07, after the current month 2025-06: it will count once that month has begun",
    }
    twins = [row["source_id"] for row in erp_copy.rejected(ORDERS) if row["source_id"].startswith("prod_index=1 ")]
    assert twins[1] == f"{twins[0]}-2"
    erp_copy.sync(ORDERS)
    assert len(erp_copy.rejected(ORDERS)) == 4
    erp_copy.horizon = Horizon("2024-12", "2025-07", HORIZON.zone)
    dated = {**undated, "planning_date": date(2025, 2, 2)}
    erp_copy.fill(ORDERS, [dated, undated, early, late, good])
    erp_copy.sync(ORDERS, months=erp_copy.horizon.months)
    assert_equal(erp_copy, [dated, early, late, good])
    assert [row["source_id"] for row in erp_copy.rejected(ORDERS)] == twins[:1]


def test_unusable_values_are_rejected_within_their_month(erp_copy: ErpCopy) -> None:
    receipts = "data_receipt_purchase"
    day = date(2025, 2, 2)
    good = {"receipt_no": "R1", "actual_receipt_date": day, "is_confirmed": "yes"}
    bad = {"receipt_no": "R2", "actual_receipt_date": day, "is_confirmed": "perhaps"}
    erp_copy.fill(receipts, [good, bad])
    assert erp_copy.sync(receipts)[receipts].rejected == {"2025-02": 1}
    [rejected] = erp_copy.rejected(receipts)
    assert (rejected["reason"], rejected["year_month"]) == ('is_confirmed is neither yes nor no: "perhaps"', "2025-02")
    assert '"is_confirmed": "perhaps"' in rejected["raw_row"]
    erp_copy.fill(receipts, [good, {**bad, "is_confirmed": "No"}])
    assert erp_copy.sync(receipts)[receipts].counts["2025-02"] == Counts(inserted=1, unchanged=1)
    assert erp_copy.rejected(receipts) == []


def test_extra_source_columns_are_reported(erp_copy: ErpCopy) -> None:
    there, back = f"ALTER TABLE {ORDERS} ADD COLUMN colour varchar(9)", f"ALTER TABLE {ORDERS} DROP colour"
    with altered(erp_copy.source, there, back):
        erp_copy.fill(ORDERS, orders(3))
        erp_copy.sync(ORDERS)
        assert erp_copy.warnings == [f"{ORDERS} has columns at the source that are not copied: colour"]
        assert_equal(erp_copy, orders(3))


def test_missing_source_column_is_error_before_any_write(erp_copy: ErpCopy) -> None:
    erp_copy.fill(ORDERS, orders(3))
    erp_copy.sync(ORDERS)
    there, back = f"ALTER TABLE {ORDERS} DROP divisi", f"ALTER TABLE {ORDERS} ADD COLUMN divisi varchar(60)"
    with (
        altered(erp_copy.source, there, back),
        pytest.raises(SourceError, match=r"view_prod_header of the ERP .* lacks the column divisi"),
    ):
        erp_copy.sync(ORDERS)
    assert_equal(erp_copy, orders(3))


def test_text_dates_are_read_in_full_and_validated(erp_copy: ErpCopy) -> None:
    date_type = "timestamp" if erp_copy.source.dialect.name == "postgresql" else "datetime"
    alter = "ALTER COLUMN planning_date TYPE" if date_type == "timestamp" else "MODIFY planning_date"
    back = f"ALTER TABLE {ORDERS} DROP planning_date, ADD COLUMN planning_date {date_type} NULL"
    with altered(erp_copy.source, f"ALTER TABLE {ORDERS} {alter} varchar(30)", back):
        with erp_copy.source.begin() as connection:
            for number, text in enumerate(("2025-02-28", "20250301", "2025-02-30", "", "2024-01-01 00:00:00")):
                connection.exec_driver_sql(
                    f"INSERT INTO {ORDERS} (prod_index, planning_date) VALUES ({number}, '{text}')"
                )
        for _ in range(2):
            erp_copy.sync(ORDERS)
            assert "the whole table is read" in erp_copy.warnings[0]
            assert sorted((row[0], row[1]) for row in erp_copy.copied_rows(ORDERS)) == [("2025-02", 0), ("2025-03", 1)]
            assert [row["reason_kind"] for row in erp_copy.rejected(ORDERS)] == [
                "planning_date is not a date",
                "no date",
                "dated before 2025-01, the first month of the partitions",
            ]
        erp_copy.fill(ORDERS, [])
    erp_copy.source.dispose()


class _FaultyErp(ErpSource):
    """ERP whose table readers are replaced by faulty ones."""

    def __init__(self, erp: ErpSource, make_faulty: Callable[[TableReader], "TableReader | _FaultyReader"]) -> None:
        super().__init__(erp.engine, chunk_rows=10)
        self.make_faulty = make_faulty

    @contextmanager
    def reading(self, table: ErpTable) -> Iterator[Any]:
        with super().reading(table) as reading:
            yield self.make_faulty(reading)


class _FaultyReader:
    """Table reader that returns other rows or fingerprints than the source."""

    notes: tuple[str, ...] = ()

    def __init__(self, reading: TableReader, *, consistent: bool = True) -> None:
        self.reading, self.shape, self.dated, self.consistent = reading, reading.shape, reading.dated, consistent
        self.shows_every_change = reading.shows_every_change

    def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
        return self.reading.fingerprints(wanted)

    def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
        yield from self.reading.rows(wanted)


class _MovingReader(_FaultyReader):
    """Table reader without snapshots, whose first day has another digest each time."""

    changes = count()

    def __init__(self, reading: TableReader) -> None:
        super().__init__(reading, consistent=False)

    def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
        seen = super().fingerprints(wanted)
        day = date(2025, 1, 1)
        seen[day] = Fingerprint(seen[day].rows, seen[day].sums, f"{next(self.changes)}")
        return seen


def test_interrupted_source_is_reread_without_duplicates(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks = iter([True, True, False])

    class Breaking(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            broken = next(breaks)
            for number, chunk in enumerate(self.reading.rows(wanted)):
                if number == 2 and broken:
                    raise SourceInterruptedError("The connection was lost.")
                yield chunk

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Breaking))
    erp_copy.fill(ORDERS, orders())
    assert erp_copy.sync(ORDERS)[ORDERS].total == Counts(inserted=150)
    assert erp_copy.warnings == [
        f"{ORDERS}: The connection was lost. Trying again ({attempt} of 3)." for attempt in (1, 2)
    ]
    assert_equal(erp_copy, orders())


def test_restarting_source_is_retried(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that does not answer is retried only if it answered a moment ago."""
    failures = iter(
        [SourceInterruptedError("The connection was lost."), SourceUnreachableError("The server does not answer.")]
    )

    class Restarting(_FaultyReader):
        def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
            for failure in failures:
                raise failure
            return super().fingerprints(wanted)

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Restarting))
    erp_copy.fill(ORDERS, orders())
    erp_copy.sync(ORDERS)
    assert_equal(erp_copy, orders())
    failures = iter([SourceUnreachableError("The server does not answer.")])
    with pytest.raises(SourceUnreachableError):
        erp_copy.sync(ORDERS)


def test_source_that_is_always_interrupted_is_an_error(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            yield next(self.reading.rows(wanted))
            raise SourceInterruptedError("The connection was lost.")

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Breaking))
    erp_copy.fill(ORDERS, orders())
    with pytest.raises(SourceInterruptedError):
        erp_copy.sync(ORDERS)
    assert erp_copy.copied_rows(ORDERS).total() == erp_copy.count(tables.source_fingerprints) == 0


def test_lost_row_is_detected(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    class Losing(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            for chunk in self.reading.rows(wanted):
                yield chunk[1:]

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Losing))
    erp_copy.fill(ORDERS, orders())
    erp_copy.fill(STOCK, [{"partno": "1"}, {"partno": "2"}])
    with pytest.raises(RowsLostError, match=r"other rows, or other sums, .* in 2025-01, 2025-02"):
        erp_copy.sync(ORDERS)
    with pytest.raises(RowsLostError, match="the source has 2 rows, but 1 were read"):
        erp_copy.sync(STOCK)
    assert erp_copy.copied_rows(ORDERS).total() == 0


def test_row_of_another_day_than_requested_is_detected(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the requested days are compared with the copy and verified."""

    class Moving(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            day = VIEW_PROD_HEADER.names.index("planning_date")
            for chunk in self.reading.rows(wanted):
                yield [(*row[:day], date(2025, 2, 9), *row[day + 1 :]) for row in chunk]

    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    erp_copy.fill(ORDERS, [*rows, order(1000, date(2025, 2, 2))])
    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Moving))
    with pytest.raises(RowsLostError, match="returned a row of 2025-02-09, which was not requested"):
        erp_copy.sync(ORDERS)
    assert_equal(erp_copy, rows)


def test_changed_value_is_detected(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    class Rounding(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            for chunk in self.reading.rows(wanted):
                yield [tuple(v + 1 if isinstance(v, Decimal) else v for v in row) for row in chunk]

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Rounding))
    erp_copy.fill(ORDERS, orders(3))
    erp_copy.fill(STOCK, [{"partno": "1", "onhand": Decimal(1)}])
    with pytest.raises(RowsLostError, match="other sums"):
        erp_copy.sync(ORDERS)
    with pytest.raises(RowsLostError, match=r"the sum of onhand is 1.* at the source, but 2.* in the copy"):
        erp_copy.sync(STOCK)


@pytest.mark.parametrize("source_server", ["mariadb"], indirect=True)
def test_day_without_sum_is_loaded_and_others_are_proven(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """MariaDB returns the largest number instead of a sum of more than 65 digits."""

    class Rounding(_FaultyReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            for chunk in self.reading.rows(wanted):
                yield [tuple(v + 1 if v == Decimal("0.5") else v for v in row) for row in chunk]

    huge, small = Decimal("9" * 65), Decimal("0.5")
    rows = [order(n, date(2025, 2, 1), qty_os=huge) for n in range(3)] + [order(3, date(2025, 3, 1), qty_order=small)]
    there, back = (f"ALTER TABLE {ORDERS} MODIFY qty_os decimal({digits})" for digits in ("65, 0", "12, 0"))
    with altered(
        erp_copy.source, f"{there}, MODIFY qty_order decimal(9, 1)", f"{back}, MODIFY qty_order decimal(12, 0)"
    ):
        erp_copy.fill(ORDERS, rows)
        assert erp_copy.sync(ORDERS)[ORDERS].total == Counts(inserted=4)
        assert [warning.partition(":")[0] for warning in erp_copy.warnings] == [
            f"qty_os of {ORDERS} has values of magnitude 1E+56 or more on 2025-02-01"
        ]
        assert_equal(erp_copy, rows)
        assert erp_copy.sync(ORDERS)[ORDERS].read == 0
        monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Rounding))
        with pytest.raises(RowsLostError, match=r"other rows, or other sums, .* in 2025-03\."):
            erp_copy.sync(ORDERS, full=True)
        erp_copy.fill(ORDERS, [])


def test_source_that_changes_while_read_is_reread(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a server without snapshots the last attempt is loaded as read; the next sync rereads the changed days."""
    steady = erp_copy.erp
    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(steady, _MovingReader))
    erp_copy.fill(ORDERS, orders())
    erp_copy.sync(ORDERS)
    assert erp_copy.warnings == [
        f"{ORDERS}: The table changed while it was read (rows of 1 days). Trying again (1 of 3).",
        "The source keeps changing while it is read: the next sync reads 1 days again.",
    ]
    assert_equal(erp_copy, orders())
    assert erp_copy.count(tables.source_fingerprints, day="2025-01-01") == 0
    monkeypatch.setattr(erp_copy, "erp", steady)
    assert erp_copy.sync(ORDERS)[ORDERS].counts["2025-01"] == Counts(unchanged=1)
    assert erp_copy.count(tables.source_fingerprints, day="2025-01-01") == 1


def test_only_the_days_that_were_read_are_fingerprinted_again(
    erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Wanted] = []

    class Unsteady(_FaultyReader):
        def __init__(self, reading: TableReader) -> None:
            super().__init__(reading, consistent=False)

        def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
            asked.append(wanted)
            return super().fingerprints(wanted)

    rows = orders()
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    rows[40] = {**rows[40], "planning_date": date(2025, 3, 7)}
    erp_copy.fill(ORDERS, [*rows, order(1000, None)])
    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Unsteady))
    erp_copy.sync(ORDERS)
    first, again = asked
    days = (date(2025, 2, 10), date(2025, 3, 7))
    assert (first, again.undated) == (EVERYTHING, True)
    assert merged(again.spans) == [Span(day, day + timedelta(1)) for day in days]
    assert erp_copy.warnings == []
    assert_equal(erp_copy, rows)


def test_stable_days_are_verified_although_others_change(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    class MovingAndLosing(_MovingReader):
        def rows(self, wanted: Wanted) -> Generator[list[tuple[Any, ...]]]:
            for chunk in self.reading.rows(wanted):
                yield [row for row in chunk if row[0] != 40]

    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, MovingAndLosing))
    erp_copy.fill(ORDERS, orders())
    with pytest.raises(RowsLostError, match=r"in 2025-02\."):
        erp_copy.sync(ORDERS)
    assert erp_copy.copied_rows(ORDERS).total() == 0


def test_impossible_date_is_rejected(erp_copy: ErpCopy) -> None:
    """A row whose month depends on the impossible date is rejected as undated; otherwise within its month."""
    impossible = "infinity" if erp_copy.source.dialect.name == "postgresql" else "0000-00-00"
    with erp_copy.source.begin() as connection:
        if erp_copy.source.dialect.name != "postgresql":
            connection.exec_driver_sql("SET sql_mode = ''")
        for line, delivery, invoice in ((1, "2025-03-05", impossible), (2, impossible, "2025-03-05")):
            connection.exec_driver_sql(
                f"INSERT INTO {LINES} (so_line, delivery_date, invoice_date) VALUES ({line}, '{delivery}', '{invoice}')"
            )
    for _ in range(2):
        erp_copy.sync(LINES)
    rejected = {row["source_id"].partition(" ")[0]: row["year_month"] for row in erp_copy.rejected(LINES)}
    assert rejected == {"so_line=1": "2025-03", "so_line=2": None}


def test_outside_the_partitions_only_changed_months_are_read(erp_copy: ErpCopy) -> None:
    old = [order(n, date(2020, 1 + n % 12, 5)) for n in range(60)]
    planned = order(100, date(2025, 7, 3))
    erp_copy.fill(ORDERS, [*old, planned, order(101, None)])
    assert erp_copy.sync(ORDERS)[ORDERS].read == 62
    erp_copy.fill(ORDERS, [*old, {**planned, "status": "moved"}, order(101, None)])
    assert erp_copy.sync(ORDERS)[ORDERS].rejected == {"2025-07": 1}
    assert len(erp_copy.rejected(ORDERS)) == 62
    erp_copy.fill(ORDERS, [*old[1:], planned])
    erp_copy.sync(ORDERS)
    assert len(erp_copy.rejected(ORDERS)) == 60


def test_future_row_is_rejected_until_its_month_is_loaded(erp_copy: ErpCopy) -> None:
    rows = [order(1, date(2025, 3, 1)), order(2, date(2025, 7, 1))]
    erp_copy.fill(ORDERS, rows)
    erp_copy.sync(ORDERS)
    erp_copy.horizon = Horizon("2025-01", "2025-07", HORIZON.zone)
    erp_copy.sync(ORDERS, months=["2025-03"])
    assert erp_copy.copied_rows(ORDERS).total() + len(erp_copy.rejected(ORDERS)) == 2
    erp_copy.sync(ORDERS)
    assert_equal(erp_copy, rows)
    assert erp_copy.rejected(ORDERS) == []


def test_last_representable_year_is_rejected(erp_copy: ErpCopy) -> None:
    """Some ERP users enter 9999-12-31 for "until further notice"."""
    erp_copy.fill(ORDERS, [order(1, date(9999, 12, 31)), order(2, date(2025, 3, 1))])
    erp_copy.sync(ORDERS)
    assert [row["year_month"] for row in erp_copy.rejected(ORDERS)] == ["9999-12"]


def test_idle_transaction_timeout_does_not_end_the_load(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(_FaultyReader):
        def fingerprints(self, wanted: Wanted = EVERYTHING) -> dict[date | None, Fingerprint]:
            with erp_copy.warehouse.connect() as connection:
                connection.exec_driver_sql("SELECT pg_sleep(0.3)")
            return super().fingerprints(wanted)

    with erp_copy.warehouse.begin() as connection:
        connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '100ms'")
    erp_copy.warehouse.dispose()
    monkeypatch.setattr(erp_copy, "erp", _FaultyErp(erp_copy.erp, Slow))
    erp_copy.fill(ORDERS, orders(3))
    try:
        erp_copy.sync(ORDERS)
    finally:
        with erp_copy.warehouse.begin() as connection:
            connection.exec_driver_sql("ALTER ROLE CURRENT_USER RESET idle_in_transaction_session_timeout")
        erp_copy.warehouse.dispose()
    assert_equal(erp_copy, orders(3))


def test_empty_erp_is_loaded(embedded_url: sa.URL) -> None:
    with new_erp_copy(embedded_url, embedded_url, lambda url: ErpSource(erp_engine(url))) as empty:
        reports = empty.sync()
        assert {name: (report.read, report.total.changed) for name, report in reports.items()} == dict.fromkeys(
            reports, (0, 0)
        )
        assert empty.count(tables.loaded_months, table_name=f"erp.{ORDERS}") == len(HORIZON.months)
