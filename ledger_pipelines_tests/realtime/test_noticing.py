"""Noticing changes: on each kind of server, at a bounded load, and nothing twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading import deletions
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime import patrol, watch
from ledger_pipelines.realtime.catch_up import CatchUp, Failed, TakenUp
from ledger_pipelines.realtime.compare import Kind
from ledger_pipelines.realtime.patrol import Patrol
from ledger_pipelines.realtime.watch import Watch
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import Ids, stretch
from ledger_pipelines.sources.billing_records import PRICE_FIELDS
from ledger_pipelines.sources.billing_schema import data_pencatatan, users
from ledger_pipelines.warehouse import pending, tables
from ledger_pipelines.warehouse.pending import Noticed
from ledger_pipelines_tests.pipeline import WIB, Pipeline, new_pipeline
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row

NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)
HERE = NOW.replace(tzinfo=None)
READING = '{"waktu": "2025-02-03", "volume_sm3": 10}'
DEPOSITS = '[{"date": "2025-03-05 14:04:00", "amount": "1e3", "keterangan": "penambahan"}, {"date": "x"}]'
PRICES = '[{"year_month": "2025-03", "harga_per_meter_kubik": 1.50, "odd": [1, true, {"b": null, "a": "x"}]}, 7]'


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def shared(request: pytest.FixtureRequest, embedded_url: sa.URL) -> Iterator[Pipeline]:
    """A billing application on each kind of server."""
    server = embedded_url if request.param == "postgresql" else request.getfixturevalue("mariadb_url")
    with new_pipeline(server, embedded_url) as made:
        yield made


@pytest.fixture
def pipeline(shared: Pipeline) -> Pipeline:
    """Twenty customers with a reading each, some dirty, loaded and computed."""
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


class Looking:
    """A watch whose clock is in our hands."""

    def __init__(self, pipeline: Pipeline, kind: Kind) -> None:
        self.pipeline, self.seconds = pipeline, 0.0
        self.watch = Watch(kind, pipeline.warehouse, clock=lambda: self.seconds)

    def look(self, after: float = 0) -> int:
        """Look again, so many seconds later."""
        self.seconds += after
        return self.watch.look(BillingApp(self.pipeline.source, self.pipeline.horizon), NOW)


def change(pipeline: Pipeline, statement: Any) -> None:
    with pipeline.source.begin() as connection:
        connection.execute(statement)


def a_price(number: int, price: int, at: datetime = HERE) -> sa.Update:
    return sa.update(users).where(users.c.id == number).values(harga_per_meter_kubik=price, updated_at=at)


def waiting(pipeline: Pipeline) -> set[int]:
    return {row["customer_id"] for row in pipeline.rows(tables.pending_changes)}


@pytest.mark.parametrize("kind", Kind)
def test_what_was_loaded_is_no_change_however_dirty_and_whoever_touched_it(pipeline: Pipeline, kind: Kind) -> None:
    for table in (users, data_pencatatan):
        # What is rejected is kept as it stands in the source, its stamps included.
        change(pipeline, sa.update(table).where(table.c.id > 4).values(updated_at=HERE))
    assert Looking(pipeline, kind).look() == 0
    guard = DeletionGuard()
    if kind is not Kind.DEPOSITS:
        assert Patrol(kind.table, BillingApp(pipeline.source, pipeline.horizon), pipeline.warehouse, guard).step() == 0
    assert waiting(pipeline) == set()


def test_a_change_is_noticed_once(pipeline: Pipeline) -> None:
    looking = Looking(pipeline, Kind.PRICES)
    assert looking.look() == 0
    change(pipeline, a_price(5, 200))
    assert [looking.look(1), looking.look(1), Looking(pipeline, Kind.PRICES).look()] == [1, 0, 0]
    assert waiting(pipeline) == {5}


def test_two_changes_within_a_second_are_two(pipeline: Pipeline) -> None:
    looking = Looking(pipeline, Kind.PRICES)
    for price in (200, 300):
        change(pipeline, a_price(5, price))
        assert looking.look(0.2) == 1
    change(pipeline, a_price(4, 300))
    assert looking.look(0.2) == 1, "an id below one of the same second"


@pytest.mark.parametrize("late", [2, 300])
def test_what_is_committed_late_is_found(pipeline: Pipeline, late: int) -> None:
    looking = Looking(pipeline, Kind.PRICES)
    change(pipeline, a_price(5, 200))
    looking.look()
    change(pipeline, a_price(6, 200, HERE - timedelta(seconds=late)))
    assert looking.look(watch.RECENT_EVERY_SECONDS + 1) == 1
    assert waiting(pipeline) == {5, 6}


def test_a_clock_that_is_ahead_hides_nobody_else(pipeline: Pipeline) -> None:
    looking = Looking(pipeline, Kind.PRICES)
    change(pipeline, a_price(5, 200, HERE + timedelta(hours=2)))
    assert looking.look() == 1
    change(pipeline, a_price(6, 200))
    assert looking.look(1) == 1


def loaded_at(pipeline: Pipeline, at: datetime) -> None:
    """Let the warehouse have been loaded at a moment."""
    with pipeline.warehouse.begin() as connection:
        connection.execute(sa.update(tables.loaded_months).values(loaded_at=at))


@pytest.mark.parametrize("before", [-5, 0, 300])
def test_the_first_look_begins_before_the_warehouse_was_loaded(pipeline: Pipeline, before: int) -> None:
    """Whatever happened since then is unknown, however long ago that is."""
    loaded = NOW - timedelta(hours=2)
    loaded_at(pipeline, loaded)
    change(pipeline, a_price(5, 200, loaded.replace(tzinfo=None) - timedelta(seconds=before)))
    assert Looking(pipeline, Kind.PRICES).look() == 1


def test_a_clock_that_is_behind_hides_nothing(pipeline: Pipeline) -> None:
    """What counts is how far the application's own clock has come, not ours."""
    loaded_at(pipeline, NOW - timedelta(hours=2))
    looking = Looking(pipeline, Kind.PRICES)
    assert looking.look() == 0
    change(pipeline, a_price(5, 200, HERE - timedelta(minutes=50)))
    assert looking.look(1) == 1


