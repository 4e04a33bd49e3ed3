"""Hypothesis strategies for values at and beyond the bounds of the ledger: ids, numbers, texts, dates and JSON.

The values replace some values of a source. `strategies` draws sources, `mutations` draws the edits of users.
"""

import random
import string
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from ledger_pipelines_tests.reference import strategies as source
from ledger_pipelines_tests.reference.column_values import pick
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.reference.values import NotJsonError, read_json

Row = dict[str, Any]
Edit = Callable[[st.DrawFn, "ExtremeDraft"], None]

IDS: Final = (0, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1)
#: Ids that a NUMERIC column can hold and an unsigned integer column cannot.
MORE_IDS: Final = (-1, -(2**63), -(2**63) - 1, 2**64, 10**30 - 1)
NUMBERS: Final = tuple(
    map(Decimal, ("999999999999999.99", "1e15", "-1e15", "1e30", "-99999999999999999999999999999999999.5", "0.1", "-0"))
)
MORE_NUMBERS: Final = tuple(map(Decimal, ("NaN", "1e-41", "1e-40", "1e400", "1e131071")))
NUMBER_COLUMNS: Final = (
    "total_deposit", "total_purchases", "harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter",
)  # fmt: skip
#: Incompressible text, longer than a row of an index.
LONG: Final = "".join(random.Random(1).choices(string.ascii_letters + "äß€漢", k=9_000))
TEXTS: Final = (
    None,
    "",
    LONG,
    "\\",
    "\\N",
    "a\tb\nc\r",
    "\\.",
    "\u2028",
    "😀" * 3_000,
    "NULL",
    " customer",
    "CUSTOMER",
)
STAMPS: Final = ("1000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59", None)
MYSQL_STAMPS: Final = ("0000-00-00 00:00:00", "0001-01-01 00:00:00", "2025-00-00 00:00:00")
POSTGRES_STAMPS: Final = ("infinity", "-infinity", "0001-01-01 00:00:00", "4713-01-01 00:00:00 BC", "294276-12-31")
JSON_NUMBERS: Final = (
    "1e15", "-1e15", "1e999999", "0e999999", "1e-999999", "9" * 5_000, "0." + "1" * 5_000, "1" + "0" * 14, "-0", "NaN",
)  # fmt: skip
MOMENTS: Final = (
    "0000-00-00 00:00:00", "0000-01-01", "0001-01-01", "0001-01-01 00:00:00Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31", "9999-12-31 23:59:59.999999", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59",
    "10000-01-01", "-0001-01-01", "294277-01-01", "2025-03-01 00:00:00+99:99", "2025-02-29", LONG,
)  # fmt: skip
MONTHS: Final = ("0000-01", "0001-01", "9999-12", "10000-01", LONG)
ODD_JSON: Final = (
    "[" * 60 + "]" * 60,
    "[" * 99 + "]" * 99,  # readable as an entry of a list
    "[" * 100 + "]" * 100,
    "[" * 900 + "]" * 900,
    "[" * 5_000 + "]" * 5_000,
    '"\\u0000"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    f'"{LONG}"',
    f'{{"{LONG}": 1, "": null, "\\u0000": "\\u0000"}}',
    *JSON_NUMBERS,
)


class ExtremeDraft:
    """Source whose values are being replaced by extreme ones."""

    def __init__(self, state: SourceState, *, mysql: bool, unreadable: bool) -> None:
        self.users, self.readings = list(state.users), list(state.readings)
        self.mysql, self.unreadable = mysql, unreadable

    def position(self, draw: st.DrawFn, rows: list[Row]) -> int:
        """Draw the position of an existing row."""
        return draw(st.integers(0, len(rows) - 1))

    def history(self, draw: st.DrawFn, entries: Sequence[str], *odd: str) -> str:
        """Draw the list of the entries that are JSON or, if ``unreadable``, a value that is not a list."""
        readable = [entry for entry in entries if self.unreadable or _is_json(entry)]
        return pick(draw, (f"[{', '.join(readable)}]", *(odd if self.unreadable else ())))

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the extreme ids that the server's column can hold."""
        return IDS if self.mysql else (*IDS, *MORE_IDS)

    @property
    def numbers(self) -> tuple[Decimal, ...]:
        """Return the extreme numbers that the server's column can hold."""
        return NUMBERS if self.mysql else (*NUMBERS, *MORE_NUMBERS)

    @property
    def texts(self) -> tuple[str | None, ...]:
        """Return the texts that the server's column can hold."""
        return (*TEXTS, "a\x00b", "\x00") if self.mysql else TEXTS

    @property
    def stamps(self) -> tuple[str | None, ...]:
        """Return the timestamps that the server's column can hold."""
        return (*STAMPS, *(MYSQL_STAMPS if self.mysql else POSTGRES_STAMPS))


