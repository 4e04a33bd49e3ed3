"""Vanished rows: judged by customer, confirmed by a person, and found before anything is written."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Scope
from ledger_pipelines.loading.deletions import GuardDecision, decide_deletions, refusal_of_customer
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.realtime.catch_up import CatchUp, Failed, TakenUp
from ledger_pipelines.realtime.compare import Kind as Watched
from ledger_pipelines.realtime.patrol import Patrol
from ledger_pipelines.realtime.watch import Watch
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_schema import data_pencatatan, users
from ledger_pipelines.warehouse import confirmations, incidents, pending, tables
from ledger_pipelines.warehouse.confirmations import NothingToConfirmError
from ledger_pipelines.warehouse.incidents import Cause, Incident, Kind
from ledger_pipelines_tests.loading.rows import everything, fob, state, user
from ledger_pipelines_tests.pipeline import Pipeline

GUARD = DeletionGuard()
DEPOSITS = '[{"date": "2025-02-01", "amount": 5}, {"date": "2025-03-01", "amount": 5}]'
LARGE, SMALL, OTHER = 1, 2, 3
#: 150 readings of one customer, which the guard does not let go unasked, 5 of another, and 145 of a third.
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
def test_vanished_rows_are_judged_by_customer(
    vanished: dict[int, int], before: int, confirmed: dict[int, int], expected: GuardDecision
) -> None:
    assert decide_deletions(GUARD, vanished, before, confirmed) == expected
    assert decide_deletions(replace(GUARD, accept=True), vanished, before, confirmed) == GuardDecision({}, {})


@pytest.fixture
def ledger(pipeline: Pipeline) -> Pipeline:
    """Three customers, computed; then one with half of all readings is deleted together with them."""
    fill(pipeline, [LARGE, SMALL, OTHER])
    pipeline.run()
    fill(pipeline, [SMALL, OTHER])
    return pipeline


def fill(pipeline: Pipeline, customers: list[int], price: int = 100) -> None:
    """Let the source hold these customers and their readings, as a foreign key that cascades leaves them."""
    readings = [fob(number, owner, "2025-02-03") for number, owner in enumerate(OWNERS, 1) if owner in customers]
    pipeline.fill(
        state([user(one, deposit_history=DEPOSITS, harga_per_meter_kubik=price) for one in customers], readings)
    )


def load(pipeline: Pipeline) -> None:
    """Load everything with the usual guard, and compute it."""
    scope = Scope(pipeline.horizon.months)
    pipeline.load(scope, GUARD)
    pipeline.recalculate(scope)


def known(pipeline: Pipeline) -> set[int]:
    return {row["customer_id"] for row in pipeline.rows(tables.customers)}


def opened(pipeline: Pipeline) -> list[Incident]:
    with pipeline.warehouse.connect() as connection:
        return incidents.open_incidents(connection)


def confirm(pipeline: Pipeline, incident: Incident) -> None:
    with pipeline.warehouse.begin() as connection:
        confirmations.confirm(connection, incident, "a test")


def refuse(pipeline: Pipeline) -> Incident:
    """Let a whole load be refused, and keep that as a run does."""
    with pytest.raises(DeletionRefusedError) as refused:
        load(pipeline)
    with pipeline.warehouse.begin() as connection:
        for cause in refused.value.causes:
            incidents.record(connection, cause)
    (incident,) = [one for one in opened(pipeline) if one.kind == Kind.DELETION_REFUSED]
    return incident


def test_a_whole_load_finds_out_before_it_writes_anything(ledger: Pipeline) -> None:
    before = everything(ledger)
    with pytest.raises(DeletionRefusedError) as refused:
        load(ledger)
    assert everything(ledger) == before
    (cause,) = refused.value.causes
    assert (cause.kind, cause.subject, cause.customers) == (Kind.DELETION_REFUSED, "customer 1", [LARGE])
    assert cause.details == {"rows": {"1": OF_LARGE}}
    assert "Customer 1 (PT Uji 1) is no customer of the billing application any longer" in cause.reason
    assert "150 rows of billing.meter_readings" in cause.reason
    assert "ledger incidents confirm --customer-id 1 --rows 153" in cause.what_to_do


def test_a_confirmed_deletion_is_done_and_its_incident_closed(ledger: Pipeline) -> None:
    confirm(ledger, refuse(ledger))
    load(ledger)
    assert known(ledger) == {SMALL, OTHER}
    assert {row["customer_id"] for row in ledger.rows(tables.monthly_customer_balances)} == {SMALL, OTHER}
    assert opened(ledger) == []


def test_a_confirmation_holds_for_so_many_rows_of_that_customer(ledger: Pipeline) -> None:
    confirm(ledger, refuse(ledger))
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
    assert known(ledger) == {LARGE, SMALL, OTHER}


def test_a_confirmation_expires(ledger: Pipeline) -> None:
    confirm(ledger, refuse(ledger))
    with ledger.warehouse.begin() as connection:
        old = tables.deletion_confirmations.c.expires_at - timedelta(hours=confirmations.VALID_HOURS)
        connection.execute(sa.update(tables.deletion_confirmations).values(expires_at=old))
    with pytest.raises(DeletionRefusedError):
        load(ledger)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "closed"}, "is closed"),
        ({"details": {}}, "no deletion of a customer"),
        ({"kind": "sync_failed"}, "no deletion of a customer"),
    ],
)
def test_nothing_else_can_be_confirmed(ledger: Pipeline, change: dict[str, Any], message: str) -> None:
    incident = replace(refuse(ledger), **change)
    with pytest.raises(NothingToConfirmError, match=message):
        confirm(ledger, incident)
    assert ledger.rows(tables.deletion_confirmations) == []


def test_a_load_of_that_customer_alone_asks_too(ledger: Pipeline) -> None:
    scope = Scope(ledger.horizon.months, (LARGE,))
    with pytest.raises(DeletionRefusedError, match="150 of the 150 rows"):
        ledger.load(scope, GUARD)
    confirm(ledger, refuse(ledger))
    ledger.load(scope, GUARD)
    ledger.recalculate(scope)
    assert known(ledger) == {SMALL, OTHER}
    assert opened(ledger) == []


def test_a_single_month_of_all_customers_asks_too(ledger: Pipeline) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    with ledger.source.begin() as connection:
        connection.execute(sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == LARGE))
    with pytest.raises(DeletionRefusedError):
        ledger.load(Scope(("2025-02",)), GUARD)
    confirm(ledger, refuse(ledger))
    ledger.load(Scope(("2025-02",)), GUARD)
    assert {row["customer_id"] for row in ledger.rows(tables.meter_readings)} == {SMALL, OTHER}


def test_who_accepts_all_deletions_closes_the_incident(ledger: Pipeline) -> None:
    refuse(ledger)
    ledger.load(Scope(ledger.horizon.months), replace(GUARD, accept=True))
    assert known(ledger) == {SMALL, OTHER}
    assert opened(ledger) == []


def test_a_list_that_became_shorter_names_the_command(ledger: Pipeline) -> None:
    with ledger.warehouse.connect() as connection:
        app = BillingApp(ledger.source, ledger.horizon)
        cause = refusal_of_customer(
            app, connection, OTHER, "This would delete 150 of the 160 rows of billing.deposits."
        )
    assert "150 of the 160 rows of billing.deposits" in cause.reason
    assert "ledger balance sync --customer-id 3 --accept-deletions" in cause.what_to_do
    assert cause.details == {}


def test_a_confirmation_is_used_once(ledger: Pipeline) -> None:
    confirm(ledger, refuse(ledger))
    load(ledger)
    assert ledger.rows(tables.deletion_confirmations) == []
    fill(ledger, [LARGE, SMALL, OTHER])
    load(ledger)
    fill(ledger, [SMALL, OTHER])
    with pytest.raises(DeletionRefusedError):
        load(ledger)


def test_who_becomes_no_customer_is_one_deletion(ledger: Pipeline) -> None:
    """The readings are still there, and would be rejected."""
    fill(ledger, [LARGE, SMALL, OTHER])
    with ledger.source.begin() as connection:
        connection.execute(sa.update(users).where(users.c.id == LARGE).values(role="admin"))
    before = everything(ledger)
    incident = refuse(ledger)
    assert everything(ledger) == before | {"ops.incidents": everything(ledger)["ops.incidents"]}
    assert incident.details == {"rows": {"1": OF_LARGE}}
    confirm(ledger, incident)
    load(ledger)
    assert known(ledger) == {SMALL, OTHER}
    assert {row["customer_id"] for row in ledger.rows(tables.meter_readings)} == {SMALL, OTHER}


def test_rejected_rows_that_vanish_are_no_loss(pipeline: Pipeline) -> None:
    unusable = [fob(number, LARGE, "no moment") for number in range(1, 151)]
    usable = [fob(number, LARGE, "2025-02-03") for number in range(201, 240)]
    pipeline.fill(state([user(LARGE)], [*unusable, *usable]))
    pipeline.run()
    pipeline.fill(state([user(LARGE)], usable))
    load(pipeline)
    assert pipeline.rows(tables.rejected_rows) == []
    assert opened(pipeline) == []


def test_a_reading_that_moved_is_not_among_the_confirmed(ledger: Pipeline) -> None:
    """149 are gone, one is dated in another month now: what is confirmed is 149, and that is done."""
    moved = fob(1, LARGE, "2025-04-03")
    rest = [fob(number, owner, "2025-02-03") for number, owner in enumerate(OWNERS, 1) if owner != LARGE]
    customers = [user(one, deposit_history=DEPOSITS) for one in (LARGE, SMALL, OTHER)]
    ledger.fill(state(customers, [moved, *rest]))
    incident = refuse(ledger)
    assert incident.details == {"rows": {"1": {"billing.meter_readings": 149}}}
    confirm(ledger, incident)
    load(ledger)
    of_large = [row["year_month"] for row in ledger.rows(tables.meter_readings) if row["customer_id"] == LARGE]
    assert of_large == ["2025-04"]


def test_a_load_of_other_months_closes_no_incident(ledger: Pipeline) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    with ledger.source.begin() as connection:
        connection.execute(sa.delete(data_pencatatan).where(data_pencatatan.c.customer_id == LARGE))
    refuse(ledger)
    ledger.load(Scope(("2025-03", "2025-04")), replace(GUARD, accept=True))
    assert len(opened(ledger)) == 1


def test_many_rows_of_users_that_become_unusable_are_asked_about(pipeline: Pipeline) -> None:
    """One UPDATE that spoils the price of everybody must not empty the ledger; one spoilt row stops nobody."""
    history = json.dumps([{"date": "2025-02-01", "amount": number} for number in range(1, 141)])
    customers = [user(number, deposit_history=history) for number in (1, 2, 3)]
    readings = [fob(number, number, "2025-02-03") for number in (1, 2, 3)]
    pipeline.fill(state(customers, readings))
    pipeline.run()
    with pipeline.source.begin() as connection:
        connection.execute(sa.text("ALTER TABLE users ALTER COLUMN harga_per_meter_kubik TYPE numeric(40, 2)"))
        connection.execute(sa.update(users).values(harga_per_meter_kubik=10**16))
    with pytest.raises(DeletionRefusedError, match=r"420 of the 420 rows of billing\.deposits"):
        load(pipeline)
    assert len(pipeline.rows(tables.deposits)) == 420
    with pipeline.source.begin() as connection:
        connection.execute(sa.update(users).where(users.c.id > 1).values(harga_per_meter_kubik=100))
    load(pipeline)
    assert {row["customer_id"] for row in pipeline.rows(tables.deposits)} == {2, 3}


class RealTime:
    """What the sensors and the job do, in one process."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.app = BillingApp(pipeline.source, pipeline.horizon)
        self.watch = Watch(Watched.PRICES, pipeline.warehouse)

    def notice(self) -> None:
        """Compare both tables with the warehouse."""
        for table in ("users", "data_pencatatan"):
            Patrol(table, self.app, self.pipeline.warehouse, GUARD).step()

    def take_up(self) -> list[TakenUp | Failed]:
        """Take up everything that waits; what was put off too."""
        with self.pipeline.warehouse.begin() as connection:
            connection.execute(sa.update(tables.pending_changes).values(retry_at=None))
        return list(CatchUp(lambda: self.app, self.pipeline.warehouse, GUARD, "test").take_up())


