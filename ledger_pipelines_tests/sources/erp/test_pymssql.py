"""SQL Server with pymssql: the real driver against a server of canned answers, because no SQL Server is available."""

import sys
import threading
from datetime import date
from decimal import Decimal

import pymssql
import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.connection.errors import explained
from ledger_pipelines.sources.erp.connection.pymssql import PymssqlCursor
from ledger_pipelines.sources.erp.reader import ErpSource, SourceInterruptedError, SourceUnreachableError, Span, Wanted
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp import tds_server
from ledger_pipelines_tests.support.erp.parts import COLUMNS, PARTS, PYMSSQL, ROWS, answers, read_from
from ledger_pipelines_tests.support.erp.tds_server import INT, NVARCHAR, result
from ledger_pipelines_tests.support.waiting import wait_until

URL = PYMSSQL
MARCH = Wanted((Span(date(2025, 3, 1), date(2025, 4, 1)),))


def test_rows_are_exact() -> None:
    with tds_server.running(answers(result(COLUMNS, *ROWS))) as server, read_from(server) as erp:
        with erp.reading(PARTS) as reading:
            assert reading.consistent
            assert list(reading.rows(MARCH)) == [
                [
                    (1, "é😀 \ud83d", Decimal("1234567890123456789012345678.0123456789"), date(2025, 3, 7)),
                    (2, "", Decimal("-0.0000000001"), date(1, 1, 1)),
                ]
            ]
        assert server.closed.wait(10)
    (sent,) = (" ".join(statement.split()) for statement in server.statements if "VARBINARY" in statement)
    assert "CAST(CAST([parts].[desc] AS NVARCHAR(max)) AS VARBINARY(max)) AS [desc]" in sent
    # SQL Server reads '2025-03-01' as the third of January where the login's language is British.
    assert sent.endswith("WHERE [moved_date] >= N'20250301' AND [moved_date] < N'20250401' OPTION (RECOMPILE)")


