"""Hypothesis strategies for the billing application's two tables, with every known kind of faulty value.

Most rows are usable, and about half of the usable readings have a custom period or a monthly entry, because a property
that holds only for rejected rows proves little. `dirt` contains the tables of values, `mutations` the edits.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from ledger_pipelines_tests.reference import column_values
from ledger_pipelines_tests.reference.column_values import fields, pick
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.reference.values import Json, Numeral, months, write_json

FIRST_CUSTOMER = 11
NO_CUSTOMER = 90
UNKNOWN_CUSTOMER = 999
ROLES = column_values.weighted((65, ["customer"]), (35, ["fob"]))
OTHER_ROLES = ("admin", "superadmin", "keuangan", "demo", "Customer", "FOB", "customer ", "")
DEPTHS = column_values.weighted((78, [0]), (16, [1]), (6, [2]))
PERCENT = st.integers(0, 99)
OUTSIDE = ("1999-12-31T23:59:59", "2999-01-01 00:00", "9999-12-31T23:59:59Z", "0001-01-01 00:00:00+07:00")


@st.composite
def source_states(
    draw: st.DrawFn, *, first_month: str, current_month: str, max_customers: int = 3, max_readings: int = 12
) -> SourceState:
    """Draw a source whose customers, prices, deposits and readings concern a few months of the horizon."""
    active = draw(active_months(first_month=first_month, current_month=current_month))
    count = draw(st.integers(1, max_customers))
    users = [draw(customers(FIRST_CUSTOMER + position, active)) for position in range(count)]
    if draw(PERCENT) >= 70:
        users.append(draw(other_users(NO_CUSTOMER, active)))
    owners = owner_table(users)
    size = pick(draw, column_values.weighted((95, range(1, max_readings + 1)), (5, [0])))
    bodies = [(pick(draw, owners), draw(data_inputs(active))) for _ in range(size)]
    if bodies and draw(PERCENT) >= 85:
        bodies = [*bodies[: max_readings - 1], bodies[0]]  # the same reading, entered twice
    start, stride = pick(draw, ((1, 1), (17, 3), (900, -2), (2_000_000_000, 5)))
    return SourceState(
        users=tuple(users),
        readings=tuple(
            reading_row(start + stride * position, owner, body) for position, (owner, body) in enumerate(bodies)
        ),
    )


@st.composite
def active_months(draw: st.DrawFn, *, first_month: str, current_month: str) -> list[str]:
    """Draw one to four months of the horizon, which contain most rows of an example."""
    horizon = list(months(first_month, current_month))
    ends = [horizon[0], horizon[-1]]
    return sorted(set(draw(st.lists(st.sampled_from([*horizon, *ends]), min_size=1, max_size=4))))


def owner_table(users: Sequence[dict[str, Any]]) -> tuple[int, ...]:
    """Return the possible owners of a reading: mostly customers, sometimes another user or an unknown id."""
    mine = [row["id"] for row in users if row["role"] in ("customer", "fob")]
    return column_values.weighted((95, mine or [UNKNOWN_CUSTOMER]), (5, [UNKNOWN_CUSTOMER, NO_CUSTOMER]))


@st.composite
def moments(draw: st.DrawFn, active: Sequence[str]) -> column_values.Cell:
    """Draw a moment in one of the months, rarely outside the horizon, missing or unparsable."""
    kind = draw(PERCENT)
    if kind < 92:
        return pick(draw, column_values.spellings(pick(draw, active)))
    return pick(draw, column_values.NOT_MOMENTS if kind < 97 else OUTSIDE)


@st.composite
def encoded(draw: st.DrawFn, value: Json) -> str:
    """Draw the JSON text of a value, sometimes as a JSON string (of a JSON string).

    A JSON column rejects the tokens NaN and Infinity, so they occur only inside a string.
    """
    text = write_json(value)
    depth = pick(draw, DEPTHS)
    if "NaN" in text or "Infinity" in text:
        depth = max(depth, 1)
    for _ in range(depth):
        text = write_json(text)
    return text


@st.composite
def data_inputs(draw: st.DrawFn, active: Sequence[str]) -> str | None:
    """Draw the text of `data_input`: metered or fob, rarely not an object or with a duplicate key."""
    kind = draw(PERCENT)
    if kind >= 97:
        return pick(draw, column_values.NO_READING)
    text = draw(encoded(draw(metered_readings(active) if kind < 70 else fob_readings(active))))
    if kind < 3 and text.startswith("{"):
        return '{"volume_flow_meter": "dua", "pembacaan_awal": null, ' + text[1:]
    return text


@st.composite
def metered_readings(draw: st.DrawFn, active: Sequence[str]) -> dict[str, Json]:
    """Draw the object of a metered reading."""
    opening: dict[str, Json] = fields(waktu=draw(moments(active)), volume=Numeral("12205.49"))
    closing: dict[str, Json] = {"waktu": "2025-03-02T06:00:00", "volume": Numeral("12463.400000000001")}
    reading = fields(
        pembacaan_awal=opening,
        pembacaan_akhir=closing,
        volume_flow_meter=pick(draw, column_values.VOLUMES),
    )
    match draw(PERCENT):
        case 97:
            return reading | {"pembacaan_awal": pick(draw, column_values.NOT_AN_OBJECT)}
        case 98:
            return {key: value for key, value in reading.items() if key != "pembacaan_awal"}
        case extra if extra >= 80:
            return reading | {"periode_input": "2025-05", "waktu": "2025-01-01 00:00"}
    return reading


@st.composite
def fob_readings(draw: st.DrawFn, active: Sequence[str]) -> dict[str, Json]:
    """Draw the object of a fob reading; the key volume_sm3 is present even if its value is missing."""
    volume = pick(draw, column_values.VOLUMES)
    return {
        **fields(waktu=draw(moments(active))),
        "volume_sm3": None if volume is column_values.ABSENT else volume,
        "keterangan": None,
        "alamat_pengambilan": None,
    }


@st.composite
def deposit_entries(draw: st.DrawFn, active: Sequence[str]) -> Json:
    """Draw an entry of a deposit history."""
    if draw(PERCENT) >= 97:
        return pick(draw, column_values.NOT_AN_OBJECT)
    return fields(
        date=draw(moments(active)),
        amount=pick(draw, column_values.AMOUNTS),
        description=None,
        keterangan=pick(draw, column_values.KETERANGAN),
    )


@st.composite
def price_entries(draw: st.DrawFn, active: Sequence[str]) -> Json:
    """Draw an entry of a pricing history: monthly, a custom period, or neither."""
    kind = draw(PERCENT)
    if kind >= 98:
        return pick(draw, column_values.NOT_AN_OBJECT)
    figures = fields(
        harga_per_meter_kubik=pick(draw, column_values.PRICES),
        tekanan_keluar=pick(draw, column_values.PRESSURES),
        suhu=pick(draw, column_values.TEMPERATURES),
        koreksi_meter=pick(draw, column_values.FACTORS),
    )
    if kind < 35:
        start, end = draw(periods(active))
        return {"type": "custom_period", **fields(start_date=start, end_date=end), **figures}
    year_month = pick(draw, active if kind < 94 else column_values.YEAR_MONTHS)
    written = pick(draw, column_values.PRICE_TYPES)
    return {**fields(type=written, date="2025-03-01", year_month=year_month), **figures}


@st.composite
def periods(draw: st.DrawFn, active: Sequence[str]) -> tuple[column_values.Cell, column_values.Cell]:
    """Draw the two ends of a custom period, rarely in the wrong order, missing or unparsable."""
    ends = sorted(pick(draw, column_values.bounds(pick(draw, active))) for _ in range(2))
    match draw(PERCENT):
        case 95:
            return ends[1].isoformat(), (ends[0] - timedelta(seconds=1)).isoformat()
        case 96:
            return pick(draw, column_values.NOT_MOMENTS), ends[1].isoformat()
        case 97:
            return ends[0].isoformat(), pick(draw, column_values.NOT_MOMENTS)
        case style:
            return _spelled(ends[0], style), _spelled(ends[1], style // 2)


def _spelled(at: datetime, style: int) -> str:
    """Return a second as text: mostly plain, sometimes as a bare date, with a fraction or an offset."""
    text = at.isoformat()
    if style % 5 == 1:
        return text[:10]
    return {2: text.replace("T", " "), 3: f"{text}.75", 4: f"{text}+07:00"}.get(style % 7, text)


@st.composite
def histories(draw: st.DrawFn, entries: st.SearchStrategy[Json], *, json_column: bool) -> str | None:
    """Draw the text of a history column: a list, rarely NULL, blank, JSON null, or unreadable.

    A JSON column holds valid JSON, which may be a string with invalid JSON. The text column `deposit_history` may hold
    any text.
    """
    kind = draw(PERCENT)
    if kind < 90:
        return draw(encoded(draw(st.lists(entries, max_size=6))))
    if kind < 97:
        return pick(draw, (None, "null", '""', '"null"', '"  "', "[]", '"[]"', '"\\"[]\\""'))
    broken = pick(draw, (*column_values.NOT_A_LIST, *column_values.NOT_JSON))
    if json_column and broken in column_values.NOT_JSON:
        return write_json(broken)
    return broken


@st.composite
def customers(draw: st.DrawFn, customer_id: int, active: Sequence[str]) -> dict[str, Any]:
    """Draw a row of `users` that is a customer."""
    price, pressure, temperature, factor = pick(draw, column_values.DEFAULTS)
    return user_row(
        customer_id,
        pick(draw, ROLES),
        harga_per_meter_kubik=price,
        tekanan_keluar=pressure,
        suhu=temperature,
        koreksi_meter=factor,
        deposit_history=draw(histories(deposit_entries(active), json_column=False)),
        pricing_history=draw(histories(price_entries(active), json_column=True)),
    )


@st.composite
def other_users(draw: st.DrawFn, user_id: int, active: Sequence[str]) -> dict[str, Any]:
    """Draw a row of `users` that is not a customer but may have deposits."""
    return user_row(
        user_id,
        pick(draw, OTHER_ROLES),
        deposit_history=draw(histories(deposit_entries(active), json_column=False)),
    )
