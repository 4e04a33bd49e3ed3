"""The reference against numbers worked out by hand, and properties that hold for any source."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_pipelines_tests.reference.ledger import (
    REASONS,
    WIB,
    Horizon,
    RejectedError,
    compute_ledger,
    computed_factor,
    deposit,
    last_readable,
    price_entry,
)
from ledger_pipelines_tests.reference.model import Ledger, MonthlyBalance, SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.reference.values import Json, Numeral, months

FIRST, CURRENT = "2025-01", "2025-06"
HORIZON = Horizon(FIRST, CURRENT, WIB)


def _ledger(user: dict[str, Any], *readings: str) -> Ledger:
    rows = tuple(reading_row(10 + place, user["id"], text) for place, text in enumerate(readings))
    return compute_ledger(SourceState((user,), rows), first_month=FIRST, current_month=CURRENT)


def _metered(waktu: str, volume: str) -> str:
    return f'{{"pembacaan_awal": {{"waktu": "{waktu}"}}, "volume_flow_meter": {volume}}}'


def _priced(**columns: Any) -> dict[str, Any]:
    return user_row(1, harga_per_meter_kubik=Decimal(1000), koreksi_meter=Decimal("1.5"), **columns)


def test_transaction_matches_documented_check() -> None:
    """1.86325 / 1.01325 × 300 / 298.01 × 1.0017 is 1.8543111447558963…, and 15473 times that 28691.7563…."""
    factor = computed_factor(Decimal("0.85"), Decimal("25.01"))

    assert factor == Decimal("1.85431114475590")
    one = _ledger(
        user_row(1, harga_per_meter_kubik=Decimal(12000), tekanan_keluar=Decimal("0.850"), suhu=Decimal("25.01")),
        _metered("2025-03-01T20:45:27", "15473"),
    ).transactions[10]
    assert (one.koreksi_meter, one.volume_sm3) == (factor, Decimal("28691.7563"))
    assert one.total_harga == Decimal("344301076.11")
    assert one.transaction_date == datetime(2025, 3, 1, 20, 45, 27, tzinfo=WIB)


@pytest.mark.parametrize(
    ("pressure", "temperature", "factor"),
    [
        ("0", "27", "1"),
        ("0", "-23", "1.2"),
        ("1.01325", "27", "2.004053"),
        ("0", "-272", "300"),
        ("-1.01325", "27", None),
        ("-2", "27", None),
        ("0", "-273", None),
        ("0", "-272.9999999999999", None),
        ("0", "-272.999999999999", "300000000000000"),
        ("0", "77", "0.85714285714286"),
        (None, "27", None),
        ("0", None, None),
    ],
)
def test_computed_factor(pressure: str | None, temperature: str | None, factor: str | None) -> None:
    found = computed_factor(
        None if pressure is None else Decimal(pressure), None if temperature is None else Decimal(temperature)
    )

    assert found == (None if factor is None else Decimal(factor))


@pytest.mark.parametrize(
    ("amount", "keterangan", "signed"),
    [
        ("1000", "penambahan", "1000"),
        ("-1000", "penambahan", "-1000"),
        ("1000", "pengurangan", "-1000"),
        ("-1000", " PENGURANGAN\t", "-1000"),
        ("0.005", None, "0.01"),
        ("-0.005", "", "-0.01"),
        ("1.005", "pengurangan", "-1.01"),
    ],
)
def test_deposit_is_signed_and_rounded(amount: str, keterangan: str | None, signed: str) -> None:
    entry: Json = {"date": "2025-03-31 23:59:59", "amount": Numeral(amount), "keterangan": keterangan}

    assert deposit(entry, HORIZON) == ("2025-03", Decimal(signed))


def test_first_reason_applies() -> None:
    assert _deposit_reason({}) == "no_moment"
    assert _deposit_reason({"date": "besok"}) == "bad_moment"
    assert _deposit_reason({"date": "2025-03-01", "keterangan": "x"}) == "no_amount"
    assert _deposit_reason({"date": "2025-03-01", "keterangan": "x", "amount": "x"}) == "bad_amount"
    assert _price_reason({"type": "custom_period", "suhu": "x"}) == "bad_price_field"
    assert _price_reason({"type": "custom_period", "start_date": "x"}) == "bad_period"
    assert _price_reason({"type": ["custom_period"]}) == "bad_year_month"


def _deposit_reason(entry: Any) -> str:
    with pytest.raises(RejectedError) as refused:
        deposit(entry, HORIZON)
    return refused.value.code


def _price_reason(entry: Any) -> str:
    with pytest.raises(RejectedError) as refused:
        price_entry(entry)
    return refused.value.code


def test_amount_is_rounded_once() -> None:
    """0.00005 × 1.5 = 0.000075 Sm³, stored as 0.0001; × 1000 = 0.075 rupiah, rounded once to 0.08."""
    one = _ledger(_priced(), _metered("2025-03-01", "0.00005")).transactions[10]

    assert (one.volume_sm3, one.total_harga) == (Decimal("0.0001"), Decimal("0.08"))


def test_months_run_to_the_current_one() -> None:
    ledger = _ledger(_priced(), _metered("2025-01-31T23:59:59", "2"))

    assert [month for _, month in ledger.balances] == list(months("2025-01", "2025-06"))
    assert ledger.balances[1, "2025-02"] == MonthlyBalance(
        Decimal(-3000), Decimal(0), Decimal(0), Decimal(-3000), Decimal(0)
    )


def test_decimal_context_does_not_matter() -> None:
    state = SourceState(
        (_priced(deposit_history='[{"date": "2025-03-01", "amount": -999999999999999.99}]'),),
        (reading_row(10, 1, _metered("2025-03-01", "123456789012345.12345678901234567890")),),
    )
    expected = compute_ledger(state, first_month=FIRST, current_month=CURRENT)
    with localcontext() as context:
        context.prec = 3
        found = compute_ledger(state, first_month=FIRST, current_month=CURRENT)

    assert found == expected
    assert expected.transactions[10].volume_sm3 == Decimal("185185183518517.6852")


def test_last_readable_history_survives_several_reads() -> None:
    history = '[{"date": "2025-03-01", "amount": 5}]'
    before = SourceState((_priced(deposit_history=history),))
    broken = SourceState((_priced(deposit_history="[{"),))
    memory = last_readable(broken, last_readable(broken, last_readable(before)))

    ledger = compute_ledger(broken, first_month=FIRST, current_month=CURRENT, last_readable_texts=memory)
    assert ledger.balances[1, "2025-03"].closing_balance == 5
    assert ledger.rejected == {("users", "1/deposit_history"): "unreadable_history"}
    empty = last_readable(SourceState((_priced(),)), memory)
    assert compute_ledger(broken, first_month=FIRST, current_month=CURRENT, last_readable_texts=empty).balances == {}


@settings(max_examples=60, deadline=None)
@given(state=source_states(first_month=FIRST, current_month=CURRENT))
def test_ledger_is_consistent_for_any_source(state: SourceState) -> None:
    ledger = compute_ledger(state, first_month=FIRST, current_month=CURRENT)

    rejected = {int(row) for table, row in ledger.rejected if table == "data_pencatatan"}
    assert {row["id"] for row in state.readings} == rejected | ledger.transactions.keys()
    assert set(ledger.rejected.values()) <= REASONS.keys()
    for one in ledger.transactions.values():
        exact = Fraction(one.volume_flow_meter) * Fraction(one.koreksi_meter)
        assert abs(Fraction(one.volume_sm3) - exact) <= Fraction(1, 20000)
        assert abs(Fraction(one.total_harga) - exact * Fraction(one.harga_per_m3)) <= Fraction(1, 200)
    for customer_id in {owner for owner, _ in ledger.balances}:
        own = {month: row for (owner, month), row in ledger.balances.items() if owner == customer_id}
        assert list(own) == list(months(min(own), CURRENT))
        opening = Fraction(0)
        for row in own.values():
            assert Fraction(row.opening_balance) == opening
            opening += Fraction(row.total_deposits) - Fraction(row.total_purchases)
            assert Fraction(row.closing_balance) == opening


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_row_order_does_not_matter(data: st.DataObject) -> None:
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    reversed_state = replace(state, users=state.users[::-1], readings=state.readings[::-1])

    assert compute_ledger(reversed_state, first_month=FIRST, current_month=CURRENT) == compute_ledger(
        state, first_month=FIRST, current_month=CURRENT
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_edit_changes_only_affected_customers(data: st.DataObject) -> None:
    state = data.draw(source_states(first_month=FIRST, current_month=CURRENT))
    edited, affected = data.draw(mutations(state, first_month=FIRST, current_month=CURRENT, unreadable=True))
    memory = last_readable(state)
    before = compute_ledger(state, first_month=FIRST, current_month=CURRENT)
    after = compute_ledger(edited, first_month=FIRST, current_month=CURRENT, last_readable_texts=memory)

    assert affected
    assert _others(before, affected, state) == _others(after, affected, edited)


def _others(ledger: Ledger, affected: frozenset[int], state: SourceState) -> Ledger:
    """Return the part of a ledger that does not belong to the affected customers."""
    owners = {str(row["id"]): row["customer_id"] for row in state.readings}
    return Ledger(
        {key: one for key, one in ledger.transactions.items() if one.customer_id not in affected},
        {key: row for key, row in ledger.balances.items() if key[0] not in affected},
        {
            (table, row): why
            for (table, row), why in ledger.rejected.items()
            if (owners[row] if table == "data_pencatatan" else int(row.split("/")[0])) not in affected
        },
    )
