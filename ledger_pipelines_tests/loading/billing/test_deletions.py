"""Deleted rows: found before anything is written, checked by customer, and confirmed by a person."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.billing.deletions import GuardDecision, customer_deletion_cause, decide_deletions
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier, FailedChanges
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import change_queue, confirmations, incidents
from ledger_pipelines.warehouse.ops.confirmations import NothingToConfirmError
from ledger_pipelines.warehouse.ops.incidents import Incident, IncidentCause, IncidentKind
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import all_rows, fob_reading, state, user
from ledger_pipelines_tests.support.tables import execute

GUARD = DeletionGuard()
DEPOSITS = '[{"date": "2025-02-01", "amount": 5}, {"date": "2025-03-01", "amount": 5}]'
LARGE, SMALL, OTHER = 1, 2, 3
#: 150 readings of one customer, more than the guard's allowance, 5 of another customer, and 145 of a third.
OWNERS = [LARGE] * 150 + [SMALL] * 5 + [OTHER] * 145
OF_LARGE = {
    "billing.customers": 1,
    "billing.deposits": 2,
    "billing.meter_readings": 150,
}


@pytest.mark.parametrize(
    ("vanished", "before", "confirmed", "expected"),
    [
        ({1: 100}, 100, {}, GuardDecision({}, {})),
        ({1: 200}, 1000, {}, GuardDecision({}, {})),
        ({1: 101}, 400, {}, GuardDecision({1: 101}, {})),
        ({1: 300, 2: 100}, 1000, {}, GuardDecision({1: 300}, {})),
        ({1: 300, 2: 100, 3: 100, 4: 100}, 1000, {}, GuardDecision({1: 300}, {2: 100, 3: 100, 4: 100})),
        (dict.fromkeys(range(1, 11), 50), 1000, {}, GuardDecision({}, dict.fromkeys(range(1, 11), 50))),
        ({1: 300, 2: 100}, 1000, {1: 300}, GuardDecision({}, {})),
        ({1: 301, 2: 100}, 1000, {1: 300}, GuardDecision({1: 301}, {})),
        ({1: 300, 2: 300}, 1000, {1: 300}, GuardDecision({2: 300}, {})),
    ],
)
def test_decide_deletions_by_customer(
    vanished: dict[int, int], before: int, confirmed: dict[int, int], expected: GuardDecision
) -> None:
    assert decide_deletions(GUARD, vanished, before, confirmed) == expected
    assert decide_deletions(replace(GUARD, accept=True), vanished, before, confirmed) == GuardDecision({}, {})


@pytest.fixture
def ledger(pipeline: Pipeline) -> Pipeline:
    """Return a ledger of three customers, of whom one, with half of all readings, is then deleted at the source."""
    fill(pipeline, [LARGE, SMALL, OTHER])
    pipeline.run()
    fill(pipeline, [SMALL, OTHER])
    return pipeline


def fill(pipeline: Pipeline, customers: list[int], price: int = 100) -> None:
    """Fill the source with these customers and their readings, as after a cascading delete of the others."""
    readings = [
        fob_reading(number, owner, "2025-02-03") for number, owner in enumerate(OWNERS, 1) if owner in customers
    ]
    pipeline.fill(
        state([user(one, deposit_history=DEPOSITS, harga_per_meter_kubik=price) for one in customers], readings)
    )


def load(pipeline: Pipeline) -> None:
    """Load everything with the default guard, and compute the ledger."""
    scope = Scope(pipeline.horizon.months)
    pipeline.load(scope, GUARD)
    pipeline.recalculate(scope)


def loaded_customers(pipeline: Pipeline) -> set[int]:
    return {row["customer_id"] for row in pipeline.rows(tables.customers)}


def open_incidents(pipeline: Pipeline) -> list[Incident]:
    with pipeline.warehouse.connect() as connection:
        return incidents.open_incidents(connection)


def confirm(pipeline: Pipeline, incident: Incident) -> None:
    with pipeline.warehouse.begin() as connection:
        confirmations.confirm_refused_deletion(connection, incident, "a test")


def refused_incident(pipeline: Pipeline) -> Incident:
    """Load everything, expect a refused deletion, and record and return its incident, as a run does."""
    with pytest.raises(DeletionRefusedError) as refused:
        load(pipeline)
    with pipeline.warehouse.begin() as connection:
        for cause in refused.value.causes:
            incidents.record(connection, cause)
    (incident,) = [one for one in open_incidents(pipeline) if one.kind == IncidentKind.DELETION_REFUSED]
    return incident


def test_whole_load_refuses_deletion_before_writing(ledger: Pipeline) -> None:
    before = all_rows(ledger)
    with pytest.raises(DeletionRefusedError) as refused:
        load(ledger)
    assert all_rows(ledger) == before
    (cause,) = refused.value.causes
    assert (cause.kind, cause.subject, cause.customers) == (IncidentKind.DELETION_REFUSED, "customer 1", [LARGE])
    assert cause.details == {"rows": {"1": OF_LARGE}}
    assert "Customer 1 (PT Uji 1) is no longer a customer of the billing application" in cause.reason
    assert "150 rows of billing.meter_readings" in cause.reason
    assert "ledger incidents confirm --customer-id 1 --rows 153" in cause.what_to_do


def test_confirmed_deletion_is_loaded_and_closes_incident(ledger: Pipeline) -> None:
    confirm(ledger, refused_incident(ledger))
    load(ledger)
    assert loaded_customers(ledger) == {SMALL, OTHER}
    assert {row["customer_id"] for row in ledger.rows(tables.monthly_customer_balances)} == {SMALL, OTHER}
    assert open_incidents(ledger) == []


def test_confirmation_is_limited_to_customer_and_row_count(ledger: Pipeline) -> None:
    confirm(ledger, refused_incident(ledger))
    fill(ledger, [SMALL])
    with pytest.raises(DeletionRefusedError) as refused:
        load(ledger)
    assert [cause.subject for cause in refused.value.causes] == ["customer 3"]
    fill(ledger, [SMALL, OTHER])
    with ledger.warehouse.begin() as connection:
        fewer = sa.update(tables.deletion_confirmations).values(rows=149)
        connection.execute(fewer.where(tables.deletion_confirmations.c.table_name == "billing.meter_readings"))
    with pytest.raises(DeletionRefusedError):
        load(ledger)
    assert loaded_customers(ledger) == {LARGE, SMALL, OTHER}


def test_confirmation_expires(ledger: Pipeline) -> None:
    confirm(ledger, refused_incident(ledger))
    with ledger.warehouse.begin() as connection:
        old = tables.deletion_confirmations.c.expires_at - timedelta(hours=confirmations.VALID_HOURS)
        connection.execute(sa.update(tables.deletion_confirmations).values(expires_at=old))
    with pytest.raises(DeletionRefusedError):
        load(ledger)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "closed"}, "is closed"),
        ({"details": {}}, "not a deletion of a customer"),
        ({"kind": "sync_failed"}, "not a deletion of a customer"),
    ],
)
def test_only_open_customer_deletion_can_be_confirmed(ledger: Pipeline, change: dict[str, Any], message: str) -> None:
    incident = replace(refused_incident(ledger), **change)
    with pytest.raises(NothingToConfirmError, match=message):
        confirm(ledger, incident)
    assert ledger.rows(tables.deletion_confirmations) == []


def test_load_of_one_customer_needs_confirmation(ledger: Pipeline) -> None:
    scope = Scope(ledger.horizon.months, (LARGE,))
    with pytest.raises(DeletionRefusedError, match="150 of the 150 rows"):
        ledger.load(scope, GUARD)
    confirm(ledger, refused_incident(ledger))
    ledger.load(scope, GUARD)
    ledger.recalculate(scope)
    assert loaded_customers(ledger) == {SMALL, OTHER}
    assert open_incidents(ledger) == []


def test_load_of_one_month_needs_confirmation(ledger: Pipeline) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    execute(ledger.source, sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == LARGE))
    with pytest.raises(DeletionRefusedError):
        ledger.load(Scope(("2025-02",)), GUARD)
    confirm(ledger, refused_incident(ledger))
    ledger.load(Scope(("2025-02",)), GUARD)
    assert {row["customer_id"] for row in ledger.rows(tables.meter_readings)} == {SMALL, OTHER}


def test_accepting_all_deletions_closes_incident(ledger: Pipeline) -> None:
    refused_incident(ledger)
    ledger.load(Scope(ledger.horizon.months), replace(GUARD, accept=True))
    assert loaded_customers(ledger) == {SMALL, OTHER}
    assert open_incidents(ledger) == []


def test_shorter_history_names_accepting_command(ledger: Pipeline) -> None:
    with ledger.warehouse.connect() as connection:
        app = BillingSource(ledger.source, ledger.horizon)
        cause = customer_deletion_cause(
            app, connection, OTHER, "This would delete 150 of the 160 rows of billing.deposits."
        )
    assert "150 of the 160 rows of billing.deposits" in cause.reason
    assert "ledger balance sync --customer-id 3 --accept-deletions" in cause.what_to_do
    assert cause.details == {}


def test_confirmation_is_used_once(ledger: Pipeline) -> None:
    confirm(ledger, refused_incident(ledger))
    load(ledger)
    assert ledger.rows(tables.deletion_confirmations) == []
    fill(ledger, [LARGE, SMALL, OTHER])
    load(ledger)
    fill(ledger, [SMALL, OTHER])
    with pytest.raises(DeletionRefusedError):
        load(ledger)


def test_former_customer_is_one_deletion(ledger: Pipeline) -> None:
    """The readings are still at the source, and would be rejected."""
    fill(ledger, [LARGE, SMALL, OTHER])
    execute(ledger.source, sa.update(users).where(users.c.id == LARGE).values(role="admin"))
    before = all_rows(ledger)
    incident = refused_incident(ledger)
    assert all_rows(ledger) == before | {"ops.incidents": all_rows(ledger)["ops.incidents"]}
    assert incident.details == {"rows": {"1": OF_LARGE}}
    confirm(ledger, incident)
    load(ledger)
    assert loaded_customers(ledger) == {SMALL, OTHER}
    assert {row["customer_id"] for row in ledger.rows(tables.meter_readings)} == {SMALL, OTHER}


def test_deleted_rejected_rows_need_no_confirmation(pipeline: Pipeline) -> None:
    unusable = [fob_reading(number, LARGE, "no moment") for number in range(1, 151)]
    usable = [fob_reading(number, LARGE, "2025-02-03") for number in range(201, 240)]
    pipeline.fill(state([user(LARGE)], [*unusable, *usable]))
    pipeline.run()
    pipeline.fill(state([user(LARGE)], usable))
    load(pipeline)
    assert pipeline.rows(tables.rejected_rows) == []
    assert open_incidents(pipeline) == []


def test_moved_reading_is_not_counted_as_deleted(ledger: Pipeline) -> None:
    """Of 150 readings 149 are deleted and one moved to another month: the confirmation is for 149 rows."""
    moved = fob_reading(1, LARGE, "2025-04-03")
    rest = [fob_reading(number, owner, "2025-02-03") for number, owner in enumerate(OWNERS, 1) if owner != LARGE]
    customers = [user(one, deposit_history=DEPOSITS) for one in (LARGE, SMALL, OTHER)]
    ledger.fill(state(customers, [moved, *rest]))
    incident = refused_incident(ledger)
    assert incident.details == {"rows": {"1": {"billing.meter_readings": 149}}}
    confirm(ledger, incident)
    load(ledger)
    of_large = [row["year_month"] for row in ledger.rows(tables.meter_readings) if row["customer_id"] == LARGE]
    assert of_large == ["2025-04"]


def test_load_of_other_months_closes_no_incident(ledger: Pipeline) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    execute(ledger.source, sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == LARGE))
    refused_incident(ledger)
    ledger.load(Scope(("2025-03", "2025-04")), replace(GUARD, accept=True))
    assert len(open_incidents(ledger)) == 1


def test_many_unusable_users_are_refused_but_not_one(pipeline: Pipeline) -> None:
    """An UPDATE with unusable prices for all customers must not empty the ledger; one unusable row stops no load."""
    history = json.dumps([{"date": "2025-02-01", "amount": number} for number in range(1, 141)])
    customers = [user(number, deposit_history=history) for number in (1, 2, 3)]
    readings = [fob_reading(number, number, "2025-02-03") for number in (1, 2, 3)]
    pipeline.fill(state(customers, readings))
    pipeline.run()
    execute(
        pipeline.source,
        "ALTER TABLE users ALTER COLUMN harga_per_meter_kubik TYPE numeric(40, 2)",
        sa.update(users).values(harga_per_meter_kubik=10**16),
    )
    with pytest.raises(DeletionRefusedError, match=r"420 of the 420 rows of billing\.deposits"):
        load(pipeline)
    assert len(pipeline.rows(tables.deposits)) == 420
    execute(pipeline.source, sa.update(users).where(users.c.id > 1).values(harga_per_meter_kubik=100))
    load(pipeline)
    assert {row["customer_id"] for row in pipeline.rows(tables.deposits)} == {2, 3}


class RealTimeRun:
    """The steps of the sensors and the job, in one process."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.app = BillingSource(pipeline.source, pipeline.horizon)
        self.watch = Poller(ChangeKind.PRICES, pipeline.warehouse)

    def scan(self) -> None:
        """Scan both tables for differences from the warehouse."""
        for table in ("users", "data_pencatatan"):
            FullScan(table, self.app, self.pipeline.warehouse, GUARD).scan_next()

    def apply(self) -> list[AppliedChanges | FailedChanges]:
        """Apply all queued changes, including postponed ones."""
        execute(self.pipeline.warehouse, sa.update(tables.pending_changes).values(retry_at=None))
        return list(ChangeApplier(lambda: self.app, self.pipeline.warehouse, GUARD, "test").apply())