@pytest.mark.parametrize(
    ("snapshots", "after"),
    [
        # The level must be set before the transaction begins, or the transaction cannot be a snapshot.
        (1, ["SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "COMMIT TRAN", "BEGIN TRAN"]),
        (0, ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "ROLLBACK TRAN"]),
    ],
)
def test_a_pass_is_a_snapshot_if_the_database_allows_it(snapshots: int, after: list[str]) -> None:
    with tds_server.running(answers(result(COLUMNS), snapshots)) as server, read_from(server) as erp:
        erp.check(PARTS)
    begun = next(at for at, statement in enumerate(server.statements) if "sys.databases" in statement)
    assert server.statements[begun + 1 : begun + 3] == ["COMMIT TRAN", "BEGIN TRAN"]
    assert server.statements[begun + 3 : begun + 3 + len(after)] == after
    assert "SET LOCK_TIMEOUT 60000" in server.statements


def test_the_driver_changes_lone_surrogates() -> None:
    """Show why texts are read as bytes: pymssql replaces or drops a lone surrogate without an error."""
    texts = result({"desc": NVARCHAR}, ("a\ud83db",), ("a\ud83d",))
    with tds_server.running(answers(texts)) as server, read_from(server) as erp, erp.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT [desc] FROM [parts]").scalars().all() == ["a?b", "a"]


def test_a_statement_without_an_answer_ends_the_connection() -> None:
    with tds_server.running(answers(tds_server.SILENCE)) as server, read_from(server, seconds=1) as erp:
        with erp.reading(PARTS) as reading, pytest.raises(SourceError, match="there was no answer for 1 s"):
            list(reading.rows(MARCH))
        assert server.closed.wait(10)


def test_cancel_ends_a_running_statement() -> None:
    with tds_server.running(answers(tds_server.SILENCE)) as server, read_from(server) as erp:
        session = erp.connect()
        failures: list[Exception] = []

        def run() -> None:
            try:
                session.cursor.execute(sa.select(sa.literal_column("1")).select_from(sa.text("[parts]")))
            except pymssql.Error as error:
                failures.append(error)

        waiting = threading.Thread(target=run)
        waiting.start()
        wait_until(lambda: server.statements[-1].startswith("SELECT 1"))
        session.cursor.cancel()
        waiting.join(10)
        session.leave(usable=False)
        assert server.closed.wait(10)
    (failure,) = failures
    assert isinstance(explained(failure, URL), SourceInterruptedError)


def test_an_error_after_some_rows_is_raised() -> None:
    rows = result(COLUMNS, ROWS[1], error=tds_server.error_token(1205, 13, "Deadlocked."))
    words = r": 1205 Deadlocked\. It conflicted with another transaction at the ERP"
    with (
        tds_server.running(answers(rows)) as server,
        read_from(server) as erp,
        erp.reading(PARTS) as reading,
        pytest.raises(SourceInterruptedError, match=words),
    ):
        list(reading.rows(MARCH))


def test_a_missing_table_of_another_schema_is_named() -> None:
    missing = answers(b"") | {"dm_exec_describe_first_result_set": result({"name": NVARCHAR, "type": NVARCHAR})}
    missing["WHERE 1 = 0"] = result({}, error=tds_server.error_token(208, 16, "Invalid object name 'parts'."))
    schemas = {"name": NVARCHAR, "read": INT}
    elsewhere = {"sys.objects": result(schemas, ("sales", 0))}
    nowhere = {"sys.objects": result(schemas)}
    broken = {"sys.objects": result(schemas, ("dbo", 1), ("sales", 0))}
    for found, reason in (
        (elsewhere, r"exists in the schema sales\. Set LEDGER_ERP_SCHEMA=sales\.parts, or the schema alone"),
        (nowhere, "Invalid object name 'parts'"),
        (broken, "Invalid object name 'parts'"),
    ):
        with (
            tds_server.running(found | missing) as server,
            read_from(server) as erp,
            pytest.raises(SourceError, match=reason),
        ):
            erp.check(PARTS)


def test_an_error_of_the_lower_layer_is_explained() -> None:
    """A rollback on a lost connection may raise an exception that is not pymssql's `Error`."""

    def fail() -> None:
        raise pymssql._mssql.MSSQLException(20004, b"Read from the server failed")

    with tds_server.running(answers(b"")) as server, read_from(server) as erp:
        connection = erp.connect()
        with pytest.raises(SourceInterruptedError, match="Read from the server failed"):
            connection.call(fail)
        connection.leave(usable=False)


def test_an_unreachable_server() -> None:
    # The driver's message may be that of an earlier failure, which pymssql keeps.
    with pytest.raises(SourceUnreachableError, match="Check the host and the port in LEDGER_ERP_URL") as error:
        ErpSource(erp_engine(URL.set(port=servers.free_port()))).check(PARTS)
    assert "s3cret" not in str(error.value)


def test_a_login_that_fails() -> None:
    message = b"Login failed for user 'reader'.DB-Lib error message 20018, severity 14:\nGeneral SQL Server error\n"
    found = str(explained(pymssql.OperationalError((18456, message)), URL, connecting=True))
    assert "cannot be reached: 18456 Login failed for user 'reader'. Check the user name and the password" in found


def test_a_login_without_common_encryption() -> None:
    message = b"DB-Lib error message 20002, severity 9:\nTDS server connection failed (127.0.0.1)\n"
    found = explained(pymssql.OperationalError((20002, message)), URL, connecting=True)
    assert isinstance(found, SourceUnreachableError)
    assert 'the two support no common encryption (docs/erp.md, "A server without TLS 1.2").' in str(found)


def test_url_options_take_precedence() -> None:
    engine = erp_engine(URL.update_query_dict({"appname": "report", "encryption": "require"}))
    given = engine.dialect.create_connect_args(engine.url)[1]
    assert (given["appname"], given["encryption"]) == ("report", "require")


@pytest.mark.parametrize(("text", "reads_only"), [("false", False), ("0", False), ("yes", True)])
def test_read_only_is_a_boolean(text: str, reads_only: bool) -> None:
    assert PymssqlCursor.arguments(URL.update_query_dict({"read_only": text}))["read_only"] is reads_only


def test_encryption_can_be_required() -> None:
    """The server of canned answers offers no encryption."""
    with tds_server.running(answers(b"")) as server, pytest.raises(SourceUnreachableError):
        ErpSource(erp_engine(URL.set(port=server.port).update_query_dict({"encryption": "require"}))).check(PARTS)


def test_missing_and_unsupported_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymssql", None)
    with pytest.raises(SourceError, match=r"package pymssql is not installed: `pip install 'ledger-pipelines\[pymss"):
        erp_engine(URL)
    with pytest.raises(SourceError, match=r"mssql\+mssqlpython:// is not supported: .* Write mssql\+pyodbc://, or mss"):
        erp_engine(URL.set(drivername="mssql+mssqlpython"))
