"""Reference for the ledger (docs/rules.md), computed one row at a time, as an accountant would.

The product is tested against the reference, which shares no code with it. To change a rule, change docs/rules.md, this
file and a folder of `scenarios`, in this order, before the product.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from ledger_pipelines_tests.reference.model import Ledger, MonthlyBalance, SourceState, Transaction
from ledger_pipelines_tests.reference.values import (
    BLANKS,
    NUMBER_LIMIT,
    Json,
    Moment,
    NotANumberError,
    NotJsonError,
    UnparsableError,
    column_number,
    is_missing,
    is_year_month,
    moment,
    months,
    number,
    read_json,
    rounded,
)

WIB: Final = ZoneInfo("Asia/Jakarta")
PRICE_FIELDS: Final = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")
BASE_PRESSURE: Final = Fraction("1.01325")
ID_LIMIT: Final = 2**63
NUMBER_COLUMNS: Final = ("total_deposit", "total_purchases", *PRICE_FIELDS)

REASONS: Final = {
    "unreadable_reading": "data_input is missing, is not JSON or is not an object",
    "bad_id": "the id of the row, or of its customer, is not from 1 to 2^63 - 1",
    "bad_customer_row": "the row in users is a customer, and its id or one of its numbers is invalid",
    "unknown_customer": "no user has this id",
    "not_a_customer": "the user's role is neither customer nor fob",
    "not_an_object": "the entry of the list is not an object",
    "no_moment": "the moment or date is missing",
    "bad_moment": "the moment or date cannot be parsed",
    "after_current_month": "dated after the current month",
    "before_first_month": "dated before the first month of the partitions",
    "no_volume": "the volume is missing",
    "bad_volume": "the volume is not a number",
    "bad_bill": "harga_final is not a number",
    "negative_volume": "the volume is negative",
    "no_price": "no price is known by any rule",
    "no_factor": "no correction factor is known by any rule",
    "no_amount": "the amount is missing",
    "bad_amount": "the amount is not a number",
    "bad_keterangan": "keterangan is neither penambahan nor pengurangan",
    "bad_price_field": "a field of the price entry is present but not a number",
    "bad_period": "start_date or end_date is missing or unparsable, or the end is before the start",
    "bad_year_month": "year_month is missing or not YYYY-MM",
    "unreadable_history": "the history is not JSON or not a list",
}

HistoryKey = tuple[int, str]


class RejectedError(Exception):
    """Error for a row that cannot be used; the message is the code of the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Horizon:
    """Months of the ledger, both ends included, and the company's time zone."""

    first_month: str
    current_month: str
    zone: tzinfo

    def moment(self, value: Json) -> Moment:
        """Return the moment of a reading or deposit; raise RejectedError if missing, unparsable or outside."""
        try:
            found = moment(value, self.zone)
        except UnparsableError as problem:
            raise RejectedError("bad_moment") from problem
        if found is None:
            raise RejectedError("no_moment")
        if found.month > self.current_month:
            raise RejectedError("after_current_month")
        if found.month < self.first_month:
            raise RejectedError("before_first_month")
        return found


@dataclass(frozen=True)
class PriceEntry:
    """Usable entry of a pricing history: a custom period (`start`, `end`) or a month (`year_month`)."""

    fields: dict[str, Decimal | None]
    year_month: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def contains(self, second: datetime) -> bool:
        """Return True for a custom period that contains the second, both ends included."""
        return self.start is not None and self.end is not None and self.start <= second <= self.end


@dataclass(frozen=True)
class PriceInForce:
    """The four price fields at a moment, with defaults filled in, and the rule that applied."""

    rule: str
    fields: dict[str, Decimal | None]


def compute_ledger(
    state: SourceState,
    *,
    first_month: str,
    current_month: str,
    zone: tzinfo = WIB,
    last_readable_texts: Mapping[HistoryKey, str | None] | None = None,
) -> Ledger:
    """Compute the whole ledger of a source.

    Args:
        state: Rows of the source.
        first_month: First month of the partitions, 'YYYY-MM'.
        current_month: Current month in WIB, 'YYYY-MM'.
        zone: The company's time zone.
        last_readable_texts: Last readable text of histories that may be unreadable now (see `last_readable`).
    """
    horizon = Horizon(first_month, current_month, zone)
    roles = {row["id"]: row["role"] for row in state.users}
    customers = {row["id"]: row for row in state.users if is_usable_customer(row)}
    ledger = Ledger(rejected=_rejected_customers(state, customers))
    deposits: dict[tuple[int, str], Fraction] = {}
    prices: dict[int, list[PriceEntry]] = {}
    for customer_id, row in customers.items():
        prices[customer_id] = []
        for source_id, entry in _history(row, "pricing_history", last_readable_texts or {}, ledger):
            try:
                prices[customer_id].append(price_entry(entry, zone))
            except RejectedError as refused:
                ledger.rejected["users", source_id] = refused.code
        for source_id, entry in _history(row, "deposit_history", last_readable_texts or {}, ledger):
            try:
                month, amount = deposit(entry, horizon)
            except RejectedError as refused:
                ledger.rejected["users", source_id] = refused.code
            else:
                deposits[customer_id, month] = deposits.get((customer_id, month), Fraction(0)) + Fraction(amount)
    for row in state.readings:
        try:
            ledger.transactions[row["id"]] = transaction(row, roles, customers, prices, horizon)
        except RejectedError as refused:
            ledger.rejected["data_pencatatan", str(row["id"])] = refused.code
    for customer_id in customers:
        ledger.balances.update(_balances(customer_id, deposits, ledger.transactions, current_month))
    return ledger


