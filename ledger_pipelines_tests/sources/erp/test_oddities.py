"""`ledger erp test-connection` on ERPs with many oddities: it names each, with what to do."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from ledger_pipelines.serving.cli import app
from ledger_pipelines.serving.cli.common import console
from ledger_pipelines.settings import load_settings
from ledger_pipelines.settings.old_erp import OLD_ERP_VARIABLES
from ledger_pipelines.sources.erp.connection import odbc as erp_odbc
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp import tds_server
from ledger_pipelines_tests.support.erp.odd_sql_server import odd_answers
from ledger_pipelines_tests.support.erp.oddities import ELSEWHERE, FORBIDDEN, TYPED, UNDATED, UNREADABLE, odd_erp
from ledger_pipelines_tests.support.erp.parts import FREETDS, PYMSSQL
from ledger_pipelines_tests.support.erp.tds_server import Cut, failure
from ledger_pipelines_tests.support.servers import url_with_password

COMMAND = ("erp", "test-connection")
LEVELS = {
    "stockbywh": "ok",
    ELSEWHERE: "error",
    UNREADABLE: "error",
    TYPED: "warning",
    FORBIDDEN: "error",
    UNDATED: "warning",
}
CONVERTED = "Each value is converted on its own; a row whose value is not a valid {} is listed in ops.rejected_rows."
APPROXIMATE = "Its values are already approximate at the ERP."
BEYOND_SUMS = "too large for the sums of the ERP's server. These sums are not compared with the copy;"
TO_CHECK = "the rows are copied, counted and hashed as usual. Check whether the values are right."
NOT_COPIED = "Declare a column in the catalogue to copy it."
NOT_ALL_DATES = (
    "not all of actual_receipt_date, inv_doc_date are dates; of a type that may not suit: inv_doc_date",
    "Each sync reads the whole table; a view that casts them to dates would avoid that.",
)


@dataclass(frozen=True)
class Report:
    """Result of the command.

    Attributes:
        levels: Level of each finding, by its subject.
        printed: The tables, without line breaks.
        columns: Advice on columns, by the columns' full names.
    """

    levels: Mapping[str, str]
    printed: str
    columns: Mapping[str, str]

    def assert_named(self, what: str, *parts: str) -> None:
        """Fail unless the row of a subject, up to the next one, has these parts in this order."""
        pattern = ".*?".join(map(re.escape, parts))
        others = "|".join(rf"(?:ok|warning|error) {name} " for name in self.levels)
        rows = self.printed.partition("found, and what to do")[2]
        (row,) = re.findall(rf"{self.levels[what]} {what} (.*?)(?={others}|$)", rows)
        assert re.search(pattern, row), (row, parts)

    def assert_advised(self, advice: Mapping[str, str]) -> None:
        """Fail unless these columns, and no others, have advice that starts in this way, and it is printed."""
        assert self.columns.keys() == advice.keys()
        for name, start in advice.items():
            assert self.columns[name].startswith(start)
            assert name in self.printed
            assert self.columns[name] in self.printed


Command = Callable[[Mapping[str, str]], Report]


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command with these settings, once with tables and once with JSON; it must fail."""
    monkeypatch.setattr("ledger_pipelines.serving.cli.erp.load_settings", load_settings.__wrapped__)
    monkeypatch.setattr(console.out, "width", 1000)  # wraps nothing
    for name in ("LEDGER_ERP_URL", "LEDGER_ERP_SCHEMA", "LEDGER_TIMEZONE", *OLD_ERP_VARIABLES):
        monkeypatch.delenv(name, raising=False)

    def run(settings: Mapping[str, str]) -> Report:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        text = CliRunner().invoke(app, COMMAND)
        answer = CliRunner().invoke(app, [*COMMAND, "--json"])
        assert (text.exit_code, answer.exit_code) == (1, 1), text.output
        assert "s3cret" not in text.output + answer.output
        assert text.stderr == "The ERP cannot be synced; see the errors above.\n"
        found: dict[str, Any] = json.loads(answer.stdout)
        assert found["success"] is False
        return Report(
            {each["what"]: each["level"] for each in found["findings"]},
            " ".join(text.stdout.split()),
            {f"{each['table']}.{each['column']}": each["advice"] for each in found["columns"] if each["advice"]},
        )

    return run


