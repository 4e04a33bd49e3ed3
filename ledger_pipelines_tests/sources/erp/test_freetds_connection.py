"""SQL Server with FreeTDS, by ODBC and by pymssql: dropped connections, named instances, and options of the URL."""

import os

import pytest
import sqlalchemy as sa

from ledger_pipelines.settings import parse_database_url
from ledger_pipelines.settings.old_erp import old_erp_url
from ledger_pipelines.sources.erp.connection import odbc as erp_odbc
from ledger_pipelines.sources.erp.diagnosis import diagnose
from ledger_pipelines.sources.erp.reader import SourceInterruptedError, Wanted
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp import tds_server
from ledger_pipelines_tests.support.erp.parts import COLUMNS, FREETDS, PARTS, PYMSSQL, answers, read_from
from ledger_pipelines_tests.support.erp.tds_server import NVARCHAR, Cut, Reset, failure, result

EVERYTHING = Wanted(everything=True)
ADDRESS = f"127.1.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""Loopback address of this process: SQL Server Browser has a fixed port."""

NOT_READABLE = failure(982, 14, "Unable to access the 'soi107' database because no secondary replicas are enabled.")


@pytest.fixture(params=["odbc", "pymssql"])
def url(request: pytest.FixtureRequest) -> sa.URL:
    """URL of an ERP that is read by FreeTDS."""
    if request.param == "pymssql":
        return PYMSSQL
    servers.require_odbc("FreeTDS", "tdsodbc")
    return FREETDS


def rows_of(url: sa.URL, number: int) -> bytes:
    """Return the tokens of a number of rows, in the form in which the driver reads their texts."""
    columns = COLUMNS | ({} if url is PYMSSQL else {"desc": NVARCHAR})
    return result(columns, *((row, "x", "1", 739_316) for row in range(number)))


@pytest.mark.parametrize("drop", [Cut, Reset])
@pytest.mark.parametrize("sent", ["nothing", "columns", "rows"])
def test_a_connection_dropped_while_reading_is_retryable(url: sa.URL, sent: str, drop: type[Cut]) -> None:
    tokens = {"nothing": b"", "columns": rows_of(url, 0)[:-1], "rows": rows_of(url, 1000)[:-1]}[sent]
    reason = r"parts cannot be read from the ERP .* The connection to the ERP was lost, .* Try again\."
    with (
        tds_server.running(answers(drop(tokens))) as server,
        read_from(server, url) as erp,
        pytest.raises(SourceInterruptedError, match=reason),
        erp.reading(PARTS) as reading,
    ):
        list(reading.rows(EVERYTHING))


@pytest.mark.parametrize("statement", ["transaction_isolation_level", "SET LOCK_TIMEOUT"])
def test_a_connection_dropped_after_the_login_is_retryable(url: sa.URL, statement: str) -> None:
    dropping = answers(b"") | {statement: Cut(b"")}
    reason = r"^The ERP mssql.*/soi107 cannot be read: .* The connection to the ERP was lost"
    with (
        tds_server.running(dropping) as server,
        read_from(server, url) as erp,
        pytest.raises(SourceInterruptedError, match=reason),
    ):
        erp.connect()


@pytest.mark.parametrize("separator", ["%5C", "\\"])
def test_a_named_instance_is_found(url: sa.URL, separator: str) -> None:
    with tds_server.running(answers(b""), ADDRESS) as server, tds_server.running_browser(ADDRESS, server.port):
        with read_from(server, url.set(host=f"{ADDRESS}{separator}SQLEXPRESS"), has_port=False) as erp:
            erp.check(PARTS)
        assert server.statements


def test_a_port_replaces_the_named_instance(url: sa.URL) -> None:
    with tds_server.running(answers(b"")) as server, read_from(server, url.set(host="127.0.0.1%5CNONE")) as erp:
        erp.check(PARTS)


@pytest.mark.parametrize("value", ["ReadWrite", "ReadOnly"])
def test_the_url_sets_the_intent(url: sa.URL, value: str) -> None:
    options = {"read_only": str(value == "ReadOnly")} if url is PYMSSQL else {"ApplicationIntent": value}
    with tds_server.running(answers(b"")) as server:
        for chosen, reads_only in ((url, True), (url.update_query_dict(options), value == "ReadOnly")):
            with read_from(server, chosen) as erp:
                erp.connect().leave(usable=True)
            assert server.reads_only is reads_only


def test_without_a_readable_replica_the_advice_works(url: sa.URL) -> None:
    """The message has the setting to write, and the ERP can be read with it."""
    with tds_server.running(answers(b"") | {"SET LOCK_TIMEOUT": NOT_READABLE}) as server:
        with read_from(server, url) as erp, pytest.raises(SourceError) as error:
            erp.connect()
        _, setting, _ = str(error.value).split("`")
        del server.answers["SET LOCK_TIMEOUT"]
        written = parse_database_url(setting.removeprefix("LEDGER_ERP_URL=")).set(password=url.password)
        assert written.port == server.port
        with read_from(server, written) as erp:
            erp.connect().leave(usable=True)
        assert not server.reads_only


def test_the_old_variables_get_a_url_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    servers.require_odbc("FreeTDS", "tdsodbc")
    monkeypatch.setattr(erp_odbc, "installed_drivers", lambda: ["FreeTDS"])
    with tds_server.running(answers(b"") | {"SET LOCK_TIMEOUT": NOT_READABLE}) as server:
        old = {"DB_HOST2": "127.0.0.1", "DB_PORT2": str(server.port), "DB_DATABASE2": "soi107"}
        old |= {"DB_USERNAME2": "reader", "DB_PASSWORD2": "s3cret"}
        found = diagnose(parse_database_url(old_erp_url(old)), (PARTS,))
    assert found.findings[-1].found.endswith(
        "Or read the primary replica: `LEDGER_ERP_URL=mssql+pyodbc://reader:***@127.0.0.1:"
        f"{server.port}/soi107?ApplicationIntent=ReadWrite`. Nothing was changed."
    )