def _rejected_customers(state: SourceState, customers: Collection[int]) -> dict[tuple[str, str], str]:
    """Return the rows of `users` that are customers but cannot be used."""
    return {
        ("users", str(row["id"])): "bad_customer_row"
        for row in state.users
        if row["role"] in ("customer", "fob") and row["id"] not in customers
    }


def last_readable(
    state: SourceState, earlier: Mapping[HistoryKey, str | None] | None = None
) -> dict[HistoryKey, str | None]:
    """Return the last readable text of each customer's histories, as input of the next `compute_ledger`.

    Users who are not customers, and rejected customers, have no entry.
    """
    texts: dict[HistoryKey, str | None] = {}
    for row in filter(is_usable_customer, state.users):
        for column in ("deposit_history", "pricing_history"):
            key = (row["id"], column)
            if _readable(row[column]) is not None:
                texts[key] = row[column]
            elif earlier is not None and key in earlier:
                texts[key] = earlier[key]
    return texts


def is_usable_customer(row: Mapping[str, Any]) -> bool:
    """Return True if a row of `users` is a customer whose row is not rejected."""
    if row["role"] not in ("customer", "fob") or not _is_id(row["id"]):
        return False
    try:
        for name in NUMBER_COLUMNS:
            column_number(row[name])
    except NotANumberError:
        return False
    return True


def _is_id(value: object) -> bool:
    return isinstance(value, int) and 0 < value < ID_LIMIT


def _readable(text: str | None) -> list[Json] | None:
    """Return the list in a history column, or None if it is unreadable."""
    try:
        value = None if text is None else read_json(text)
    except NotJsonError:
        return None
    return [] if value is None else value if isinstance(value, list) else None


def _history(
    row: dict[str, Any], column: str, remembered: Mapping[HistoryKey, str | None], ledger: Ledger
) -> list[tuple[str, Json]]:
    """Return the entries of a history with their source ids; for an unreadable history, the last readable entries.

    Entries of the last readable text are not listed as rejected, because rejected rows describe the current source.
    """
    source_id = f"{row['id']}/{column}"
    entries = _readable(row[column])
    if entries is not None:
        return [(f"{source_id}/{position}", entry) for position, entry in enumerate(entries)]
    earlier = _readable(remembered.get((row["id"], column))) or []
    ledger.rejected["users", source_id] = "unreadable_history"
    return [(source_id, entry) for entry in earlier]


def deposit(entry: Json, horizon: Horizon) -> tuple[str, Decimal]:
    """Return the month and the signed amount (rupiah, 2 decimals) of an entry of a deposit history.

    Raises:
        RejectedError: the entry is not usable.
    """
    if not isinstance(entry, dict):
        raise RejectedError("not_an_object")
    month = horizon.moment(entry.get("date")).month
    amount = _number_or_reject(entry.get("amount"), "bad_amount")
    if amount is None:
        raise RejectedError("no_amount")
    keterangan = entry.get("keterangan")
    word = "penambahan" if is_missing(keterangan) else keterangan
    word = word.strip(BLANKS).lower() if isinstance(word, str) else ""
    if word == "pengurangan":
        return month, rounded(-abs(Fraction(amount)), 2)
    if word == "penambahan":
        return month, rounded(Fraction(amount), 2)
    raise RejectedError("bad_keterangan")


def price_entry(entry: Json, zone: tzinfo = WIB) -> PriceEntry:
    """Return a usable entry of a pricing history.

    Raises:
        RejectedError: the entry is not usable and counts as absent.
    """
    if not isinstance(entry, dict):
        raise RejectedError("not_an_object")
    fields = {name: _number_or_reject(entry.get(name), "bad_price_field") for name in PRICE_FIELDS}
    if entry.get("type") != "custom_period":
        year_month = entry.get("year_month")
        if not isinstance(year_month, str) or not is_year_month(year_month):
            raise RejectedError("bad_year_month")
        return PriceEntry(fields, year_month=year_month)
    try:
        start, end = moment(entry.get("start_date"), zone), moment(entry.get("end_date"), zone)
    except UnparsableError as problem:
        raise RejectedError("bad_period") from problem
    if start is None or end is None or end.last_second < start.to_the_second:
        raise RejectedError("bad_period")
    return PriceEntry(fields, start=start.to_the_second, end=end.last_second)