def test_postgresql_or_mariadb_with_every_oddity(source_server: sa.URL, run_command: Command) -> None:
    with odd_erp(source_server) as (url, schema):
        found = run_command({"LEDGER_ERP_URL": url_with_password(url)})
    is_postgresql = url.get_backend_name() == "postgresql"
    own, other = ("public", f"[{schema}]") if is_postgresql else (str(url.database), schema)
    assert LEVELS.items() <= found.levels.items()
    found.assert_named(ELSEWHERE, f"It exists in the schema {schema}. Set LEDGER_ERP_SCHEMA={other}.{ELSEWHERE}, or")
    unreadable, view = (
        ("item_desc (bytea)", "encode(item_desc, 'hex') AS item_desc, or remove")
        if is_postgresql
        else ("item_desc (blob), item_desc2 (geometry)", "HEX(item_desc) AS item_desc, ST_AsText(item_desc2) AS")
    )
    found.assert_named(UNREADABLE, "types that cannot be copied: ", unreadable, "Let a view return them as", view)
    found.assert_named(TYPED, f"exists in the schemas {', '.join(sorted((own.strip('[]'), schema)))}: {own} is read")
    found.assert_named(TYPED, "not copied: approved_by, approved_on", NOT_COPIED)
    found.assert_named(TYPED, "of a type that may not suit: delivery_date, receipt_date, delivered_qty, amount")
    if is_postgresql:  # its sums have no limit, and in MariaDB the URL has chosen the schema
        choices = f"LEDGER_ERP_SCHEMA={other}.{TYPED} or LEDGER_ERP_SCHEMA={own}.{TYPED}"
        found.assert_named(TYPED, f"Only the login decides which schema is read. Set {choices}, or")
        found.assert_named(
            FORBIDDEN,
            "cannot be read from the ERP: permission denied",
            f"Grant this user SELECT on {FORBIDDEN}, and nothing else.",
        )
    else:
        found.assert_named(TYPED, f"price of {TYPED} has values of magnitude 1E+26 or more on 2", BEYOND_SUMS, TO_CHECK)
        found.assert_named(FORBIDDEN, "this user may not see it", f"grant this user SELECT on {FORBIDDEN}")
    found.assert_named(UNDATED, *NOT_ALL_DATES)
    found.assert_advised(
        {
            f"{TYPED}.delivery_date": "The server converts each value to the session's time zone, "
            + ("UTC" if is_postgresql else "+00:00"),
            f"{TYPED}.receipt_date": CONVERTED.format("date"),
            f"{TYPED}.delivered_qty": CONVERTED.format("decimal"),
            f"{TYPED}.amount": APPROXIMATE,
            f"{UNDATED}.inv_doc_date": CONVERTED.format("date"),
        }
    )
    option = (
        "Add ?options=-c%20timezone=Asia/Jakarta to" if is_postgresql else "%27%2B07%3A00%27 in the option init_command"
    )
    assert option in found.columns[f"{TYPED}.delivery_date"]


@pytest.fixture(params=["odbc", "pymssql"])
def sql_server(request: pytest.FixtureRequest) -> sa.URL:
    """URL of a SQL Server that is read by FreeTDS, without its port."""
    if request.param == "pymssql":
        return PYMSSQL
    servers.require_odbc("FreeTDS", "tdsodbc")
    return FREETDS