def test_in_real_time_a_large_deletion_waits_and_everything_else_goes_on(ledger: Pipeline) -> None:
    """The issue as it was found: one customer with half of all readings; figures of others were wrong for it."""
    going = RealTime(ledger)
    fill(ledger, [OTHER], price=200)
    going.notice()
    results = going.take_up()
    assert [result.customers for result in results if isinstance(result, Failed)] == [(LARGE,)]
    assert known(ledger) == {LARGE, OTHER}, "the small one is gone, as always"
    balances = {
        row["customer_id"]: row["closing_balance"]
        for row in ledger.rows(tables.monthly_customer_balances)
        if row["year_month"] == "2025-06"
    }
    assert balances == {LARGE: 10 - 150 * 10 * 100, OTHER: 10 - 145 * 10 * 200}
    (incident,) = opened(ledger)
    assert (incident.subject, incident.details) == ("customer 1", {"rows": {"1": OF_LARGE}})
    assert incident.run_id == "test"
    going.notice()
    going.take_up()
    assert [one.occurrences for one in opened(ledger)] == [2]


def test_in_real_time_a_confirmed_deletion_is_done(ledger: Pipeline) -> None:
    going = RealTime(ledger)
    going.notice()
    going.take_up()
    (incident,) = opened(ledger)
    with ledger.warehouse.connect() as connection:
        assert pending.newest(connection) is None, "put off"
    confirm(ledger, incident)
    with ledger.warehouse.connect() as connection:
        assert pending.newest(connection) is not None, "not for long"
    results = going.take_up()
    assert [type(result) for result in results] == [TakenUp]
    assert known(ledger) == {SMALL, OTHER}
    assert opened(ledger) == []
    assert ledger.rows(tables.pending_changes) == []


