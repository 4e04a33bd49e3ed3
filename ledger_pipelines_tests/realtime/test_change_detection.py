"""Detection of changes by polls and full scans, on each kind of server."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.billing import deletions
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime import full_scan as scan_module
from ledger_pipelines.realtime import poller as poller_module
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier, FailedChanges
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing.changes import IdRange, next_id_range
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.records import PRICE_FIELDS
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import change_queue
from ledger_pipelines.warehouse.ops.change_queue import QueuedChange
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, new_pipeline
from ledger_pipelines_tests.support.tables import execute

NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)
LOCAL_NOW = NOW.replace(tzinfo=None)
READING = '{"waktu": "2025-02-03", "volume_sm3": 10}'
DEPOSITS = '[{"date": "2025-03-05 14:04:00", "amount": "1e3", "keterangan": "penambahan"}, {"date": "x"}]'
PRICES = '[{"year_month": "2025-03", "harga_per_meter_kubik": 1.50, "odd": [1, true, {"b": null, "a": "x"}]}, 7]'


@pytest.fixture(scope="module")
def shared(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """Yield a pipeline with a billing application on each kind of server."""
    with new_pipeline(source_server, embedded_url) as made:
        yield made


@pytest.fixture
def pipeline(shared: Pipeline) -> Pipeline:
    """Return a computed ledger of twenty customers with one reading each; some rows are dirty."""
    shared.reset("2025-01", "2025-06")
    shared.horizon = Horizon("2025-01", "2025-06", WIB)
    customers = [user_row(number, role="fob", harga_per_meter_kubik=100) for number in range(1, 21)]
    customers[0] |= {"deposit_history": DEPOSITS, "pricing_history": PRICES}
    customers[1] |= {"deposit_history": "no list", "role": "customer", "koreksi_meter": "1.5"}
    readings = [reading_row(number, number, READING) for number in range(1, 21)]
    readings[1] |= {"data_input": '{"volume_sm3": 1}'}
    readings[2] |= {"data_input": '{"waktu": "2025-02-03", "volume_sm3": -1}'}
    readings[3] |= {"customer_id": 999}
    shared.fill(SourceState(tuple(customers), tuple(readings)))
    shared.run()
    return shared


class ClockedPoller:
    """Poller with a clock that the test advances."""

    def __init__(self, pipeline: Pipeline, kind: ChangeKind) -> None:
        self.pipeline, self.seconds = pipeline, 0.0
        self.inner = Poller(kind, pipeline.warehouse, clock=lambda: self.seconds)

    def poll(self, after: float = 0) -> int:
        """Advance the clock by ``after`` seconds, and poll."""
        self.seconds += after
        return self.inner.poll(BillingSource(self.pipeline.source, self.pipeline.horizon), NOW)


def change(pipeline: Pipeline, statement: Any) -> None:
    execute(pipeline.source, statement)


def price_update(number: int, price: int, at: datetime = LOCAL_NOW) -> sa.Update:
    return sa.update(users).where(users.c.id == number).values(harga_per_meter_kubik=price, updated_at=at)


def waiting(pipeline: Pipeline) -> set[int]:
    return {row["customer_id"] for row in pipeline.rows(tables.pending_changes)}


@pytest.mark.parametrize("kind", ChangeKind)
def test_loaded_rows_are_no_change_even_if_dirty_or_touched(pipeline: Pipeline, kind: ChangeKind) -> None:
    for table in (users, data_pencatatan):
        # Rejected rows are stored as they are in the source, including their timestamps: they would differ.
        change(pipeline, sa.update(table).where(table.c.id > 4).values(updated_at=LOCAL_NOW))
    assert ClockedPoller(pipeline, kind).poll() == 0
    guard = DeletionGuard()
    if kind is not ChangeKind.DEPOSITS:
        assert (
            FullScan(
                kind.table, BillingSource(pipeline.source, pipeline.horizon), pipeline.warehouse, guard
            ).scan_next()
            == 0
        )
    assert waiting(pipeline) == set()


def test_change_is_queued_once(pipeline: Pipeline) -> None:
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    assert poller.poll() == 0
    change(pipeline, price_update(5, 200))
    assert [poller.poll(1), poller.poll(1), ClockedPoller(pipeline, ChangeKind.PRICES).poll()] == [1, 0, 0]
    assert waiting(pipeline) == {5}


def test_two_changes_within_a_second_are_both_queued(pipeline: Pipeline) -> None:
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    for price in (200, 300):
        change(pipeline, price_update(5, price))
        assert poller.poll(0.2) == 1
    change(pipeline, price_update(4, 300))
    assert poller.poll(0.2) == 1, "a smaller id within the same second"


@pytest.mark.parametrize("late", [2, 300])
def test_late_commit_is_found(pipeline: Pipeline, late: int) -> None:
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    change(pipeline, price_update(5, 200))
    poller.poll()
    change(pipeline, price_update(6, 200, LOCAL_NOW - timedelta(seconds=late)))
    assert poller.poll(poller_module.RECENT_EVERY_SECONDS + 1) == 1
    assert waiting(pipeline) == {5, 6}


def test_clock_ahead_hides_no_other_change(pipeline: Pipeline) -> None:
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    change(pipeline, price_update(5, 200, LOCAL_NOW + timedelta(hours=2)))
    assert poller.poll() == 1
    change(pipeline, price_update(6, 200))
    assert poller.poll(1) == 1


def set_loaded_at(pipeline: Pipeline, at: datetime) -> None:
    """Set the time at which the warehouse was loaded."""
    execute(pipeline.warehouse, sa.update(tables.loaded_months).values(loaded_at=at))


@pytest.mark.parametrize("before", [-5, 0, 300])
def test_first_poll_starts_before_the_warehouse_was_loaded(pipeline: Pipeline, before: int) -> None:
    """All changes since the load are unknown, even if the load was long ago."""
    loaded = NOW - timedelta(hours=2)
    set_loaded_at(pipeline, loaded)
    change(pipeline, price_update(5, 200, loaded.replace(tzinfo=None) - timedelta(seconds=before)))
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 1


def test_clock_behind_hides_no_change(pipeline: Pipeline) -> None:
    """The watermark follows the application's clock, not that of this server."""
    set_loaded_at(pipeline, NOW - timedelta(hours=2))
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    assert poller.poll() == 0
    change(pipeline, price_update(5, 200, LOCAL_NOW - timedelta(minutes=50)))
    assert poller.poll(1) == 1


