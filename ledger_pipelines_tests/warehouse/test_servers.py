"""From settings to addresses: what is not set leads to the embedded server."""

import os
from pathlib import Path

import pytest
from sqlalchemy import URL

from ledger_pipelines.settings import Settings, SettingsError, project_folder
from ledger_pipelines.warehouse import servers

EXTERNAL = "postgres://me:p%40ss@db.example.com:5433/gas?sslmode=require"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings."""
    for name in [name for name in os.environ if name.startswith("LEDGER_")]:
        monkeypatch.delenv(name)


def full(url: URL) -> str:
    """An address, password included."""
    return url.render_as_string(hide_password=False)


def test_what_is_not_set_is_in_the_embedded_server(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", db_port=5999)
    address = f"ledger:{servers.warehouse(settings).password}@127.0.0.1:5999"
    assert len(servers.warehouse(settings).password or "") > 30
    assert full(servers.warehouse(settings)) == f"postgresql+psycopg://{address}/warehouse"
    assert full(servers.billing(settings)) == f"postgresql+psycopg://{address}/demo_billing"
    assert full(servers.dagster_storage(settings)) == f"postgresql+psycopg2://{address}/warehouse_dagster"
    assert servers.embedded_server(settings).data_folder == tmp_path / "home" / "postgres"


def test_an_external_warehouse_holds_the_storage_of_dagster_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", warehouse_url=EXTERNAL, billing_url="mysql://me:x@h/app")
    there = "me:p%40ss@db.example.com:5433"
    assert full(servers.warehouse(settings)) == f"postgresql+psycopg://{there}/gas?sslmode=require"
    assert full(servers.billing(settings)) == "mysql+pymysql://me:x@h/app"
    assert full(servers.dagster_storage(settings)) == f"postgresql+psycopg2://{there}/gas_dagster?sslmode=require"
    assert not (tmp_path / "home").exists(), "nothing of the embedded server is made when it is not used"


def test_the_storage_of_dagster_can_be_elsewhere() -> None:
    settings = Settings(warehouse_url=EXTERNAL, dagster_url="postgresql+psycopg://d:e@other/runs")
    assert full(servers.dagster_storage(settings)) == "postgresql+psycopg2://d:e@other/runs"


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
    assert servers.uses_embedded_server(settings) is expected


@pytest.mark.parametrize("warehouse", [None, EXTERNAL])
def test_a_process_with_the_environment_resolves_the_same(
    warehouse: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Settings(home=tmp_path / "home", warehouse_url=warehouse, db_port=5999, deletion_guard_share="0.5")
    environment = servers.environment(here)
    assert environment["DAGSTER_HOME"] == str(project_folder())
    assert environment["LEDGER_DAGSTER_URL"].startswith("postgresql+psycopg2://")
    assert "LEDGER_BILLING_URL" not in environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    there = Settings()
    assert there.model_dump(exclude={"dagster_url"}) == here.model_dump(exclude={"dagster_url"})
    for resolve in (servers.warehouse, servers.billing, servers.dagster_storage):
        assert resolve(there) == resolve(here)
    assert servers.uses_embedded_server(there) is servers.uses_embedded_server(here)


def test_an_erp_told_of_by_the_old_variables_reaches_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"HOST": "erp.example.com", "DATABASE": "soi107", "USERNAME": "reader", "PASSWORD": "p@ss"}
    for name, value in old.items():
        monkeypatch.setenv(f"DB_{name}2", value)
    here = Settings(warehouse_url=EXTERNAL)
    assert servers.environment(here)["LEDGER_ERP_URL"] == full(servers.erp(here))
    assert full(servers.erp(here)) == "mssql+pyodbc://reader:p%40ss@erp.example.com:1433/soi107"


def test_the_demos_erp_is_not_used_beside_an_application_of_ones_own() -> None:
    demo, own, both = Settings(), Settings(billing_url="mysql://h/app"), Settings(erp_url="mysql://h/erp")
    assert [servers.has_erp(settings) for settings in (demo, own, both)] == [True, False, True]
    assert servers.erp(demo).database == servers.DEMO_ERP_DATABASE
    with pytest.raises(SettingsError, match="There is no ERP to read: LEDGER_ERP_URL is not set"):
        servers.erp(own)