def test_in_real_time_rows_that_are_restored_close_the_incident(ledger: Pipeline) -> None:
    going = RealTime(ledger)
    going.notice()
    going.take_up()
    before = ledger.rows(tables.monthly_customer_balances)
    fill(ledger, [LARGE, SMALL, OTHER])
    assert [type(result) for result in going.take_up()] == [TakenUp]
    assert opened(ledger) == []
    assert ledger.rows(tables.monthly_customer_balances) == before


def test_in_real_time_small_losses_of_many_are_refused_together(pipeline: Pipeline) -> None:
    customers = [user(number) for number in range(1, 11)]
    readings = [fob(number, 1 + number % 10, "2025-02-03") for number in range(300)][1:]
    pipeline.fill(state(customers, readings))
    pipeline.run()
    pipeline.fill(state(customers, readings[150:]))
    going = RealTime(pipeline)
    going.notice()
    assert pipeline.rows(tables.pending_changes) == []
    (incident,) = opened(pipeline)
    assert (incident.subject, incident.customers) == ("data_pencatatan", list(range(1, 11)))
    with pytest.raises(NothingToConfirmError, match="--accept-deletions"):
        confirm(pipeline, incident)
    pipeline.fill(state(customers, readings))
    going.notice()
    assert opened(pipeline) == []