def test_realtime_large_deletion_waits_and_other_changes_apply(ledger: Pipeline) -> None:
    """Regression: a deleted customer with half of all readings kept the figures of others out of date."""
    realtime = RealTimeRun(ledger)
    fill(ledger, [OTHER], price=200)
    realtime.scan()
    results = realtime.apply()
    assert [result.customers for result in results if isinstance(result, FailedChanges)] == [(LARGE,)]
    assert loaded_customers(ledger) == {LARGE, OTHER}, "the small deletion is applied without confirmation"
    balances = {
        row["customer_id"]: row["closing_balance"]
        for row in ledger.rows(tables.monthly_customer_balances)
        if row["year_month"] == "2025-06"
    }
    assert balances == {LARGE: 10 - 150 * 10 * 100, OTHER: 10 - 145 * 10 * 200}
    (incident,) = open_incidents(ledger)
    assert (incident.subject, incident.details) == ("customer 1", {"rows": {"1": OF_LARGE}})
    assert incident.run_id == "test"
    realtime.scan()
    realtime.apply()
    assert [one.occurrences for one in open_incidents(ledger)] == [2]


def test_realtime_confirmed_deletion_applies(ledger: Pipeline) -> None:
    realtime = RealTimeRun(ledger)
    realtime.scan()
    realtime.apply()
    (incident,) = open_incidents(ledger)
    with ledger.warehouse.connect() as connection:
        assert change_queue.newest_due(connection) is None, "the change is postponed"
    confirm(ledger, incident)
    with ledger.warehouse.connect() as connection:
        assert change_queue.newest_due(connection) is not None, "the confirmation ends the postponement"
    results = realtime.apply()
    assert [type(result) for result in results] == [AppliedChanges]
    assert loaded_customers(ledger) == {SMALL, OTHER}
    assert open_incidents(ledger) == []
    assert ledger.rows(tables.pending_changes) == []


