"""`ledger erp test-connection`, as an administrator starts it."""

import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from ledger_pipelines.serving.cli import app
from ledger_pipelines.settings import load_settings
from ledger_pipelines.sources.sample.erp import create_erp_tables
from ledger_pipelines_tests import servers

TEST_CONNECTION = ("erp", "test-connection")


@pytest.fixture
def url(embedded_url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> sa.URL:
    """An empty database that the settings call the ERP, for the length of a test."""
    monkeypatch.setenv("LEDGER_ERP_URL", embedded_url.render_as_string(hide_password=False))
    monkeypatch.setattr("ledger_pipelines.serving.cli.erp.load_settings", load_settings.__wrapped__)
    return embedded_url


def test_what_works_is_said(url: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.usefixtures("url")
def test_what_does_not_work_is_said() -> None:
    result = CliRunner().invoke(app, TEST_CONNECTION)
    assert result.exit_code == 1
    assert "has no table or view" in result.stdout
    assert "The ERP cannot be synced" in result.stderr
    answer = CliRunner().invoke(app, [*TEST_CONNECTION, "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["success"] is False
