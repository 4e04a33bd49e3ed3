"""The reader of the ERP with every driver: rows, days and values."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo.erp import create_erp_tables
from ledger_pipelines.sources.dialects.causes import Cause
from ledger_pipelines.sources.dialects.mysql import MySql
from ledger_pipelines.sources.dialects.postgresql import PostgreSql
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection import source_connection
from ledger_pipelines.sources.erp.connection.source_connection import SourceConnection
from ledger_pipelines.sources.erp.frames import frame
from ledger_pipelines.sources.erp.reader import ErpSource, SourceInterruptedError, Span, Wanted
from ledger_pipelines.sources.erp.spans import merged
from ledger_pipelines.sources.errors import SnapshotRefusedError, SourceError, SourceUnreachableError
from ledger_pipelines.sources.prefetch import StatementTimeoutError
from ledger_pipelines_tests.support.erp.erp_sources import DRIVERS, MOVES, Source, create_source

A_DAY = date(2025, 3, 31)


@pytest.fixture(scope="module", params=DRIVERS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The ERP with each driver."""
    with create_source(request.param) as made:
        yield made


def ids(source: Source, wanted: Wanted) -> list[int]:
    """Return the ids of the wanted rows, in order."""
    with source.erp.reading(MOVES) as reading:
        return sorted(row[0] for chunk in reading.rows(wanted) for row in chunk)


def dated(number: int, planned: str | None, moved: str | None, amount: str = "1") -> str:
    """Return a row of `moves` as SQL values."""
    days = (f"'{day}'" if day else "NULL" for day in (planned, moved))
    return f"{number}, 'x', 'y', {', '.join(days)}, 1, {amount}, 1, true"


def test_values_are_exact(source: Source) -> None:
    words = "ꦏꦧꦺꦃ 😀 é ŧ"
    source.set_moves(
        f"9223372036854775807, '{words}', '', '2025-03-31', '2025-03-31 23:59:59.999999',"
        " 1234567890123456789012345678.0123456789, 12345678901234567890.123456789012345678901234567891, 0.1, true",
        "-1, NULL, 'Blank ', NULL, NULL, -0.0000000001, 0.10, 1e22, false",
        "0, '', NULL, '0001-01-01', '9999-12-31', NULL, NULL, NULL, NULL",
    )
    with source.erp.reading(MOVES) as reading:
        rows = sorted((row for chunk in reading.rows(Wanted(everything=True)) for row in chunk), key=lambda row: row[0])
    assert all(type(row) is tuple for row in rows)
    scale = "0.10" if source.is_postgresql else "0.100000000000000000000000000000"
    assert [repr(value) for value in rows[0][5:7]] == ["Decimal('-1E-10')", f"Decimal('{scale}')"]
    assert rows == [
        (-1, None, "Blank ", None, None, Decimal("-0.0000000001"), Decimal("0.10"), 1e22, False),
        (0, "", None, date(1, 1, 1), datetime.fromisoformat("9999-12-31"), None, None, None, None),
        (
            9223372036854775807,
            words,
            "",
            date(2025, 3, 31),
            datetime.fromisoformat("2025-03-31T23:59:59.999999"),
            Decimal("1234567890123456789012345678.0123456789"),
            Decimal("12345678901234567890.123456789012345678901234567891"),
            0.1,
            True,
        ),
    ]


def test_rows_arrive_in_chunks(source: Source) -> None:
    source.set_moves(*(dated(number, None, "2025-03-31") for number in range(25)))
    with source.erp.reading(MOVES) as reading:
        chunks = list(reading.rows(Wanted(everything=True)))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert sorted(row[0] for chunk in chunks for row in chunk) == list(range(25))


def test_an_empty_table(source: Source) -> None:
    source.set_moves()
    with source.erp.reading(MOVES) as reading:
        assert reading.fingerprints() == {}
        assert list(reading.rows(Wanted(everything=True))) == []
        assert list(reading.rows(Wanted())) == []