def test_in_real_time_an_emptied_source_is_one_incident(ledger: Pipeline) -> None:
    going = RealTime(ledger)
    ledger.fill(state())
    going.notice()
    with pytest.raises(DeletionRefusedError, match="has no customers at all"):
        going.take_up()
    assert [one.subject for one in opened(ledger) if one.kind == Kind.DELETION_REFUSED] == ["customers"]
    fill(ledger, [LARGE, SMALL, OTHER])
    going.take_up()
    going.notice()
    assert opened(ledger) == []
    assert ledger.rows(tables.pending_changes) == []


def test_a_change_that_cannot_be_taken_up_is_an_incident_until_it_is(
    ledger: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, [LARGE, SMALL, OTHER])
    with ledger.source.begin() as connection:
        connection.execute(sa.update(users).where(users.c.id == SMALL).values(harga_per_meter_kubik=200))
    going = RealTime(ledger)
    going.notice()

    def fail(*_: Any, **__: Any) -> None:
        raise sa.exc.IntegrityError("statement", {}, Exception("a row that cannot be"))

    with monkeypatch.context() as patched:
        patched.setattr("ledger_pipelines.ledger.balances.recalculate", fail)
        going.take_up()
    (incident,) = opened(ledger)
    assert (incident.kind, incident.subject, incident.customers) == ("change_retried", "customer 2", [SMALL])
    assert "a row that cannot be" in incident.reason
    going.take_up()
    assert opened(ledger) == []


def test_an_incident_of_another_kind_stays(ledger: Pipeline) -> None:
    with ledger.warehouse.begin() as connection:
        incidents.record(connection, Cause(Kind.SYNC_FAILED, "customer 1", "it failed", "look"))
    confirm(ledger, refuse(ledger))
    load(ledger)
    assert [one.kind for one in opened(ledger)] == ["sync_failed"]
