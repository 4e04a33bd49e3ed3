"""Parser of rows of the billing application: customers, price entries, deposits and readings.

Pure functions from a source row to records, by docs/rules.md, "Which rows count". An unusable row or entry becomes a
`Rejection` with its reason.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from ledger_pipelines import ids
from ledger_pipelines.domain import EXACT_CONTEXT, KIND_WITHOUT_KETERANGAN, DepositKind, PriceRule
from ledger_pipelines.horizon import Horizon, month_of, month_start, parse_month, shift_month
from ledger_pipelines.rejection_reasons import ReasonCode
from ledger_pipelines.sources.billing.records import (
    CUSTOMER_NUMBERS,
    CUSTOMER_ROLES,
    PRICE_FIELDS,
    Customer,
    Deposit,
    MeterReading,
    Price,
)
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import (
    UnusableError,
    add_clamped,
    encode_json,
    is_missing,
    parse_json,
    parse_moment,
    parse_number,
    parse_period,
    parse_text,
    quote_value,
    to_storable,
)

_CENT = Decimal("0.01")
_LAST_MONTH = "9999-12"
_KINDS = {kind.value: kind for kind in DepositKind}
_PLAIN_WORD = re.compile(r"\w{1,60}")

SourceRow = Mapping[str, Any]


def parse_customer(row: SourceRow, horizon: Horizon) -> Customer:
    """Parse the customer of a row of `users`.

    Raises:
        UnusableError: the id or one of the numbers is unusable. The customer then has no prices and no deposits.
    """
    _check_id(row["id"], "id")
    realtime = row["use_realtime_calculation"]
    return Customer(
        customer_id=row["id"],
        name=parse_text(row["name"]),
        email=parse_text(row["email"]),
        role=row["role"],
        no_kontrak=parse_text(row["no_kontrak"]),
        alamat=parse_text(row["alamat"]),
        nomor_tlpn=parse_text(row["nomor_tlpn"]),
        **{name: parse_number(row[name], name) for name in CUSTOMER_NUMBERS},
        use_realtime_calculation=True if realtime is None else bool(realtime),
        balance_last_updated_at=parse_timestamp(row["balance_last_updated_at"], horizon),
        created_at=parse_timestamp(row["created_at"], horizon),
        updated_at=parse_timestamp(row["updated_at"], horizon),
    )


def check_customer(row: SourceRow) -> None:
    """Check what makes the row of a customer usable; raises as `parse_customer`."""
    _check_id(row["id"], "id")
    for name in CUSTOMER_NUMBERS:
        parse_number(row[name], name)


def parse_prices(row: SourceRow, horizon: Horizon) -> Iterator[Price | Rejection]:
    """Yield the price entries of a row of `users`.

    Raises:
        UnusableError: the whole history is unreadable.
    """
    for position, entry in enumerate(_parse_history(row["pricing_history"])):
        try:
            yield _parse_price(row["id"], position, entry, horizon)
        except UnusableError as error:
            yield _rejected_entry(row["id"], "pricing_history", position, entry, error)


def parse_deposits(row: SourceRow, horizon: Horizon) -> Iterator[Deposit | Rejection]:
    """Yield the deposit entries of a row of `users`.

    Raises:
        UnusableError: the whole history is unreadable.
    """
    count_by_moment: Counter[datetime] = Counter()
    for position, entry in enumerate(_parse_history(row["deposit_history"])):
        try:
            deposit = _parse_deposit(row["id"], entry, horizon)
        except UnusableError as error:
            yield _rejected_entry(row["id"], "deposit_history", position, entry, error)
            continue
        yield deposit._replace(ordinal=count_by_moment[deposit.deposited_at])
        count_by_moment[deposit.deposited_at] += 1


def reject_history(row: SourceRow, column: str, error: UnusableError) -> Rejection:
    """Return the rejection of a whole history that cannot be read."""
    return Rejection("users", f"{row['id']}/{column}", row["id"], None, error.reason, to_storable(row[column]))


def parse_reading(row: SourceRow, horizon: Horizon) -> MeterReading | Rejection:
    """Parse the reading of a row of `data_pencatatan`, which includes its customer's `role` and `user_id`."""
    try:
        return _parse_reading(row, horizon)
    except UnusableError as error:
        raw = raw_row({name: value for name, value in row.items() if name not in ("role", "user_id")})
        customer_id = ids.bigint_or_none(row["customer_id"])
        return Rejection("data_pencatatan", str(row["id"]), customer_id, error.year_month, error.reason, raw)