def test_a_span_is_half_open_on_the_first_month_column(source: Source) -> None:
    source.set_moves(
        dated(1, None, "2025-03-01"),
        dated(2, None, "2025-03-31 23:59:59.999"),
        dated(3, "2025-03-15", "2025-04-01"),
        dated(4, "2025-03-31", None),
        dated(5, "2025-04-01", None),
        dated(6, None, None),
        dated(7, "2025-04-01", "2025-02-28 23:59:59.999"),
    )
    march = Span(date(2025, 3, 1), date(2025, 4, 1))
    assert ids(source, Wanted((march,))) == [1, 2, 4]
    assert ids(source, Wanted((march,), undated=True)) == [1, 2, 4, 6]
    assert ids(source, Wanted((Span(date(2025, 4, 1), None),))) == [3, 5]
    assert ids(source, Wanted((Span(date.min, date(2025, 3, 1)),))) == [7]
    assert ids(source, Wanted((march, march, Span(date(2025, 3, 20), None)))) == [1, 2, 3, 4, 5]
    assert ids(source, Wanted((Span(date(2025, 4, 1), date(2025, 3, 1)),))) == []
    assert ids(source, Wanted((march,), everything=True)) == [1, 2, 3, 4, 5, 6, 7]


def test_fingerprints_match_the_rows_of_each_day(source: Source) -> None:
    rng = Random(20250331)
    days = [None, *(f"2025-0{rng.randint(1, 9)}-{rng.randint(1, 28):02} 0{rng.randint(0, 9)}:00:00" for _ in range(60))]
    source.set_moves(*(dated(number, rng.choice(days), rng.choice(days), str(number)) for number in range(120)))
    with source.erp.reading(MOVES) as reading:
        prints = reading.fingerprints()
        assert sum(each.rows for each in prints.values()) == 120
        assert sum(each.sums["amount"] for each in prints.values()) == sum(range(120))
        for day in prints:
            wanted = Wanted(undated=True) if day is None else Wanted((Span(day, day + timedelta(1)),))
            rows = [row for chunk in reading.rows(wanted) for row in chunk]
            assert len(rows) == prints[day].rows
            assert sum(row[6] for row in rows) == prints[day].sums["amount"]