def test_a_change_counts_from_the_first_month_that_it_can_touch(pipeline: Pipeline) -> None:
    in_may = READING.replace("-02-", "-05-")
    change(pipeline, sa.insert(data_pencatatan).values(id=60, customer_id=5, data_input=in_may))
    pipeline.run()
    period = '[{"type": "custom_period", "start_date": "2025-03-30", "end_date": "2025-05-02"}]'
    change(pipeline, a_price(5, 200))
    change(pipeline, sa.update(users).where(users.c.id == 6).values(pricing_history=period, updated_at=HERE))
    assert Looking(pipeline, Kind.PRICES).look() == 2
    first = {row["customer_id"]: row["first_month"] for row in pipeline.rows(tables.pending_changes)}
    assert first == {5: "2025-02", 6: "2025-03"}, "the first reading's month, and the one in which the period begins"


@pytest.mark.parametrize(
    ("column", "history", "kind"),
    [
        ("pricing_history", PRICES.replace('"odd"', '"even"'), Kind.PRICES),
        ("pricing_history", PRICES.replace("1.50", '"1.5"'), Kind.PRICES),
        ("deposit_history", DEPOSITS.replace("1e3", "1001"), Kind.DEPOSITS),
        ("deposit_history", DEPOSITS.replace("penambahan", "pengurangan"), Kind.DEPOSITS),
        ("deposit_history", DEPOSITS.replace("1e3", "soon"), Kind.DEPOSITS),
    ],
    ids=["what an entry also says", "how a price is written", "an amount", "a sign", "it cannot be used"],
)
def test_an_entry_that_differs_counts_from_its_month(pipeline: Pipeline, column: str, history: str, kind: Kind) -> None:
    """The entry as it was used is told with each amount: its words count, not only its numbers."""
    change(pipeline, sa.update(users).where(users.c.id == 1).values({column: history, "updated_at": HERE}))
    assert Looking(pipeline, kind).look() == 1
    (waits,) = pipeline.rows(tables.pending_changes)
    assert (waits["customer_id"], waits["first_month"]) == (1, "2025-03")


