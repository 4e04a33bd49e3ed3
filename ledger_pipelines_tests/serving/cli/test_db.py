"""`ledger`, `ledger env` and `ledger db`: URLs, the embedded server, and servers given by URL."""

import os
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger_pipelines_tests.support.servers import free_port, fresh_database
from ledger_pipelines_tests.support.serving.installation import Installation


def test_version(installation: Installation) -> None:
    assert installation.run("--version").stdout.startswith("ledger ")


def test_wrong_settings_are_one_message(installation: Installation) -> None:
    result = installation.run("db", "url", LEDGER_UI_PORT="many")
    assert result.exit_code == 1
    assert "LEDGER_UI_PORT: 'many' is not a port" in result.stderr
    assert "Traceback" not in result.output


def test_wrong_settings_are_reported_as_json(installation: Installation) -> None:
    result = installation.run("balance", "sync", "--all", "--json", LEDGER_UI_PORT="many")
    assert result.exit_code == 1
    assert '"success": false' in result.stdout
    assert "LEDGER_UI_PORT" in result.stdout


def test_password_is_shown_only_on_request(installation: Installation) -> None:
    masked = installation.run("db", "url").stdout.strip()
    shown = installation.run("db", "url", "--show-password").stdout.strip()
    assert ":***@" in masked
    assert len(sa.make_url(shown).password or "") > 20


def test_start_upgrade_status_stop(installation: Installation) -> None:
    assert "stopped" in installation.run("db", "status").stdout
    assert "is started" in installation.run("db", "start").stderr
    assert "was already running" in installation.run("db", "start").stderr
    status = installation.run("db", "status")
    assert status.exit_code == 0
    assert status.stdout.count("answers") == 2
    assert "version" in installation.run("db", "upgrade").stderr
    assert "is stopped" in installation.run("db", "stop").stderr
    assert "was not running" in installation.run("db", "stop").stderr
    assert installation.run("db", "status").exit_code == 1
    upgraded = installation.run("db", "upgrade").stderr
    assert "was started for this command" in upgraded
    assert "version" in upgraded
    assert "is stopped" in installation.run("db", "stop").stderr


def test_env_output_can_be_evaluated_by_a_shell(installation: Installation) -> None:
    text = installation.run("env", LEDGER_WAREHOUSE_URL="postgresql://me:it's@nowhere/wh").stdout
    command = f"{text}\nprintenv DAGSTER_HOME LEDGER_DAGSTER_URL LEDGER_WAREHOUSE_URL"
    shell = subprocess.run(["sh", "-c", command], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    home, storage, warehouse = shell.stdout.splitlines()
    assert (Path(home) / "dagster.yaml").is_file()
    assert storage == "postgresql+psycopg2://me:it%27s@nowhere/wh_dagster"
    assert warehouse == "postgresql://me:it's@nowhere/wh"


def test_upgrade_of_given_server_creates_dagster_database(installation: Installation, embedded_url: sa.URL) -> None:
    with fresh_database(embedded_url) as url:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        given = {f"LEDGER_{name}_URL": address for name in ("WAREHOUSE", "BILLING", "ERP")}
        result = installation.succeed("db", "upgrade", **given)
        assert f"Created Dagster's database {url.database}_dagster" in result.stderr
        refused = installation.run("db", "start", **given)
        assert refused.exit_code == 1
        assert "no embedded server to start" in refused.stderr
        engine = sa.create_engine(embedded_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {url.database}_dagster"))
        engine.dispose()


@pytest.mark.parametrize("command", [("db", "upgrade"), ("balance", "sync", "--all")])
def test_unreachable_warehouse_is_one_message(installation: Installation, command: tuple[str, ...]) -> None:
    address = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/wh"
    result = installation.run(*command, LEDGER_WAREHOUSE_URL=address, LEDGER_BILLING_URL=address)
    assert result.exit_code == 1
    assert "Connection refused" in result.stderr
    assert "s3cret" not in result.output