def test_change_has_the_first_month_that_it_can_affect(pipeline: Pipeline) -> None:
    in_may = READING.replace("-02-", "-05-")
    change(pipeline, sa.insert(data_pencatatan).values(id=60, customer_id=5, data_input=in_may))
    pipeline.run()
    period = '[{"type": "custom_period", "start_date": "2025-03-30", "end_date": "2025-05-02"}]'
    change(pipeline, price_update(5, 200))
    change(pipeline, sa.update(users).where(users.c.id == 6).values(pricing_history=period, updated_at=LOCAL_NOW))
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 2
    first = {row["customer_id"]: row["first_month"] for row in pipeline.rows(tables.pending_changes)}
    assert first == {5: "2025-02", 6: "2025-03"}, "the months of the first reading and of the period"


@pytest.mark.parametrize(
    ("column", "history", "kind"),
    [
        ("pricing_history", PRICES.replace('"odd"', '"even"'), ChangeKind.PRICES),
        ("pricing_history", PRICES.replace("1.50", '"1.5"'), ChangeKind.PRICES),
        ("deposit_history", DEPOSITS.replace("1e3", "1001"), ChangeKind.DEPOSITS),
        ("deposit_history", DEPOSITS.replace("penambahan", "pengurangan"), ChangeKind.DEPOSITS),
        ("deposit_history", DEPOSITS.replace("1e3", "soon"), ChangeKind.DEPOSITS),
    ],
    ids=["additional field", "spelling of a price", "amount", "sign", "unusable"],
)
def test_changed_entry_has_its_own_month(pipeline: Pipeline, column: str, history: str, kind: ChangeKind) -> None:
    """Transactions show the entry as it was used, so its texts are compared too, not only its numbers."""
    change(pipeline, sa.update(users).where(users.c.id == 1).values({column: history, "updated_at": LOCAL_NOW}))
    assert ClockedPoller(pipeline, kind).poll() == 1
    (queued_row,) = pipeline.rows(tables.pending_changes)
    assert (queued_row["customer_id"], queued_row["first_month"]) == (1, "2025-03")