def test_sql_server_with_every_oddity(sql_server: sa.URL, run_command: Command) -> None:
    with tds_server.running(odd_answers()) as server:
        found = run_command({"LEDGER_ERP_URL": url_with_password(sql_server.set(port=server.port))})
    assert (LEVELS | {"isolation": "warning"}).items() <= found.levels.items()
    found.assert_named("isolation", "ALTER DATABASE [soi107] SET ALLOW_SNAPSHOT_ISOLATION ON")
    found.assert_named(
        ELSEWHERE,
        "The ERP has no table or view",
        f"It exists in the schema sales. Set LEDGER_ERP_SCHEMA=sales.{ELSEWHERE}, or",
    )
    found.assert_named(
        UNREADABLE,
        "line_no (timestamp), ship_from (sql_variant), ship_to (image), item_desc (hierarchyid), item_desc2 (CLR type)",
        "CONVERT(bigint, line_no) AS line_no, CONVERT(decimal(19, 4), ship_from) AS ship_from, "
        "CONVERT(varchar(max), CONVERT(varbinary(max), ship_to), 2) AS ship_to, item_desc.ToString() AS item_desc, "
        "item_desc2.ToString() AS item_desc2, or remove them from the catalogue.",
    )
    found.assert_named(TYPED, "exists in the schemas dbo, sales: dbo is read")
    choices = f"LEDGER_ERP_SCHEMA=dbo.{TYPED} or LEDGER_ERP_SCHEMA=sales.{TYPED}"
    found.assert_named(TYPED, f"Only the login decides which schema is read. Set {choices}, or")
    found.assert_named(TYPED, "not copied: approved_by;", NOT_COPIED)
    found.assert_named(TYPED, f"amount of {TYPED} has values of magnitude 1E+19 or more on 2", BEYOND_SUMS, TO_CHECK)
    found.assert_named(FORBIDDEN, "permission was denied", f"Grant this user SELECT on {FORBIDDEN}, and nothing else.")
    found.assert_named(UNDATED, *NOT_ALL_DATES)
    found.assert_advised(
        {
            f"{TYPED}.receipt_date": CONVERTED.format("date"),
            f"{TYPED}.delivered_qty": CONVERTED.format("decimal"),
            f"{TYPED}.amount_hc": APPROXIMATE,
            f"{UNDATED}.inv_doc_date": CONVERTED.format("date"),
        }
    )
    for type_name in ("datetimeoffset(7)", "uniqueidentifier", "xml"):  # these are read as they are
        assert re.search(rf" {re.escape(type_name)} ok ", found.printed)


def test_sql_server_with_a_lost_connection(sql_server: sa.URL, run_command: Command) -> None:
    with tds_server.running({"count_big.*stockbywh": Cut(b"")} | odd_answers()) as server:
        found = run_command({"LEDGER_ERP_URL": url_with_password(sql_server.set(port=server.port))})
    found.assert_named("stockbywh", "The connection to the ERP was lost, or its server is", "Try again.")
    assert found.levels[TYPED] == "warning"  # the other tables are tested all the same


def test_sql_server_without_a_readable_replica(sql_server: sa.URL, run_command: Command) -> None:
    refused = {"SET LOCK_TIMEOUT": failure(982, 14, "Unable to access the 'soi107' database.")}
    with tds_server.running(refused | odd_answers()) as server:
        found = run_command({"LEDGER_ERP_URL": url_with_password(sql_server.set(port=server.port))})
    assert list(found.levels) == ["driver", "connection"]
    option = "read_only=false" if sql_server is PYMSSQL else "ApplicationIntent=ReadWrite"
    found.assert_named(
        "connection",
        "Unable to access the 'soi107' database. The availability group has no replica for read-only connections.",
        "Let a secondary be readable. Or read the primary replica: `LEDGER_ERP_URL=",
        f"{option}`.",
    )


@pytest.mark.parametrize(
    ("reason", "option"),
    [
        ("SSL Provider: [error:0A000086:SSL routines::certificate verify failed]", "TrustServerCertificate=yes"),
        ("SSL Provider: [error:0A000102:SSL routines::unsupported protocol]", "driver=FreeTDS"),
        ("Encryption not supported on the client.", "Encrypt=no"),
    ],
)
def test_the_old_variables_at_microsofts_driver(
    reason: str, option: str, run_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of the driver is canned, because it is proprietary and checks certificates before anything else."""
    servers.require_unixodbc()
    import pyodbc

    def refuse(*_: object, **__: object) -> None:
        raise pyodbc.OperationalError("08001", f"[08001] [Microsoft][ODBC Driver 18 for SQL Server]{reason} (-1)")

    monkeypatch.setattr(erp_odbc, "installed_drivers", lambda: ["ODBC Driver 18 for SQL Server"])
    monkeypatch.setattr(pyodbc, "connect", refuse)
    old = {"DB_HOST2": "erp.example.com", "DB_DATABASE2": "soi107", "DB_USERNAME2": "reader", "DB_PASSWORD2": "s3cret"}
    found = run_command(old)
    url = f"mssql+pyodbc://reader:***@erp.example.com:1433/soi107?{option}"
    found.assert_named("connection", reason, f"`LEDGER_ERP_URL={url}`. Nothing was changed.")
