"""Translation of driver errors: retryable or not, with advice, and without passwords."""

from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.connection import odbc as erp_odbc
from ledger_pipelines.sources.erp.connection.errors import explained, timeout_error, without_secrets
from ledger_pipelines.sources.erp.connection.odbc import with_driver
from ledger_pipelines.sources.errors import (
    SnapshotRefusedError,
    SourceError,
    SourceInterruptedError,
    SourceUnreachableError,
    place,
)

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
        *(
            (odbc_error(state, f"{FREETDS}{text}"), SourceInterruptedError, "The connection to the ERP was lost")
            for state, text in (
                ("01000", "Unexpected EOF from the server (20017) (SQLFetch)"),
                ("08S01", "Write to the server failed (20006) (SQLEndTran)"),
                ("01000", "DBPROCESS is dead or not enabled (20047) (SQLExecDirectW)"),
                ("08S01", "Communication link failure (0) (SQLExecDirectW)"),
                ("HY000", "Unknown error (0) (SQLFetch)"),
                ("24000", "Invalid cursor state (0) (SQLExecDirectW)"),
                ("HY000", "Cannot start: (20017, b'Unexpected EOF from the server') (0) (SQLEndTran)"),
            )
        ),
        *(
            (odbc_error("42000", f"{MICROSOFT}[SQL Server]Not now. ({number}) (SQLFetch)"), raised, words)
            for number, raised, words in (
                (976, SourceError, "This replica of the availability group is not readable. Let it be readable, or"),
                (978, SourceError, "Open one: `LEDGER_ERP_URL="),
                (979, SourceError, "Or read the primary replica: `LEDGER_ERP_URL="),
                (982, SourceError, "Or read the primary replica: `LEDGER_ERP_URL="),
                (983, SourceInterruptedError, "The availability group is failing over. Try again."),
                (988, SourceInterruptedError, "The availability group is failing over. Try again."),
            )
        ),
        (
            odbc_error("HYT00", f"{MICROSOFT}Query timeout expired (0) (SQLExecDirectW)"),
            SourceError,
            "Query timeout expired. The time limit was exceeded.",
        ),
        (
            odbc_error("42S02", f"{MICROSOFT}[SQL Server]Invalid object name 'stock'. (208) (SQLExecDirectW)"),
            SourceError,
            "the ERP's database, and LEDGER_ERP_SCHEMA, if it is set, the right schema? Has stockbywh been renamed?",
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
                "28000",
                f"{MICROSOFT}[SQL Server]Login failed for user 'reader'. (18456) (SQLDriverConnect)"
                f'; [42000] {MICROSOFT}[SQL Server]Cannot open database "x". The login failed. (4060)',
            ),
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
            "any certificate can be trusted: `LEDGER_ERP_URL=mssql+pyodbc://reader:***@erp.example.com:1433/soi107?",
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


TRUST = odbc_error("08001", f"{MICROSOFT}certificate verify failed (-1) (SQLDriverConnect)")
NO_REPLICA = odbc_error("42000", f"{MICROSOFT}[SQL Server]Unable to access. (982) (SQLDriverConnect)")


@pytest.mark.parametrize(
    ("error", "url", "setting"),
    [
        (TRUST, "mssql+pyodbc://sa:x@h:1433/erp", "`LEDGER_ERP_URL=mssql+pyodbc://sa:***@h:1433/erp?TrustServerC"),
        (
            TRUST,
            "mssql+pyodbc://sa:x@h/erp?encrypt=yes",
            "`LEDGER_ERP_URL=mssql+pyodbc://sa:***@h/erp?TrustServerCertificate=yes&encrypt=yes`",
        ),
        (TRUST, "mssql+pyodbc://sa:x@h%5CONE/erp", "`LEDGER_ERP_URL=mssql+pyodbc://sa:***@h%5CONE/erp?TrustServerCe"),
        (
            odbc_error("08001", f"{MICROSOFT}Encryption not supported on SQL Server. (20) (SQLDriverConnect)"),
            "mssql+pyodbc://sa:x@h/erp",
            "it can be read without encryption: `LEDGER_ERP_URL=mssql+pyodbc://sa:***@h/erp?Encrypt=no`",
        ),
        (
            odbc_error("08001", f"{MICROSOFT}SSL Provider: [error:0A00014D:SSL routines::legacy sigalg] (-1)"),
            "mssql+pyodbc://sa:x@h/erp",
            "FreeTDS may support older versions: `LEDGER_ERP_URL=mssql+pyodbc://sa:***@h/erp?driver=FreeTDS`",
        ),
        (TRUST, "mssql+pyodbc:///?odbc_connect=PWD%3Dx", "`TrustServerCertificate=yes` in the odbc_connect of LEDGER_"),
        (
            NO_REPLICA,
            "mssql+pyodbc://sa:x@h/erp?applicationintent=ReadOnly",
            "`LEDGER_ERP_URL=mssql+pyodbc://sa:***@h/erp?ApplicationIntent=ReadWrite`",
        ),
        (NO_REPLICA, "mssql+pymssql://sa:x@h/erp", "`LEDGER_ERP_URL=mssql+pymssql://sa:***@h/erp?read_only=false`"),
    ],
)
def test_advice_on_an_option_has_the_whole_setting(
    error: Exception, url: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erp_odbc, "installed_drivers", lambda: ["ODBC Driver 18 for SQL Server"])
    assert setting in str(explained(error, with_driver(sa.make_url(url)), connecting=True))


def test_no_option_is_advised_for_other_servers() -> None:
    error = OSError("certificate verify failed: self-signed certificate")
    found = str(explained(error, sa.make_url("postgresql+psycopg://sa:x@h/erp"), connecting=True))
    assert found.endswith("Install the certificate of its authority. Nothing was changed.")


def test_a_server_without_instances_has_no_advice_on_them() -> None:
    found = str(timeout_error(MYSQL.set(host="erp\\X"), None, 5))
    assert found.endswith(
        "no answer for 5 s. Check the host and the port in LEDGER_ERP_URL, that the server is up, and "
        "that no firewall blocks it. Nothing was changed."
    )


def test_an_unreachable_named_instance() -> None:
    url = sa.make_url("mssql+pyodbc://sa:x@h/erp?driver=FreeTDS").set(host="h\\SQLEXPRESS")
    error = odbc_error("08S01", f"{FREETDS}Unable to connect: Server is unavailable (20009) (SQLDriverConnect)")
    found = explained(error, url, connecting=True)
    assert type(found) is SourceUnreachableError
    assert "SQL Server Browser (UDP port 1434) must run there, to tell the port of SQLEXPRESS." in str(found)
    setting = "for example 1433: `LEDGER_ERP_URL=mssql+pyodbc://sa:***@h:1433/erp?driver=FreeTDS`."
    assert setting in str(found)
    found = timeout_error(url, None, 10)
    assert type(found) is SourceUnreachableError
    assert "cannot be reached: there was no answer for 10 s. Check the host" in str(found)
    assert setting in str(found)


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
