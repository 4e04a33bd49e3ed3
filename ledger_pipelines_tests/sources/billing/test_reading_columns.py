"""Readings parsed by column equal those parsed row by row: JSON at the edge of its grammar, and duplicate ids."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.sources.billing.parsing import parse_reading
from ledger_pipelines.sources.billing.reading_columns import usual_readings
from ledger_pipelines.sources.billing.records import MeterReading
from ledger_pipelines_tests.support.billing_pipeline import WIB

HORIZON = Horizon("2025-01", "2025-04", WIB)
FOB = '{"waktu": "2025-02-03 10:00", "volume_sm3": 5, "x": {"y": [1, -2.50, "s\\u00b3", null, true]}}'
METERED = (
    '{"pembacaan_awal": {"waktu": "2025-02-03 10:00", "volume": 1}, "volume_flow_meter": "1.50",'
    ' "pembacaan_akhir": {"waktu": "2025-02-03T11:00:00", "volume": "2.50"}}'
)
NESTED = FOB.replace("null", 60 * "[" + 60 * "]")
TOO_DEEP = FOB.replace("null", 101 * "[" + 101 * "]")
FAR_TOO_DEEP = FOB.replace("null", 100_000 * "[" + 100_000 * "]")
TOKENS = (
    *(
        "",
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "0",
        "-",
        ".",
        "e",
        "null",
        "NaN",
        "\t",
        "\x00",
        "\ufeff",
        " ",
        "\u0665",
    ),
    *("\\u0000", "\\ud800", "\\u0022", '"waktu"', '"volume_sm3"', '"2025-02-29 10:00"', "\u00e9", "\U0001f600"),
)


def batch(data_inputs: Sequence[str], ids: Sequence[str] | None = None) -> pa.RecordBatch:
    """Return a batch of readings of customer 1."""
    rows = len(data_inputs)
    values = {
        "id": ids or list(map(str, range(1, rows + 1))),
        "customer_id": rows * ["1"],
        "data_input": data_inputs,
        "harga_final": rows * ["0.00"],
        "status_pembayaran": rows * ["lunas"],
        "created_at": rows * [None],
        "updated_at": rows * [None],
        "role": rows * ["customer"],
        "user_id": rows * ["1"],
    }
    return pa.record_batch({name: pa.array(column, pa.string()) for name, column in values.items()})


def encoded_with_escapes(text: str) -> str:
    """Return JSON encoded as a JSON string, with its brackets as escapes."""
    return json.dumps(text).replace("[", "\\u005b").replace("{", "\\u007b")


def is_usual(data_input: str) -> bool:
    """Return whether the columns hold the reading of a row; if so, check it against the row-by-row parser."""
    found = usual_readings(batch([data_input]), HORIZON)
    if not len(found.columns):
        assert found.others.to_pylist() == [0]
        return False
    row = {"id": 1, "customer_id": 1, "data_input": data_input, "harga_final": Decimal("0.00")}
    row |= {"status_pembayaran": "lunas", "created_at": None, "updated_at": None, "role": "customer", "user_id": 1}
    expected = parse_reading(row, HORIZON)
    assert isinstance(expected, MeterReading)
    (reading,) = found.columns.to_pylist()
    for name in ("volume", "opening_volume", "closing_volume", "harga_final"):
        assert repr(reading[name] and Decimal(reading[name])) == repr(getattr(expected, name))
    for name in ("reading_at", "ended_at"):
        assert (reading[name] and datetime.fromisoformat(reading[name])) == getattr(expected, name)
    assert (reading["kind"], reading["year_month"]) == (expected.kind, expected.year_month)
    return True


@pytest.mark.parametrize("text", [FOB, METERED, NESTED], ids=["fob", "metered", "nested"])
def test_a_usual_reading_may_be_encoded_twice(text: str) -> None:
    assert is_usual(text)
    assert is_usual(json.dumps(text))
    assert is_usual(encoded_with_escapes(text))
    assert not is_usual(json.dumps(json.dumps(text)))


@pytest.mark.parametrize("text", [TOO_DEEP, FAR_TOO_DEEP], ids=["101 levels", "100,000 levels"])
def test_brackets_that_are_written_as_escapes_are_counted(text: str) -> None:
    assert not is_usual(text)
    assert not is_usual(json.dumps(text))
    assert not is_usual(encoded_with_escapes(text))


@given(
    text=st.sampled_from([FOB, METERED, json.dumps(FOB), json.dumps(METERED)]),
    edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.sampled_from(TOKENS)), min_size=1, max_size=3),
)
def test_what_the_columns_accept_is_valid_for_the_rows(text: str, edits: list[tuple[int, int, str]]) -> None:
    for position, removed, token in edits:
        text = text[:position] + token + text[position + removed :]
    is_usual(text)


def test_ids_of_a_numeric_column_that_differ_in_zeros_only_are_duplicates() -> None:
    found = usual_readings(batch(5 * [FOB], ["1", "1.0", "2", "10", "3.00"]), HORIZON)
    assert found.columns["reading_id"].to_pylist() == ["2", "10"]
    assert found.others.to_pylist() == [0, 1, 4]