@st.composite
def with_extreme_values(
    draw: st.DrawFn, state: SourceState, *, mysql: bool, unreadable: bool = False, max_edits: int = 4
) -> SourceState:
    """Draw the source with some values at or beyond the bounds of the ledger.

    With `unreadable`, a whole history may be unreadable, so its last readable state counts.
    """
    draft = ExtremeDraft(state, mysql=mysql, unreadable=unreadable)
    for edit in draw(st.lists(st.sampled_from(EDITS), min_size=1, max_size=max_edits)):
        edit(draw, draft)
    return SourceState(tuple(draft.users), tuple(draft.readings))


def _change_user_id(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    """Give a user another id, with or without changing its readings."""
    row_id, position = pick(draw, draft.ids), draft.position(draw, draft.users)
    if any(row["id"] == row_id for row in draft.users):
        return
    before = draft.users[position]["id"]
    draft.users[position] = draft.users[position] | {"id": row_id}
    if draw(st.booleans()):
        draft.readings = [
            row | {"customer_id": row_id} if row["customer_id"] == before else row for row in draft.readings
        ]


def _change_reading_id(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    row_id = pick(draw, draft.ids)
    if any(row["id"] == row_id for row in draft.readings):
        return
    _change_reading(draw, draft, id=row_id)


def _change_owner(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    _change_reading(draw, draft, customer_id=pick(draw, (*draft.ids, None)))


def _change_bill(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    _change_reading(draw, draft, harga_final=pick(draw, draft.numbers))


def _change_status(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    _change_reading(draw, draft, status_pembayaran=pick(draw, draft.texts), nama_customer=pick(draw, draft.texts))


def _change_stamp(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    stamps = {name: pick(draw, draft.stamps) for name in ("created_at", "updated_at")}
    if draw(st.booleans()):
        _change_reading(draw, draft, **stamps)
    else:
        _change_user(draw, draft, **stamps, balance_last_updated_at=pick(draw, draft.stamps))


def _change_body(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    """Give a reading one extreme value."""
    start, volume, odd = (pick(draw, values) for values in (('"2025-02-03 10:00"', *_QUOTED), JSON_NUMBERS, ODD_JSON))
    closing = f'{{"waktu": {pick(draw, _QUOTED)}}}'
    body = pick(
        draw,
        (
            f'{{"pembacaan_awal": {{"waktu": {start}}}, "pembacaan_akhir": {closing}, "volume_flow_meter": 5}}',
            f'{{"pembacaan_awal": {{"waktu": "2025-02-03"}}, "volume_flow_meter": {volume}, "x": {odd}}}',
            f'{{"pembacaan_awal": {{"waktu": "2025-02-03", "volume": {odd}}}, "volume_flow_meter": "{volume}"}}',
            f'{{"waktu": {odd}, "volume_sm3": 7}}',
            f'{{"waktu": "2025-03-01", "volume_sm3": {odd}}}',
            odd,
            LONG,
        ),
    )
    _change_reading(draw, draft, data_input=body)


def _change_number(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    _change_user(draw, draft, **{pick(draw, NUMBER_COLUMNS): pick(draw, draft.numbers)})


def _change_text(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    names = ("name", "no_kontrak", "alamat", "nomor_tlpn", "email")
    _change_user(draw, draft, **{name: pick(draw, draft.texts) for name in names})


def _change_role(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    _change_user(draw, draft, role=pick(draw, draft.texts))


def _change_deposits(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    """Give a user deposits with one extreme value each, next to a normal deposit."""
    date, amount, odd = (pick(draw, values) for values in (_QUOTED, JSON_NUMBERS, ODD_JSON))
    entries = (
        '{"date": "2025-02-05", "amount": 1000}',
        f'{{"date": {date}, "amount": 5}}',
        f'{{"date": "2025-02-06", "amount": {amount}}}',
        f'{{"date": "2025-02-07", "amount": 7, "description": {odd}, "keterangan": null}}',
        f'{{"date": "2025-02-08", "amount": 7, "keterangan": {odd}}}',
        odd,
    )
    _change_user(draw, draft, deposit_history=draft.history(draw, entries, odd, LONG))


def _change_prices(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    """Give a user price entries with one extreme value each."""
    start, end, amount, odd = (pick(draw, values) for values in (_QUOTED, _QUOTED, JSON_NUMBERS, ODD_JSON))
    entries = (
        f'{{"type": "custom_period", "start_date": {start}, "end_date": {end}, "suhu": 5, "x": {odd}}}',
        f'{{"year_month": "{pick(draw, MONTHS)}", "harga_per_meter_kubik": 6}}',
        f'{{"year_month": "2025-02", "harga_per_meter_kubik": {amount}, "koreksi_meter": 2}}',
        f'{{"year_month": {odd}, "koreksi_meter": {amount}}}',
        odd,
    )
    _change_user(draw, draft, pricing_history=draft.history(draw, entries, odd, LONG))


def _restore_row(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    """Replace a row by a normal one."""
    if draw(st.booleans()) and draft.readings:
        position = draft.position(draw, draft.readings)
        draft.readings[position] = reading_row(
            _free_id(draft.readings), source.FIRST_CUSTOMER, '{"waktu": "2025-02-03 10:00", "volume_sm3": 5}'
        )
        return
    position = draft.position(draw, draft.users)
    row_id = draft.users[position]["id"] if draw(st.booleans()) else _free_id(draft.users)
    draft.users[position] = user_row(
        row_id,
        harga_per_meter_kubik=Decimal("12000.00"),
        koreksi_meter=Decimal("1.5"),
        deposit_history='[{"date": "2025-02-05", "amount": 1000}]',
    )


def _delete(draw: st.DrawFn, draft: ExtremeDraft) -> None:
    if draw(st.booleans()) and draft.readings:
        draft.readings.pop(draft.position(draw, draft.readings))
    elif len(draft.users) > 1:
        draft.users.pop(draft.position(draw, draft.users))


def _change_user(draw: st.DrawFn, draft: ExtremeDraft, **columns: Any) -> None:
    position = draft.position(draw, draft.users)
    draft.users[position] = draft.users[position] | columns


def _change_reading(draw: st.DrawFn, draft: ExtremeDraft, **columns: Any) -> None:
    if draft.readings:
        position = draft.position(draw, draft.readings)
        draft.readings[position] = draft.readings[position] | columns


def _is_json(text: str) -> bool:
    try:
        read_json(text)
    except NotJsonError:
        return False
    return True


def _free_id(rows: list[Row]) -> int:
    taken = {row["id"] for row in rows} | {source.NO_CUSTOMER, source.UNKNOWN_CUSTOMER}
    return next(candidate for candidate in range(source.FIRST_CUSTOMER, 10_000) if candidate not in taken)


_QUOTED: Final = tuple(f'"{text}"' for text in MOMENTS)
EDITS: Final[tuple[Edit, ...]] = (
    _change_user_id,
    _change_user_id,
    _change_reading_id,
    _change_reading_id,
    _change_owner,
    _change_bill,
    _change_status,
    _change_stamp,
    _change_body,
    _change_number,
    _change_number,
    _change_text,
    _change_role,
    _change_deposits,
    _change_prices,
    _restore_row,
    _restore_row,
    _delete,
)
