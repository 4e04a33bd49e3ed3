"""`ledger analyst` on the embedded server, and on a server whose user may or may not create roles."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from ledger_pipelines.serving.cli import app
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines_tests.support.analysts import drop_group
from ledger_pipelines_tests.support.servers import fresh_database
from ledger_pipelines_tests.support.serving.installation import Installation, json_of, replaced_environment

NAME = "analyst"
OTHERS = (
    database_urls.DEMO_BILLING_DATABASE,
    database_urls.DEMO_ERP_DATABASE,
    "warehouse_dagster",
    "postgres",
    "template1",
)


@pytest.fixture
def demo(computed: Installation) -> Iterator[Installation]:
    """The small demo; without analysts before and after the test."""
    yield computed
    computed.run("analyst", "drop")
    with computed.warehouse() as connection:
        if connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = 'warehouse_analysts'")):
            drop_group(connection.engine)


def log_in(installation: Installation, password: str, database: str = "warehouse") -> sa.Engine:
    """Return an engine that logs in as the analyst."""
    url = database_urls.embedded_server(installation.settings).url(database)
    return sa.create_engine(url.set(username=NAME, password=password), poolclass=sa.NullPool)


def can_log_in(installation: Installation, password: str, database: str = "warehouse") -> bool:
    """Return whether the analyst can log in."""
    try:
        log_in(installation, password, database).connect().close()
    except sa.exc.OperationalError:
        return False
    return True


def test_generated_password_is_printed_once_and_works(demo: Installation) -> None:
    result = demo.succeed("analyst", "create")
    password = result.stdout.strip()
    assert len(password) >= 32
    assert "postgresql://analyst@127.0.0.1" in result.stderr
    with log_in(demo, password).connect() as connection:
        balances = connection.exec_driver_sql("SELECT count(*) FROM monthly_customer_balances").scalar_one()
        assert balances > 6
        assert connection.exec_driver_sql("SELECT count(*) FROM current_balances").scalar_one() == 6
    again = demo.run("analyst", "create")
    assert again.exit_code == 0
    assert again.stdout == ""
    assert "keeps its password" in again.stderr
    assert can_log_in(demo, password)


def test_analyst_cannot_connect_to_other_databases(demo: Installation) -> None:
    password = demo.run_json("analyst", "create")["password"]
    with demo.warehouse() as connection:
        there = set(connection.scalars(sa.text("SELECT datname FROM pg_database")))
    others = [name for name in OTHERS if name in there]
    assert {"demo_billing", "warehouse_dagster"} <= set(others)
    assert [name for name in others if can_log_in(demo, password, name)] == []
    assert demo.run("balance", "test-system").exit_code == 0, "the program itself can still connect"


def test_list_password_drop(demo: Installation) -> None:
    with replaced_environment(demo.variables):
        created = CliRunner().invoke(app, ["analyst", "create", "--password-stdin"], input="kata sandi pertama\n")
    assert created.exit_code == 0, created.output
    assert "kata sandi" not in created.output
    (one,) = demo.run_json("analyst", "list")["analysts"]
    assert (one["name"], one["sessions"]) == (NAME, 0)
    session = log_in(demo, "kata sandi pertama").connect()
    assert NAME in demo.run("analyst", "list").stdout
    changed = demo.run_json("analyst", "password")["password"]
    assert not can_log_in(demo, "kata sandi pertama")
    assert can_log_in(demo, changed)
    demo.succeed("analyst", "drop")
    with pytest.raises(sa.exc.OperationalError):
        session.exec_driver_sql("SELECT 1")
    session.invalidate()
    assert not can_log_in(demo, changed)
    assert demo.run_json("analyst", "list")["analysts"] == []


def test_commands_are_audited(demo: Installation) -> None:
    password = demo.run_json("analyst", "create")["password"]
    for arguments in (["create", "--name", "ledger"], ["password"], ["drop"], ["drop"], ["list"]):
        demo.run("analyst", *arguments)
    with demo.warehouse() as connection:
        entries = audit.latest(connection, limit=5)
        kept = connection.scalars(sa.text("SELECT t::text FROM ops.audit_log AS t")).all()
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("ledger analyst drop", NAME, "refused"),
        ("ledger analyst drop", NAME, "done"),
        ("ledger analyst password", NAME, "done"),
        ("ledger analyst create", "ledger", "refused"),
        ("ledger analyst create", NAME, "done"),
    ]
    assert {entry.actor for entry in entries} == {f"command line ({getpass.getuser()})"}
    assert not any(password in row for row in kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--name", "Ana; DROP"], "is not a valid role name"),
        (["create", "--name", "ledger"], "that is not an analyst"),
        (["create", "--password-stdin"], "There is no password on stdin"),
        (["password"], "There is no analyst 'analyst'"),
        (["drop", "--name", "ledger"], "There is no analyst 'ledger'"),
    ],
)
def test_invalid_request_is_explained(demo: Installation, arguments: list[str], message: str) -> None:
    result = demo.run("analyst", *arguments, "--json")
    assert result.exit_code == 1
    assert message in json_of(result)["error"]


def test_a_short_password_is_refused(demo: Installation) -> None:
    with replaced_environment(demo.variables):
        result = CliRunner().invoke(app, ["analyst", "create", "--password-stdin"], input="pendek\n")
    assert result.exit_code == 1
    assert "too short" in result.stderr
    assert "pendek" not in result.output


@contextmanager
def own_database(server: sa.URL, options: str) -> Iterator[sa.URL]:
    """Yield the URL of a new database that belongs to a user with the given role options."""
    with fresh_database(server) as url:
        user = f"{url.database}_owner"
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {user} LOGIN PASSWORD 'x' {options}")
            connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO {user}")
        try:
            yield url.set(username=user, password="x")  # noqa: S106 - of a role that exists only during the test
        finally:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO CURRENT_USER")
                roles = sa.text("SELECT rolname FROM pg_roles WHERE starts_with(rolname, :database) ORDER BY rolname")
                for name in connection.scalars(roles, {"database": url.database}).all():
                    connection.exec_driver_sql(f"DROP OWNED BY {name} CASCADE")
                    connection.exec_driver_sql(f"DROP ROLE {name}")
            engine.dispose()


def warehouse_variables(url: sa.URL) -> dict[str, Any]:
    """Return the variables that make a database the warehouse."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return {f"LEDGER_{name}_URL": address for name in ("WAREHOUSE", "BILLING", "ERP", "DAGSTER")}