def test_unusable_new_entry_has_its_own_month(pipeline: Pipeline) -> None:
    unusable = DEPOSITS.replace("1e3", "soon")
    change(pipeline, sa.update(users).where(users.c.id == 6).values(deposit_history=unusable, updated_at=LOCAL_NOW))
    assert ClockedPoller(pipeline, ChangeKind.DEPOSITS).poll() == 1
    (queued_row,) = pipeline.rows(tables.pending_changes)
    assert (queued_row["customer_id"], queued_row["first_month"]) == (6, "2025-03")


@pytest.mark.parametrize("waktu", ['{"date": "2025-03-01"}', '"2025-02-30"', '"1999-05-01"', '"2999-01-01"', '"soon"'])
def test_unusable_reading_is_rejected_for_any_month_in_its_text(pipeline: Pipeline, waktu: str) -> None:
    """A load of some months reads the rows whose text contains one of these months, or no month."""
    text = f'{{"waktu": {waktu}, "volume_sm3": 10}}'
    change(pipeline, sa.insert(data_pencatatan).values(id=60, customer_id=5, data_input=text, updated_at=LOCAL_NOW))
    assert ClockedPoller(pipeline, ChangeKind.READINGS).poll() == 1
    app = BillingSource(pipeline.source, pipeline.horizon)
    (taken,) = ChangeApplier(lambda: app, pipeline.warehouse, DeletionGuard(), "test").apply()
    assert isinstance(taken, AppliedChanges)
    assert "60" in {row["source_id"] for row in pipeline.rows(tables.rejected_rows)}
    assert FullScan("data_pencatatan", app, pipeline.warehouse, DeletionGuard()).scan_next() == 0


def test_other_role_of_no_customer_renews_the_rejection_reasons(pipeline: Pipeline) -> None:
    app = BillingSource(pipeline.source, pipeline.horizon)
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    reasons = []
    for role in ("admin", "clerk"):
        # The user 999, whose reading was rejected because there was no such user, takes the place of customer 20.
        for old, new in ((5, 5), (20, 999)) if role == "admin" else ((5, 5), (999, 999)):
            change(pipeline, sa.update(users).where(users.c.id == old).values(id=new, role=role, updated_at=LOCAL_NOW))
        assert poller.poll(1) == 2
        assert len(list(ChangeApplier(lambda: app, pipeline.warehouse, DeletionGuard(), "test").apply())) == 1
        assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 0
        rejected = pipeline.rows(tables.rejected_rows)
        reasons.append({row["reason"] for row in rejected if row["customer_id"] in (5, 999)})
    assert reasons == [
        {f"user {user} is not a customer (role {role})" for user in (5, 999)} for role in ("admin", "clerk")
    ]


@pytest.mark.parametrize("column", PRICE_FIELDS)
def test_every_default_price_field_is_compared(pipeline: Pipeline, column: str) -> None:
    change(pipeline, sa.update(users).where(users.c.id == 6).values({column: 3, "updated_at": LOCAL_NOW}))
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 1
    (queued_row,) = pipeline.rows(tables.pending_changes)
    assert (queued_row["customer_id"], queued_row["first_month"]) == (6, "2025-02")


def test_each_kind_of_change_has_its_own_watermark(pipeline: Pipeline) -> None:
    set_loaded_at(pipeline, NOW - timedelta(hours=2))
    paid = sa.update(users).where(users.c.id == 6).values(deposit_history=DEPOSITS)
    change(pipeline, paid.values(updated_at=LOCAL_NOW - timedelta(hours=1)))
    change(pipeline, price_update(5, 200))
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 1
    assert ClockedPoller(pipeline, ChangeKind.DEPOSITS).poll() == 1


