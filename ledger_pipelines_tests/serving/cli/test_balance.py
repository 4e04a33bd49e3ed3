"""`ledger balance` on a small demo: runs, output, and data that must stay unchanged."""

import json
import re
import signal
import subprocess

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import shift_month
from ledger_pipelines.ledger.checks import INVARIANTS
from ledger_pipelines.sources.billing.schema import data_pencatatan
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.tables import (
    balance_comparison,
    customer_business_partners,
    erp_tables,
    invoice_reconciliation,
    loaded_months,
    monthly_customer_balances,
)
from ledger_pipelines_tests.support.billing_pipeline import without_loaded_months
from ledger_pipelines_tests.support.serving.installation import MONTHS, Installation, json_of
from ledger_pipelines_tests.support.waiting import wait_until

FIRST_CUSTOMER = 11


def test_a_dry_run_changes_nothing(computed: Installation) -> None:
    before = computed.fingerprint()
    with computed.changed_billing_copy() as source:
        with source.begin() as connection:
            reading = sa.select(sa.func.min(data_pencatatan.c.id)).where(
                data_pencatatan.c.customer_id == FIRST_CUSTOMER
            )
            invalidate = sa.update(data_pencatatan).where(data_pencatatan.c.id == reading.scalar_subquery())
            connection.execute(invalidate.values(data_input='{"waktu": "yesterday"}'))
        url = source.url.render_as_string(hide_password=False)
        command = ("balance", "initialize", "--all", "--dry-run")
        answer = computed.run_json(*command, LEDGER_BILLING_URL=url)
        assert "Dry run: nothing was changed" in computed.run(*command, LEDGER_BILLING_URL=url).stdout
    assert computed.fingerprint() == before
    assert len(answer["customers"]) == 6
    for customer in answer["customers"]:
        assert customer["readings"] == customer["usable"] + customer["rejected"] > 0
        assert customer["closing_balance"] is not None
    assert answer["customers"][0]["rejected"] == 1


def test_a_second_run_writes_nothing(computed: Installation) -> None:
    before = computed.fingerprint()
    answer = computed.run_json("balance", "sync", "--all")
    assert answer["success"]
    assert [step["inserted"] + step["updated"] + step["deleted"] for step in answer["steps"]] == [0] * 6
    assert [step["asset"] for step in answer["steps"] if step["months_skipped"]] == [
        "transaction_calculations",
        "monthly_customer_balances",
    ]
    assert computed.fingerprint() == before


def test_force_rebuilds_calculated_rows(computed: Installation) -> None:
    answer = computed.run_json("balance", "sync", "--all", "--force")
    steps = {step["asset"]: step for step in answer["steps"]}
    assert steps["monthly_customer_balances"]["unchanged"] == 0
    assert {step["months_skipped"] for step in answer["steps"]} == {""}
    assert steps["meter_readings"]["unchanged"] > 0


def test_sync_of_one_customer_leaves_others_unchanged(computed: Installation) -> None:
    with computed.changed_billing_copy() as source:
        with source.begin() as connection:
            connection.execute(sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id <= FIRST_CUSTOMER + 1))
        url = source.url.render_as_string(hide_password=False)
        before = _balances_of_others(computed)
        result = computed.succeed(
            "balance", "sync", "--customer-id", str(FIRST_CUSTOMER), "--json", LEDGER_BILLING_URL=url
        )
        answer = json_of(result)
    assert answer["customers"] == [FIRST_CUSTOMER]
    assert {step["asset"]: step["deleted"] for step in answer["steps"]}["transaction_calculations"] > 0
    assert _balances_of_others(computed) == before
    computed.succeed("balance", "sync", "--customer-id", str(FIRST_CUSTOMER))