def _parse_reading(row: SourceRow, horizon: Horizon) -> MeterReading:
    data = parse_json(row["data_input"])
    if not isinstance(data, dict):
        if data is None:
            raise UnusableError(ReasonCode.MISSING, column="data_input")
        raise UnusableError(ReasonCode.NOT_AN_OBJECT, column="data_input", value=quote_value(data))
    is_fob = "volume_sm3" in data
    start, end = (data, {}) if is_fob else (_object_in(data, "pembacaan_awal"), _object_in(data, "pembacaan_akhir"))
    _check_ids(row, start, horizon)
    name = "waktu" if is_fob else "pembacaan_awal.waktu"
    reading_at = parse_moment(start.get("waktu"), name, horizon.zone)
    if reading_at is None:
        raise UnusableError(ReasonCode.MISSING, column=name)
    year_month = month_in_horizon(reading_at, horizon)
    return MeterReading(
        reading_id=row["id"],
        customer_id=row["customer_id"],
        year_month=year_month,
        kind="fob" if is_fob else "metered",
        reading_at=reading_at,
        ended_at=_lenient(parse_moment, end.get("waktu"), "pembacaan_akhir.waktu", horizon.zone),
        volume=_required_number(data, "volume_sm3" if is_fob else "volume_flow_meter", year_month),
        opening_volume=None if is_fob else _lenient(parse_number, start.get("volume"), "pembacaan_awal.volume"),
        closing_volume=_lenient(parse_number, end.get("volume"), "pembacaan_akhir.volume"),
        harga_final=_number_in_month(row, "harga_final", year_month),
        status_pembayaran=parse_text(row["status_pembayaran"]),
        created_at=parse_timestamp(row["created_at"], horizon),
        updated_at=parse_timestamp(row["updated_at"], horizon),
    )


def _check_ids(row: SourceRow, start: SourceRow, horizon: Horizon) -> None:
    """Check the ids of a reading and that its user is a customer.

    Raises:
        UnusableError: an id is out of range, or the user is missing or no customer; with the reading's month if known.
    """
    at = _lenient(parse_moment, start.get("waktu"), "waktu", horizon.zone)
    month = at and month_of(at, horizon.zone)
    within = month if month and horizon.first <= month <= horizon.current else None
    for name in ("id", "customer_id"):
        _check_id(row[name], name, within)
    if row["user_id"] is None:
        raise UnusableError(ReasonCode.UNKNOWN_USER, year_month=within, user=row["customer_id"])
    if row["role"] not in CUSTOMER_ROLES:
        raise not_a_customer(row["customer_id"], row["role"], within)


def not_a_customer(user_id: int, role: str | None, year_month: str | None = None) -> UnusableError:
    """Return the error for the readings of a user whose role is no customer's.

    Rejection reasons are indexed, so the role is quoted and shortened unless it is a short word.
    """
    shown = role if role is not None and _PLAIN_WORD.fullmatch(role) else quote_value(role)
    return UnusableError(ReasonCode.NOT_A_CUSTOMER, year_month=year_month, user=user_id, role=shown)


def _check_id(value: object, name: str, year_month: str | None = None) -> None:
    if not ids.is_usable_id(value):
        raise UnusableError(
            ReasonCode.NOT_AN_ID, year_month=year_month, column=name, largest=ids.LARGEST, value=quote_value(value)
        )


def _number_in_month(data: SourceRow, name: str, year_month: str) -> Decimal | None:
    """Return the number in a field of a row of a known month, or None if it is missing."""
    try:
        return parse_number(data.get(name), name)
    except UnusableError as error:
        raise error.in_month(year_month) from None


def _required_number(data: SourceRow, name: str, year_month: str) -> Decimal:
    """Return the number that a row of a known month must have."""
    value = _number_in_month(data, name, year_month)
    if value is None:
        raise UnusableError(ReasonCode.MISSING, year_month=year_month, column=name)
    return value


def month_in_horizon(at: datetime, horizon: Horizon) -> str:
    """Return the month of a moment.

    Raises:
        UnusableError: the month is outside the horizon.
    """
    month = month_of(at, horizon.zone)
    if month > horizon.current:
        raise UnusableError(ReasonCode.AFTER_CURRENT_MONTH, month=month, current=horizon.current)
    if month < horizon.first:
        raise UnusableError(ReasonCode.BEFORE_FIRST_MONTH, month=month, first=horizon.first)
    return month


