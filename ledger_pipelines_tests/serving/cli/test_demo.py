"""`ledger demo`: seed and change the two source databases, and compute the ledger without the web UI."""

import re
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo.erp import erp_source_tables
from ledger_pipelines.serving.demo import default_plan
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.servers import fresh_database, url_with_password
from ledger_pipelines_tests.support.serving.installation import Installation, json_of

SMALL_ERP = ("--months", "2", "--erp-rows-per-month", "8")


def tables_of(url: sa.URL) -> set[str]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return set(sa.inspect(engine).get_table_names())


@pytest.mark.slow
def test_run_seeds_computes_and_prints_the_balances(installation: Installation) -> None:
    variables = {"LEDGER_FIRST_MONTH": default_plan().first_month}
    result = installation.succeed("demo", "run", **variables)
    assert "Latest balances" in result.stdout
    balances, _, days_left = result.stdout.partition("Latest balances")[2].partition("How long the balances last")
    assert len(re.findall(r"^ +\d+ +PT |^ +\d+ +CV ", balances, re.MULTILINE)) == 36, balances
    groups = installation.run_json("alerts", "list", **variables)["days_left"]
    count = {group["group"]: group["customers"] for group in groups}
    assert (count["owes"], count["low"], count["no use"]) == (3, 3, 1)
    assert count["2 to 6 weeks"] >= 25
    assert sum(count.values()) == 36
    for group in groups:
        assert re.search(
            rf"^ +{group['group']} +{group['customers']} +{Decimal(group['balance']):,} *$", days_left, re.M
        )
    assert re.search(r"so_invoice_line +\d,\d{3}", result.stdout), "the ERP is seeded too"
    assert tables_of(database_urls.erp_url(installation.settings)) >= {table.name for table in ERP_TABLES}


@pytest.mark.slow
def test_same_plan_is_kept_and_another_plan_is_refused(installation: Installation) -> None:
    seed = ("demo", "seed", "--customers", "5", "--months", "2", "--replace")
    assert installation.run(*seed).stdout.count("was seeded") == 2
    assert installation.run(*seed).stdout.count("was seeded") == 2
    assert installation.run(*seed[:-1]).stdout.count("exists already") == 2
    refused = installation.run("demo", "seed", "--customers", "6")
    assert refused.exit_code == 1
    assert "another plan" in refused.stderr


def test_own_billing_application_is_not_seeded(installation: Installation) -> None:
    result = installation.run("demo", "seed", LEDGER_BILLING_URL="mysql+pymysql://me@nowhere/billing")
    assert result.exit_code == 1
    assert "--url" in result.stderr
    wrong = installation.run("demo", "seed", "--months", "0")
    assert wrong.exit_code == 1
    assert "months must lie between" in wrong.stderr
    wrong = installation.run("demo", "seed", "--erp-rows-per-month", "0")
    assert wrong.exit_code == 1
    assert "rows_per_month must lie between" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize("server", ["embedded_url", "mariadb_url"])
def test_each_source_can_be_seeded_separately(
    installation: Installation, request: pytest.FixtureRequest, server: str
) -> None:
    with fresh_database(request.getfixturevalue(server)) as url:
        result = installation.succeed("demo", "seed", "--erp-url", url_with_password(url), *SMALL_ERP)
        assert tables_of(url) == {*erp_source_tables, "ledger_demo_seed"}
        result = installation.succeed(
            "demo", "seed", "--url", url_with_password(url), "--customers", "1", "--months", "1"
        )
        assert tables_of(url) == {*erp_source_tables, "ledger_demo_seed", "users", "data_pencatatan"}
        assert "so_invoice_line" not in result.stdout


def test_urls_and_only_must_agree(installation: Installation) -> None:
    result = installation.run("demo", "seed", "--only", "billing", "--erp-url", "mysql://me@nowhere/erp")
    assert result.exit_code == 1
    assert "--only billing" in result.stderr
    result = installation.run("demo", "seed", "--erp-url", "nowhere")
    assert result.exit_code == 1
    assert "--erp-url is not a database URL" in result.stderr


def test_own_erp_is_not_seeded(installation: Installation) -> None:
    real = {"LEDGER_ERP_URL": "mssql+pyodbc://me@nowhere/erp?driver=FreeTDS"}
    for command in (("demo", "seed", "--only", "erp"), ("demo", "disturb")):
        result = installation.run(*command, **real)
        assert result.exit_code == 1
        assert "names an ERP of your own" in result.stderr
    result = installation.succeed("demo", "seed", "--customers", "5", "--months", "2", "--replace", **real)
    assert "does not touch" in result.stderr
    assert "so_invoice_line" not in result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_disturb_reports_its_changes(installation: Installation) -> None:
    installation.succeed("demo", "seed", "--only", "erp", "--replace", *SMALL_ERP)
    answer = installation.run_json("demo", "disturb", "--changes", "40", "--seed", "3")
    assert (answer["success"], answer["seed"], len(answer["disturbances"])) == (True, 3, 40)
    assert {"table", "operation", "months", "key", "column", "old", "new"} == answer["disturbances"][0].keys()

    installation.succeed("demo", "seed", "--only", "erp", "--replace", *SMALL_ERP)
    again = installation.succeed("demo", "disturb", "--changes", "40", "--seed", "3")
    assert "(seed 3)" in again.stdout
    for done in answer["disturbances"]:  # keys must not be wrapped, so that they can be copied
        values = {column: "NULL" if value is None else repr(value) for column, value in done["key"].items()}
        assert ", ".join(f"{column}={value}" for column, value in values.items()) in again.stdout
    for operation in ("change", "move", "duplicate", "insert", "delete"):
        count = sum(done["operation"] == operation for done in answer["disturbances"])
        assert len(re.findall(rf"^ +\w+ +{operation} ", again.stdout, re.MULTILINE)) == count > 0

    assert installation.run("demo", "disturb").stdout != installation.run("demo", "disturb").stdout


def test_disturb_refuses_other_databases(installation: Installation, embedded_url: sa.URL) -> None:
    with fresh_database(embedded_url) as url:
        result = installation.run("demo", "disturb", "--url", url_with_password(url), "--json")
        assert result.exit_code == 1
        assert json_of(result)["success"] is False
        assert "has no demo ERP" in json_of(result)["error"]
        assert tables_of(url) == set()
