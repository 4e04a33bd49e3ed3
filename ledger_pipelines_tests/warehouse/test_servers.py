"""Database URLs from settings; unset ones lead to the embedded server."""

import os
from pathlib import Path

import pytest

from ledger_pipelines.settings import Settings, SettingsError, project_folder
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.servers import url_with_password

EXTERNAL = "postgres://me:p%40ss@db.example.com:5433/gas?sslmode=require"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all settings from the environment."""
    for name in [name for name in os.environ if name.startswith("LEDGER_")]:
        monkeypatch.delenv(name)


def test_databases_default_to_the_embedded_server(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", db_port=5999)
    address = f"ledger:{database_urls.warehouse_url(settings).password}@127.0.0.1:5999"
    assert len(database_urls.warehouse_url(settings).password or "") > 30
    assert url_with_password(database_urls.warehouse_url(settings)) == f"postgresql+psycopg://{address}/warehouse"
    assert url_with_password(database_urls.billing_url(settings)) == f"postgresql+psycopg://{address}/demo_billing"
    assert (
        url_with_password(database_urls.dagster_storage_url(settings))
        == f"postgresql+psycopg2://{address}/warehouse_dagster"
    )
    assert database_urls.embedded_server(settings).data_folder == tmp_path / "home" / "postgres"


def test_dagster_storage_defaults_to_the_server_of_the_warehouse(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", warehouse_url=EXTERNAL, billing_url="mysql://me:x@h/app")
    there = "me:p%40ss@db.example.com:5433"
    assert (
        url_with_password(database_urls.warehouse_url(settings)) == f"postgresql+psycopg://{there}/gas?sslmode=require"
    )
    assert url_with_password(database_urls.billing_url(settings)) == "mysql+pymysql://me:x@h/app"
    assert (
        url_with_password(database_urls.dagster_storage_url(settings))
        == f"postgresql+psycopg2://{there}/gas_dagster?sslmode=require"
    )
    assert not (tmp_path / "home").exists(), "an unused embedded server leaves files"


def test_dagster_storage_can_be_elsewhere() -> None:
    settings = Settings(warehouse_url=EXTERNAL, dagster_url="postgresql+psycopg://d:e@other/runs")
    assert url_with_password(database_urls.dagster_storage_url(settings)) == "postgresql+psycopg2://d:e@other/runs"


@pytest.mark.parametrize(
    ("warehouse", "billing", "erp", "expected"),
    [
        (None, None, None, True),
        (EXTERNAL, None, "mysql://h/erp", True),
        (None, "mysql://h/app", "mysql://h/erp", True),
        (EXTERNAL, "mysql://h/app", None, False),
        (EXTERNAL, "mysql://h/app", "mysql://h/erp", False),
    ],
)
def test_uses_embedded_server(warehouse: str | None, billing: str | None, erp: str | None, expected: bool) -> None:
    settings = Settings(warehouse_url=warehouse, billing_url=billing, erp_url=erp)
    assert database_urls.uses_embedded_server(settings) is expected


@pytest.mark.parametrize("warehouse", [None, EXTERNAL])
def test_environment_makes_other_processes_resolve_the_same_urls(
    warehouse: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Settings(home=tmp_path / "home", warehouse_url=warehouse, db_port=5999, deletion_guard_share="0.5")
    environment = database_urls.process_environment(here)
    assert environment["DAGSTER_HOME"] == str(project_folder())
    assert environment["LEDGER_DAGSTER_URL"].startswith("postgresql+psycopg2://")
    assert "LEDGER_BILLING_URL" not in environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    there = Settings()
    assert there.model_dump(exclude={"dagster_url"}) == here.model_dump(exclude={"dagster_url"})
    for resolve in (database_urls.warehouse_url, database_urls.billing_url, database_urls.dagster_storage_url):
        assert resolve(there) == resolve(here)
    assert database_urls.uses_embedded_server(there) is database_urls.uses_embedded_server(here)


def test_environment_includes_an_erp_set_by_the_old_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"HOST": "erp.example.com", "DATABASE": "soi107", "USERNAME": "reader", "PASSWORD": "p@ss"}
    for name, value in old.items():
        monkeypatch.setenv(f"DB_{name}2", value)
    here = Settings(warehouse_url=EXTERNAL)
    assert database_urls.process_environment(here)["LEDGER_ERP_URL"] == url_with_password(database_urls.erp_url(here))
    assert url_with_password(database_urls.erp_url(here)) == "mssql+pyodbc://reader:p%40ss@erp.example.com:1433/soi107"


def test_demo_erp_is_not_used_with_an_own_billing_application() -> None:
    demo, own, both = Settings(), Settings(billing_url="mysql://h/app"), Settings(erp_url="mysql://h/erp")
    assert [database_urls.has_erp(settings) for settings in (demo, own, both)] == [True, False, True]
    assert database_urls.erp_url(demo).database == database_urls.DEMO_ERP_DATABASE
    with pytest.raises(SettingsError, match="There is no ERP to read: LEDGER_ERP_URL is not set"):
        database_urls.erp_url(own)
