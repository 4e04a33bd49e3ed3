"""Findings of the connection test of the ERP, if it can be read and if not."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo.erp import create_erp_tables
from ledger_pipelines.sources.diagnosis import FindingLevel
from ledger_pipelines.sources.dialects import SERVERS
from ledger_pipelines.sources.dialects.base import Server
from ledger_pipelines.sources.dialects.parts import RowHash, SourceColumn
from ledger_pipelines.sources.erp.catalogue import DATA_RECEIPT_PURCHASE, ERP_TABLES, SO_INVOICE_LINE, ErpTable
from ledger_pipelines.sources.erp.diagnosis import diagnose
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.erp_sources import DRIVERS, MOVES, Source, create_source
from ledger_pipelines_tests.support.findings import finding_on


@pytest.fixture(params=DRIVERS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """A new ERP for each driver."""
    with create_source(request.param) as made:
        yield made


def test_a_valid_erp(source: Source) -> None:
    create_erp_tables(source.native)
    checks: list[str] = []
    found = diagnose(source.erp.engine.url, progress=checks.append)
    assert found.works
    assert {finding.level for finding in found.findings} == {FindingLevel.OK}
    assert [finding.what for finding in found.findings] == [
        *("driver", "connection", "server", "login", "isolation"),
        *(table.name for table in ERP_TABLES),
    ]
    driver = {"psqlodbc": "psqlodbcw.so", "mariadb-odbc": "libmaodbc.so"}.get(source.driver, source.driver)
    assert driver in finding_on(found, "driver").found
    assert finding_on(found, "server").found.startswith("PostgreSQL 1" if source.is_postgresql else "MariaDB 1")
    assert finding_on(found, "login").found.startswith("postgres" if source.is_postgresql else "root@")
    assert len(found.columns) == sum(len(table.columns) for table in ERP_TABLES)
    assert {column.level for column in found.columns} == {FindingLevel.OK}
    assert checks[:4] == ["driver", "connection", "stockbywh", "stockbywh: fingerprints"]


def test_fingerprints_of_a_few_days_are_computed(source: Source) -> None:
    """A sync starts with fingerprints; a server may lack their functions, or not support them for these types."""
    source.set_moves(
        "1, 'a', 'b', NULL, '2025-03-31', 1, 2, 0.5, true",
        "2, 'a', 'b', NULL, '2222-03-31', 1, 2, 0.5, true",
    )
    stock = ErpTable("stock", "Without dates", MOVES.columns, (), ())
    source.write("CREATE VIEW stock AS SELECT * FROM moves")
    found = diagnose(source.erp.engine.url, [MOVES, stock])
    assert re.search(
        r"9 columns; fingerprints of the last 7 days \(1 rows\) in \d+\.\d s", finding_on(found, "moves").found
    )
    assert re.search(
        r"9 columns; fingerprints of the whole table \(2 rows\) in \d+\.\d s", finding_on(found, "stock").found
    )


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_columns_excluded_from_the_comparison_are_named(source: Source) -> None:
    columns = tuple(replace(column, compared=column.name != "desc") for column in MOVES.columns)
    found = diagnose(source.erp.engine.url, [replace(MOVES, columns=columns)])
    assert "; copied but not compared: desc" in finding_on(found, "moves").found


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_failing_fingerprints_are_an_error(source: Source) -> None:
    """The names and types of the view are valid, but its computation fails."""
    source.set_moves("1, 'a', 'b', NULL, '2222-03-31', 0, 2, 0.5, true")
    source.write(
        'CREATE VIEW broken AS SELECT id, "desc", "group", planned_date, moved_date, 1 / qty AS qty, amount, weight,'
        " done FROM moves"
    )
    found = diagnose(source.erp.engine.url, [ErpTable("broken", "b", MOVES.columns, MOVES.month_columns, ())])
    assert not found.works
    assert "division by zero" in finding_on(found, "broken").found


def test_a_server_without_hashes_is_a_warning(tmp_path: Path) -> None:
    url = sa.make_url(f"sqlite:///{tmp_path / 'erp.db'}")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stock (id INTEGER)")
    engine.dispose()
    found = diagnose(url, [ErpTable("stock", "s", MOVES.columns[:1], (), ())])
    assert found.works
    assert finding_on(found, "stock").level is FindingLevel.WARNING
    assert "cannot hash the rows of stock" in finding_on(found, "stock").advice


class TrialServer(Server):
    """Kind of server that only this test knows."""

    login_query = "SELECT 'me'"
    snapshot_advice = "Ask the administrator of {database}"
    hashed_since = (3,)

    def row_hash(self, columns: Sequence[SourceColumn], version: tuple[int, ...]) -> RowHash:
        """Return a sum of lengths."""
        assert version > (3,)
        return RowHash.sum_of("trial-1", " + ".join(f"LENGTH({self.quote(column.name)})" for column in columns))


def test_another_kind_of_server_is_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVERS, "sqlite", TrialServer("sqlite", "Trial"))
    url = sa.make_url(f"sqlite:///{tmp_path / 'erp.db'}")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE stock (id INTEGER)")
    engine.dispose()
    found = diagnose(url, [ErpTable("stock", "s", MOVES.columns[:1], (), ())])
    assert finding_on(found, "server").found.startswith("Trial 3.")
    assert finding_on(found, "login").found == "me"
    assert finding_on(found, "isolation").advice == f"Ask the administrator of {url.database}"
    assert finding_on(found, "stock").level is FindingLevel.OK


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_an_erp_with_every_fault(source: Source) -> None:
    create_erp_tables(source.native)
    double = "double precision" if source.is_postgresql else "double"
    alter = "ALTER COLUMN {} TYPE {}" if source.is_postgresql else "MODIFY {} {}"
    source.write(
        "DROP TABLE stockbywh",
        "ALTER TABLE view_prod_header DROP COLUMN qty_os",
        "ALTER TABLE so_invoice_line ADD COLUMN approved_by varchar(20)",
        f"ALTER TABLE so_invoice_line {alter.format('amount', double)}",
        f"ALTER TABLE data_receipt_purchase {alter.format('inv_doc_date', 'varchar(20)')}",
    )
    found = diagnose(source.erp.engine.url)
    assert not found.works
    levels = {finding.what: finding.level for finding in found.findings if finding.level is not FindingLevel.OK}
    assert levels == {
        "stockbywh": FindingLevel.ERROR,
        "view_prod_header": FindingLevel.ERROR,
        "so_invoice_line": FindingLevel.WARNING,
        "data_receipt_purchase": FindingLevel.WARNING,
    }
    assert "has no table or view stockbywh" in finding_on(found, "stockbywh").found
    assert "lacks the column qty_os" in finding_on(found, "view_prod_header").found
    assert "not copied: approved_by; of a type that may not suit: amount" in finding_on(found, "so_invoice_line").found
    assert "not all of actual_receipt_date, inv_doc_date are dates" in finding_on(found, "data_receipt_purchase").found
    assert "a view that casts them to dates" in finding_on(found, "data_receipt_purchase").advice
    unsuitable = {(each.table, each.column, each.kind, each.type): each.advice for each in found.columns if each.advice}
    text = "character varying(20)" if source.is_postgresql else "varchar(20)"
    assert unsuitable.keys() == {
        (SO_INVOICE_LINE.name, "amount", "decimal", double),
        (DATA_RECEIPT_PURCHASE.name, "inv_doc_date", "date", text),
    }
    assert "approximate" in unsuitable[SO_INVOICE_LINE.name, "amount", "decimal", double]
    assert "ops.rejected_rows" in unsuitable[DATA_RECEIPT_PURCHASE.name, "inv_doc_date", "date", text]


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_an_unreadable_table(source: Source) -> None:
    host = "" if source.is_postgresql else "@'127.0.0.1'"
    source.write("CREATE TABLE texts (id int)")
    user = f"r_{source.native.url.database}"[:30]
    source.write(
        f"CREATE USER {user}{host} " + ("PASSWORD 's3cret'" if source.is_postgresql else "IDENTIFIED BY 's3cret'"),
        f"GRANT SELECT ON texts TO {user}{host}",
    )
    allowed = ErpTable("texts", "t", MOVES.columns[:1], (), ())
    try:
        url = source.native.url.set(username=user, password="s3cret")  # noqa: S106 - of a user made for this test
        found = diagnose(url, [allowed, MOVES])
    finally:
        source.write("DROP TABLE texts", f"DROP USER {user}{host}")
    assert finding_on(found, "texts").level is FindingLevel.OK
    assert finding_on(found, "moves").level is FindingLevel.ERROR
    if source.is_postgresql:  # MariaDB hides the table altogether
        assert "permission denied" in finding_on(found, "moves").found
        assert "Grant this user SELECT on moves" in finding_on(found, "moves").found
    assert "s3cret" not in str(found)


def test_no_driver_and_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymssql", None)
    url = servers.POSTGRES.set(drivername="mssql+pymssql", password="s3cret")  # noqa: S106 - to look for
    found = diagnose(url)
    assert not found.works
    assert [finding.what for finding in found.findings] == ["driver"]
    assert "the Python package pymssql is not installed" in found.findings[0].found
    assert "s3cret" not in str(found)
    found = diagnose(servers.POSTGRES.set(port=servers.free_port()))
    assert [(finding.level, finding.what) for finding in found.findings] == [
        (FindingLevel.OK, "driver"),
        (FindingLevel.ERROR, "connection"),
    ]
    assert "cannot be reached" in found.findings[1].found
