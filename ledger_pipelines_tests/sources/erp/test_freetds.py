"""FreeTDS by ODBC and by pymssql: extremes of SQL Server's types, from a server of canned answers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.frames import Frame, frame
from ledger_pipelines.sources.erp.reader import ErpSource, Wanted
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp import tds_server
from ledger_pipelines_tests.support.erp.tds_server import (
    DATE,
    DATETIME2,
    INT,
    MONEY,
    NVARCHAR,
    NVARCHAR_4000,
    NVARCHAR_MAX,
    VARBINARY_MAX,
    VARCHAR_MAX,
    Type,
    result,
)

LAST_TICK = 24 * 60 * 60 * 10_000_000 - 1
NEW_YEARS_EVE = date(2025, 12, 31).toordinal() - 1


@pytest.fixture(params=["pyodbc", "pymssql"])
def driver(request: pytest.FixtureRequest) -> str:
    """Each way to use FreeTDS."""
    if request.param == "pyodbc":
        servers.require_odbc("FreeTDS", "tdsodbc")
    return str(request.param)


@contextmanager
def reading_from(driver: str, port: int) -> Iterator[ErpSource]:
    """Read the ERP with a driver from a port of this machine."""
    url = sa.make_url(f"mssql+{driver}://reader:s3cret@127.0.0.1:{port}/soi107")
    erp = ErpSource(erp_engine(url.update_query_dict({"driver": "FreeTDS"} if driver == "pyodbc" else {})))
    try:
        yield erp
    finally:
        erp.engine.dispose()


def copied(driver: str, kind: Kind, type_name: str, sent: Type, values: Sequence[Any]) -> Frame:
    """Return the rows of a table with one column, as a sync copies them.

    Args:
        driver: Driver that reads the table.
        kind: Kind of the column in the catalogue.
        type_name: Type of the column at the server.
        sent: Type of the values that the server sends.
        values: Value of the column in each row.
    """
    table = ErpTable("parts", "p", (ErpColumn("value", kind, "v"),), (), ())
    is_text = type_name.split("(")[0] in {"varchar", "nvarchar"}
    columns = {"value": VARBINARY_MAX if driver == "pymssql" and is_text else sent}
    with (
        tds_server.running(_answers(type_name, columns, values)) as server,
        reading_from(driver, server.port) as erp,
        erp.reading(table) as reading,
    ):
        rows = [row for chunk in reading.rows(Wanted(everything=True)) for row in chunk]
    return frame(table, rows)


def _answers(type_name: str, columns: Mapping[str, Type], values: Sequence[Any]) -> dict[str, bytes]:
    return {
        "@@version": result({"": NVARCHAR}, ("Microsoft SQL Server 2022 - 16.0.1000.6 (X64)",)),
        "ProductVersion": result({"": NVARCHAR}, ("16.0.1000.6",)),
        "sys.databases": result({"": INT}, (1,)),
        "dm_exec_describe_first_result_set": result(
            {"name": NVARCHAR, "system_type_name": NVARCHAR}, ("value", type_name)
        ),
        "WHERE 1 = 0": result(columns),
        "FROM .parts.": result(columns, *((value,) for value in values)),
        "transaction_isolation_level": result({"": NVARCHAR}, ("READ COMMITTED",)),
        "SELECT ": result({"": NVARCHAR}, ("dbo",)),
    }


def test_money_has_four_decimals(driver: str) -> None:
    amounts = ["922337203685477.5807", "-922337203685477.5808", "0.0001", "-0.0001", "1.0000"]
    found = copied(driver, Kind.DECIMAL, "money", MONEY, amounts)
    assert list(map(str, found.rows["value"])) == amounts


def test_the_last_tick_of_a_day_stays_on_its_day(driver: str) -> None:
    last_day = date.max.toordinal() - 1
    found = copied(driver, Kind.DATE, "datetime2(7)", DATETIME2, [(NEW_YEARS_EVE, LAST_TICK), (last_day, LAST_TICK)])
    assert list(found.rows["value"]) == [date(2025, 12, 31), date.max]


def test_the_day_of_a_moment_with_an_offset_is_read(driver: str) -> None:
    """The server casts it to a date; pyodbc cannot read its type."""
    found = copied(driver, Kind.DATE, "datetimeoffset(7)", DATE, [NEW_YEARS_EVE])
    assert list(found.rows["value"]) == [date(2025, 12, 31)]


@pytest.mark.parametrize(
    ("type_name", "instead"),
    [
        ("image", "CONVERT(varchar(max), CONVERT(varbinary(max), value), 2) AS value"),
        ("varbinary(50)", "CONVERT(varchar(max), value, 2) AS value"),
        ("timestamp", "CONVERT(bigint, value) AS value"),
        ("sql_variant", "CONVERT(decimal(19, 4), value) AS value"),
        ("CLR type", "value.ToString() AS value"),
        ("vector(3)", "CONVERT(nvarchar(max), value) AS value"),
    ],
)
def test_a_type_without_text_is_refused_before_reading(driver: str, type_name: str, instead: str) -> None:
    with pytest.raises(SourceError) as error:
        copied(driver, Kind.TEXT, type_name, INT, [])
    assert f"/soi107 has columns of types that cannot be copied: value ({type_name})." in str(error.value)
    assert f"such as {instead}, or remove them from the catalogue. Nothing was changed." in str(error.value)


@pytest.mark.parametrize("text", ["😀" * 2000, "a" + "😀" * 1999, "é" * 4000, "x" * 3999 + " "])
def test_a_text_of_full_length_is_exact(driver: str, text: str) -> None:
    assert list(copied(driver, Kind.TEXT, "nvarchar(4000)", NVARCHAR_4000, [text]).rows["value"]) == [text]


@pytest.mark.parametrize(
    ("type_name", "sent", "characters"),
    [
        ("varchar(max)", VARCHAR_MAX, "é1xü"),
        ("nvarchar(max)", NVARCHAR_MAX, "é1xŧ"),
        ("nvarchar(max)", NVARCHAR_MAX, "😀"),
    ],
)
def test_a_long_text_is_exact_or_rejected(driver: str, type_name: str, sent: Type, characters: str) -> None:
    texts = ["", *((characters * 100_001)[:length] for length in (1, 4_000, 8_001, 99_999, 100_000, 100_001))]
    found = copied(driver, Kind.TEXT, type_name, sent, texts)
    assert list(found.rows["value"]) == texts
    assert {position: str(reason) for position, reason in found.failures.items()} == {
        6: "value is longer than 100,000 characters"
    }