def test_user_with_createrole_needs_no_administrator(installation: Installation, postgres_url: sa.URL) -> None:
    with own_database(postgres_url, "CREATEROLE") as url:
        name = f"{url.database}_reader"
        installation.succeed("db", "upgrade", **warehouse_variables(url))
        created = installation.run_json("analyst", "create", "--name", name, **warehouse_variables(url))
        assert created["success"], created
        assert created["address"].startswith(f"postgresql://{name}@")
        engine = sa.create_engine(url.set(username=name, password=created["password"]), poolclass=sa.NullPool)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM current_balances").scalar_one() == 0
        installation.succeed("analyst", "password", "--name", name, **warehouse_variables(url))
        installation.succeed("analyst", "drop", "--name", name, **warehouse_variables(url))


@pytest.mark.parametrize("owns_database", [True, False])
def test_administrator_sql_revokes_more_than_reading(
    installation: Installation, postgres_url: sa.URL, owns_database: bool
) -> None:
    """Advisory locks, large objects and, in a database of another owner, temporary tables.

    The program itself keeps these privileges.
    """
    with own_database(postgres_url, "CREATEROLE") as url:
        name = f"{url.database}_reader"
        create = ("analyst", "create", "--name", name)
        administrator = sa.create_engine(postgres_url.set(database=url.database), isolation_level="AUTOCOMMIT")
        installation.succeed("db", "upgrade", **warehouse_variables(url))
        with administrator.connect() as connection:
            if not owns_database:
                connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO CURRENT_USER")
            statements = installation.run_json(*create, **warehouse_variables(url))["for_administrator"]
            assert len(statements) == (1 if owns_database else 3)
            output = installation.run(*create, **warehouse_variables(url)).stderr
            assert "administrator of the server has to run" in output
            assert all(statement in output for statement in statements)
            for statement in statements:
                connection.exec_driver_sql(statement)
            may = sa.text("SELECT has_database_privilege(:name, current_database(), 'TEMPORARY')")
            assert [connection.scalar(may, {"name": user}) for user in (url.username, name)] == [True, False]
        administrator.dispose()
        assert installation.run_json(*create, **warehouse_variables(url))["for_administrator"] == []
        installation.succeed("analyst", "drop", "--name", name, **warehouse_variables(url))


def test_user_without_createrole_gets_administrator_sql(installation: Installation, postgres_url: sa.URL) -> None:
    with own_database(postgres_url, "") as url:
        name = f"{url.database}_reader"
        installation.succeed("db", "upgrade", **warehouse_variables(url))
        create = ("analyst", "create", "--name", name, "--json")
        refused = installation.run(*create, **warehouse_variables(url))
        assert refused.exit_code == 1
        message = json_of(refused)["error"]
        assert f"The user {url.username} of LEDGER_WAREHOUSE_URL lacks a privilege" in message
        statements = [line.strip() for line in message.splitlines() if line.startswith("    ")]
        assert len(statements) == 7
        administrator = sa.create_engine(postgres_url.set(database=url.database), isolation_level="AUTOCOMMIT")
        with administrator.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        administrator.dispose()
        assert json_of(installation.run(*create, **warehouse_variables(url)))["existed"] is True
        engine = sa.create_engine(url.set(username=name, password="choose a password"), poolclass=sa.NullPool)  # noqa: S106
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW search_path").scalar_one().startswith("analytics")
            assert connection.exec_driver_sql("SELECT count(*) FROM monthly_customer_balances").scalar_one() == 0