def _balances_of_others(installation: Installation) -> list[sa.Row[tuple[object, ...]]]:
    with installation.warehouse() as connection:
        query = sa.select(monthly_customer_balances).where(monthly_customer_balances.c.customer_id != FIRST_CUSTOMER)
        return list(connection.execute(query.order_by(*monthly_customer_balances.primary_key)).all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customer-id", "99999"], "There is no customer 99999"),
        (["--all", "--from-month", "2999-01"], "is in the future"),
        (["--all", "--from-month", "1999-01"], "LEDGER_FIRST_MONTH"),
        (["--all", "--from-month", "march"], "is not a month"),
        ([], "--all"),
        (["--all", "--customer-id", "11"], "--all"),
    ],
)
def test_invalid_options_are_explained(computed: Installation, arguments: list[str], message: str) -> None:
    before = computed.fingerprint()
    result = computed.run("balance", "sync", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert computed.fingerprint() == before


def test_from_month_covers_that_month_to_the_current_one(computed: Installation) -> None:
    current = shift_month(computed.variables["LEDGER_FIRST_MONTH"], MONTHS - 1)
    answer = computed.run_json("balance", "sync", "--all", "--from-month", shift_month(current, -1))
    assert answer["months"] == [shift_month(current, -1), current]


def test_the_system_is_healthy(computed: Installation) -> None:
    result = computed.run("balance", "test-system", "--json")
    answer = json_of(result)
    assert (result.exit_code, answer["success"], answer["problems"]) == (0, True, [])
    assert set(answer["months_loaded"].values()) == {MONTHS}
    assert answer["rejected"]
    assert {finding["name"]: finding["rows"] for finding in answer["findings"]} == {one.name: 0 for one in INVARIANTS}
    assert len(answer["query_ms"]) == 2


@pytest.mark.parametrize("customers", [[], ["--customer-id", str(FIRST_CUSTOMER)]])
def test_uncomputed_ledger_is_one_problem(computed: Installation, customers: list[str]) -> None:
    engine = sa.create_engine(database_urls.warehouse_url(computed.settings))
    with without_loaded_months(engine):
        result = computed.run("balance", "test-system", *customers, "--json")
    engine.dispose()
    assert result.exit_code == 1
    assert json_of(result)["problems"] == ["The ledger has never been computed. Run: ledger balance initialize --all"]


def test_uncomputed_months_are_reported_per_table(computed: Installation) -> None:
    marks, current = loaded_months, shift_month(computed.variables["LEDGER_FIRST_MONTH"], MONTHS - 1)
    newest = marks.c.year_month == current
    with computed.warehouse() as connection:
        before = connection.execute(sa.select(marks).where(newest)).mappings().all()
        connection.execute(sa.delete(marks).where(newest))
    problems = computed.run_json("balance", "test-system")["problems"]
    with computed.warehouse() as connection:
        connection.execute(sa.insert(marks), list(map(dict, before)))
    assert len(problems) == 4
    assert all(
        problem.endswith(": months that have never been computed: 1. Run: ledger balance sync --all")
        for problem in problems
    )


def test_demo_ledger_is_not_computed_from_another_application(computed: Installation) -> None:
    """Only computing is refused; a dry run is allowed because it writes nothing."""
    own = {"LEDGER_BILLING_URL": database_urls.billing_url(computed.settings).render_as_string(hide_password=False)}
    before = computed.fingerprint()
    result = computed.run("balance", "initialize", "--all", **own)
    assert result.exit_code == 1
    assert "This warehouse holds the demo's ledger" in result.stderr
    assert computed.fingerprint() == before


def state_of_erp(installation: Installation, **variables: str) -> dict[str, str]:
    """Return the state of the ERP in the health check."""
    services = installation.run_json("balance", "test-system", **variables)["services"]
    (erp,) = [service for service in services if service["name"] == "ERP"]
    return dict(erp)


def test_health_check_includes_the_erp(computed: Installation) -> None:
    reachable_erp = state_of_erp(computed)
    assert (reachable_erp["fault"], reachable_erp["skipped"]) == ("", "")
    assert "demo_erp" in reachable_erp["address"]

    unreachable = {"LEDGER_ERP_URL": "postgresql://reader:hush@127.0.0.1:1/erp"}
    assert "127.0.0.1:1" in state_of_erp(computed, **unreachable)["fault"]
    result = computed.run("balance", "test-system", **unreachable)
    assert result.exit_code == 1
    assert "hush" not in result.output


def test_missing_erp_is_not_a_problem(computed: Installation) -> None:
    billing = {"LEDGER_BILLING_URL": database_urls.billing_url(computed.settings).render_as_string(hide_password=False)}
    assert state_of_erp(computed, **billing)["skipped"] == "not configured (LEDGER_ERP_URL is not set)"
    result = computed.run("balance", "test-system", **billing)
    assert result.exit_code == 0
    assert re.search(r"^ +ERP +not configured", result.stdout, re.MULTILINE)


def test_health_check_of_unknown_customer_is_refused(computed: Installation) -> None:
    known = computed.run("balance", "test-system", "--customer-id", str(FIRST_CUSTOMER))
    assert known.exit_code == 0
    result = computed.run("balance", "test-system", "--customer-id", "99999", "--customer-id", str(FIRST_CUSTOMER))
    assert result.exit_code == 1
    assert "There is no customer 99999, neither" in result.stderr
    assert "holds" not in result.output


def test_wrong_balance_is_reported(computed: Installation) -> None:
    closing = monthly_customer_balances.c.closing_balance
    with computed.warehouse() as connection:
        connection.execute(sa.update(monthly_customer_balances).values(closing_balance=closing + 1))
    result = computed.run("balance", "test-system")
    assert result.exit_code == 1
    assert "balances_add_up" in result.stdout
    with computed.warehouse() as connection:
        connection.execute(sa.update(monthly_customer_balances).values(closing_balance=closing - 1))


def test_compare_runs_all_possible_reconciliations(computed: Installation) -> None:
    """A comparison that lacks its source is reported as an error; the others run."""
    lines, first = erp_tables["so_invoice_line"], computed.settings.first_month
    found = (balance_comparison, invoice_reconciliation, customer_business_partners, loaded_months)
    with computed.warehouse() as connection:
        before = connection.execute(sa.select(loaded_months)).mappings().all()
    try:
        without = computed.run("balance", "compare", "--json")
        assert (without.exit_code, json_of(without)["success"]) == (1, False)
        assert [step["asset"] for step in json_of(without)["steps"]] == ["balance_comparison"]
        assert "needs so_invoice_line" in json_of(without)["error"]
        with computed.warehouse() as connection:
            mark_loaded(connection, lines, [shift_month(first, number) for number in range(MONTHS)], "test")
        result = computed.succeed("balance", "compare", "--json")
        assert {step["asset"] for step in json_of(result)["steps"]} == {"balance_comparison", "invoice_reconciliation"}
        assert {check["asset"] for check in json_of(result)["checks_not_passed"]} >= {"invoice_reconciliation"}
    finally:
        with computed.warehouse() as connection:
            for table in found:
                connection.execute(sa.delete(table))
            connection.execute(sa.insert(loaded_months), list(map(dict, before)))


@pytest.mark.slow
def test_stdout_holds_nothing_but_json(computed: Installation) -> None:
    process = computed.spawn("balance", "sync", "--all", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.communicate(timeout=120)
    assert json.loads(output)["success"]
    assert errors == ""


@pytest.mark.slow
def test_run_of_a_killed_process_is_marked_as_failed(computed: Installation) -> None:
    with computed.warehouse("READ COMMITTED") as connection:
        connection.execute(sa.text("LOCK TABLE billing.customers IN ACCESS EXCLUSIVE MODE"))
        process = computed.spawn("balance", "sync", "--all", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: _slots_taken(computed))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _slots_taken(computed) == 1
    computed.succeed("balance", "sync", "--all")
    assert _slots_taken(computed) == 0
    assert _statuses(computed) == {"SUCCESS", "FAILURE"}


def _dagster(installation: Installation, query: str) -> list[sa.Row[tuple[object, ...]]]:
    with installation.dagster_storage() as connection:
        return list(connection.execute(sa.text(query)).all())


def _slots_taken(installation: Installation) -> int:
    return len(_dagster(installation, "SELECT 1 FROM concurrency_slots WHERE run_id IS NOT NULL"))


def _statuses(installation: Installation) -> set[object]:
    return {row[0] for row in _dagster(installation, "SELECT DISTINCT status FROM runs")}