def test_failed_poll_does_not_advance_the_watermark(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> int:
        raise InterruptedError

    change(pipeline, price_update(5, 200))
    with monkeypatch.context() as patched:
        patched.setattr(change_queue, "enqueue", die)
        with pytest.raises(InterruptedError):
            ClockedPoller(pipeline, ChangeKind.PRICES).poll()
    assert not [row for row in pipeline.rows(tables.watermarks) if row["name"].startswith("poller")]
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 1


def test_many_simultaneous_changes_are_read_by_page(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "NEW_ROWS", 8)
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    poller.poll()  # from now on only new rows are read, until the next reread is due
    change(pipeline, sa.update(users).values(harga_per_meter_kubik=200, updated_at=LOCAL_NOW))
    assert [poller.poll(0.1) for _ in range(3)] == [8, 8, 4]
    assert not poller.inner.has_more
    assert waiting(pipeline) == set(range(1, 21))


def test_late_commits_are_read_by_page(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "RECENT_ROWS", 8)
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    change(pipeline, price_update(20, 200))
    assert poller.poll() == 1
    late = LOCAL_NOW - timedelta(minutes=5)
    change(pipeline, sa.update(users).where(users.c.id < 20).values(harga_per_meter_kubik=200, updated_at=late))
    poller.seconds += poller_module.RECENT_EVERY_SECONDS
    assert [poller.poll(0.1) for _ in range(4)] == [8, 8, 3, 0]


def test_full_scan_finds_deletions_and_plain_sql_changes(pipeline: Pipeline) -> None:
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id == 7))
    change(
        pipeline,
        sa.update(data_pencatatan)
        .where(data_pencatatan.c.id == 8)
        .values(data_input=READING.replace("10", "11"), updated_at=LOCAL_NOW),
    )
    change(pipeline, sa.insert(data_pencatatan).values(id=50, customer_id=9, data_input=READING))
    app = BillingSource(pipeline.source, pipeline.horizon)
    scan = FullScan("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert (scan.compare_ids(), scan.compare_rows(), scan.scan_next()) == (2, 1, 0)
    assert waiting(pipeline) == {7, 8, 9}
    changed_at = {row["changed_at"] for row in pipeline.rows(tables.pending_changes)}
    assert changed_at == {None}, "updated_at is not the time of a change that did not set it"


def test_full_scan_works_in_steps(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "IDS_PER_STATEMENT", 6)
    monkeypatch.setattr(scan_module, "ROWS_PER_STEP", 6)
    change(pipeline, sa.delete(users).where(users.c.id == 20))
    change(pipeline, sa.update(users).where(users.c.id == 15).values(harga_per_meter_kubik=200))
    app = BillingSource(pipeline.source, pipeline.horizon)
    found = [FullScan("users", app, pipeline.warehouse, DeletionGuard()).scan_next() for _ in range(4)]
    assert sum(found) == 2
    assert waiting(pipeline) == {15, 20}


@pytest.mark.parametrize(
    ("gone", "come"),
    [([10, 11], [21]), ([9, 12], [10_000]), ([4, 6], [])],
    ids=["sum", "count and sum", "deletions"],
)
def test_full_scan_finds_differences_of_count_or_sum(pipeline: Pipeline, gone: list[int], come: list[int]) -> None:
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id.in_(gone)))
    for number in come:
        change(pipeline, sa.insert(data_pencatatan).values(id=number, customer_id=5, data_input=READING))
    app = BillingSource(pipeline.source, pipeline.horizon)
    scan = FullScan("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert scan.compare_ids() == len(gone) + len(come)


def test_full_scan_finds_deleted_rejected_row(pipeline: Pipeline) -> None:
    assert "2" in {row["source_id"] for row in pipeline.rows(tables.rejected_rows)}
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id == 2))
    app = BillingSource(pipeline.source, pipeline.horizon)
    assert FullScan("data_pencatatan", app, pipeline.warehouse, DeletionGuard()).compare_ids() == 1


