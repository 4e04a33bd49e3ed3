"""The balance comparison by docs/rules.md, slowly: one customer and one reading after the other."""

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
class Reading:
    """A reading of a customer: whether it is usable, when it starts (if so), its bill, and its transaction's amount."""

    reading_id: int
    usable: bool
    start: datetime | None
    bill: Fraction
    amount: Fraction | None


@dataclass
class Comparison:
    """One customer: both balances, and what each reason adds to the difference (only amounts other than 0)."""

    last_month: str | None
    ledger_balance: Fraction
    application_balance: Fraction
    amounts: dict[str, Fraction] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    @property
    def difference(self) -> Fraction:
        """The one less the other."""
        return self.ledger_balance - self.application_balance

    @property
    def matches(self) -> bool:
        """Whether that is less than a cent."""
        return abs(self.difference) < CENT

    def add(self, reason: str, amount: Fraction, *, row: bool = True) -> None:
        """Let a reason account for so much, by a row or by a total."""
        if amount:
            self.amounts[reason] = self.amounts.get(reason, Fraction(0)) + amount
            self.rows[reason] += 1 if row else 0


def compare(state: SourceState, ledger: Ledger, *, first_month: str, current_month: str) -> dict[int, Comparison]:
    """Every customer's balance against the application's totals."""
    horizon = Horizon(first_month, current_month, WIB)
    return {
        row["id"]: _compared(row, list(_readings(row["id"], state, ledger, horizon)), ledger)
        for row in state.users
        if is_usable_customer(row)
    }


def _compared(row: dict[str, Any], readings: list[Reading], ledger: Ledger) -> Comparison:
    months = {month: balance for (owner, month), balance in ledger.balances.items() if owner == row["id"]}
    last = max(months) if months else None
    found = Comparison(
        last,
        Fraction(0 if last is None else months[last].closing_balance),
        Fraction(row["total_deposit"]) - Fraction(row["total_purchases"]),
    )
    for reading in readings:
        _take_reading(found, reading, readings)
    _take_total(found, Fraction(row["total_purchases"]), readings)
    _take_deposits(found, row, ledger)
    found.add("unexplained", found.difference - sum(found.amounts.values(), Fraction(0)), row=False)
    found.amounts = {reason: amount for reason, amount in found.amounts.items() if amount}
    return found


def _readings(customer_id: int, state: SourceState, ledger: Ledger, horizon: Horizon) -> Iterator[Reading]:
    for row in state.readings:
        if row["customer_id"] == customer_id:
            transaction = ledger.transactions.get(row["id"])
            why = ledger.rejected.get(("data_pencatatan", str(row["id"])))
            usable = transaction is not None or why in UNPRICED
            yield Reading(
                row["id"],
                usable,
                _start(row["data_input"], horizon) if usable else None,
                _bill(row["harga_final"]),
                None if transaction is None else Fraction(transaction.total_harga),
            )


def _bill(harga_final: Decimal | None) -> Fraction:
    """The bill of a reading; one that is no number counts for nothing."""
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


def _take_reading(found: Comparison, reading: Reading, readings: list[Reading]) -> None:
    if not reading.usable:
        found.add("rejected_readings", reading.bill)
        return
    if reading.amount is None:
        found.add("readings_without_price", reading.bill)
        return
    apart = reading.bill - reading.amount
    twins = [other for other in readings if other.usable and other.start == reading.start and other is not reading]
    if abs(apart) <= CENT:
        found.add("rounding", apart)
    elif reading.bill == 0 and twins:
        found.add("duplicate_readings", apart)
    else:
        found.add("billed_otherwise", apart)


def _take_total(found: Comparison, total: Fraction, readings: list[Reading]) -> None:
    """By how much the total is off its bills: cents, repetitions left out, out of date, or nobody knows."""
    off = total - sum((reading.bill for reading in readings), Fraction(0))
    cents = CENT * len(readings)
    repeated = sum((reading.bill for reading in readings if _repeats(reading, readings)), Fraction(0))
    if abs(off) <= cents:
        found.add("rounding", off, row=False)
    elif abs(off + repeated) <= cents:
        found.add("duplicate_readings", -repeated, row=False)
        found.add("rounding", off + repeated, row=False)
    elif abs(sum((reading.bill - (reading.amount or 0) for reading in readings), Fraction(0))) <= cents:
        found.add("application_total_stale", off, row=False)


def _repeats(reading: Reading, readings: list[Reading]) -> bool:
    """Whether an earlier reading starts when this one does."""
    return reading.usable and any(
        other.usable and other.start == reading.start and other.reading_id < reading.reading_id for other in readings
    )


def _take_deposits(found: Comparison, row: dict[str, Any], ledger: Ledger) -> None:
    listed, rounded_entries = Fraction(0), 0
    for position, entry in enumerate(_entries(row["deposit_history"])):
        amount = _signed(entry)
        if ("users", f"{row['id']}/deposit_history/{position}") in ledger.rejected:
            found.add("rejected_deposits", -(amount or Fraction(0)))
        else:
            assert amount is not None
            rounded_entries += abs(amount) != abs(Fraction(_number(entry) or 0))
        listed += amount or Fraction(0)
    off = listed - Fraction(row["total_deposit"])
    found.add("rounding" if abs(off) <= CENT * rounded_entries else "deposits_outside_list", off, row=False)


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
    """What an entry adds by its own word, rounded to 2 decimals; None if it does not say."""
    amount = _number(entry)
    keterangan = entry.get("keterangan") if isinstance(entry, dict) else None
    word = "penambahan" if is_missing(keterangan) else keterangan
    word = word.strip(BLANKS).lower() if isinstance(word, str) else ""
    if amount is None or word not in ("penambahan", "pengurangan"):
        return None
    exact = -abs(Fraction(amount)) if word == "pengurangan" else Fraction(amount)
    return Fraction(rounded(exact, 2))
