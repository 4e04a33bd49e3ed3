"""Parsing of single rows of the billing application, by docs/rules.md, "Which rows count"."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.sources.billing import parsing as billing_rows
from ledger_pipelines.sources.billing.records import Deposit, MeterReading, Price
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError
from ledger_pipelines_tests.reference.rows import reading_row, user_row

WIB = ZoneInfo("Asia/Jakarta")
HORIZON = Horizon("2025-01", "2025-06", WIB)
START = "2025-03-01 10:00:00"


def reading(data: object, role: str | None = "customer", **columns: Any) -> MeterReading | Rejection:
    """Parse a row with this `data_input`: text unchanged, anything else as JSON."""
    text = data if isinstance(data, str) or data is None else json.dumps(data)
    return billing_rows.parse_reading(reading_row(17, 5, text) | {"role": role, "user_id": 5} | columns, HORIZON)


def metered(**fields: Any) -> dict[str, Any]:
    """Return `data_input` of a metered reading."""
    data: dict[str, Any] = {
        "pembacaan_awal": {"waktu": START, "volume": 12205.49},
        "pembacaan_akhir": {"waktu": "2025-03-08 10:00:00", "volume": 12463.4},
        "volume_flow_meter": "257.90999999999985",
    }
    return data | fields


def fob(**fields: Any) -> dict[str, Any]:
    """Return `data_input` of a fob reading."""
    return {"waktu": "2025-03-27 09:32", "volume_sm3": "150", "keterangan": None} | fields


def at(text: str) -> datetime:
    """Return a moment in WIB."""
    return datetime.fromisoformat(text).replace(tzinfo=WIB)


def test_a_metered_reading() -> None:
    found = reading(metered(periode_input="2025-05"), harga_final=Decimal("12.30"))
    assert isinstance(found, MeterReading)
    assert found._replace(created_at=None, updated_at=None) == MeterReading(
        reading_id=17,
        customer_id=5,
        year_month="2025-03",
        kind="metered",
        reading_at=at("2025-03-01T10:00"),
        ended_at=at("2025-03-08T10:00"),
        volume=Decimal("257.90999999999985"),
        opening_volume=Decimal("12205.49"),
        closing_volume=Decimal("12463.4"),
        harga_final=Decimal("12.30"),
        status_pembayaran="belum_lunas",
        created_at=None,
        updated_at=None,
    )
    assert found.created_at == at("2025-01-02T08:00")


@pytest.mark.parametrize("role", ["customer", "fob"])
def test_the_shape_decides_the_kind_of_a_reading(role: str) -> None:
    found, other = reading(fob(), role), reading(metered(), role)
    assert isinstance(found, MeterReading)
    assert (found.kind, found.volume, found.ended_at, found.opening_volume) == ("fob", Decimal(150), None, None)
    assert isinstance(other, MeterReading)
    assert other.kind == "metered"


def test_a_reading_with_both_shapes_is_fob() -> None:
    found = reading(metered() | fob())
    assert isinstance(found, MeterReading)
    assert (found.kind, found.reading_at) == ("fob", at("2025-03-27T09:32"))


@pytest.mark.parametrize(
    ("data", "role", "reason", "month"),
    [
        (None, None, "data_input is missing", None),
        ("", "customer", "data_input is missing", None),
        ("null", "customer", "data_input is missing", None),
        ("{", "admin", "not JSON", None),
        ("[]", "customer", "data_input is not an object: \\[]", None),
        ("5", "customer", "data_input is not an object: 5", None),
        (metered(), None, r"user 5 is not a customer \(role null\)", "2025-03"),
        (metered(), "meja kas; " * 300, r"user 5 is not a customer \(role \"(?:meja kas; ){5}meja kas;…\)", "2025-03"),
        (metered(), "admin", r"user 5 is not a customer \(role admin\)", "2025-03"),
        (metered(), "Customer", r"user 5 is not a customer \(role Customer\)", "2025-03"),
        (fob(), None, r"user 5 is not a customer \(role null\)", "2025-03"),
        (fob(waktu="2024-12-31 23:59:59"), None, r"user 5 is not a customer \(role null\)", None),
        (fob(waktu="2025-07-01"), None, r"user 5 is not a customer \(role null\)", None),
        (fob(waktu="x"), None, r"user 5 is not a customer \(role null\)", None),
        (metered(pembacaan_awal={}), "customer", "pembacaan_awal.waktu is missing", None),
        (metered(pembacaan_awal=None), "customer", "pembacaan_awal.waktu is missing", None),
        (metered(pembacaan_awal=[START]), "customer", "pembacaan_awal.waktu is missing", None),
        (metered(pembacaan_awal={"waktu": "  "}), "customer", "pembacaan_awal.waktu is missing", None),
        ({"volume_flow_meter": 5, "waktu": START}, "customer", "pembacaan_awal.waktu is missing", None),
        (fob(waktu=None), "customer", "^waktu is missing", None),
        (fob(waktu=None, volume_sm3=None), "customer", "^waktu is missing", None),
        (fob(waktu="2025-02-29"), "customer", "waktu is not a date of the calendar", None),
        (metered(pembacaan_awal={"waktu": 5}), "customer", "pembacaan_awal.waktu is not a date and time", None),
        (fob(waktu="2025-07-01 00:00", volume_sm3="x"), "customer", "dated 2025-07, after the current month", None),
        (fob(waktu="2024-12-31 23:59:59"), "customer", "dated 2024-12, before 2025-01.*LEDGER_FIRST_MONTH", None),
        (fob(volume_sm3=None), "customer", "volume_sm3 is missing", "2025-03"),
        (fob(volume_sm3=" "), "fob", "volume_sm3 is missing", "2025-03"),
        (metered(volume_flow_meter=None), "customer", "volume_flow_meter is missing", "2025-03"),
        (fob(volume_sm3="12,5"), "customer", 'volume_sm3 is not a number: "12,5"', "2025-03"),
        (metered(volume_flow_meter=True), "customer", "volume_flow_meter is not a number: true", "2025-03"),
        (metered(volume_flow_meter=10**15), "customer", "volume_flow_meter is out of range", "2025-03"),
    ],
)
def test_an_unusable_reading(data: object, role: str | None, reason: str, month: str | None) -> None:
    found = reading(data, role)
    assert isinstance(found, Rejection)
    assert re.search(reason, str(found.reason))
    assert found[:4] == ("data_pencatatan", "17", 5, month)
    raw = json.loads(found.raw_row)
    assert "role" not in raw
    assert raw["id"] == "17"
    assert raw["data_input"] == (data if isinstance(data, str) or data is None else json.dumps(data))


def test_a_reading_without_user() -> None:
    found = reading(metered(), None, user_id=None)
    assert isinstance(found, Rejection)
    assert found[:4] == ("data_pencatatan", "17", 5, "2025-03")
    assert str(found.reason) == "customer 5 does not exist in users"
    assert "user_id" not in json.loads(found.raw_row)


@pytest.mark.parametrize("wrong", [0, -1, -(2**63) - 1, 2**63, 2**64 - 1, Decimal("1.5"), Decimal("NaN"), None])
def test_an_id_out_of_range(wrong: Any) -> None:
    """The rejection keeps the row's id as text, and the customer's id if the warehouse can store it."""
    expected = f"is not a whole number from 1 to 9223372036854775807: {'null' if wrong is None else wrong}"
    of_row, of_owner = reading(metered(), id=wrong), reading(metered(), customer_id=wrong)
    assert of_row[:4] == ("data_pencatatan", str(wrong), 5, "2025-03")
    assert of_owner[:4] == ("data_pencatatan", "17", wrong if wrong in (0, -1) else None, "2025-03")
    for found, name in ((of_row, "id"), (of_owner, "customer_id")):
        assert isinstance(found, Rejection)
        assert str(found.reason).replace('"', "") == f"{name} {expected}"


def test_a_bill_out_of_range() -> None:
    found = reading(metered(), harga_final=Decimal(10) ** 15)
    assert isinstance(found, Rejection)
    assert found.year_month == "2025-03"
    assert str(found.reason) == "harga_final is out of range (10^15 or more): 1000000000000000"


@pytest.mark.parametrize(
    ("waktu", "month"),
    [
        ("2025-01-01 00:00:00", "2025-01"),
        ("2024-12-31T17:00:00Z", "2025-01"),
        ("2025-03-31 23:59:59.999999", "2025-03"),
        ("2025-03-31T17:00:00Z", "2025-04"),
        ("2025-06-30 23:59:59", "2025-06"),
    ],
)
def test_the_month_of_a_reading_is_in_wib(waktu: str, month: str) -> None:
    for data in (fob(waktu=waktu), metered(pembacaan_awal={"waktu": waktu})):
        found = reading(data)
        assert isinstance(found, MeterReading)
        assert found.year_month == month


@pytest.mark.parametrize("end", [None, {}, "x", {"waktu": "2025-02-30", "volume": "x"}, {"waktu": [], "volume": {}}])
def test_an_unusable_end_does_not_reject_a_reading(end: object) -> None:
    found = reading(metered(pembacaan_akhir=end, pembacaan_awal={"waktu": START, "volume": "x"}))
    assert isinstance(found, MeterReading)
    assert (found.ended_at, found.opening_volume, found.closing_volume) == (None, None, None)


@pytest.mark.parametrize("stamp", ["0000-00-00 00:00:00", "infinity", datetime.max.replace(tzinfo=UTC), None])
def test_a_timestamp_outside_the_calendar_is_null(stamp: object) -> None:
    found = reading(fob(), created_at=stamp, updated_at=datetime.fromisoformat("9999-12-31"))
    assert isinstance(found, MeterReading)
    assert (found.created_at, found.updated_at) == (None, at("9999-12-31"))


def deposits(history: object) -> list[Deposit | Rejection]:
    """Parse the deposit entries of a history: text unchanged, anything else as JSON."""
    text = history if isinstance(history, str) or history is None else json.dumps(history)
    return list(billing_rows.parse_deposits(user_row(12, deposit_history=text), HORIZON))


def deposit(**fields: Any) -> dict[str, Any]:
    """Return a deposit entry."""
    entry = {"date": "2025-03-05 14:04:00", "amount": "100", "description": None, "keterangan": "penambahan"}
    return entry | fields


@pytest.mark.parametrize(
    ("fields", "signed"),
    [
        ({}, "100.00"),
        ({"keterangan": None}, "100.00"),
        ({"keterangan": " "}, "100.00"),
        ({"keterangan": " Penambahan "}, "100.00"),
        ({"keterangan": "pengurangan"}, "-100.00"),
        ({"keterangan": "PENGURANGAN", "amount": "-100"}, "-100.00"),
        ({"amount": -100}, "-100.00"),
        ({"amount": "0.005"}, "0.01"),
        ({"amount": "-0.005"}, "-0.01"),
        ({"amount": "0.00499999"}, "0.00"),
        ({"amount": "2.675"}, "2.68"),
        ({"amount": "0.005", "keterangan": "pengurangan"}, "-0.01"),
        ({"amount": "100000000000000.00499999999999999", "keterangan": "pengurangan"}, "-100000000000000.00"),
        ({"amount": "999999999999999.995"}, "1000000000000000.00"),
        ({"amount": "1e-40"}, "0.00"),
        ({"amount": 0}, "0.00"),
    ],
)
def test_a_deposit(fields: dict[str, Any], signed: str) -> None:
    (found,) = deposits([deposit(**fields)])
    assert isinstance(found, Deposit)
    assert found.amount.as_tuple() == Decimal(signed).as_tuple()
    assert found.year_month == "2025-03"
    assert found.amount_given == Decimal(deposit(**fields)["amount"])


def test_a_deposit_without_keterangan() -> None:
    (found,) = deposits('[{"date": "2025-03-05", "amount": 71930493.31}]')
    assert isinstance(found, Deposit)
    assert found == Deposit(
        12,
        "2025-03",
        at("2025-03-05T00:00"),
        0,
        Decimal("71930493.31"),
        Decimal("71930493.31"),
        "penambahan",
        None,
    )


@pytest.mark.parametrize(
    ("entry", "reason", "month"),
    [
        (5, "the entry is not an object: 5", None),
        (None, "the entry is not an object: null", None),
        ([], "the entry is not an object", None),
        ({}, "date is missing", None),
        (deposit(date="", amount=None), "date is missing", None),
        (deposit(date="05-03-2025", amount=None), "date is not a date and time", None),
        (deposit(date="2025-07-01", amount=None), "dated 2025-07, after the current month 2025-06", None),
        (deposit(date="2024-12-31", amount=None), "dated 2024-12, before 2025-01", None),
        (deposit(amount=None, keterangan="x"), "amount is missing", "2025-03"),
        (deposit(amount="1.000.000", keterangan="x"), "amount is not a number", "2025-03"),
        (deposit(keterangan="transfer"), 'keterangan is not one of penambahan, pengurangan: "transfer"', "2025-03"),
        (deposit(keterangan=0), "keterangan is not one of", "2025-03"),
        (deposit(keterangan=False), "keterangan is not one of", "2025-03"),
        (deposit(keterangan=[]), "keterangan is not one of", "2025-03"),
    ],
)
def test_an_unusable_deposit(entry: object, reason: str, month: str | None) -> None:
    before, found, after = deposits([deposit(), entry, deposit()])
    assert isinstance(found, Rejection)
    assert found[:4] == ("users", "12/deposit_history/1", 12, month)
    assert str(found.reason).startswith(reason)
    assert json.loads(found.raw_row) == entry
    assert isinstance(before, Deposit)
    assert isinstance(after, Deposit)
    assert (before.ordinal, after.ordinal) == (0, 1), "entries at the same moment have different ordinals"


@pytest.mark.parametrize("history", [None, "", "  ", "null", "[]", r'"[]"', r'"\"[]\""', '""'])
def test_an_empty_history(history: str | None) -> None:
    assert deposits(history) == []
    assert list(billing_rows.parse_prices(user_row(12, pricing_history=history), HORIZON)) == []


@pytest.mark.parametrize("history", ["{", "{}", "5", '"abc"', "[1,", "true", '"{}"', "NaN"])
def test_an_unreadable_history(history: str) -> None:
    with pytest.raises(UnusableError) as caught:
        deposits(history)
    row = user_row(12, deposit_history=history)
    rejection = billing_rows.reject_history(row, "deposit_history", caught.value)
    assert rejection == Rejection("users", "12/deposit_history", 12, None, caught.value.reason, history)


def price(entry: object, **fields: Any) -> Price | Rejection:
    """Parse an entry of a price history, at position 1."""
    given = entry | fields if isinstance(entry, dict) else entry
    history = json.dumps([{"year_month": "2025-01"}, given])
    return list(billing_rows.parse_prices(user_row(12, pricing_history=history), HORIZON))[1]


MONTHLY = {"date": "2025-03-01", "year_month": "2025-03", "harga_per_meter_kubik": "12500"}
CUSTOM = {"type": "custom_period", "start_date": "2025-03-10", "end_date": "2025-03-20 12:00", "koreksi_meter": 1.5}


def test_a_monthly_price() -> None:
    found = price(MONTHLY, suhu=25.010)
    assert isinstance(found, Price)
    assert found[:5] == (12, 1, "monthly", at("2025-03-01T00:00"), at("2025-04-01T00:00"))
    assert found[5:9] == (Decimal(12500), None, Decimal("25.01"), None)
    assert json.loads(found.entry) == MONTHLY | {"suhu": 25.01}


def test_a_price_of_a_custom_period() -> None:
    found = price(CUSTOM)
    assert isinstance(found, Price)
    assert found[:5] == (12, 1, "custom_period", at("2025-03-10T00:00"), at("2025-03-20T12:00:01"))
    assert found.koreksi_meter == Decimal("1.5")


def test_every_other_type_is_monthly() -> None:
    for kind in (None, "monthly", "Custom_Period", 5):
        found = price(MONTHLY, type=kind)
        assert isinstance(found, Price)
        assert found.rule == "monthly"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("x", 'the entry is not an object: "x"'),
        (MONTHLY | {"suhu": "panas", "year_month": None}, 'suhu is not a number: "panas"'),
        (CUSTOM | {"tekanan_keluar": {}, "start_date": None}, "tekanan_keluar is not a number"),
        (CUSTOM | {"koreksi_meter": "1e15"}, "koreksi_meter is out of range"),
        (CUSTOM | {"start_date": None}, "start_date is missing"),
        (CUSTOM | {"end_date": "besok"}, "end_date is not a date and time"),
        (CUSTOM | {"end_date": "2025-03-09"}, "the period ends before it starts"),
        (MONTHLY | {"year_month": None}, "year_month is missing"),
        (MONTHLY | {"year_month": " "}, "year_month is missing"),
        (MONTHLY | {"year_month": "2025-13"}, 'year_month is not a month: "2025-13"'),
        (MONTHLY | {"year_month": "2025-3"}, 'year_month is not a month: "2025-3"'),
        (MONTHLY | {"year_month": 202503}, "year_month is not a month: 202503"),
        (MONTHLY | {"year_month": ["2025-03"]}, 'year_month is not a month: ["2025-03"]'),
    ],
)
def test_an_unusable_price(entry: object, reason: str) -> None:
    found = price(entry)
    assert isinstance(found, Rejection)
    assert found[:4] == ("users", "12/pricing_history/1", 12, None)
    assert str(found.reason).startswith(reason)


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [("0.125", "0.13"), ("-0.125", "-0.13"), ("0.124999", "0.12"), ("7", "7.00"), ("999999999999999.9999", "1e15")],
)
def test_rupiah_are_rounded_half_away_from_zero(amount: str, rounded: str) -> None:
    assert billing_rows.round_rupiah(Decimal(amount)) == Decimal(rounded)


@given(cents=st.integers(-(10**17), 10**17))
def test_rupiah_of_two_decimals_stay_as_they_are(cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    assert billing_rows.round_rupiah(amount) == amount
    assert billing_rows.round_rupiah(amount + Decimal("0.005")) == (amount + Decimal("0.01") if cents >= 0 else amount)


def test_a_customer() -> None:
    row = user_row(3, role="fob", name="PT \x00 Uji", harga_per_meter_kubik=Decimal("12500.50"), suhu=None)
    found = billing_rows.parse_customer(row, HORIZON)
    assert (found.customer_id, found.role, found.name) == (3, "fob", "PT \ufffd Uji")
    assert (found.harga_per_meter_kubik, found.suhu) == (Decimal("12500.50"), None)
    assert found.created_at == at("2025-01-02T08:00")


@pytest.mark.parametrize(("given", "value"), [(None, True), (1, True), (0, False), (True, True), (False, False)])
def test_automatic_recalculation_of_a_customer(given: object, value: bool) -> None:
    found = billing_rows.parse_customer(user_row(3, use_realtime_calculation=given), HORIZON)
    assert found.use_realtime_calculation is value
