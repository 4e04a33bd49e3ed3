"""Parser of meter readings by column: the usual rows of a batch, for which each rule is a test of whole columns.

A row is usual if every value has its most common form: whole ids, a customer as owner, plain numbers (as numbers or as
text), times without offset, one object in `data_input` (encoded once or twice), and a month within the horizon. A usual
row is never rejected. `parsing.parse_reading` decides about all other rows, and gives the same result for a usual one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES, MeterReading
from ledger_pipelines.sources.values import MAX_JSON_DEPTH

_ID = r"^[1-9][0-9]{0,17}$"
_AMOUNT = r"^-?[0-9]{1,15}(\.[0-9]{1,40})?$"
_JSON_AMOUNT = r'^(-?[0-9]{1,15}(\.[0-9]{1,40})?|"-?[0-9]{1,15}(\.[0-9]{1,40})?")$'
_JSON_VOLUME = r'^([0-9]{1,15}(\.[0-9]{1,40})?|"[0-9]{1,15}(\.[0-9]{1,40})?")$'
_YEAR = "(19[7-9][0-9]|20[0-3][0-9])"
_DAY, _HOUR = "[0-9]{2}-[0-9]{2}", "([01][0-9]|2[0-3])"
_MOMENT = rf"^{_YEAR}-{_DAY}[T ]{_HOUR}:[0-9]{{2}}(:[0-9]{{2}})?$"
_TIMESTAMP = rf"^{_YEAR}-{_DAY} {_HOUR}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?$"
_WORD = r"^[A-Za-z0-9_ -]+$"
#: The years of `_YEAR`.
_FIRST_DAY, _LAST_DAY = datetime(1970, 1, 1), datetime(2040, 1, 1)  # noqa: DTZ001 - local times of any zone
_NULL = msgspec.Raw(b"null")
_ABSENT = msgspec.Raw()


@dataclass(frozen=True)
class UsualReadings:
    """Usual readings of a batch.

    Attributes:
        columns: Their values, as text, with the fields of `MeterReading`.
        others: Positions of the batch's other rows.
    """

    columns: pa.RecordBatch
    others: pa.Array


class _Point(msgspec.Struct, gc=False):
    """State of the meter at one end of a metered reading."""

    waktu: str | None = None
    volume: msgspec.Raw = _NULL


class _DataInput(msgspec.Struct, gc=False):
    """Content of `data_input`; its key `volume_sm3` makes it a fob reading."""

    volume_sm3: msgspec.Raw = _ABSENT
    volume_flow_meter: msgspec.Raw = _NULL
    waktu: str | None = None
    pembacaan_awal: _Point | None = None
    pembacaan_akhir: _Point | None = None


_decode = msgspec.json.Decoder(_DataInput).decode
_decode_text = msgspec.json.Decoder(str).decode
_NO_POINT = _Point()
#: Kind, moment, volume, end, opening and closing volume of a `data_input`.
_Fields = tuple[str | None, str | None, bytes | None, str | None, bytes | None, bytes | None]
_UNREADABLE: _Fields = (None,) * 6


@cache
def fixed_offset(zone: ZoneInfo) -> str | None:
    """Return the UTC offset of a zone, such as ``+07:00``; None if it changed since 1970 or changes until 2040."""
    days = (_LAST_DAY - _FIRST_DAY).days
    offsets = {(_FIRST_DAY + timedelta(days=day)).replace(tzinfo=zone).strftime("%z") for day in range(days)}
    (offset, *others) = offsets
    return None if others or len(offset) != len("+0700") else f"{offset[:3]}:{offset[3:]}"


def usual_readings(texts: pa.RecordBatch, horizon: Horizon) -> UsualReadings:
    """Parse the usual readings of a batch.

    Args:
        texts: Rows of `data_pencatatan` with their owner's `role` and `user_id`.
        horizon: Months of the partitions, in a zone with a `fixed_offset`.
    """
    offset = fixed_offset(horizon.zone)
    kind, at, volume, end, opening, closing = _data_input(texts["data_input"])
    month = pc.utf8_slice_codeunits(at, 0, len("YYYY-MM"))
    usual = _all(
        _matches(texts["id"], _ID),
        _matches(texts["customer_id"], _ID),
        pc.is_valid(texts["user_id"]),
        pc.is_in(texts["role"], pa.array(CUSTOMER_ROLES)),
        _matches(volume, _JSON_VOLUME),
        _is_moment(at, _MOMENT),
        pc.greater_equal(month, horizon.first),
        pc.less_equal(month, horizon.current),
        _is_null_or(end, _is_moment(end, _MOMENT)),
        *(_is_null_or(values, _matches(values, _JSON_AMOUNT)) for values in (opening, closing)),
        _is_null_or(texts["harga_final"], _matches(texts["harga_final"], _AMOUNT)),
        _is_null_or(texts["status_pembayaran"], _matches(texts["status_pembayaran"], _WORD)),
        *(_is_null_or(texts[name], _is_moment(texts[name], _TIMESTAMP)) for name in ("created_at", "updated_at")),
        _is_unique(texts["id"]),
    )
    columns = {
        "reading_id": texts["id"],
        "customer_id": texts["customer_id"],
        "year_month": month,
        "kind": kind,
        "reading_at": _with_offset(at, offset),
        "ended_at": _with_offset(end, offset),
        "volume": pc.utf8_trim(volume, '"'),
        "opening_volume": pc.utf8_trim(opening, '"'),
        "closing_volume": pc.utf8_trim(closing, '"'),
        "harga_final": texts["harga_final"],
        "status_pembayaran": texts["status_pembayaran"],
        "created_at": _with_offset(texts["created_at"], offset),
        "updated_at": _with_offset(texts["updated_at"], offset),
    }
    made = pa.RecordBatch.from_arrays([columns[name] for name in MeterReading._fields], names=MeterReading._fields)
    return UsualReadings(made.filter(usual), pc.indices_nonzero(pc.invert(usual)))


def _data_input(texts: pa.Array) -> tuple[pa.Array, ...]:
    """Return the fields of `data_input`, one column for each; all null if it has another shape."""
    kind, at, volume, end, opening, closing = zip(*map(_fields, texts.to_pylist()), strict=True)
    of_text = [pa.array(values, pa.string()) for values in (kind, at, end)]
    of_number = [pa.array(values, pa.binary()).cast(pa.string()) for values in (volume, opening, closing)]
    return of_text[0], of_text[1], of_number[0], of_text[2], of_number[1], of_number[2]


def _fields(text: str | None) -> _Fields:
    if text is None:
        return _UNREADABLE
    try:
        unwrapped = _decode_text(text) if text.startswith('"') else text
        if unwrapped.count("[") + unwrapped.count("{") > MAX_JSON_DEPTH:
            return _UNREADABLE
        data = _decode(unwrapped)
    except msgspec.MsgspecError:
        return _UNREADABLE
    volume = bytes(data.volume_sm3)
    if volume:
        return "fob", data.waktu, volume, None, None, None
    start, end = data.pembacaan_awal or _NO_POINT, data.pembacaan_akhir or _NO_POINT
    volume = bytes(data.volume_flow_meter)
    return "metered", start.waktu, volume, end.waktu, _present(start.volume), _present(end.volume)


def _present(raw: msgspec.Raw) -> bytes | None:
    value = bytes(raw)
    return None if value == b"null" else value


def _matches(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(texts, pattern)


def _is_moment(texts: pa.Array, pattern: str) -> pa.Array:
    """Return which texts match the pattern and are moments that the calendar and the clock have."""
    matching = _matches(texts, pattern)
    candidates = pc.if_else(matching, texts, None)
    try:
        candidates.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:  # at least one of them
        return pa.array([text is not None and _is_in_calendar(text) for text in candidates.to_pylist()])
    return matching


def _is_in_calendar(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _with_offset(texts: pa.Array, offset: str | None) -> pa.Array:
    return pc.binary_join_element_wise(texts, offset, "")


def _is_null_or(texts: pa.Array, condition: pa.Array) -> pa.Array:
    return pc.or_kleene(pc.is_null(texts), condition)


def _is_unique(ids: pa.Array) -> pa.Array:
    """Return which ids occur once; those of a NUMERIC column may differ in their zeros only, as 1 and 1.0 do."""
    numbers = pc.replace_substring_regex(ids, r"\.0+$", "")
    counts = pc.value_counts(numbers)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    return pc.invert(pc.is_in(numbers, repeated))


def _all(*conditions: pa.Array) -> pa.Array:
    """Return where all conditions are true; null counts as false."""
    together: pa.Array = conditions[0]
    for condition in conditions[1:]:
        together = pc.and_kleene(together, condition)
    return pc.fill_null(together, False)
