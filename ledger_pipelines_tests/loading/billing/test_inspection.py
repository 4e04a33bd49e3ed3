"""Inspection of the source before a load: counts as in the load, and the first month of the rows."""

import pytest

from ledger_pipelines.loading.billing.inspection import inspect
from ledger_pipelines.loading.rejections import RejectionSummary, first_plausible_month
from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import fob_reading, state, user

DEPOSITS = '[{"date": "2023-07-01", "amount": 5}, {"date": "2025-02-01", "amount": 5}, {"date": "2025-02-01"}, 7]'
PRICES = '[{"year_month": "2025-02"}, {"year_month": "2025-2"}]'


def test_inspection_counts_what_a_load_loads_and_rejects(pipeline: Pipeline) -> None:
    readings = [
        fob_reading(1, 1, "2025-02-03"),
        fob_reading(2, 1, "2023-05-03"),
        fob_reading(3, 1, "2023-06-03"),
        fob_reading(4, 1, "2025-02-03", -1),
    ]
    readings += [
        fob_reading(5, 9, "2025-02-03"),
        fob_reading(6, 17, "2025-02-03"),
        fob_reading(7, 1, "2025-02-03 1:2:3"),
        fob_reading(8, 3, None),
    ]
    customers = [user(1, deposit_history=DEPOSITS, pricing_history=PRICES), user(2, deposit_history="x"), user(3)]
    pipeline.fill(state(customers, readings))
    found = inspect(BillingSource(pipeline.source, pipeline.horizon))
    reports = {report.table: report for report in pipeline.run()}
    rejected = pipeline.rows(tables.rejected_rows)
    for table in (tables.customers, tables.prices, tables.deposits, tables.meter_readings):
        result, report = found[table.name], reports[qualified_name(table)]
        assert (result.usable, result.read) == (report.loaded, report.read)
        assert result.reasons.total == sum(row["asset"] == table.name for row in rejected)
    assert set.union(*(set(of.reasons.rows) for of in found.values())) == {row["reason_kind"] for row in rejected}
    result = found["meter_readings"]
    assert result.months == {"2023-05": 1, "2023-06": 1, "2025-02": 1}
    assert found["deposits"].months == {"2023-07": 1, "2025-02": 1}
    assert result.reasons.sentence("meter_readings", result.read) == (
        "7 of 8 readings are rejected: "
        "dated before 2025-01, the first month of the partitions (2, from 2023-05 to 2023-06); "
        "the customer does not exist in users (2); "
        "waktu is not a date and time (1); other reasons (2)."
    )
    assert result.reasons.examples["volume is negative"][1] == "data_pencatatan 4"


def test_sentence_of_single_row_is_singular() -> None:
    reasons = RejectionSummary()
    assert reasons.sentence("deposits", 3) == ""
    reason = RejectionReason.of(ReasonCode.BEFORE_FIRST_MONTH, month="2023-05", first="2025-01")
    reasons.add(reason, "users 1/deposit_history/0")
    assert reasons.sentence("deposits", 3) == (
        "1 of 3 deposit entries is rejected: dated before 2025-01, the first month of the partitions (1, in 2023-05)."
    )


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ({}, None),
        ({"2023-05": 1}, "2023-05"),
        ({"2023-05": 400, "2024-12": 400}, "2023-05"),
        ({"1999-05": 1, "2023-05": 400, "2024-12": 400}, "2023-05"),
        ({"1999-05": 1, "2008-01": 2, "2023-05": 400}, "2023-05"),
        ({"1999-05": 1, "2000-04": 1, "2024-12": 400}, "2024-12"),
        ({"2023-12": 1, "2024-12": 400}, "2023-12"),
        ({"2020-01": 30, "2024-12": 400}, "2020-01"),
        ({"0001-11": 300, "1970-01": 5}, "1970-01"),
    ],
)
def test_first_plausible_month(rows: dict[str, int], first: str | None) -> None:
    """A few rows, years before all others, are mistyped; months that the settings refuse are ignored."""
    assert first_plausible_month(rows) == first
