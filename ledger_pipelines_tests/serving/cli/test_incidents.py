"""Incidents in the output of `ledger`: the health check before, during and after an incident, lists, confirmation."""

import getpass

import pytest
import sqlalchemy as sa

from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.incidents import IncidentKind
from ledger_pipelines.warehouse.tables import audit_log, deletion_confirmations
from ledger_pipelines_tests.support.open_incidents import FAILED, REFUSED, temporary_incidents
from ledger_pipelines_tests.support.serving.installation import Installation

TEST = ("balance", "test-system")


def test_open_incident_makes_the_system_unhealthy(computed: Installation) -> None:
    assert "Incidents" not in computed.run(*TEST).stdout
    with computed.warehouse() as connection, temporary_incidents(connection, REFUSED):
        incidents.record(connection, REFUSED)
        result = computed.run(*TEST)
        assert result.exit_code == 1
        assert "All checks passed" not in result.stderr
        answer = computed.run_json(*TEST)
        incidents.close(connection, [REFUSED.kind])
        computed.succeed(*TEST)
    (one,) = answer["incidents"]
    assert (answer["success"], one["kind"], one["subject"], one["customers"], one["occurrences"], one["owner"]) == (
        False, "deletion_refused", "customer 11", [11], 2, "team:billing",
    )  # fmt: skip
    assert (one["reason"], one["what_to_do"]) == (REFUSED.reason, REFUSED.what_to_do)
    assert answer["problems"] == [f"Incident {one['id']} is open: deletion refused, customer 11: {REFUSED.reason}"]
    section = result.stdout.partition("Incidents")[2].partition("Data")[0]
    words = [one["opened_at"][:10], "2", "deletion_refused", "team:billing", *REFUSED.reason.split(), "what to do"]
    assert [word for word in words if word not in section] == []


@pytest.mark.parametrize(("customer", "subjects"), [(11, ["customer 11", "stockbywh"]), (12, ["stockbywh"])])
def test_health_of_a_customer_omits_incidents_of_others(
    computed: Installation, customer: int, subjects: list[str]
) -> None:
    with computed.warehouse() as connection, temporary_incidents(connection, REFUSED, FAILED):
        answer = computed.run_json(*TEST, "--customer-id", str(customer))
    assert [one["subject"] for one in answer["incidents"]] == subjects
    assert len(answer["problems"]) == len(subjects)


def test_incidents_are_listed(computed: Installation) -> None:
    assert "No incident is open." in computed.run("incidents", "list").stderr
    assert "There has never been an incident." in computed.run("incidents", "list", "--all").stderr
    with computed.warehouse() as connection, temporary_incidents(connection, REFUSED, FAILED):
        incidents.close(connection, [IncidentKind.SYNC_FAILED])
        output = computed.run("incidents", "list")
        assert output.exit_code == 0
        assert "customer 11" in output.stdout
        assert "stockbywh" not in output.stdout
        whole = computed.run("incidents", "list", "--all").stdout
        assert whole.index("stockbywh") < whole.index("customer 11"), "the newest first"
        (one,) = computed.run_json("incidents", "list")["incidents"]
        both = computed.run_json("incidents", "list", "--all")["incidents"]
        assert len(computed.run_json("incidents", "list", "--all", "--limit", "1")["incidents"]) == 1
        assert "ledger incidents list" in computed.run("alerts", "list").stderr
    assert (one["state"], one["delivered_at"], one["details"]) == ("open", None, REFUSED.details)
    assert [incident["state"] for incident in both] == ["closed", "open"]
    assert "incidents" not in computed.run("alerts", "list").stderr


def test_deletion_is_confirmed_per_customer(computed: Installation) -> None:
    confirm = ("incidents", "confirm", "--customer-id")
    with computed.warehouse() as connection, temporary_incidents(connection, REFUSED, FAILED):
        unknown = computed.run(*confirm, "12")
        assert unknown.exit_code == 1
        assert "No deletion of customer 12 waits" in unknown.stderr
        assert "customer 11" in unknown.stderr
        other = computed.run(*confirm, "11", "--rows", "850")
        assert other.exit_code == 1
        assert "is 854, not 850" in other.stderr
        answer = computed.run_json(*confirm, "11", "--rows", "854")["confirmed"]
        assert answer["rows"] == REFUSED.details["rows"]["11"]
        output = computed.run(*confirm, "11").stderr
        assert "850 rows of billing.meter_readings" in output
        kept = connection.execute(sa.select(deletion_confirmations)).all()
        assert {(row.customer_id, row.table_name, row.rows) for row in kept} == {
            (11, "billing.meter_readings", 850),
            (11, "billing.deposits", 4),
        }
        assert {row.confirmed_by for row in kept} == {f"command line ({getpass.getuser()})"}
        targets = connection.scalars(
            sa.select(audit_log.c.target)
            .where(audit_log.c.action == "ledger incidents confirm")
            .order_by(audit_log.c.id)
        )
        assert list(targets) == [f"deletion of customer {number}" for number in (12, 11, 11, 11)]
        connection.execute(sa.delete(audit_log))