def test_an_entry_that_could_never_be_used_counts_from_its_month(pipeline: Pipeline) -> None:
    unusable = DEPOSITS.replace("1e3", "soon")
    change(pipeline, sa.update(users).where(users.c.id == 6).values(deposit_history=unusable, updated_at=HERE))
    assert Looking(pipeline, Kind.DEPOSITS).look() == 1
    (waits,) = pipeline.rows(tables.pending_changes)
    assert (waits["customer_id"], waits["first_month"]) == (6, "2025-03")


@pytest.mark.parametrize("waktu", ['{"date": "2025-03-01"}', '"2025-02-30"', '"1999-05-01"', '"2999-01-01"', '"soon"'])
def test_an_unusable_reading_is_listed_whatever_month_its_text_names(pipeline: Pipeline, waktu: str) -> None:
    """A load of some months reads the rows whose text names one of them, or none."""
    text = f'{{"waktu": {waktu}, "volume_sm3": 10}}'
    change(pipeline, sa.insert(data_pencatatan).values(id=60, customer_id=5, data_input=text, updated_at=HERE))
    assert Looking(pipeline, Kind.READINGS).look() == 1
    app = BillingApp(pipeline.source, pipeline.horizon)
    (taken,) = CatchUp(lambda: app, pipeline.warehouse, DeletionGuard(), "test").take_up()
    assert isinstance(taken, TakenUp)
    assert "60" in {row["source_id"] for row in pipeline.rows(tables.rejected_rows)}
    assert Patrol("data_pencatatan", app, pipeline.warehouse, DeletionGuard()).step() == 0


@pytest.mark.parametrize("column", PRICE_FIELDS)
def test_every_default_counts(pipeline: Pipeline, column: str) -> None:
    change(pipeline, sa.update(users).where(users.c.id == 6).values({column: 3, "updated_at": HERE}))
    assert Looking(pipeline, Kind.PRICES).look() == 1
    (waits,) = pipeline.rows(tables.pending_changes)
    assert (waits["customer_id"], waits["first_month"]) == (6, "2025-02")


def test_each_kind_of_change_has_a_place_of_its_own(pipeline: Pipeline) -> None:
    loaded_at(pipeline, NOW - timedelta(hours=2))
    paid = sa.update(users).where(users.c.id == 6).values(deposit_history=DEPOSITS)
    change(pipeline, paid.values(updated_at=HERE - timedelta(hours=1)))
    change(pipeline, a_price(5, 200))
    assert Looking(pipeline, Kind.PRICES).look() == 1
    assert Looking(pipeline, Kind.DEPOSITS).look() == 1


