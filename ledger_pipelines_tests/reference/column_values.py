"""Values of the billing application's columns: small tables, clean values first, faulty values last.

A table repeats its values by weight, so that one draw is enough. Values are JSON as in `values.Json`: numbers are
numerals, digit for digit, and no value passes through a binary float.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

from hypothesis import strategies as st

from ledger_pipelines_tests.reference.values import Json, Numeral


class Absent(Enum):
    """Marker of a key that is absent from the object."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Cell: TypeAlias = "Json | Absent"
Defaults: TypeAlias = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None]
T = TypeVar("T")


def weighted(*groups: tuple[int, Sequence[T]]) -> tuple[T, ...]:
    """Repeat the values of each group so that its share of the table is about its weight."""
    size = max(len(values) * 100 // weight for weight, values in groups)
    return tuple(
        value for weight, values in groups for value in values for _ in range(size * weight // 100 // len(values) + 1)
    )


def pick(draw: st.DrawFn, table: Sequence[T]) -> T:
    """Draw a value of a table; the first value is the simplest.

    `st.sampled_from` would hash the whole table at every draw, which would take most of the time.
    """
    return table[draw(_positions(len(table)))]


@lru_cache(maxsize=1024)
def _positions(size: int) -> st.SearchStrategy[int]:
    return st.integers(0, size - 1)


def fields(**cells: Cell) -> dict[str, Json]:
    """Return the object with these keys, without the absent ones."""
    return {key: cell for key, cell in cells.items() if not isinstance(cell, Absent)}


def numerals(*texts: str) -> list[Cell]:
    """Return JSON numbers with these texts."""
    return [Numeral(text) for text in texts]


MISSING: Final[list[Cell]] = [ABSENT, None, "", "  "]
NOT_NUMBERS: Final[list[Cell]] = [
    "12,5", "NaN", "Infinity", "1_000", "0x10", ".", "1e", "1 000", "--1", "٣", True, False, [], {},
    [Numeral("1")],
    *numerals("1e15", "1000000000000000", "-1e15", "1e-41", "0e-41", "1e400", "NaN", "Infinity", "-Infinity"),
    "1000000000000000.0", "0." + "0" * 41, "1e-400", "9" * 60,
]  # fmt: skip
VOLUMES: Final = weighted(
    (78, [
        *numerals("100", "257.90999999999985", "12205.49", "1", "15473", "0.5", "33.335", "2.5e2", "150.00"),
        "150", "257.91", " 88.125 ", "1.5E+2", "+7", ".5", "12.", "0.0001",
    ]),
    (7, [*numerals("0", "0.0", "-0", "0e5"), "0"]),
    (6, [
        *numerals("12011212", "999999999999999", "1e14", "1e-40", "999999999999999.9999"),
        "0." + "3" * 40, "123456789012345.1234567890123456789012345678901234567890",
    ]),
    (3, [*numerals("-1", "-0.0001"), "-250"]),
    (3, MISSING),
    (3, NOT_NUMBERS),
)  # fmt: skip
PRICES: Final = weighted(
    (82, [*numerals("12500", "13500.50", "0.005", "7.77", "1.15e4"), "14000", " 9999.99 ", "333.333333"]),
    (4, numerals("0", "0.00")),
    (2, numerals("-100", "999999999999999")),
    (10, MISSING),
    (2, NOT_NUMBERS),
)
PRESSURES: Final = weighted(
    (73, [*numerals("0.85", "2", "0", "16.5", "0.850"), "1.013", "2.5"]),
    (5, numerals("-1.01325", "-2", "-1.01324", "250", "999999999999999")),
    (20, MISSING),
    (2, NOT_NUMBERS),
)
TEMPERATURES: Final = weighted(
    (73, [*numerals("25.01", "27", "30.5", "0", "-40"), "28", "2.6e1"]),
    (5, numerals("-273", "-300", "-272.99", "-272.9999999999999", "5000")),
    (20, MISSING),
    (2, NOT_NUMBERS),
)
FACTORS: Final = weighted(
    (45, [*numerals("1", "1.85431099999999", "1.15", "1.000000000000000001", "2e0"), "1.8543", "1.5"]),
    (3, numerals("0", "-1.5", "999999999999999", "1e-40")),
    (50, MISSING),
    (2, NOT_NUMBERS),
)
AMOUNTS: Final = weighted(
    (88, [
        *numerals("71930493.31", "1000000", "0.1", "0.005", "1.005", "-5000", "-0.005", "2.5e6", "0.00499"),
        "250000", " 12.345 ", "-750.50",
    ]),
    (3, numerals("0", "999999999999999.99")),
    (5, MISSING),
    (4, NOT_NUMBERS),
)  # fmt: skip
KETERANGAN: Final[tuple[Cell, ...]] = weighted(
    (56, [ABSENT, None, "penambahan"]),
    (38, ["pengurangan", "pengurangan", " Pengurangan ", "PENAMBAHAN", "", " ", "PENGURANGAN"]),
    (6, ["koreksi", "tambah", "penambahan.", Numeral("1"), True, []]),
)
NOT_MOMENTS: Final[list[Cell]] = [
    *MISSING, "2025-02-30", "2025-13-01", "01/03/2025", "2025-3-1", "2025-03-01T24:00", "2025-03-01 10:60",
    "besok", "2025-03-01 1:00", "2025-03-01T10:00:00.1234567", "2025-03-01T10", "20250301",
    "2025-03-01  10:00", "0000-00-00", "0000-00-00 00:00:00", "2025-03-01T10:00:00 WIB", "2025-03-01t10:00",
    "2025-03-01T10:00+7", Numeral("20250301"), Numeral("1740796200"), True, [], {"date": "2025-03-01"},
    "2025-03-01T10:00:00+07:00:00",
]  # fmt: skip
YEAR_MONTHS: Final[list[Cell]] = [
    *MISSING,
    "2025-13",
    "2025-00",
    "2025-3",
    "03-2025",
    "2025-03-01",
    Numeral("202503"),
]
PRICE_TYPES: Final = weighted((90, [ABSENT]), (10, [None, "monthly", "CUSTOM_PERIOD", "custom", Numeral("1")]))
DEFAULTS: Final[tuple[Defaults, ...]] = weighted(
    (70, [
        (Decimal("12000.00"), Decimal("0.850"), Decimal("25.01"), None),
        (Decimal("12000.00"), Decimal("2.000"), Decimal("27.00"), Decimal("1.85431099999999")),
        (Decimal("9876.54"), None, None, Decimal("1.00000000000000")),
        (Decimal("15500.25"), Decimal("0.000"), Decimal("27.00"), None),
        (Decimal("0.01"), Decimal("16.000"), Decimal("-12.50"), Decimal("99.99999999999999")),
    ]),
    (20, [
        (None, Decimal("0.850"), Decimal("25.01"), Decimal("1.25000000000000")),
        (Decimal("12000.00"), None, Decimal("25.01"), None),
        (Decimal("12000.00"), Decimal("0.850"), Decimal("-273.00"), None),
        (Decimal("12000.00"), Decimal("-1.014"), Decimal("27.00"), None),
        (Decimal("0.00"), Decimal("0.850"), Decimal("27.00"), Decimal("0.00000000000000")),
        (Decimal("99999999.99"), Decimal("-1.013"), Decimal("-272.99"), None),
    ]),
    (10, [(None, None, None, None)]),
)  # fmt: skip
NOT_A_LIST: Final = ("{}", "123", "true", '{"0": {"date": "2025-03-05", "amount": 5}}', '"[1"', '"tidak ada"')
NOT_JSON: Final = ("[", "tidak ada", '[{"date": "2025-03-05", "amount": 5},]', "a:0:{}", "[1,", "'[]'")
NOT_AN_OBJECT: Final[tuple[Json, ...]] = (
    None,
    Numeral("5"),
    "penambahan",
    True,
    [],
    [{"amount": Numeral("5")}],
)
NO_READING: Final = (
    None,
    "null",
    "[]",
    '""',
    "12",
    '"rusak"',
    '"[1"',
    '[{"volume_sm3": 5}]',
    "true",
    '"null"',
)


@lru_cache(maxsize=256)
def spellings(month: str) -> tuple[str, ...]:
    """Return texts of the `instants` of a month, in all accepted forms."""
    plain: list[str] = []
    exotic: list[str] = []
    for at in instants(month):
        text = at.isoformat()
        plain += [text, text.replace("T", " ")]
        if at.second == 0:
            plain.append(text[:16])
            exotic.append(text[:16].replace("T", " ") + "+0700")
        utc = at - timedelta(hours=7)
        exotic += [f"{text}.5", f"{text}.999999", f"{text}+07:00", f"{text.replace('T', ' ')}.000001"]
        exotic += [f"{utc.isoformat()}Z", f" {text} ", f"\t{text}\n"]
        exotic += [f"{(utc - timedelta(hours=5, minutes=30)).isoformat()}-05:30", text[:10]]
    return weighted((75, plain), (25, exotic))


@lru_cache(maxsize=256)
def instants(month: str) -> tuple[datetime, ...]:
    """Return the seconds of a month (WIB) used for readings, deposits and periods: its ends, and the `bounds`."""
    first = datetime.fromisoformat(f"{month}-01T00:00:00")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(seconds=1)
    second = timedelta(seconds=1)
    start, end = first.replace(day=5, hour=8), first.replace(day=20, hour=17, minute=30, second=59)
    middle = first.replace(day=12, hour=20, minute=45)
    return (first, start - second, start, start + second, middle, end - second, end, end + second, last)


@lru_cache(maxsize=256)
def bounds(month: str) -> tuple[datetime, ...]:
    """Return the seconds of a month at which custom periods start and end, in order."""
    first, _, start, _, middle, _, end, _, last = instants(month)
    return (first, start, middle, end, last)
