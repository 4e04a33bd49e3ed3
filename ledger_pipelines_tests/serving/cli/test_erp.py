"""`ledger erp test-connection`."""

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from ledger_pipelines.demo.erp import create_erp_tables
from ledger_pipelines.serving.cli import app
from ledger_pipelines.settings import load_settings
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.second_schema import second_schema
from ledger_pipelines_tests.support.serving.installation import Installation

TEST_CONNECTION = ("erp", "test-connection")


@pytest.fixture
def url(embedded_url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> sa.URL:
    """An empty database that is the ERP of the settings during a test."""
    monkeypatch.setenv("LEDGER_ERP_URL", embedded_url.render_as_string(hide_password=False))
    monkeypatch.setattr("ledger_pipelines.serving.cli.erp.load_settings", load_settings.__wrapped__)
    return embedded_url


def test_working_connection(url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.fresh_database(url) as database:
        monkeypatch.setenv("LEDGER_ERP_URL", database.render_as_string(hide_password=False))
        engine = sa.create_engine(database)
        create_erp_tables(engine)
        engine.dispose()
        result = CliRunner().invoke(app, TEST_CONNECTION)
        answer = json.loads(CliRunner().invoke(app, [*TEST_CONNECTION, "--json"]).stdout)
    assert result.exit_code == 0, result.output
    assert "The ERP can be synced." in result.stderr
    assert "so_invoice_line" in result.stdout
    assert "numeric(38,10)" in result.stdout
    assert answer["success"] is True
    assert {
        "table": "so_invoice_line",
        "column": "amount",
        "kind": "decimal",
        "type": "numeric(38,10)",
    }.items() <= next(column for column in answer["columns"] if column["column"] == "amount").items()


def test_tables_are_read_from_the_schema_of_the_settings(url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.fresh_database(url) as database:
        monkeypatch.setenv("LEDGER_ERP_URL", database.render_as_string(hide_password=False))
        engine = sa.create_engine(database)
        with second_schema(engine) as name:
            create_erp_tables(engine.execution_options(schema_translate_map={None: name}))
            missing = CliRunner().invoke(app, TEST_CONNECTION)
            monkeypatch.setenv("LEDGER_ERP_SCHEMA", f"[{name}]")
            found = CliRunner().invoke(app, TEST_CONNECTION)
        engine.dispose()
    assert missing.exit_code == 1
    assert f"LEDGER_ERP_SCHEMA=[{name}].stockbywh" in " ".join(missing.stdout.split())
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?driver=Nonsense", "The ODBC driver 'Nonsense' named in the URL is not installed. Name one that is ("),
        ("?driver=FreeTDS", "Check the host and the port in LEDGER_ERP_URL, that the server is up"),
    ],
)
def test_all_commands_report_the_same_error(installation: Installation, options: str, message: str) -> None:
    servers.require_odbc("FreeTDS", "tdsodbc")
    erp = f"mssql+pyodbc://reader:s3cret@127.0.0.1:{servers.free_port()}/soi107{options}"
    answers = [
        installation.run_json(*command, LEDGER_ERP_URL=erp)
        for command in (TEST_CONNECTION, ("balance", "test-system"), ("sync", "start", "--wait"))
    ]
    found = answers[0]["findings"][-1]["found"]
    assert message in found
    assert f"ERP: {found}" in answers[1]["problems"]
    assert answers[2]["data"]["error_message"].endswith(found)
    assert "s3cret" not in str(answers)


@pytest.mark.usefixtures("url")
def test_failing_connection() -> None:
    result = CliRunner().invoke(app, TEST_CONNECTION)
    assert result.exit_code == 1
    assert "has no table or view" in result.stdout
    assert "The ERP cannot be synced" in result.stderr
    answer = CliRunner().invoke(app, [*TEST_CONNECTION, "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["success"] is False
