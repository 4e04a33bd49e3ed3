"""Tests of the demo's billing database on real servers."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo import BillingDemoPlan, BillingDemoSummary, seed_billing
from ledger_pipelines.demo.faults import FAULT_KINDS, FAULTY_CUSTOMERS
from ledger_pipelines.demo.ownership_marker import marker_table
from ledger_pipelines.demo.plan import WIB, Timeline
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.sources.billing.schema import data_pencatatan, metadata, users
from ledger_pipelines_tests.support.servers import POSTGRES, fresh_engine, require_server
from ledger_pipelines_tests.support.tables import execute

# Slow: these tests cover the demo's generators only; every test that uses a demo checks their result, too.
pytestmark = pytest.mark.slow

UNTIL = datetime(2025, 3, 17, 15, 30, tzinfo=WIB)
PLAN = BillingDemoPlan(current_month="2025-03", until=UNTIL)
SMALL = BillingDemoPlan(current_month="2025-03", until=UNTIL, customers=4, months=3)

Dump = dict[str, list[tuple[str | None, ...]]]


@pytest.fixture(scope="module")
def machine_postgres() -> sa.URL:
    """Return the URL of the machine's PostgreSQL."""
    return require_server(POSTGRES, "LEDGER_TEST_POSTGRES_URL")


