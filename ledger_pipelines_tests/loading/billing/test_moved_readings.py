"""Readings that move, and runs of single months: every reading stays loaded exactly once."""

import json

import pytest

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline
from ledger_pipelines_tests.support.builders import fob_reading, loaded_readings, rejections_by_id, state, user


@pytest.mark.parametrize("scope", ["whole", "new months", "both months"])
def test_reading_moves_to_another_month(pipeline: Pipeline, scope: str) -> None:
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run()
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-04-03"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run({"whole": None, "new months": ["2025-04"], "both months": ["2025-02", "2025-03", "2025-04"]}[scope])
    assert loaded_readings(pipeline) == [(1, 1, "2025-04"), (2, 1, "2025-02")]
    assert {key: row.year_month for key, row in pipeline.ledger().transactions.items()} == {1: "2025-04", 2: "2025-02"}
    closing = {month: balance.closing_balance for (_, month), balance in pipeline.ledger().balances.items()}
    assert closing["2025-03"] == -1000
    assert closing["2025-06"] == -2000


@pytest.mark.parametrize("customers", [None, [2], [1, 2]])
@pytest.mark.parametrize("month", ["2025-02", "2025-04"])
def test_reading_moves_to_another_customer(pipeline: Pipeline, customers: list[int] | None, month: str) -> None:
    users = [user(1), user(2), user(3)]
    pipeline.fill(state(users, [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 3, "2025-02-03")]))
    pipeline.run()
    other = [row for row in pipeline.rows(tables.monthly_customer_balances) if row["customer_id"] == 3]
    pipeline.fill(state(users, [fob_reading(1, 2, f"{month}-03"), fob_reading(2, 3, "2025-02-03")]))
    pipeline.run(customers=customers)
    assert loaded_readings(pipeline) == [(1, 2, month), (2, 3, "2025-02")]
    ledger = pipeline.ledger()
    assert {key: row.customer_id for key, row in ledger.transactions.items()} == {1: 2, 2: 3}
    assert sorted({customer for customer, _ in ledger.balances}) == [2, 3]
    assert [row for row in pipeline.rows(tables.monthly_customer_balances) if row["customer_id"] == 3] == other
    assert pipeline.rows(tables.stale_months) == []