def _parse_price(customer_id: int, position: int, entry: object, horizon: Horizon) -> Price:
    if not isinstance(entry, dict):
        raise UnusableError(ReasonCode.ENTRY_NOT_AN_OBJECT, value=quote_value(entry))
    fields = {name: parse_number(entry.get(name), name) for name in PRICE_FIELDS}
    if entry.get("type") == PriceRule.CUSTOM_PERIOD:
        rule, (valid_from, valid_to) = PriceRule.CUSTOM_PERIOD, parse_period(entry, horizon.zone)
    else:
        rule, (valid_from, valid_to) = PriceRule.MONTHLY, _month_bounds(entry.get("year_month"), horizon)
    return Price(customer_id, position, rule, valid_from, valid_to, **fields, entry=encode_json(entry))


def _month_bounds(given: object, horizon: Horizon) -> tuple[datetime, datetime]:
    if is_missing(given):
        raise UnusableError(ReasonCode.MISSING, column="year_month")
    try:
        return _bounds(given if isinstance(given, str) else quote_value(given), horizon.zone)
    except ValueError:
        raise UnusableError(ReasonCode.NOT_A_MONTH, column="year_month", value=quote_value(given)) from None


@lru_cache(maxsize=1_000)
def _bounds(given: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start of a month, and its end as an exclusive bound; cached, since customers have the same months."""
    month = parse_month(given)
    start = month_start(month, zone)
    if month == _LAST_MONTH:
        return start, add_clamped(start, timedelta(days=31))
    return start, month_start(shift_month(month, 1), zone)


def _parse_deposit(customer_id: int, entry: object, horizon: Horizon) -> Deposit:
    if not isinstance(entry, dict):
        raise UnusableError(ReasonCode.ENTRY_NOT_AN_OBJECT, value=quote_value(entry))
    deposited_at = parse_moment(entry.get("date"), "date", horizon.zone)
    if deposited_at is None:
        raise UnusableError(ReasonCode.MISSING, column="date")
    month = month_in_horizon(deposited_at, horizon)
    given = _required_number(entry, "amount", month)
    kind = _deposit_kind(entry.get("keterangan"), month)
    description = parse_text(entry.get("description"))
    amount = kind.signed(round_rupiah(given))
    return Deposit(customer_id, month, deposited_at, 0, amount, given, kind, description)


def _deposit_kind(given: object, year_month: str) -> DepositKind:
    if is_missing(given):
        return KIND_WITHOUT_KETERANGAN
    kind = _KINDS.get(given.strip().lower()) if isinstance(given, str) else None
    if kind is None:
        raise UnusableError(
            ReasonCode.NOT_ONE_OF,
            year_month=year_month,
            column="keterangan",
            allowed=", ".join(DepositKind),
            value=quote_value(given),
        )
    return kind


def round_rupiah(amount: Decimal) -> Decimal:
    """Round an amount to 2 decimals, half away from zero."""
    with localcontext(EXACT_CONTEXT):
        return amount.quantize(_CENT)


def _parse_history(text: str | None) -> list[Any]:
    history = parse_json(text)
    if history is None:
        return []
    if not isinstance(history, list):
        raise UnusableError(ReasonCode.NOT_A_LIST, value=quote_value(history))
    return history


def _rejected_entry(customer_id: int, column: str, position: int, entry: object, error: UnusableError) -> Rejection:
    source_id = f"{customer_id}/{column}/{position}"
    return Rejection("users", source_id, customer_id, error.year_month, error.reason, encode_json(entry))


def reject_customer(row: SourceRow, error: UnusableError) -> Rejection:
    """Return the rejection of a customer's row of `users`."""
    return Rejection("users", str(row["id"]), ids.bigint_or_none(row["id"]), None, error.reason, raw_row(row))


def raw_row(row: SourceRow) -> str:
    """Return a source row as JSON text, with its values as the driver returns them."""
    return encode_json({name: None if value is None else str(value) for name, value in row.items()})


def _object_in(data: SourceRow, name: str) -> SourceRow:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _lenient(parse: Any, *arguments: Any) -> Any:
    """Parse a field that no amount depends on; None if it is unusable."""
    try:
        return parse(*arguments)
    except UnusableError:
        return None


def parse_timestamp(value: object, horizon: Horizon) -> datetime | None:
    """Return the moment in a timestamp column, a naive one in WIB; None if Python's calendar lacks it in WIB.

    Drivers return such values as text: a zero date, infinity, a year beyond 9999.
    """
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=horizon.zone) if value.tzinfo is None else value.astimezone(horizon.zone)
    except OverflowError:
        return None
