"""`ledger billing test-connection`, and the same findings in the output of a run."""

import re

import sqlalchemy as sa

from ledger_pipelines.horizon import shift_month
from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.serving.installation import Installation

TEST_CONNECTION = ("billing", "test-connection")


def test_the_demo_can_be_read(computed: Installation) -> None:
    result = computed.succeed(*TEST_CONNECTION)
    assert "LEDGER_BILLING_URL is not set: testing the demo's" in result.stderr
    assert "The billing application can be read" in result.stderr
    assert re.search(r"^GRANT SELECT \(id, name, .*\) ON public.users TO ledger;$", result.stdout, re.M)
    with computed.warehouse() as connection:
        customers = connection.scalar(sa.select(sa.func.count()).select_from(tables.customers))
    answer = computed.run_json(*TEST_CONNECTION)
    assert answer["success"] is True
    assert [column["column"] for column in answer["columns"]] == [
        name for of in EFFECT_IF_MISSING.values() for name in of
    ]
    assert answer["rows"]["customers"] == {"read": customers, "rejected": 0, "reasons": []}
    assert answer["rows"]["deposits"]["rejected"] > 0


def test_first_month_to_set_is_reported(computed: Installation) -> None:
    first = str(computed.settings.first_month)
    later = {"LEDGER_FIRST_MONTH": shift_month(first, 1)}
    answer = computed.run_json(*TEST_CONNECTION, **later)
    assert answer["success"] is True
    assert (answer["first_month_to_set"], answer["first_month"]) == (answer["first_month"], answer["first_month"])
    assert answer["first_month"] <= first
    (finding,) = (finding for finding in answer["findings"] if finding["what"] == "first month")
    assert finding["advice"] == f"Set LEDGER_FIRST_MONTH={answer['first_month']} before the first computation."


def test_run_reports_the_same_first_month(computed: Installation) -> None:
    """One deposit of the demo is dated before its first month."""
    rejected = tables.rejected_rows.c
    before = sa.select(rejected.customer_id).where(rejected.asset == "deposits", rejected.reason.like("%, before %"))
    with computed.warehouse() as connection:
        customer = connection.scalars(before).one()
    sync = ("balance", "sync", "--customer-id", str(customer))
    printed = computed.run(*sync).stdout
    assert re.search(r"^1 of \d+ deposit entries is rejected: dated before \d{4}-\d\d, the first month", printed, re.M)
    (advised,) = re.findall(r"^To load earlier rows, set LEDGER_FIRST_MONTH=(.*) and run", printed, re.M)
    answer = computed.run_json(*sync)
    assert answer["first_month_to_set"] == advised == shift_month(computed.settings.first_month, -1)
    because = {step["asset"]: step["rejected_because"] for step in answer["steps"]}
    assert because["deposits"] in printed
    assert because["customers"] == ""


def test_unreadable_application_is_reported(installation: Installation, embedded_url: sa.URL) -> None:
    with servers.fresh_database(embedded_url) as url:
        given = {"LEDGER_BILLING_URL": url.render_as_string(hide_password=False)}
        result = installation.run(*TEST_CONNECTION, **given)
        answer = installation.run_json(*TEST_CONNECTION, **given)
    assert result.exit_code == 1
    assert "The billing application cannot be read" in result.stderr
    assert (answer["success"], answer["rows"], answer["first_month_to_set"]) == (False, {}, None)
    assert str(url.password) not in result.output