def test_a_look_that_dies_has_not_come_further(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> int:
        raise InterruptedError

    change(pipeline, a_price(5, 200))
    with monkeypatch.context() as patched:
        patched.setattr(pending, "note", die)
        with pytest.raises(InterruptedError):
            Looking(pipeline, Kind.PRICES).look()
    assert not [row for row in pipeline.rows(tables.cursors) if row["name"].startswith("watch")]
    assert Looking(pipeline, Kind.PRICES).look() == 1


def test_many_changes_of_one_moment_are_read_page_by_page(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "NEW_ROWS", 8)
    looking = Looking(pipeline, Kind.PRICES)
    looking.look()  # for a while, nothing but what is new is looked at
    change(pipeline, sa.update(users).values(harga_per_meter_kubik=200, updated_at=HERE))
    assert [looking.look(0.1) for _ in range(3)] == [8, 8, 4]
    assert not looking.watch.behind
    assert waiting(pipeline) == set(range(1, 21))


def test_what_was_committed_late_is_read_page_by_page(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RECENT_ROWS", 8)
    looking = Looking(pipeline, Kind.PRICES)
    change(pipeline, a_price(20, 200))
    assert looking.look() == 1
    late = HERE - timedelta(minutes=5)
    change(pipeline, sa.update(users).where(users.c.id < 20).values(harga_per_meter_kubik=200, updated_at=late))
    looking.seconds += watch.RECENT_EVERY_SECONDS
    assert [looking.look(0.1) for _ in range(4)] == [8, 8, 3, 0]


def test_a_patrol_finds_what_vanished_and_what_was_changed_by_plain_sql(pipeline: Pipeline) -> None:
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id == 7))
    change(
        pipeline,
        sa.update(data_pencatatan)
        .where(data_pencatatan.c.id == 8)
        .values(data_input=READING.replace("10", "11"), updated_at=HERE),
    )
    change(pipeline, sa.insert(data_pencatatan).values(id=50, customer_id=9, data_input=READING))
    app = BillingApp(pipeline.source, pipeline.horizon)
    going = Patrol("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert (going.compare_ids(), going.compare_rows(), going.step()) == (2, 1, 0)
    assert waiting(pipeline) == {7, 8, 9}
    changed_at = {row["changed_at"] for row in pipeline.rows(tables.pending_changes)}
    assert changed_at == {None}, "an updated_at that the change forgot says nothing of when it was"


def test_a_patrol_goes_round_in_steps(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "IDS_PER_STATEMENT", 6)
    monkeypatch.setattr(patrol, "ROWS_PER_STEP", 6)
    change(pipeline, sa.delete(users).where(users.c.id == 20))
    change(pipeline, sa.update(users).where(users.c.id == 15).values(harga_per_meter_kubik=200))
    app = BillingApp(pipeline.source, pipeline.horizon)
    found = [Patrol("users", app, pipeline.warehouse, DeletionGuard()).step() for _ in range(4)]
    assert sum(found) == 2
    assert waiting(pipeline) == {15, 20}


@pytest.mark.parametrize(
    ("gone", "come"), [([10, 11], [21]), ([9, 12], [10_000]), ([4, 6], [])], ids=["the sum stays", "both", "one"]
)
def test_a_patrol_finds_what_changes_the_count_or_the_sum(pipeline: Pipeline, gone: list[int], come: list[int]) -> None:
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id.in_(gone)))
    for number in come:
        change(pipeline, sa.insert(data_pencatatan).values(id=number, customer_id=5, data_input=READING))
    app = BillingApp(pipeline.source, pipeline.horizon)
    going = Patrol("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert going.compare_ids() == len(gone) + len(come)


def test_a_patrol_finds_that_a_rejected_row_vanished(pipeline: Pipeline) -> None:
    assert "2" in {row["source_id"] for row in pipeline.rows(tables.rejected_rows)}
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id == 2))
    app = BillingApp(pipeline.source, pipeline.horizon)
    assert Patrol("data_pencatatan", app, pipeline.warehouse, DeletionGuard()).compare_ids() == 1


def test_a_patrol_looks_at_a_few_differing_ids_at_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patrol, "DIFFERING_IDS_PER_STEP", 2)
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id.in_([3, 7, 8, 9, 15])))
    app = BillingApp(pipeline.source, pipeline.horizon)
    going = Patrol("data_pencatatan", app, pipeline.warehouse, DeletionGuard())
    assert [going.compare_ids() for _ in range(3)] == [2, 2, 1]


def test_a_stretch_of_ids_ends_where_it_was_counted(pipeline: Pipeline) -> None:
    app = BillingApp(pipeline.source, pipeline.horizon)
    assert stretch(app, "users", 0, 6) == Ids(0, 6, 6, 21)
    assert stretch(app, "users", 18, 6) == Ids(18, None, 2, 39)
    assert stretch(app, "users", 20, 6) == Ids(20, None, 0, 0)