def test_full_scan_rereads_a_few_differing_ids_per_step(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "DIFFERING_IDS_PER_STEP", 2)
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id.in_([3, 7, 8, 9, 15])))
    app = BillingSource(pipeline.source, pipeline.horizon)
    scan = FullScan("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert [scan.compare_ids() for _ in range(3)] == [2, 2, 1]


def test_id_range_ends_at_the_last_counted_id(pipeline: Pipeline) -> None:
    app = BillingSource(pipeline.source, pipeline.horizon)
    assert next_id_range(app, "users", 0, 6) == IdRange(0, 6, 6, 21)
    assert next_id_range(app, "users", 18, 6) == IdRange(18, None, 2, 39)
    assert next_id_range(app, "users", 20, 6) == IdRange(20, None, 0, 0)


def test_emptied_table_is_refused_until_restored(pipeline: Pipeline) -> None:
    with pipeline.source.connect() as connection:
        lost = connection.execute(sa.select(users).where(users.c.id > 10)).mappings().all()
    change(pipeline, sa.delete(users).where(users.c.id > 10))
    change(pipeline, sa.insert(users).values(dict(lost[0]) | {"id": 21, "email": "21"}))
    app = BillingSource(pipeline.source, pipeline.horizon)
    scan = FullScan("users", app, pipeline.warehouse, DeletionGuard(rows=5))
    assert scan.compare_ids() == 1, "the new customer is queued nevertheless"
    assert waiting(pipeline) == {21}
    (incident,) = open_incidents(pipeline)
    assert (incident["kind"], incident["subject"]) == ("deletion_refused", "users")
    assert "10 of the 20 rows known of users are gone" in incident["reason"]
    assert incident["customers"] == list(range(11, 21))
    scan.compare_ids()
    assert [one["occurrences"] for one in open_incidents(pipeline)] == [2]
    change(pipeline, sa.insert(users).values([dict(row) for row in lost]))
    scan.compare_ids()
    assert open_incidents(pipeline) == []


def open_incidents(pipeline: Pipeline) -> list[sa.RowMapping]:
    return [row for row in pipeline.rows(tables.incidents) if row["state"] == "open"]


def test_mass_deletion_is_not_applied_in_parts(pipeline: Pipeline) -> None:
    """The guard allows a few deletions, but not a mass deletion in small parts."""
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id > 10))
    change(pipeline, sa.update(users).where(users.c.id > 10).values(harga_per_meter_kubik=200, updated_at=LOCAL_NOW))
    ClockedPoller(pipeline, ChangeKind.PRICES).poll()
    before = pipeline.rows(tables.meter_readings)
    app = BillingSource(pipeline.source, pipeline.horizon)
    results = list(ChangeApplier(lambda: app, pipeline.warehouse, DeletionGuard(rows=5), "test").apply())
    assert [result.customers for result in results if isinstance(result, FailedChanges)] == [
        (n,) for n in range(11, 21)
    ]
    assert pipeline.rows(tables.meter_readings) == before


def test_newer_change_is_applied_from_its_own_month(pipeline: Pipeline) -> None:
    """Applying a change reads the present prices. A later scan cannot detect them: the warehouse has them already."""

    def priced_from(month: str) -> None:
        entries = f'[{{"year_month": "{month}", "harga_per_meter_kubik": 300}}]'
        change(pipeline, sa.update(users).where(users.c.id == 6).values(pricing_history=entries, updated_at=LOCAL_NOW))

    priced_from("2025-03")
    assert ClockedPoller(pipeline, ChangeKind.PRICES).poll() == 1
    priced_from("2025-02")
    app = BillingSource(pipeline.source, pipeline.horizon)
    assert len(list(ChangeApplier(lambda: app, pipeline.warehouse, DeletionGuard(), "test").apply())) == 1
    prices = {row["customer_id"]: row["harga_per_m3"] for row in pipeline.rows(tables.transaction_calculations)}
    assert prices[6] == 300
    assert pipeline.rows(tables.stale_months) == []


def test_moved_reading_updates_both_customers_when_one_is_applied(pipeline: Pipeline) -> None:
    """The other customer's change may be in another batch or postponed; its transactions and balances follow anyway."""
    change(pipeline, sa.update(data_pencatatan).where(data_pencatatan.c.id == 6).values(customer_id=5))
    with pipeline.warehouse.begin() as connection:
        change_queue.enqueue(connection, [QueuedChange("data_pencatatan", 6, 5, "2025-02", "", None)])
    app = BillingSource(pipeline.source, pipeline.horizon)
    assert len(list(ChangeApplier(lambda: app, pipeline.warehouse, DeletionGuard(), "test").apply())) == 1
    closing = {
        row["customer_id"]: row["closing_balance"]
        for row in pipeline.rows(tables.monthly_customer_balances)
        if row["year_month"] == "2025-06"
    }
    assert (closing[5], closing.get(6, 0)) == (-2000, 0)
    assert pipeline.rows(tables.stale_months) == []


def test_change_during_apply_stays_queued(pipeline: Pipeline) -> None:
    poller = ClockedPoller(pipeline, ChangeKind.PRICES)
    change(pipeline, price_update(5, 200))
    poller.poll()
    with pipeline.warehouse.begin() as taking:
        taken = change_queue.dequeue(taking, 10)
        change(pipeline, price_update(5, 300))
        poller.poll(0.2)
        change_queue.mark_applied(taking, taken)
    assert waiting(pipeline) == {5}