@pytest.fixture
def postgres(machine_postgres: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to a new database on the machine's PostgreSQL."""
    with fresh_engine(machine_postgres) as engine:
        yield engine


@pytest.fixture(scope="module")
def default_demo(machine_postgres: sa.URL) -> tuple[BillingDemoSummary, Dump]:
    """Seed the default plan in PostgreSQL."""
    with fresh_engine(machine_postgres) as database:
        return seed_billing(database, PLAN), dump(database)


def dump(engine: sa.Engine) -> Dump:
    """Return the rows of both tables, all values as text."""

    def text(value: Any) -> str | None:
        return None if value is None else str(value)

    with engine.connect() as connection:
        return {
            table.name: [
                tuple(text(value) for value in row) for row in connection.execute(sa.select(table).order_by(table.c.id))
            ]
            for table in (users, data_pencatatan)
        }


def parsed(text: str | None) -> Any:
    """Parse JSON with exact numbers, also if it was encoded several times."""
    value: Any = text
    while isinstance(value, str):
        value = json.loads(value, parse_float=Decimal)
    return value


def records(rows: Dump, table: sa.Table) -> list[dict[str, str | None]]:
    return [dict(zip(table.columns.keys(), row, strict=True)) for row in rows[table.name]]


def test_same_plan_makes_same_rows_on_another_server(
    mariadb: sa.Engine, default_demo: tuple[BillingDemoSummary, Dump]
) -> None:
    assert (seed_billing(mariadb, PLAN), dump(mariadb)) == default_demo
    assert len(default_demo[1]["data_pencatatan"]) > 3_000


def test_same_plan_makes_same_rows_again(postgres: sa.Engine, default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    assert (seed_billing(postgres, PLAN), dump(postgres)) == default_demo


def test_another_seed_makes_other_rows(postgres: sa.Engine, default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    seed_billing(postgres, replace(PLAN, seed=PLAN.seed + 1))
    assert dump(postgres) != default_demo[1]


def test_driver_without_bulk_protocol_writes_same_rows(
    postgres: sa.Engine, default_demo: tuple[BillingDemoSummary, Dump]
) -> None:
    plain = sa.create_engine(postgres.url.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
    seed_billing(plain, PLAN)
    assert dump(postgres) == default_demo[1]


def test_summary_matches_rows(default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    summary, rows = default_demo
    people = records(rows, users)
    customers = [person for person in people if person["role"] in ("customer", "fob")]
    assert (summary.users, summary.customers) == (len(people), len(customers)) == (40, 36)
    assert summary.readings == len(rows["data_pencatatan"])
    assert summary.deposits == sum(len(parsed(person["deposit_history"]) or ()) for person in people)
    assert summary.price_entries == sum(len(parsed(person["pricing_history"]) or ()) for person in people)
    assert (summary.first_month, summary.last_month) == ("2023-04", "2025-03")
    assert not summary.already_there
    assert {person["role"] for person in people} == {
        "customer", "fob", "admin", "superadmin", "keuangan", "demo"
    }  # fmt: skip


def test_default_plan_has_every_kind_of_fault(default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    dirt = default_demo[0].dirt
    assert list(dirt) == list(dict.fromkeys(kind.name for kind in FAULT_KINDS))
    assert [kind for kind, count in dirt.items() if count < 1] == []


@pytest.mark.parametrize(
    ("table", "column", "pattern"),
    [
        (data_pencatatan, "data_input", r'^"\{\\"pembacaan_awal'),
        (users, "pricing_history", r'^"\[\]"$'),
        (users, "deposit_history", r'^"\[\{\\"date'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":"\d+\.\d+"[,}]'),
        (data_pencatatan, "data_input", r'"volume":\d+\},"pembacaan_akhir.*"volume_flow_meter":\d+\.\d\d0[,}]'),
        (data_pencatatan, "data_input", r'awal":\{"waktu":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"'),
        (data_pencatatan, "data_input", r'awal":\{"waktu":"\d{4}-\d\d-\d\dT\d\d:\d\d"'),
        (data_pencatatan, "data_input", r'^\{"waktu":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d","volume_sm3"'),
        (data_pencatatan, "data_input", r'"waktu":"\d{4}-02-30T'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":0[,}]'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":12011212[,}]'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":-257\.90999999999985[,}]'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":"257,91"'),
        (data_pencatatan, "data_input", r'"volume_flow_meter":\d+\.\d{8,}'),
        (data_pencatatan, "data_input", r'"periode_input":"\d{4}-\d\d"'),
        (data_pencatatan, "data_input", r'awal":\{"waktu":"2025-04-'),
        (data_pencatatan, "data_input", r'awal":\{"waktu":"2023-03-'),
        (users, "deposit_history", r'"description":null\}'),
        (users, "deposit_history", r'"amount":-[\d.]+,"description":[^}]*"keterangan":"pengurangan"'),
        (users, "deposit_history", r'"amount":\d[\d.]*,"description":[^}]*"keterangan":"pengurangan"'),
        (users, "deposit_history", r'"date":null'),
        (users, "deposit_history", r'"date":"2023-03-'),
        (users, "deposit_history", r'"amount":"\d'),
        (users, "pricing_history", r'"harga_per_meter_kubik":"\d'),
        (users, "pricing_history", r'"type":"custom_period"'),
        (users, "pricing_history", r'"year_month":"2025-03".*"koreksi_meter":null'),
    ],
)  # fmt: skip
def test_faults_are_in_the_application_format(
    default_demo: tuple[BillingDemoSummary, Dump], table: sa.Table, column: str, pattern: str
) -> None:
    texts = [record[column] for record in records(default_demo[1], table)]
    assert any(text is not None and re.search(pattern, text) for text in texts)


def test_faults_across_rows(default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    people = {person["id"]: person for person in records(default_demo[1], users)}
    customers = {key: person for key, person in people.items() if person["role"] in ("customer", "fob")}
    readings = records(default_demo[1], data_pencatatan)
    assert any(person["deposit_history"] is person["pricing_history"] is None for person in customers.values())
    assert any(
        person["harga_per_meter_kubik"] is None and not parsed(person["pricing_history"])
        for person in customers.values()
    )
    assert any(reading["customer_id"] not in people for reading in readings)
    assert any(reading["customer_id"] in people.keys() - customers.keys() for reading in readings)
    inputs = [
        (customers[reading["customer_id"]], parsed(reading["data_input"]))
        for reading in readings
        if reading["customer_id"] in customers
    ]
    assert any(person["role"] == "customer" and "volume_sm3" in data for person, data in inputs)
    assert any(person["role"] == "fob" and "pembacaan_awal" in data for person, data in inputs)
    starts = [(person["id"], data["pembacaan_awal"]["waktu"]) for person, data in inputs if "pembacaan_awal" in data]
    assert len(starts) - len(set(starts)) == 1  # one pair of readings with the same start
    assert _customers_with_gaps(inputs) >= 3
    assert _customers_with_deposit_before_reading(inputs) >= 1


def _customers_with_gaps(inputs: list[tuple[dict[str, str | None], Any]]) -> int:
    months: dict[str | None, set[int]] = {}
    for person, data in inputs:
        moment = data.get("waktu") or data["pembacaan_awal"]["waktu"]
        if not moment.startswith("2023-03"):
            months.setdefault(person["id"], set()).add(int(moment[:4]) * 12 + int(moment[5:7]))
    return sum(max(found) - min(found) + 1 > len(found) for found in months.values())


def _customers_with_deposit_before_reading(inputs: list[tuple[dict[str, str | None], Any]]) -> int:
    first_reading: dict[str | None, str] = {}
    first_deposit: dict[str | None, str] = {}
    for person, data in inputs:
        moment = (data.get("waktu") or data["pembacaan_awal"]["waktu"])[:10]
        first_reading[person["id"]] = min(moment, first_reading.get(person["id"], moment))
        dates = [entry["date"] for entry in parsed(person["deposit_history"]) or () if entry["date"]]
        first_deposit[person["id"]] = min(date for date in [*dates, "9999"] if date >= "2023-04")
    return sum(first_deposit[person] < moment for person, moment in first_reading.items())


def test_only_one_reading_is_after_until(default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    until = UNTIL.strftime("%Y-%m-%d %H:%M:%S")
    columns = ("created_at", "updated_at")
    stamps = [str(row[column]) for row in records(default_demo[1], data_pencatatan) for column in columns]
    stamps += [str(row[column]) for row in records(default_demo[1], users) for column in columns]
    stamps += [
        entry["date"]
        for person in records(default_demo[1], users)
        for entry in parsed(person["deposit_history"]) or ()
        if entry["date"]
    ]
    assert max(stamps) <= until
    assert max(stamps) > "2025-03-10"
    future = 0
    for reading in records(default_demo[1], data_pencatatan):
        data = parsed(reading["data_input"])
        moments = [data["waktu"]] if "waktu" in data else [data[end]["waktu"] for end in data if "baca" in end]
        future += max(moments).replace("T", " ") > until
    assert future == 1


def test_meter_states_are_contiguous_and_match_volumes(postgres: sa.Engine) -> None:
    clean = 24
    seed_billing(postgres, replace(PLAN, customers=FAULTY_CUSTOMERS + clean, months=5))
    by_customer: dict[str | None, list[Any]] = {}
    for reading in records(dump(postgres), data_pencatatan):
        data = parsed(reading["data_input"])
        if int(reading["customer_id"] or 0) - 11 in range(FAULTY_CUSTOMERS, FAULTY_CUSTOMERS + clean):
            by_customer.setdefault(reading["customer_id"], []).append(data)
    metered = [series for series in by_customer.values() if "pembacaan_awal" in series[0]]
    assert (len(by_customer), len(metered)) == (clean, clean * 3 // 4)
    tails = total = 0
    for series in metered:
        for before, after in pairwise(series):
            assert before["pembacaan_akhir"]["volume"] == after["pembacaan_awal"]["volume"]
            assert before["pembacaan_akhir"]["waktu"] <= after["pembacaan_awal"]["waktu"]
        for data in series:
            opening, closing = data["pembacaan_awal"]["volume"], data["pembacaan_akhir"]["volume"]
            volume = Decimal(data["volume_flow_meter"])
            assert abs(closing - opening - volume) < Decimal("1e-8")
            assert volume > 0
            tails += volume != closing - opening
            total += 1
    assert 0.3 < tails / total < 0.6


def test_application_totals_match_its_rows(default_demo: tuple[BillingDemoSummary, Dump]) -> None:
    billed: dict[str | None, Decimal] = {}
    for reading in records(default_demo[1], data_pencatatan):
        owner = reading["customer_id"]
        billed[owner] = billed.get(owner, Decimal(0)) + Decimal(reading["harga_final"] or 0)
    differences = []
    for person in records(default_demo[1], users):
        total = Decimal(0)
        for entry in parsed(person["deposit_history"]) or ():
            amount = Decimal(entry["amount"])
            total += -abs(amount) if entry.get("keterangan") == "pengurangan" else amount
        assert Decimal(person["total_deposit"] or 0) == total
        differences.append(abs(Decimal(person["total_purchases"] or 0) - billed.get(person["id"], Decimal(0))))
    assert Decimal("0.01") <= max(differences) < 1  # the application rounds the sum, not each bill


def test_number_of_faults_is_independent_of_customers(postgres: sa.Engine) -> None:
    reported: list[tuple[int, int]] = []
    plan = BillingDemoPlan(current_month="2025-03", customers=1_500, months=2, readings_per_month=10)
    summary = seed_billing(postgres, plan, lambda done, total: reported.append((done, total)))
    assert summary.customers == 1_500
    assert 1_500 * 20 - 100 < summary.readings < 1_500 * 20 + 100
    assert sum(summary.dirt.values()) < 2 * FAULTY_CUSTOMERS
    assert reported == sorted(reported)
    assert (reported[0], reported[-1]) == ((0, 1_500), (1_500, 1_500))
    with postgres.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(data_pencatatan)) == summary.readings


def test_tiny_plans_work(postgres: sa.Engine) -> None:
    morning = datetime(2025, 3, 1, 0, 5, tzinfo=WIB)
    tiny = BillingDemoPlan(current_month="2025-03", until=morning, months=1, readings_per_month=1, replace=True)
    for customers, months in ((1, 1), (1, 2), (3, 1), (5, 2)):
        summary = seed_billing(postgres, replace(tiny, customers=customers, months=months))
        assert (summary.customers, summary.already_there) == (customers, False)


def test_new_rows_get_ids_after_the_demo(engine: sa.Engine) -> None:
    summary = seed_billing(engine, SMALL)
    with engine.begin() as connection:
        connection.execute(data_pencatatan.insert().values(customer_id=11, data_input='{"waktu":"2025-03-02"}'))
        newest = connection.execute(
            sa.select(data_pencatatan.c.id, data_pencatatan.c.data_input).order_by(data_pencatatan.c.id.desc()).limit(1)
        ).one()
    assert tuple(newest) == (summary.readings + 1, '{"waktu":"2025-03-02"}')


def test_seeded_tables_have_indexes(engine: sa.Engine) -> None:
    seed_billing(engine, SMALL)
    inspector = sa.inspect(engine)
    for table in metadata.sorted_tables:
        there = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= there


@pytest.mark.parametrize("table", ["users", "data_pencatatan"])
def test_real_tables_are_refused(engine: sa.Engine, table: str) -> None:
    execute(engine, f"CREATE TABLE {table} (id int)", f"INSERT INTO {table} VALUES (7)")
    for replacing in (False, True):
        with pytest.raises(LedgerError, match=rf"has {table}, which no demo made.*database of its own"):
            seed_billing(engine, replace(SMALL, replace=replacing))
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.max(sa.column("id"))).select_from(sa.table(table))) == 7
    assert sa.inspect(engine).get_table_names() == [table]


def test_real_users_restored_over_a_demo_are_refused(engine: sa.Engine) -> None:
    seed_billing(engine, SMALL)
    with engine.begin() as connection:
        connection.execute(users.delete())
        connection.execute(users.insert().values(name="A", email="a@b.co.id", role="customer", password="x"))  # noqa: S106
    with pytest.raises(LedgerError, match="which no demo made"):
        seed_billing(engine, replace(SMALL, replace=True))
    assert len(dump(engine)["users"]) == 1


def test_identical_plan_changes_nothing(engine: sa.Engine) -> None:
    first = seed_billing(engine, SMALL)
    execute(engine, data_pencatatan.delete().where(data_pencatatan.c.id > 10))
    again = seed_billing(engine, SMALL)
    assert again == replace(first, already_there=True)
    assert len(dump(engine)["data_pencatatan"]) == 10


def test_another_plan_needs_replace(engine: sa.Engine) -> None:
    seed_billing(engine, SMALL)
    before = dump(engine)
    larger = replace(SMALL, customers=5)
    with pytest.raises(LedgerError, match=r"demo of another plan.*replace"):
        seed_billing(engine, larger)
    assert dump(engine) == before
    assert seed_billing(engine, replace(larger, replace=True)).customers == 5
    assert len(dump(engine)["users"]) == 9


def test_incomplete_demo_needs_replace(mariadb: sa.Engine) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_billing(mariadb, SMALL, interrupt)
    with pytest.raises(LedgerError, match="only a part of a demo"):
        seed_billing(mariadb, SMALL)
    assert not seed_billing(mariadb, replace(SMALL, replace=True)).already_there


def test_interrupted_seeding_is_rolled_back_in_postgresql(postgres: sa.Engine) -> None:
    seed_billing(postgres, SMALL)
    before = dump(postgres)

    def interrupt(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_billing(postgres, replace(SMALL, seed=1, replace=True), interrupt)
    assert dump(postgres) == before
    with postgres.connect() as connection:
        assert connection.scalar(sa.select(marker_table.c.plan)) == SMALL.identity()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"current_month": "2025-13"}, "current_month"),
        ({"customers": 0}, "customers"),
        ({"months": 241}, "months"),
        ({"readings_per_month": 0}, "readings_per_month"),
        ({"until": datetime(2025, 3, 1)}, "time zone"),  # noqa: DTZ001 - a value without a time zone must be refused
        ({"until": datetime(2025, 4, 1, tzinfo=WIB)}, "current month"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_timeline_has_leap_day() -> None:
    timeline = Timeline(BillingDemoPlan(current_month="2024-03", months=2))
    february = timeline.months[0]
    assert (february.year_month, timeline.before.year_month, timeline.after.year_month) == (
        "2024-02", "2024-01", "2024-04"
    )  # fmt: skip
    assert timeline.text(february.ends - 1, "T") == "2024-02-29T23:59:59"
    assert timeline.text(timeline.until) == "2024-03-31 23:59:59"