def test_realtime_restored_rows_close_incident(ledger: Pipeline) -> None:
    realtime = RealTimeRun(ledger)
    realtime.scan()
    realtime.apply()
    before = ledger.rows(tables.monthly_customer_balances)
    fill(ledger, [LARGE, SMALL, OTHER])
    assert [type(result) for result in realtime.apply()] == [AppliedChanges]
    assert open_incidents(ledger) == []
    assert ledger.rows(tables.monthly_customer_balances) == before


def test_realtime_small_losses_of_many_are_refused_together(pipeline: Pipeline) -> None:
    customers = [user(number) for number in range(1, 11)]
    readings = [fob_reading(number, 1 + number % 10, "2025-02-03") for number in range(300)][1:]
    pipeline.fill(state(customers, readings))
    pipeline.run()
    pipeline.fill(state(customers, readings[150:]))
    realtime = RealTimeRun(pipeline)
    realtime.scan()
    assert pipeline.rows(tables.pending_changes) == []
    (incident,) = open_incidents(pipeline)
    assert (incident.subject, incident.customers) == ("data_pencatatan", list(range(1, 11)))
    with pytest.raises(NothingToConfirmError, match="--accept-deletions"):
        confirm(pipeline, incident)
    pipeline.fill(state(customers, readings))
    realtime.scan()
    assert open_incidents(pipeline) == []


