"""Reference for the balance comparison (docs/rules.md), one customer and one reading at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ledger_pipelines_tests.reference.ledger import WIB, Horizon, is_usable_customer
from ledger_pipelines_tests.reference.model import Ledger, SourceState
from ledger_pipelines_tests.reference.values import (
    BLANKS,
    Json,
    NotANumberError,
    NotJsonError,
    column_number,
    is_missing,
    number,
    read_json,
    rounded,
)

CENT = Fraction(1, 100)
UNPRICED = ("no_price", "no_factor")


@dataclass(frozen=True)
class BilledReading:
    """Reading of a customer, with its start if usable, its bill, and the amount of its transaction."""

    reading_id: int
    usable: bool
    start: datetime | None
    bill: Fraction
    amount: Fraction | None


@dataclass
class Comparison:
    """Comparison of one customer: both balances, and the amount of each reason that is not 0."""

    last_month: str | None
    ledger_balance: Fraction
    application_balance: Fraction
    amounts: dict[str, Fraction] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    @property
    def difference(self) -> Fraction:
        """Ledger balance less application balance."""
        return self.ledger_balance - self.application_balance

    @property
    def matches(self) -> bool:
        """True if the absolute difference is less than 0.01."""
        return abs(self.difference) < CENT

    def add(self, reason: str, amount: Fraction, *, row: bool = True) -> None:
        """Add an amount to a reason; ``row``: the amount comes from a row, not from a total."""
        if amount:
            self.amounts[reason] = self.amounts.get(reason, Fraction(0)) + amount
            self.rows[reason] += 1 if row else 0


def compare_balances(
    state: SourceState, ledger: Ledger, *, first_month: str, current_month: str
) -> dict[int, Comparison]:
    """Compare every customer's balance with the application's totals."""
    horizon = Horizon(first_month, current_month, WIB)
    return {
        row["id"]: _compared(row, list(_readings(row["id"], state, ledger, horizon)), ledger)
        for row in state.users
        if is_usable_customer(row)
    }


def _compared(row: dict[str, Any], readings: list[BilledReading], ledger: Ledger) -> Comparison:
    months = {month: balance for (owner, month), balance in ledger.balances.items() if owner == row["id"]}
    last = max(months) if months else None
    comparison = Comparison(
        last,
        Fraction(0 if last is None else months[last].closing_balance),
        Fraction(row["total_deposit"]) - Fraction(row["total_purchases"]),
    )
    for reading in readings:
        _explain_reading(comparison, reading, readings)
    _explain_total(comparison, Fraction(row["total_purchases"]), readings)
    _explain_deposits(comparison, row, ledger)
    comparison.add("unexplained", comparison.difference - sum(comparison.amounts.values(), Fraction(0)), row=False)
    comparison.amounts = {reason: amount for reason, amount in comparison.amounts.items() if amount}
    return comparison


def _readings(customer_id: int, state: SourceState, ledger: Ledger, horizon: Horizon) -> Iterator[BilledReading]:
    for row in state.readings:
        if row["customer_id"] == customer_id:
            transaction = ledger.transactions.get(row["id"])
            reason = ledger.rejected.get(("data_pencatatan", str(row["id"])))
            usable = transaction is not None or reason in UNPRICED
            yield BilledReading(
                row["id"],
                usable,
                _start(row["data_input"], horizon) if usable else None,
                _bill(row["harga_final"]),
                None if transaction is None else Fraction(transaction.total_harga),
            )


def _bill(harga_final: Decimal | None) -> Fraction:
    """Return the bill of a reading; a value that is not a number counts as 0."""
    try:
        return Fraction(column_number(harga_final) or 0)
    except NotANumberError:
        return Fraction(0)


def _start(data_input: str, horizon: Horizon) -> datetime:
    reading = read_json(data_input)
    assert isinstance(reading, dict)
    opening = reading if "volume_sm3" in reading else reading["pembacaan_awal"]
    assert isinstance(opening, dict)
    return horizon.moment(opening.get("waktu")).at


def _explain_reading(comparison: Comparison, reading: BilledReading, readings: list[BilledReading]) -> None:
    if not reading.usable:
        comparison.add("rejected_readings", reading.bill)
        return
    if reading.amount is None:
        comparison.add("readings_without_price", reading.bill)
        return
    difference = reading.bill - reading.amount
    duplicates = [other for other in readings if other.usable and other.start == reading.start and other is not reading]
    if abs(difference) <= CENT:
        comparison.add("rounding", difference)
    elif reading.bill == 0 and duplicates:
        comparison.add("duplicate_readings", difference)
    else:
        comparison.add("billed_otherwise", difference)


def _explain_total(comparison: Comparison, total: Fraction, readings: list[BilledReading]) -> None:
    """Explain the error of the total: rounding, repeated bills left out, or out of date; else unexplained."""
    error = total - sum((reading.bill for reading in readings), Fraction(0))
    limit = CENT * len(readings)
    repeated = sum((reading.bill for reading in readings if _repeats(reading, readings)), Fraction(0))
    if abs(error) <= limit:
        comparison.add("rounding", error, row=False)
    elif abs(error + repeated) <= limit:
        comparison.add("duplicate_readings", -repeated, row=False)
        comparison.add("rounding", error + repeated, row=False)
    elif abs(sum((reading.bill - (reading.amount or 0) for reading in readings), Fraction(0))) <= limit:
        comparison.add("application_total_stale", error, row=False)


def _repeats(reading: BilledReading, readings: list[BilledReading]) -> bool:
    """Return True if a reading with a smaller id has the same start."""
    return reading.usable and any(
        other.usable and other.start == reading.start and other.reading_id < reading.reading_id for other in readings
    )


def _explain_deposits(comparison: Comparison, row: dict[str, Any], ledger: Ledger) -> None:
    listed, rounded_entries = Fraction(0), 0
    for position, entry in enumerate(_entries(row["deposit_history"])):
        amount = _signed(entry)
        if ("users", f"{row['id']}/deposit_history/{position}") in ledger.rejected:
            comparison.add("rejected_deposits", -(amount or Fraction(0)))
        else:
            assert amount is not None
            rounded_entries += abs(amount) != abs(Fraction(_number(entry) or 0))
        listed += amount or Fraction(0)
    error = listed - Fraction(row["total_deposit"])
    comparison.add("rounding" if abs(error) <= CENT * rounded_entries else "deposits_outside_list", error, row=False)


def _entries(text: str | None) -> list[Json]:
    try:
        history = None if text is None else read_json(text)
    except NotJsonError:
        return []
    return history if isinstance(history, list) else []


def _number(entry: Json) -> Decimal | None:
    try:
        return number(entry.get("amount")) if isinstance(entry, dict) else None
    except NotANumberError:
        return None


def _signed(entry: Json) -> Fraction | None:
    """Return the signed amount of an entry, rounded to 2 decimals; None if the entry does not determine it."""
    amount = _number(entry)
    keterangan = entry.get("keterangan") if isinstance(entry, dict) else None
    word = "penambahan" if is_missing(keterangan) else keterangan
    word = word.strip(BLANKS).lower() if isinstance(word, str) else ""
    if amount is None or word not in ("penambahan", "pengurangan"):
        return None
    exact = -abs(Fraction(amount)) if word == "pengurangan" else Fraction(amount)
    return Fraction(rounded(exact, 2))