def test_spans_beyond_one_statement(source: Source) -> None:
    days = [date(2025 + number // 336, 1 + number // 28 % 12, 1 + number % 28) for number in range(300)]
    source.set_moves(*(dated(number, None, str(day)) for number, day in enumerate(days)), dated(999, None, None))
    every_other = tuple(Span(day, day + timedelta(1)) for day in days[::2])
    assert ids(source, Wanted(every_other, undated=True)) == [*range(0, 300, 2), 999]


def test_spans_are_merged() -> None:
    def span(first: int, after: int | None) -> Span:
        return Span(date(2025, 1, first), None if after is None else date(2025, 1, after))

    assert merged([span(5, 7), span(1, 3), span(3, 4), span(9, 9), span(6, 8)]) == [span(1, 4), span(5, 8)]
    assert merged([span(5, None), span(1, 2), span(9, 12), span(3, 7)]) == [span(1, 2), span(3, None)]


BASE = (
    "1, 'a', 'bc', NULL, '2025-03-31', 1, 2, 0.5, true",
    "2, 'x', NULL, NULL, '2025-03-31', 3, -2, 0.5, NULL",
)
CHANGES = {
    "a border between columns": (BASE[0].replace("'a', 'bc'", "'ab', 'c'"), BASE[1]),
    "a letter's case": (BASE[0].replace("'a'", "'A'"), BASE[1]),
    "a blank at the end": (BASE[0].replace("'a'", "'a '"), BASE[1]),
    "an accent": (BASE[0].replace("'a'", "'á'"), BASE[1]),
    "NULL to empty text": (BASE[0], BASE[1].replace("'x', NULL", "'x', ''")),
    "NULL to false": (BASE[0], BASE[1].replace("0.5, NULL", "0.5, false")),
    "the last digit": (BASE[0].replace("1, 2,", "1, 2.000000000000000000000000000001,"), BASE[1]),
    "a time of day": (BASE[0].replace("'2025-03-31'", "'2025-03-31 00:00:00.000001'"), BASE[1]),
    "an approximate number": (BASE[0].replace("0.5", "0.50000000000000011"), BASE[1]),
    "values swapped between rows": (BASE[0].replace("'a'", "'x'"), BASE[1].replace("'x'", "'a'")),
    "amounts swapped between rows": (BASE[0].replace("1, 2,", "3, 2,"), BASE[1].replace("3, -2,", "1, -2,")),
    "signs swapped between rows": (BASE[0].replace("1, 2,", "1, -2,"), BASE[1].replace("3, -2,", "3, 2,")),
    "another half of a bigint": (BASE[0].replace("1, 'a'", f"{2**32}, 'a'"), BASE[1]),
    "a row twice": (*BASE, BASE[1]),
    "a row twice, another twice": (*BASE, *BASE),
    "a row less": BASE[:1],
}


@pytest.mark.parametrize("rows", CHANGES.values(), ids=CHANGES.keys())
def test_a_fingerprint_detects_every_change(source: Source, rows: tuple[str, ...]) -> None:
    source.set_moves(*BASE)
    before = fingerprint_of(source, A_DAY)
    source.set_moves(*reversed(BASE))
    assert fingerprint_of(source, A_DAY) == before
    source.set_moves(*rows)
    assert fingerprint_of(source, A_DAY).digest != before.digest


def fingerprint_of(source: Source, day: date | None) -> Any:
    """Return the fingerprint of a day's rows."""
    with source.erp.reading(MOVES) as reading:
        return reading.fingerprints()[day]


def test_only_exact_columns_are_summed(source: Source) -> None:
    source.set_moves(
        "1, 'a', 'b', NULL, '2025-03-31', 1234567890123456789012345678.0000000001, 0.1, 0.1, true",
        "2, 'a', 'b', NULL, '2025-03-31', 0.0000000001, NULL, 0.1, true",
    )
    found = fingerprint_of(source, A_DAY)
    assert found.rows == 2
    assert found.sums == {"qty": Decimal("1234567890123456789012345678.0000000002"), "amount": Decimal("0.1")}


def test_values_too_large_for_a_sum_are_left_out(source: Source) -> None:
    """MariaDB returns the largest number instead of a sum of more than 65 digits."""
    largest, days = "9" * 35 + "." + "9" * 30, [f"2025-03-{day}" for day in range(27, 32)]
    source.set_moves(
        dated(0, None, "2025-04-01", "2.5"),
        *(dated(number, None, days[number % 5], largest) for number in range(1, 11)),
    )
    with source.erp.reading(MOVES) as reading:
        found, notes = reading.fingerprints(), reading.notes
    assert found[date(2025, 4, 1)].sums == {"qty": 1, "amount": Decimal("2.5")}
    if source.is_postgresql:
        assert (found[A_DAY].sums["amount"], notes) == (Decimal(f"1{largest[:-1]}8"), ())
    else:
        assert (found[A_DAY].rows, found[A_DAY].sums) == (2, {"qty": Decimal(2)})
        assert "".join(notes) == (
            "amount of moves has values of magnitude 1E+26 or more on 2025-03-27, 2025-03-28, 2025-03-29 and 2 more "
            "days: too large for the sums of the ERP's server. These sums are not compared with the copy; the rows are "
            "copied, counted and hashed as usual. Check whether the values are right."
        )
    source.write(f"UPDATE moves SET amount = {largest[:-1]}8 WHERE id = 4")
    assert fingerprint_of(source, A_DAY).digest != found[A_DAY].digest


def test_servers_without_hashes_compare_extremes(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL before 14 cannot hash rows."""
    for server in (PostgreSql, MySql):
        monkeypatch.setattr(server, "hashed_since", None)
    digests = set()
    for rows in (BASE, *(CHANGES[name] for name in ("an accent", "a time of day", "another half of a bigint"))):
        source.set_moves(*rows)
        digests.add(fingerprint_of(source, A_DAY).digest)
    assert len(digests) == 4
    with source.erp.reading(MOVES) as reading:
        assert "cannot hash the rows of moves" in "".join(reading.notes)


def test_a_text_beyond_the_packet_size_is_hashed(source: Source) -> None:
    """In MariaDB a function's result beyond 16 MB becomes NULL; the row must still be hashed."""
    source.set_moves(*BASE)
    source.write("""UPDATE moves SET "group" = REPEAT('x', 9000000), "desc" = 'long' WHERE id = 1""")
    before = fingerprint_of(source, A_DAY)
    source.write("""UPDATE moves SET "group" = CONCAT(REPEAT('x', 8999999), 'y') WHERE id = 1""")
    assert fingerprint_of(source, A_DAY).digest != before.digest


def test_a_pass_reads_one_snapshot(source: Source) -> None:
    source.set_moves(*BASE)
    with source.erp.reading(MOVES) as reading:
        assert reading.consistent
        before = reading.fingerprints()
        source.set_moves()
        assert reading.fingerprints() == before
        assert [len(chunk) for chunk in reading.rows(Wanted(everything=True))] == [2]
    assert ids(source, Wanted(everything=True)) == []


def test_a_pass_cannot_write(source: Source) -> None:
    source.set_moves(*BASE)
    session = source.erp.connect()
    try:
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.only"):
            session.connection.exec_driver_sql("DELETE FROM moves")
    finally:
        session.leave(usable=False)
    assert ids(source, Wanted(everything=True)) == [1, 2]


def test_an_impossible_day_is_undated(source: Source) -> None:
    impossible = ("infinity", "-infinity", "10000-01-01", "0044-03-15 BC")
    if not source.is_postgresql:
        impossible = ("0000-00-00", "2025-00-00", "2025-02-00", "2025-03-00")
    rows = [dated(number, None, day) for number, day in enumerate(impossible)]
    # The first month column that is not null decides, even if its day is impossible.
    rows += [dated(10, "2025-03-31", impossible[0]), dated(11, "2025-03-31", None), dated(12, impossible[0], None)]
    with source.native.begin() as connection:
        if not source.is_postgresql:
            connection.exec_driver_sql("SET sql_mode = ''")
        connection.exec_driver_sql("DELETE FROM moves")
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO moves VALUES ({row})")
    with source.erp.reading(MOVES) as reading:
        assert {day: each.rows for day, each in reading.fingerprints().items()} == {A_DAY: 1, None: 6}
    if source.driver == "mariadb-odbc":
        with pytest.raises(
            SourceError, match=r"month must be in 1\.\.12\. The driver in LEDGER_ERP_URL cannot read one"
        ):
            ids(source, Wanted(undated=True))
    else:
        assert ids(source, Wanted(undated=True)) == [0, 1, 2, 3, 10, 12]
    assert ids(source, Wanted((Span(date.min, None),))) == [11]
    assert ids(source, Wanted((Span(date(2025, 1, 1), date(2025, 3, 1)),))) == []


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_an_impossible_day_arrives_as_text(source: Source) -> None:
    day = "infinity" if source.is_postgresql else "0000-00-00"
    with source.native.begin() as connection:
        if not source.is_postgresql:
            connection.exec_driver_sql("SET sql_mode = ''")
        connection.exec_driver_sql("DELETE FROM moves")
        connection.exec_driver_sql(f"INSERT INTO moves VALUES ({dated(1, day, day)})")
    with source.erp.reading(MOVES) as reading:
        ((row,),) = reading.rows(Wanted(undated=True))
    assert row[3].startswith(day)
    assert row[4].startswith(day)


def declare_table(name: str, kinds: dict[str, Kind], month_columns: tuple[str, ...] = ()) -> ErpTable:
    """Declare a table for one test."""
    columns = tuple(ErpColumn(column, kind, column) for column, kind in kinds.items())
    return ErpTable(name, name, columns, month_columns, ())


def test_a_month_column_without_dates(source: Source) -> None:
    table = declare_table("texts", {"id": Kind.INTEGER, "order_date": Kind.DATE}, ("order_date",))
    source.write(
        "DROP TABLE IF EXISTS texts",
        "CREATE TABLE texts (id int, order_date varchar(20))",
        "INSERT INTO texts VALUES (1, '31.03.2025'), (2, NULL)",
    )
    with source.erp.reading(table) as reading:
        assert not reading.dated
        assert {day: each.rows for day, each in reading.fingerprints().items()} == {None: 2}
        assert sum(map(len, reading.rows(Wanted(everything=True)))) == 2
        with pytest.raises(ValueError, match="no dates"):
            list(reading.rows(Wanted((Span(date.min, None),))))


def test_a_snapshot_has_one_fingerprint(source: Source) -> None:
    table = declare_table("stock", {"part": Kind.TEXT, "onhand": Kind.DECIMAL})
    source.write("DROP TABLE IF EXISTS stock", "CREATE TABLE stock (part varchar(20), onhand decimal(10, 2))")
    with source.erp.reading(table) as reading:
        assert not reading.dated
        empty = reading.fingerprints()
    source.write("INSERT INTO stock VALUES ('a', 1.25), ('b', NULL)")
    with source.erp.reading(table) as reading:
        full = reading.fingerprints()
    assert (list(empty), list(full)) == ([None], [None])
    assert (empty[None].rows, empty[None].sums) == (0, {"onhand": Decimal(0)})
    assert (full[None].rows, full[None].sums) == (2, {"onhand": Decimal("1.25")})


def test_the_shape_of_a_table(source: Source) -> None:
    table = declare_table("shaped", {"id": Kind.INTEGER, "qty": Kind.DECIMAL, "order_date": Kind.DATE}, ("order_date",))
    source.write(
        "DROP TABLE IF EXISTS shaped",
        'CREATE TABLE shaped ("ID" int, "Qty" decimal(15,2), "Remark" varchar(9), order_date date, extra int)',
        "INSERT INTO shaped VALUES (1, 2.50, 'x', '2025-03-31', 3)",
    )
    shape = source.erp.check(table)
    assert shape.extra == ("Remark", "extra")
    assert shape.dated
    assert list(shape.columns) == ["id", "qty", "order_date"]
    assert shape.columns["qty"].type in {"numeric(15,2)", "decimal(15,2)"}
    with source.erp.reading(table) as reading:
        assert list(reading.rows(Wanted((Span(A_DAY, None),)))) == [[(1, Decimal("2.50"), A_DAY)]]


def test_a_view_is_read_like_a_table(source: Source) -> None:
    source.set_moves(*BASE)
    source.write("DROP VIEW IF EXISTS seen", "CREATE VIEW seen AS SELECT * FROM moves")
    view = ErpTable("seen", "A view", MOVES.columns, MOVES.month_columns, ())
    with source.erp.reading(view) as reading:
        assert reading.shape.dated
        assert reading.fingerprints().keys() == {A_DAY}


def test_a_missing_table_is_named(source: Source) -> None:
    with pytest.raises(SourceError, match=r"has no table or view absent, .* Is LEDGER_ERP_URL the ERP's database\?"):
        source.erp.check(declare_table("absent", {"id": Kind.INTEGER}))


def test_missing_columns_are_named(source: Source) -> None:
    table = declare_table("moves", {"id": Kind.INTEGER, "colour": Kind.TEXT, "size": Kind.TEXT})
    with pytest.raises(SourceError, match=r"moves .* lacks the columns colour, size\. Has the ERP been upgraded\?"):
        source.erp.check(table)


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_the_demo_tables_suit(source: Source) -> None:
    create_erp_tables(source.native)
    for table in ERP_TABLES:
        shape = source.erp.check(table)
        assert shape.extra == ()
        assert shape.dated is not table.is_snapshot


def test_sqlite_is_read_without_hashes() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stock (part TEXT, onhand NUMERIC, order_date TEXT)")
        connection.exec_driver_sql("INSERT INTO stock VALUES ('a', 1, '2025-03-31')")
    kinds = {"part": Kind.TEXT, "onhand": Kind.DECIMAL, "order_date": Kind.DATE}
    erp = ErpSource(engine)
    with erp.reading(declare_table("stock", kinds, ("order_date",))) as reading:
        assert (reading.dated, reading.consistent) == (False, False)
        assert ["cannot hash the rows of stock" in note for note in reading.notes] == [True]
        before = reading.fingerprints()
        assert list(reading.rows(Wanted(everything=True))) == [[("a", 1, "2025-03-31")]]
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stock SET part = 'b'")
    with erp.reading(declare_table("stock", kinds, ("order_date",))) as reading:
        assert reading.fingerprints() != before
    engine.dispose()


@pytest.mark.parametrize("source", ["pymysql", "mariadb-odbc"], indirect=True)
def test_a_lone_surrogate_is_read_as_bytes_after_a_retry(source: Source) -> None:
    """SQL Server's LEFT() can cut an emoji to a lone surrogate, which MariaDB can store, too. Drivers fail on it."""
    source.set_moves(*(dated(number, None, "2025-03-31", str(number)) for number in range(25)))
    with source.native.begin() as connection:
        for half, number in (("0061D83D", 7), ("D83DDE00", 8)):
            connection.exec_driver_sql(f"UPDATE moves SET `desc` = CONVERT(0x{half} USING ucs2) WHERE id = {number}")
        connection.exec_driver_sql("UPDATE moves SET `group` = NULL WHERE id = 9")
    reason = r"moves cannot be read .* has a lone surrogate.* Nothing was changed\."
    with pytest.raises(SourceInterruptedError, match=reason), source.erp.reading(MOVES) as reading:
        list(reading.rows(Wanted(everything=True)))
    with source.erp.reading(MOVES) as reading:
        chunks = list(reading.rows(Wanted((Span(A_DAY, None),))))
    rows = sorted((row for chunk in chunks for row in chunk), key=lambda row: row[0])
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert rows[6] == (6, "x", "y", None, datetime.fromisoformat("2025-03-31"), Decimal(1), Decimal(6), 1.0, True)
    assert [row[1] for row in rows[7:10]] == ["a\ud83d", "\ud83d\ude00", "x"]
    assert [row[2] for row in rows[7:10]] == ["y", "y", None]
    assert frame(MOVES, rows).failures.keys() == {7, 8}
    assert str(frame(MOVES, rows).failures[7]) == "desc contains a lone surrogate (half a character)"


@pytest.mark.parametrize("source", ["psqlodbc"], indirect=True)
def test_a_view_without_snapshot_support_is_read_without(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL simulates a SQL Server whose view reads another database without snapshots."""
    refused = Cause("", states=("SN001",), raised=SnapshotRefusedError)
    monkeypatch.setattr(PostgreSql, "causes", (refused, *PostgreSql.causes))
    source.set_moves(*BASE)
    source.write(
        "DROP VIEW IF EXISTS elsewhere",
        """CREATE OR REPLACE FUNCTION in_no_snapshot() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE 'The other database allows no snapshots' USING ERRCODE = 'SN001';
            END IF;
            RETURN true;
        END $$""",
        "CREATE VIEW elsewhere AS SELECT * FROM moves WHERE in_no_snapshot()",
    )
    view = ErpTable("elsewhere", "A view", MOVES.columns, MOVES.month_columns, ())
    with source.erp.reading(view) as reading:
        assert reading.consistent
        assert reading.notes == ()
        assert reading.fingerprints()[A_DAY].rows == 2
        assert not reading.consistent
        (note,) = reading.notes
        assert note.startswith(
            "elsewhere is read without a snapshot, so it may change meanwhile. The ERP refused one: "
        )
        assert "The other database allows no snapshots" in note
        assert sum(map(len, reading.rows(Wanted(everything=True)))) == 2
    with source.erp.reading(MOVES) as reading:
        reading.fingerprints()
        assert reading.consistent
    source.write("DROP VIEW elsewhere")


def test_a_pass_closes_its_connection(source: Source) -> None:
    source.set_moves(*BASE)
    with source.erp.reading(MOVES) as reading:
        reading.fingerprints()
        list(reading.rows(Wanted(everything=True)))
        connection = reading._connection.connection
    assert connection.closed


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_a_connection_is_closed_if_its_cursor_fails(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError

    connection = source.erp.connect()
    monkeypatch.setattr(connection.cursor, "close", fail)
    connection.leave(usable=True)
    assert connection.connection.closed


class StoppedError(Exception):
    """Raised in the waiting thread."""


def stopped(work: Callable[[], None], *_: object) -> None:
    """Stop the waiting thread after the connection was opened."""
    work()
    raise StoppedError


def timed_out(work: Callable[[], None], *_: object) -> None:
    """Exceed the time limit just when the connection was opened."""
    work()
    raise StatementTimeoutError


@pytest.mark.parametrize(
    ("wait", "raised"),
    [(stopped, StoppedError), (timed_out, SourceUnreachableError)],
)
@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_a_connection_is_closed_if_the_waiting_thread_stops(
    source: Source, wait: Callable[..., None], raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_connection, "run_with_timeout", wait)
    connection = SourceConnection(source.erp.engine, 10)
    with pytest.raises(raised):
        connection.open()
    assert connection.connection.closed


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_a_connection_that_opens_after_the_time_limit_is_closed(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[Callable[[], None]] = []

    def timed_out_before(work: Callable[[], None], *_: object) -> None:
        later.append(work)
        raise StatementTimeoutError

    monkeypatch.setattr(source_connection, "run_with_timeout", timed_out_before)
    connection = SourceConnection(source.erp.engine, 10)
    with pytest.raises(SourceUnreachableError):
        connection.open()
    later[0]()
    assert connection.connection.closed


SETTINGS_OF_POSTGRESQL = {
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    "statement_timeout": "90s",
    "lock_timeout": "1min",
    "cursor_tuple_fraction": "1",
}
SETTINGS_OF_MARIADB = {"net_write_timeout": 90, "lock_wait_timeout": 60, "sql_mode": ""}


def test_the_settings_of_a_session(source: Source) -> None:
    settings = SETTINGS_OF_POSTGRESQL if source.is_postgresql else SETTINGS_OF_MARIADB
    select = "SELECT current_setting('{}')" if source.is_postgresql else "SELECT @@session.{}"
    connection = ErpSource(source.erp.engine, 90).connect()
    found = {name: connection.connection.exec_driver_sql(select.format(name)).scalar() for name in settings}
    connection.leave(usable=True)
    assert found == settings
