"""Rows of an ERP table without a generator of its own come from its declaration."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger_pipelines.demo.erp import ErpDemoPlan
from ledger_pipelines.demo.erp.declared_rows import declared_rows
from ledger_pipelines.demo.erp.entities import ErpEntities
from ledger_pipelines.demo.erp.faults import BOOLEAN_SPELLINGS
from ledger_pipelines.demo.plan import WIB
from ledger_pipelines.sources.erp.catalogue import ErpTable, Kind
from ledger_pipelines_tests.support.erp import added_tables
from ledger_pipelines_tests.support.erp.added_tables import ADDED, INSPECTIONS, LIMITS

UNTIL = datetime(2025, 3, 17, 15, 30, tzinfo=WIB)
ENTITIES = ErpEntities(ErpDemoPlan(current_month="2025-03", until=UNTIL, months=6, rows_per_month=400))

Rows = dict[str, list[dict[str, str | None]]]


def rows_by_month(table: ErpTable) -> Rows:
    return {
        month.year_month: [dict(zip(table.names, row, strict=True)) for row in declared_rows(table, ENTITIES, month)]
        for month in ENTITIES.timeline.months
    }


def values_of(rows: Rows, name: str) -> list[str | None]:
    return [row[name] for of_month in rows.values() for row in of_month]


def test_every_month_has_rows_of_its_own() -> None:
    rows = rows_by_month(INSPECTIONS)
    assert list(rows) == ["2024-10", "2024-11", "2024-12", "2025-01", "2025-02", "2025-03"]
    for month, found in rows.items():
        assert len(found) == (27 if month == "2025-03" else 50), "the current month is over on the 17th"
        for row in found:
            assert str(row["inspection_date"] or row["planned_date"]).startswith(month)
    assert rows == rows_by_month(INSPECTIONS)


@pytest.mark.parametrize("key", [("inspection_no", "line_no"), ("line_no", "batch"), ("planned_date", "batch")])
def test_keys_are_unique_and_not_null(key: tuple[str, ...]) -> None:
    rows = rows_by_month(replace(INSPECTIONS, key=key))
    identifying = values_of(rows, next(name for name in key if name != "planned_date"))
    assert None not in identifying
    assert len(set(identifying)) == len(identifying)


def test_values_fit_the_kinds_of_their_columns() -> None:
    rows = rows_by_month(INSPECTIONS)
    for name in INSPECTIONS.names_of(Kind.DATE):
        days = {datetime.fromisoformat(value).date() for value in values_of(rows, name) if value}
        assert date(2024, 10, 1) <= min(days) < max(days) <= UNTIL.date()
    assert all(int(value) > 0 for value in values_of(rows, "line_no") if value)
    for name, scale in {"sample_qty": 4, "price": 10}.items():
        numbers = [Decimal(value) for value in values_of(rows, name) if value]
        assert {-int(number.as_tuple().exponent) for number in numbers} == {scale}
    assert set(values_of(rows, "is_passed")) <= {*BOOLEAN_SPELLINGS, None}
    for name in INSPECTIONS.names:
        assert (None in values_of(rows, name)) == (name not in INSPECTIONS.key), name


def test_snapshot_without_key_has_rows() -> None:
    rows = list(declared_rows(LIMITS, ENTITIES))
    assert len(rows) == len(ENTITIES.parts)
    assert rows == list(declared_rows(LIMITS, ENTITIES))
    assert all(None in column for column in zip(*rows, strict=True))


@pytest.mark.slow
def test_added_tables_are_seeded_changed_and_synced(embedded_url: sa.URL, tmp_path: Path) -> None:
    """The tables are only declared and created; assets, checks, sync, demo and its changes follow from that."""
    command = [sys.executable, "-m", added_tables.__name__, embedded_url.render_as_string(hide_password=False)]
    answer = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["first"]["status"], found["second"]["status"]) == ("completed", "completed"), found
    for name in (table.name for table in ADDED):
        first, second = found["first"][name], found["second"][name]
        assert first["rows_read"] == found["seeded"][name] > 30
        assert first["copied"] == first["rows_inserted"] == first["rows_read"] - first["rows_rejected"]
        assert first["rows_rejected"] > 0, "the demo's faults"
        assert {"change", "duplicate", "delete"} <= {done for table, done in found["changes"] if table == name}
        assert second["rows_inserted"] + second["rows_updated"] > 0
        assert second["copied"] == first["copied"] + second["rows_inserted"] - second["rows_deleted"]
    assert {"move", "insert"} <= {done for table, done in found["changes"] if table == INSPECTIONS.name}
