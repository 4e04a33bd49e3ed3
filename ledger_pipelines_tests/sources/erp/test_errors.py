"""Translation of driver errors: retryable or not, with advice, and without passwords."""

from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.connection import odbc as erp_odbc
from ledger_pipelines.sources.erp.connection.errors import (
    SnapshotRefusedError,
    SourceInterruptedError,
    SourceUnreachableError,
    explained,
    place,
    without_secrets,
)
from ledger_pipelines.sources.errors import SourceError

SQL_SERVER = sa.make_url("mssql+pyodbc://reader:s3cr%40t@erp.example.com:1433/soi107?driver=FreeTDS")
MYSQL = sa.make_url("mysql+pymysql://reader:s3cr%40t@erp.example.com/soi107")
FREETDS = "[FreeTDS][SQL Server]"
MICROSOFT = "[Microsoft][ODBC Driver 18 for SQL Server]"


class OdbcError(Exception):
    """Error as raised by pyodbc: SQLSTATE, and the driver's message with its tags."""


def odbc_error(state: str, text: str) -> OdbcError:
    """Return an error of pyodbc."""
    return OdbcError(state, f"[{state}] {text}")


@pytest.fixture(autouse=True)
def _no_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevent calls of unixODBC, which may not be installed."""
    monkeypatch.setattr(erp_odbc, "installed_drivers", list)


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (
            odbc_error(
                "40001", f"{MICROSOFT}[SQL Server]Transaction (Process ID 52) was deadlocked. (1205) (SQLFetch)"
            ),
            SourceInterruptedError,
            "Transaction (Process ID 52) was deadlocked. It conflicted with another transaction at the ERP. Try again.",
        ),
        (
            odbc_error("42000", "[FreeTDS][SQL Server]Lock request time out period exceeded. (1222) (SQLExecDirectW)"),
            SourceInterruptedError,
            "Lock request time out period exceeded. It conflicted with another transaction at the ERP. Try again.",
        ),
        (
            odbc_error("08S01", f"{MICROSOFT}TCP Provider: Error code 0x68 (104) (SQLGetData)"),
            SourceInterruptedError,
            "TCP Provider: Error code 0x68. The connection to the ERP was lost",
        ),
        (
            odbc_error("HY000", "[FreeTDS][SQL Server]Read from the server failed (20004) (SQLFetch)"),
            SourceInterruptedError,
            "The connection to the ERP was lost",
        ),
        (
            odbc_error("HYT00", f"{MICROSOFT}Query timeout expired (0) (SQLExecDirectW)"),
            SourceError,
            "Query timeout expired. The time limit was exceeded.",
        ),
        (
            odbc_error("42S02", f"{MICROSOFT}[SQL Server]Invalid object name 'stock'. (208) (SQLExecDirectW)"),
            SourceError,
            "Invalid object name 'stock'. Is LEDGER_ERP_URL the ERP's database? Has stockbywh been renamed?",
        ),
        (
            odbc_error("42000", f"{MICROSOFT}[SQL Server]The SELECT permission was denied (229) (SQLExecDirectW)"),
            SourceError,
            "This user may not read stockbywh. Grant this user SELECT on stockbywh, and nothing else.",
        ),
        (
            odbc_error("22003", f"{MICROSOFT}[SQL Server]Overflow of numeric (208) to (18) (8115) (SQLFetch)"),
            SourceError,
            "This is the server's message",
        ),
        (
            odbc_error("22012", f"{MICROSOFT}[SQL Server]Divide by zero error encountered. (8134) (SQLFetch)"),
            SourceError,
            "Divide by zero error encountered. This is the server's message",
        ),
        (
            odbc_error("HY000", f"{FREETDS}Adaptive Server connection timed out (20003) (SQLExecDirectW)"),
            SourceError,
            "Adaptive Server connection timed out. The time limit was exceeded.",
        ),
        (
            odbc_error("S1T00", f"{FREETDS}Timeout expired (0) (SQLFetch)"),
            SourceError,
            "Timeout expired. The time limit was exceeded.",
        ),
        (
            odbc_error("HY000", f"{FREETDS}Timeout expired (0) (SQLFetch)"),
            SourceError,
            "Timeout expired. The time limit was exceeded.",
        ),
        (
            odbc_error("42000", f"{MICROSOFT}[SQL Server]Snapshot isolation is not allowed. (3952) (SQLExecDirectW)"),
            SnapshotRefusedError,
            "something that this view reads does not",
        ),
        (
            odbc_error("42000", f"{MICROSOFT}[SQL Server]Remote access is not supported (7420) (SQLExecDirectW)"),
            SnapshotRefusedError,
            "a linked server",
        ),
        (
            odbc_error("42000", f"{MICROSOFT}[SQL Server]Memory optimized tables cannot (41332) (SQLExecDirectW)"),
            SnapshotRefusedError,
            "a memory-optimized table",
        ),
        *(
            (
                odbc_error("42000", f"{MICROSOFT}[SQL Server]There is no room. ({number}) (SQLFetch)"),
                SourceInterruptedError,
                "There is no room. SQL Server is out of memory, locks or space for row versions at the moment.",
            )
            for number in (701, 1204, 3958, 3967, 8645)
        ),
    ],
)
def test_errors_of_sql_server_while_reading(error: Exception, raised: type[SourceError], words: str) -> None:
    found = explained(error, SQL_SERVER, "stockbywh")
    assert type(found) is raised
    assert words in str(found)
    assert str(found).startswith("stockbywh cannot be read from the ERP mssql+pyodbc://reader:***@erp.example.com")
    assert str(found).endswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (
            odbc_error("28000", f"{MICROSOFT}[SQL Server]Login failed for user 'reader'. (18456) (SQLDriverConnect)"),
            SourceError,
            "Login failed for user 'reader'. Check the user name and the password in LEDGER_ERP_URL",
        ),
        (
            odbc_error("42000", f'{MICROSOFT}[SQL Server]Cannot open database "x". (4060) (SQLDriverConnect)'),
            SourceError,
            "Check that the database in LEDGER_ERP_URL is the ERP's",
        ),
        (
            odbc_error(
                "08001",
                f"{MICROSOFT}SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed "
                "certificate] (-1) (SQLDriverConnect)",
            ),
            SourceError,
            "add TrustServerCertificate=yes to the URL",
        ),
        (
            odbc_error(
                "08001",
                f"{MICROSOFT}SSL Provider: [error:0A000102:SSL routines::unsupported protocol] (-1) (SQLDriverConnect)"
                f"; [08001] {MICROSOFT}Client unable to establish connection (-1)",
            ),
            SourceError,
            "[error:0A000102:SSL routines::unsupported protocol]; Client unable to establish connection. The server",
        ),
        (
            odbc_error(
                "28000", f"{MICROSOFT}[SQL Server]Login failed for user 'self-signed'. (18456) (SQLDriverConnect)"
            ),
            SourceError,
            "Login failed for user 'self-signed'. Check the user name and the password in LEDGER_ERP_URL",
        ),
        (
            odbc_error(
                "08001",
                f"{FREETDS}Unable to connect to data source (0) (SQLDriverConnect)"
                f"; [28000] {FREETDS}Login failed for user 'handshake failure'. (18456)",
            ),
            SourceError,
            "Unable to connect to data source; Login failed for user 'handshake failure'. Check the user name",
        ),
        (
            odbc_error("28000", "[unixODBC]Login failed for user 'self-signed'. (0) (SQLDriverConnect)"),
            SourceError,
            "Login failed for user 'self-signed'. Check the user name",
        ),
        (
            odbc_error("01000", "[unixODBC][Driver Manager]Can't open lib 'x' : file not found (0) (SQLDriverConnect)"),
            SourceError,
            "Can't open lib 'x' : file not found. The ODBC driver 'FreeTDS' named in the URL is not installed",
        ),
        (
            odbc_error("HY000", f"{FREETDS}Adaptive Server connection timed out (20003) (SQLDriverConnect)"),
            SourceUnreachableError,
            "Check the host and the port in LEDGER_ERP_URL",
        ),
        (
            odbc_error("IM002", "[unixODBC][Driver Manager]Data source name not found (0) (SQLDriverConnect)"),
            SourceError,
            "The ODBC driver 'FreeTDS' named in the URL is not installed",
        ),
        (
            odbc_error("HYT00", f"{MICROSOFT}Login timeout expired (0) (SQLDriverConnect)"),
            SourceUnreachableError,
            "Check the host and the port in LEDGER_ERP_URL",
        ),
        (
            odbc_error("08001", "[FreeTDS][SQL Server]Unable to connect to data source (0) (SQLDriverConnect)"),
            SourceUnreachableError,
            "Unable to connect to data source. Check the host and the port",
        ),
    ],
)
def test_errors_of_sql_server_while_connecting(error: Exception, raised: type[SourceError], words: str) -> None:
    found = explained(error, SQL_SERVER, connecting=True)
    assert type(found) is raised
    assert words in str(found)
    assert str(found).startswith("The ERP mssql+pyodbc://reader:***@erp.example.com:1433/soi107 cannot be reached: ")


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (1205, SourceInterruptedError),
        (1213, SourceInterruptedError),
        (2006, SourceInterruptedError),
        (2013, SourceInterruptedError),
        (1412, SourceInterruptedError),
        (1142, SourceError),
        (1146, SourceError),
        (1054, SourceError),
        (1064, SourceError),
    ],
)
def test_errors_of_mysql(number: int, raised: type[SourceError]) -> None:
    error = sa.exc.OperationalError("SELECT", {}, pymysql.err.OperationalError(number, "what it says"))
    found = explained(error, MYSQL, "stockbywh")
    assert type(found) is raised
    assert f"{number} what it says" in str(found)


@pytest.mark.parametrize("form", ["s3cr@t", "s3cr%40t", "PWD=s3cr@t;", "Pwd={other};", "password=other "])
def test_a_password_is_never_shown(form: str) -> None:
    for error in (odbc_error("HY000", f"[FreeTDS]Bad connection string: {form}"), ValueError(form), OSError(form)):
        found = str(explained(error, SQL_SERVER, connecting=True))
        assert "s3cr@t" not in found
        assert "s3cr%40t" not in found
        assert "other" not in found
    assert "***" in without_secrets(f"a {form} b", SQL_SERVER)


def test_a_place_has_no_options() -> None:
    hidden: Any = SQL_SERVER.update_query_dict({"PWD": "geheim"})
    assert place(hidden) == "mssql+pyodbc://reader:***@erp.example.com:1433/soi107"