@pytest.mark.parametrize(("months", "customers"), [(["2025-02"], None), (None, [1]), (["2025-02"], [1])])
def test_run_of_the_scope_a_reading_left_keeps_it(
    pipeline: Pipeline, months: list[str] | None, customers: list[int] | None
) -> None:
    """Runs of its old month or old customer do not delete the reading; the next whole run finds no difference."""
    users = [user(1), user(2)]
    pipeline.fill(state(users, [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run()
    pipeline.fill(state(users, [fob_reading(1, 2, "2025-04-03"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run(months, customers)
    assert loaded_readings(pipeline) == [(1, 2, "2025-04"), (2, 1, "2025-02")]
    pipeline.run()
    assert {key: row.customer_id for key, row in pipeline.ledger().transactions.items()} == {1: 2, 2: 1}
    assert pipeline.ledger().balances[1, "2025-06"].closing_balance == -1000
    assert pipeline.rows(tables.stale_months) == []


def test_new_month_begun_by_scoped_run_is_carried_forward(pipeline: Pipeline) -> None:
    """The new month has balances of one customer only; a change of an earlier month updates them too."""
    pipeline.reset("2025-01", "2025-04")
    pipeline.fill(state([user(1), user(2)], [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 2, "2025-02-03")]))
    pipeline.run()
    pipeline.horizon = Horizon("2025-01", "2025-05", WIB)
    pipeline.run(customers=[1])
    pipeline.fill(state([user(1), user(2)], [fob_reading(1, 1, "2025-02-03", "20"), fob_reading(2, 2, "2025-02-03")]))
    pipeline.run(["2025-02"])
    balances = pipeline.ledger().balances
    assert balances[1, "2025-05"].opening_balance == balances[1, "2025-04"].closing_balance == -2000


def test_new_customer_in_earlier_month_has_all_later_balances(pipeline: Pipeline) -> None:
    """The later months are complete, so a run of the one month gives the new customer a row in each of them."""
    pipeline.fill(state([user(1), user(2)], [fob_reading(1, 1, "2025-02-03")]))
    pipeline.run()
    pipeline.fill(state([user(1), user(2)], [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 2, "2025-03-03")]))
    pipeline.run(["2025-03"])
    balances = pipeline.ledger().balances
    closing = {month: row.closing_balance for (customer, month), row in balances.items() if customer == 2}
    assert closing == dict.fromkeys(["2025-03", "2025-04", "2025-05", "2025-06"], -1000)


def test_reading_that_becomes_unusable_leaves_the_ledger(pipeline: Pipeline) -> None:
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run()
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03", "x"), fob_reading(2, 1, "2025-02-04")]))
    pipeline.run(["2025-02"])
    assert loaded_readings(pipeline) == [(2, 1, "2025-02")]
    assert pipeline.ledger().transactions.keys() == {2}
    assert rejections_by_id(pipeline).keys() == {"1"}


SPELLINGS = {
    "plain": '{"waktu": "2025-03-05 10:00", "volume_sm3": 5}',
    "without blanks": '{"waktu":"2025-03-05T10:00:00","volume_sm3":5}',
    "twice encoded": json.dumps('{"waktu": "2025-03-05 10:00", "volume_sm3": 5}'),
    "thrice encoded": json.dumps(json.dumps('{"waktu": "2025-03-05 10:00", "volume_sm3": 5}')),
    "first moment": '{"waktu": "2025-03-01", "volume_sm3": 5}',
    "last moment": '{"waktu": "2025-03-31 23:59:59.999999", "volume_sm3": 5}',
    "utc, the day before": '{"waktu": "2025-02-28T17:00:00Z", "volume_sm3": 5}',
    "westernmost offset in use": '{"waktu": "2025-02-28T05:00:00-12:00", "volume_sm3": 5}',
    "westernmost offset that can be written": '{"waktu": "2025-02-27T17:30:00-23:59", "volume_sm3": 5}',
    "easternmost offset that can be written": '{"waktu": "2025-04-01T16:58:59+23:59", "volume_sm3": 5}',
    "an escaped dash": r'{"waktu": "2025\u002d03-05 10:00", "volume_sm3": 5}',
    "escaped digits, twice encoded": json.dumps(r'{"waktu": "2025-0\u0033-05 10:00", "volume_sm3": 5}'),
    "easternmost offset in use": '{"waktu": "2025-04-01T06:59:59+14:00", "volume_sm3": 5}',
    "metered": '{"pembacaan_awal": {"waktu": "2025-03-05 10:00"}, "volume_flow_meter": 5}',
    "another month in periode_input": '{"waktu": "2025-03-05 10:00", "volume_sm3": 5, "periode_input": "2025-05"}',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_run_of_one_month_reads_every_spelling_of_its_dates(pipeline: Pipeline, spelling: str) -> None:
    pipeline.fill(state([user(1)], [reading_row(1, 1, SPELLINGS[spelling])]))
    pipeline.load(Scope(("2025-01", "2025-02")))
    assert loaded_readings(pipeline) == []
    pipeline.load(Scope(("2025-03",)))
    assert loaded_readings(pipeline) == [(1, 1, "2025-03")]
    for month in ("2025-02", "2025-04", "2025-06", "2025-03"):
        pipeline.load(Scope((month,)))
        assert loaded_readings(pipeline) == [(1, 1, "2025-03")], f"lost by a run of {month}"


MONTHLESS = {
    "null": None,
    "blank": '"  "',
    "no object": "[]",
    "no moment": '{"waktu": null, "volume_sm3": 5}',
    "no moment, but an end": '{"pembacaan_awal": {}, "pembacaan_akhir": {"waktu": "2025-03-05"}}',
    "in the future": '{"waktu": "2030-01-01", "volume_sm3": 5, "periode_input": "2025-05"}',
    "before the first month": '{"pembacaan_awal": {"waktu": "2024-12-31"}, "pembacaan_akhir": {"waktu": "2025-01-03"}}',
}


@pytest.mark.parametrize("kind", MONTHLESS)
def test_row_without_month_stays_rejected(pipeline: Pipeline, kind: str) -> None:
    pipeline.fill(state([user(1)], [reading_row(1, 1, MONTHLESS[kind])]))
    pipeline.load(Scope(pipeline.horizon.months))
    assert rejections_by_id(pipeline).keys() == {"1"}
    for month in ("2025-06", "2025-03", "2025-01"):
        pipeline.load(Scope((month,)))
        assert rejections_by_id(pipeline).keys() == {"1"}, f"removed by a run of {month}"
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-06-01")]))
    pipeline.load(Scope(("2025-06",)))
    assert rejections_by_id(pipeline) == {}
    assert loaded_readings(pipeline) == [(1, 1, "2025-06")]


@pytest.mark.parametrize("kind", [kind for kind in MONTHLESS if "2025-" not in str(MONTHLESS[kind])])
def test_run_of_current_month_rejects_row_without_month(pipeline: Pipeline, kind: str) -> None:
    pipeline.fill(state([user(1)], [reading_row(1, 1, MONTHLESS[kind])]))
    pipeline.load(Scope(("2025-06",)))
    assert rejections_by_id(pipeline).keys() == {"1"}