def test_realtime_emptied_source_is_one_incident(ledger: Pipeline) -> None:
    realtime = RealTimeRun(ledger)
    ledger.fill(state())
    realtime.scan()
    with pytest.raises(DeletionRefusedError, match="has no customers at all"):
        realtime.apply()
    assert [one.subject for one in open_incidents(ledger) if one.kind == IncidentKind.DELETION_REFUSED] == ["customers"]
    fill(ledger, [LARGE, SMALL, OTHER])
    realtime.apply()
    realtime.scan()
    assert open_incidents(ledger) == []
    assert ledger.rows(tables.pending_changes) == []


def test_realtime_failing_change_is_incident_until_applied(ledger: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    execute(ledger.source, sa.update(users).where(users.c.id == SMALL).values(harga_per_meter_kubik=200))
    realtime = RealTimeRun(ledger)
    realtime.scan()

    def fail(*_: Any, **__: Any) -> None:
        raise sa.exc.IntegrityError("statement", {}, Exception("a row that cannot be"))

    with monkeypatch.context() as patched:
        patched.setattr("ledger_pipelines.ledger.balances.recalculate_balances", fail)
        realtime.apply()
    (incident,) = open_incidents(ledger)
    assert (incident.kind, incident.subject, incident.customers) == ("change_retried", "customer 2", [SMALL])
    assert "a row that cannot be" in incident.reason
    realtime.apply()
    assert open_incidents(ledger) == []


def test_incident_of_another_kind_stays_open(ledger: Pipeline) -> None:
    with ledger.warehouse.begin() as connection:
        incidents.record(connection, IncidentCause(IncidentKind.SYNC_FAILED, "customer 1", "it failed", "look"))
    confirm(ledger, refused_incident(ledger))
    load(ledger)
    assert [one.kind for one in open_incidents(ledger)] == ["sync_failed"]