def test_a_table_that_looks_emptied_is_refused_and_heals(pipeline: Pipeline) -> None:
    with pipeline.source.connect() as connection:
        lost = connection.execute(sa.select(users).where(users.c.id > 10)).mappings().all()
    change(pipeline, sa.delete(users).where(users.c.id > 10))
    change(pipeline, sa.insert(users).values(dict(lost[0]) | {"id": 21, "email": "21"}))
    app = BillingApp(pipeline.source, pipeline.horizon)
    going = Patrol("users", app, pipeline.warehouse, DeletionGuard(rows=5))
    assert going.compare_ids() == 1, "who is new is noticed all the same"
    assert waiting(pipeline) == {21}
    (incident,) = open_incidents(pipeline)
    assert (incident["kind"], incident["subject"]) == ("deletion_refused", "users")
    assert "10 of the 20 rows known of users are gone" in incident["reason"]
    assert incident["customers"] == list(range(11, 21))
    going.compare_ids()
    assert [one["occurrences"] for one in open_incidents(pipeline)] == [2]
    change(pipeline, sa.insert(users).values([dict(row) for row in lost]))
    going.compare_ids()
    assert open_incidents(pipeline) == []


def open_incidents(pipeline: Pipeline) -> list[sa.RowMapping]:
    return [row for row in pipeline.rows(tables.incidents) if row["state"] == "open"]


def test_what_looks_emptied_is_not_taken_up_a_slice_at_a_time(pipeline: Pipeline) -> None:
    """A few deletions are let pass, but not each few of many."""
    change(pipeline, sa.delete(data_pencatatan).where(data_pencatatan.c.id > 10))
    change(pipeline, sa.update(users).where(users.c.id > 10).values(harga_per_meter_kubik=200, updated_at=HERE))
    Looking(pipeline, Kind.PRICES).look()
    before = pipeline.rows(tables.meter_readings)
    app = BillingApp(pipeline.source, pipeline.horizon)
    results = list(CatchUp(lambda: app, pipeline.warehouse, DeletionGuard(rows=5), "test").take_up())
    assert [result.customers for result in results if isinstance(result, Failed)] == [(n,) for n in range(11, 21)]
    assert pipeline.rows(tables.meter_readings) == before


def test_what_changed_since_it_was_noticed_is_taken_up_from_its_own_month(pipeline: Pipeline) -> None:
    """The prices are read as they are then: nobody could notice afterwards what is in the warehouse already."""

    def priced_from(month: str) -> None:
        entries = f'[{{"year_month": "{month}", "harga_per_meter_kubik": 300}}]'
        change(pipeline, sa.update(users).where(users.c.id == 6).values(pricing_history=entries, updated_at=HERE))

    priced_from("2025-03")
    assert Looking(pipeline, Kind.PRICES).look() == 1
    priced_from("2025-02")
    app = BillingApp(pipeline.source, pipeline.horizon)
    assert len(list(CatchUp(lambda: app, pipeline.warehouse, DeletionGuard(), "test").take_up())) == 1
    prices = {row["customer_id"]: row["harga_per_m3"] for row in pipeline.rows(tables.transaction_calculations)}
    assert prices[6] == 300
    assert pipeline.rows(tables.stale_months) == []


def test_a_reading_that_moves_changes_both_customers_though_one_alone_is_taken_up(pipeline: Pipeline) -> None:
    """The other's change may be in another lot, or put off: its transactions and balances follow all the same."""
    change(pipeline, sa.update(data_pencatatan).where(data_pencatatan.c.id == 6).values(customer_id=5))
    with pipeline.warehouse.begin() as connection:
        pending.note(connection, [Noticed("data_pencatatan", 6, 5, "2025-02", "", None)])
    app = BillingApp(pipeline.source, pipeline.horizon)
    assert len(list(CatchUp(lambda: app, pipeline.warehouse, DeletionGuard(), "test").take_up())) == 1
    closing = {
        row["customer_id"]: row["closing_balance"]
        for row in pipeline.rows(tables.monthly_customer_balances)
        if row["year_month"] == "2025-06"
    }
    assert (closing[5], closing.get(6, 0)) == (-2000, 0)
    assert pipeline.rows(tables.stale_months) == []


def test_a_change_that_comes_while_it_is_taken_up_stays(pipeline: Pipeline) -> None:
    looking = Looking(pipeline, Kind.PRICES)
    change(pipeline, a_price(5, 200))
    looking.look()
    with pipeline.warehouse.begin() as taking:
        taken = pending.take(taking, 10)
        change(pipeline, a_price(5, 300))
        looking.look(0.2)
        pending.done(taking, taken)
    assert waiting(pipeline) == {5}