def price_in_force(at: Moment, entries: list[PriceEntry], defaults: Mapping[str, Any]) -> PriceInForce:
    """Return the price at a moment: first custom period, else first monthly entry, else defaults."""
    periods = [entry for entry in entries if entry.contains(at.to_the_second)]
    monthly = [entry for entry in entries if entry.year_month == at.month]
    chosen = (periods + monthly)[:1]
    rule = "custom_period" if periods else "monthly" if monthly else "default"
    fields = dict.fromkeys(PRICE_FIELDS) | (chosen[0].fields if chosen else {})
    return PriceInForce(rule, {name: defaults[name] if given is None else given for name, given in fields.items()})


def computed_factor(pressure: Decimal | None, temperature: Decimal | None) -> Decimal | None:
    """Return the correction factor from bar gauge and °C, exact and rounded once; None if unknown."""
    if pressure is None or temperature is None:
        return None
    p, t = Fraction(pressure), Fraction(temperature)
    if p <= -BASE_PRESSURE or t <= -273:
        return None
    exact = (p + BASE_PRESSURE) / BASE_PRESSURE * (300 / (t + 273)) * (1 + p / 500)
    return None if exact >= NUMBER_LIMIT else rounded(exact, 14)


def transaction(
    row: Mapping[str, Any],
    roles: Mapping[int, str | None],
    customers: Mapping[int, Mapping[str, Any]],
    prices: Mapping[int, list[PriceEntry]],
    horizon: Horizon,
) -> Transaction:
    """Return the transaction of a reading.

    Raises:
        RejectedError: the reading is not usable.
    """
    try:
        reading = read_json(row["data_input"]) if row["data_input"] is not None else None
    except NotJsonError as problem:
        raise RejectedError("unreadable_reading") from problem
    if not isinstance(reading, dict):
        raise RejectedError("unreadable_reading")
    customer_id = row["customer_id"]
    if not _is_id(row["id"]) or not _is_id(customer_id):
        raise RejectedError("bad_id")
    if customer_id not in customers:
        is_customer = roles.get(customer_id) in ("customer", "fob")
        is_user = customer_id in roles
        raise RejectedError("bad_customer_row" if is_customer else "not_a_customer" if is_user else "unknown_customer")
    fob = "volume_sm3" in reading
    opening = reading if fob else reading.get("pembacaan_awal")
    at = horizon.moment(opening.get("waktu") if isinstance(opening, dict) else None)
    volume = _number_or_reject(reading.get("volume_sm3" if fob else "volume_flow_meter"), "bad_volume")
    if volume is None:
        raise RejectedError("no_volume")
    try:
        column_number(row["harga_final"])
    except NotANumberError as problem:
        raise RejectedError("bad_bill") from problem
    if volume < 0:
        raise RejectedError("negative_volume")
    found = price_in_force(at, prices[customer_id], customers[customer_id])
    price, pressure, temperature, given = (found.fields[name] for name in PRICE_FIELDS)
    if price is None:
        raise RejectedError("no_price")
    factor = Decimal(1) if fob else computed_factor(pressure, temperature) if given is None else given
    if factor is None:
        raise RejectedError("no_factor")
    standard = Fraction(volume) * Fraction(factor)
    return Transaction(
        customer_id=customer_id,
        data_pencatatan_id=row["id"],
        year_month=at.month,
        transaction_date=at.at,
        volume_flow_meter=volume,
        koreksi_meter=factor,
        volume_sm3=rounded(standard, 4),
        harga_per_m3=price,
        total_harga=rounded(standard * Fraction(price), 2),
        rule=found.rule,
        tekanan_keluar=pressure,
        suhu=temperature,
    )


def _balances(
    customer_id: int,
    deposits: Mapping[tuple[int, str], Fraction],
    transactions: Mapping[int, Transaction],
    current_month: str,
) -> dict[tuple[int, str], MonthlyBalance]:
    """Return one customer's balances, from the first activity to the current month."""
    own = [one for one in transactions.values() if one.customer_id == customer_id]
    active = [one.year_month for one in own] + [month for owner, month in deposits if owner == customer_id]
    found: dict[tuple[int, str], MonthlyBalance] = {}
    opening = Fraction(0)
    for month in months(min(active), current_month) if active else ():
        paid = deposits.get((customer_id, month), Fraction(0))
        bought = sum((Fraction(one.total_harga) for one in own if one.year_month == month), Fraction(0))
        volume = sum((Fraction(one.volume_sm3) for one in own if one.year_month == month), Fraction(0))
        closing = opening + paid - bought
        found[customer_id, month] = MonthlyBalance(
            rounded(opening, 2), rounded(paid, 2), rounded(bought, 2), rounded(closing, 2), rounded(volume, 4)
        )
        opening = closing
    return found


def _number_or_reject(value: Json, code: str) -> Decimal | None:
    try:
        return number(value)
    except NotANumberError as problem:
        raise RejectedError(code) from problem
