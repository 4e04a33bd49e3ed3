"""Builders of small sources, and readers of the warehouse, for the tests of loading."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.rejection_reasons import REASON_COLUMNS, RejectionReason
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

FIRST, CURRENT = "2025-01", "2025-06"


def user(user_id: int, **columns: Any) -> dict[str, Any]:
    """Return a customer with a price and a correction factor."""
    price = {"harga_per_meter_kubik": Decimal("100.00"), "koreksi_meter": Decimal("1.5")}
    return user_row(user_id, **price | columns)


def fob_reading(reading_id: int, customer_id: int, waktu: object, volume: object = "10") -> dict[str, Any]:
    """Return a fob reading."""
    return reading_row(reading_id, customer_id, json.dumps({"waktu": waktu, "volume_sm3": volume}))


def fob_customer(customer_id: int, **deposits: str) -> dict[str, Any]:
    """Return a fob customer who pays 1 rupiah for a Sm³, with deposits by day: ``m03_05="100"``."""
    entries = ", ".join(
        f'{{"date": "2025-{day[1:].replace("_", "-")}", "amount": {amount}}}' for day, amount in deposits.items()
    )
    return user_row(customer_id, role="fob", harga_per_meter_kubik=1, deposit_history=f"[{entries}]")


def reason_values(reason: RejectionReason) -> dict[str, Any]:
    """Return the values of a reason's columns, to insert a rejected row."""
    return dict(zip(REASON_COLUMNS, reason.columns, strict=True)) | {"reason_params": dict(reason.params)}


def state(users: Sequence[dict[str, Any]] = (), readings: Sequence[dict[str, Any]] = ()) -> SourceState:
    """Return the state of a source."""
    return SourceState(tuple(users), tuple(readings))


def all_rows(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables, including timestamps."""
    return {str(table): [dict(row) for row in pipeline.rows(table)] for table in tables.metadata.sorted_tables}


def rejections_by_id(pipeline: Pipeline) -> dict[str, sa.RowMapping]:
    """Return the rejected rows by source id."""
    return {row["source_id"]: row for row in pipeline.rows(tables.rejected_rows)}


def loaded_readings(pipeline: Pipeline) -> list[tuple[int, int, str]]:
    """Return reading id, customer id and month of all loaded readings."""
    return [(row["reading_id"], row["customer_id"], row["year_month"]) for row in pipeline.rows(tables.meter_readings)]
