"""Rejected rows follow the source; a customer with an unreadable history keeps the loaded entries."""

import json

from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import all_rows, fob_reading, rejections_by_id, state, user


def test_rejection_is_removed_when_source_is_corrected(pipeline: Pipeline) -> None:
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03", "x"), fob_reading(2, 1, "2025-02-03", "y")]))
    pipeline.run()
    before = rejections_by_id(pipeline)
    assert before.keys() == {"1", "2"}
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03", "5"), fob_reading(2, 1, "2025-02-03", None)]))
    pipeline.run()
    after = rejections_by_id(pipeline)
    assert after.keys() == {"2"}
    assert after["2"]["reason"] == "volume_sm3 is missing"
    assert after["2"]["first_seen"] == before["2"]["first_seen"]
    assert after["2"]["last_seen"] > before["2"]["last_seen"]
    pipeline.fill(state([user(1)], []))
    pipeline.run()
    assert rejections_by_id(pipeline) == {}


def test_rejection_has_raw_row(pipeline: Pipeline) -> None:
    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03", "x")]))
    pipeline.run()
    row = rejections_by_id(pipeline)["1"]
    assert (row["asset"], row["source_table"], row["customer_id"]) == ("meter_readings", "data_pencatatan", 1)
    assert json.loads(json.loads(row["raw_row"])["data_input"]) == {"waktu": "2025-02-03", "volume_sm3": "x"}
    assert row["run_id"] == "test"


def test_scoped_load_keeps_rejections_of_other_customers(pipeline: Pipeline) -> None:
    pipeline.fill(
        state(
            [user(1), user(2)], [fob_reading(1, 1, None), fob_reading(2, 2, None), fob_reading(3, 2, "2025-02-01", "x")]
        )
    )
    pipeline.run()
    before = rejections_by_id(pipeline)
    pipeline.fill(state([user(1), user(2)], []))
    pipeline.run(customers=[1])
    assert rejections_by_id(pipeline) == {key: row for key, row in before.items() if key != "1"}


def test_unreadable_history_keeps_loaded_entries(pipeline: Pipeline) -> None:
    readable = {
        "deposit_history": '[{"date": "2025-02-01", "amount": 5}]',
        "pricing_history": '[{"year_month": "2025-02", "harga_per_meter_kubik": 7}]',
    }
    pipeline.fill(state([user(1, **readable), user(2, **readable)], [fob_reading(1, 1, "2025-02-03")]))
    pipeline.run()
    before = all_rows(pipeline)
    pipeline.fill(
        state(
            [user(1, deposit_history="[{", pricing_history='"x"'), user(2, **readable)],
            [fob_reading(1, 1, "2025-02-03")],
        )
    )
    reports = pipeline.run()
    after = all_rows(pipeline)
    for table in ("billing.deposits", "billing.prices", str(tables.transaction_calculations)):
        assert after[table] == before[table]
    assert after[str(tables.monthly_customer_balances)] == before[str(tables.monthly_customer_balances)]
    assert rejections_by_id(pipeline).keys() == {"1/deposit_history", "1/pricing_history"}
    assert [report.unreadable for report in reports] == [0, 1, 1, 0, 0, 0]
    pipeline.fill(state([user(1, deposit_history="[]"), user(2, **readable)], [fob_reading(1, 1, "2025-02-03")]))
    pipeline.run()
    assert [row["customer_id"] for row in pipeline.rows(tables.deposits)] == [2]
    assert [row["customer_id"] for row in pipeline.rows(tables.prices)] == [2]
    assert rejections_by_id(pipeline) == {}
