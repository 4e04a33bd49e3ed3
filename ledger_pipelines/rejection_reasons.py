"""Reasons for which source rows are rejected: each a code with parameters, and its text in English and Indonesian.

A reason is made where the row is rejected. `ops.rejected_rows` stores its code and parameters, and the English text
and kind rendered from them. The dashboard renders the text in the user's language.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class _Text:
    """Text of a reason in one language, and of its kind: the text without the details that differ from row to row.

    By default the kind is the text up to its first colon.
    """

    text: str
    kind: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.kind or self.text.partition(": ")[0])


class ReasonCode(Enum):
    """Code of a rejection reason, with its text in English and Indonesian.

    `ops.rejected_rows.reason_code` holds the name of the member in lower case.
    """

    MISSING = (_Text("{column} is missing"), _Text("isian {column} tidak ada"))
    NOT_JSON = (_Text("not JSON: {error}"), _Text("bukan JSON"))
    NESTED_TOO_DEEPLY = (
        _Text("not JSON (nested more than {limit} levels deep)"),
        _Text("bukan JSON (bersarang lebih dari {limit} tingkat)"),
    )
    NOT_AN_OBJECT = (
        _Text("{column} is not an object: {value}"),
        _Text("isian {column} bukan objek: {value}"),
    )
    ENTRY_NOT_AN_OBJECT = (
        _Text("the entry is not an object: {value}"),
        _Text("entri bukan objek: {value}"),
    )
    NOT_A_LIST = (_Text("not a list: {value}"), _Text("bukan daftar: {value}"))
    NOT_AN_ID = (
        _Text("{column} is not a whole number from 1 to {largest}: {value}"),
        _Text("isian {column} bukan bilangan bulat dari 1 sampai {largest}: {value}"),
    )
    NOT_A_NUMBER = (
        _Text("{column} is not a number: {value}"),
        _Text("isian {column} bukan angka: {value}"),
    )
    NOT_A_WHOLE_NUMBER = (
        _Text("{column} is not a whole number: {value}"),
        _Text("isian {column} bukan bilangan bulat: {value}"),
    )
    NOT_FINITE = (
        _Text("{column} is not a finite number"),
        _Text("isian {column} bukan angka terhingga"),
    )
    TOO_MANY_DECIMALS = (
        _Text("{column} has more than {limit} decimals: {value}"),
        _Text("isian {column} memiliki lebih dari {limit} desimal: {value}"),
    )
    OUT_OF_RANGE = (
        _Text("{column} is out of range ({limit} or more): {value}"),
        _Text("isian {column} di luar batas ({limit} atau lebih): {value}"),
    )
    NEGATIVE = (_Text("{column} is negative: {value}"), _Text("isian {column} negatif: {value}"))
    NOT_A_BOOLEAN = (
        _Text("{column} is neither yes nor no: {value}"),
        _Text("isian {column} bukan ya atau tidak: {value}"),
    )
    NOT_A_MOMENT = (
        _Text("{column} is not a date and time: {value}; expected YYYY-MM-DD HH:MM:SS"),
        _Text("isian {column} bukan tanggal dan waktu: {value}; seharusnya YYYY-MM-DD HH:MM:SS"),
    )
    NOT_IN_CALENDAR = (
        _Text("{column} is not a date of the calendar: {value}; {error}"),
        _Text("isian {column} bukan tanggal yang ada di kalender: {value}"),
    )
    WITHOUT_TIME_ZONE = (
        _Text("{column} has no time zone: {value}"),
        _Text("isian {column} tidak memiliki zona waktu: {value}"),
    )
    NOT_A_MONTH = (
        _Text("{column} is not a month: {value}; expected YYYY-MM"),
        _Text("isian {column} bukan bulan: {value}; seharusnya YYYY-MM"),
    )
    NOT_A_DATE = (_Text("{column} is not a date: {value}"), _Text("isian {column} bukan tanggal: {value}"))
    NO_DATE = (
        _Text("no date: no value in {columns}"),
        _Text("tidak ada tanggal: tidak ada nilai di {columns}"),
    )
    BEFORE_FIRST_MONTH = (
        _Text(
            "dated {month}, before {first}, the first month of the partitions: "
            "set LEDGER_FIRST_MONTH to an earlier month",
            kind="dated before {first}, the first month of the partitions",
        ),
        _Text(
            "bertanggal {month}, sebelum {first}, bulan pertama partisi: "
            "atur LEDGER_FIRST_MONTH ke bulan yang lebih awal",
            kind="bertanggal sebelum {first}, bulan pertama partisi",
        ),
    )
    AFTER_CURRENT_MONTH = (
        _Text(
            "dated {month}, after the current month {current}: it will count once that month has begun",
            kind="dated after the current month",
        ),
        _Text(
            "bertanggal {month}, setelah bulan berjalan {current}: akan dihitung setelah bulan itu dimulai",
            kind="bertanggal setelah bulan berjalan",
        ),
    )
    EMPTY_PERIOD = (
        _Text("the period ends before it starts: {start} to {end}"),
        _Text("periode berakhir sebelum mulai: {start} sampai {end}"),
    )
    NOT_ONE_OF = (
        _Text("{column} is not one of {allowed}: {value}"),
        _Text("isian {column} bukan salah satu dari {allowed}: {value}"),
    )
    NOT_UNIQUE = (
        _Text("more than one row has the same {columns}"),
        _Text("lebih dari satu baris memiliki {columns} yang sama"),
    )
    UNKNOWN_USER = (
        _Text("customer {user} does not exist in users", kind="the customer does not exist in users"),
        _Text("pelanggan {user} tidak ada di users", kind="pelanggan tidak ada di users"),
    )
    NOT_A_CUSTOMER = (
        _Text("user {user} is not a customer (role {role})", kind="the user is not a customer (role {role})"),
        _Text("pengguna {user} bukan pelanggan (peran {role})", kind="pengguna bukan pelanggan (peran {role})"),
    )
    CUSTOMER_NOT_LOADED = (
        _Text("the customer has not been loaded (asset customers)"),
        _Text("pelanggan belum dimuat (aset customers)"),
    )
    NO_PRICE = (
        _Text("no price: no entry applies and the customer has no default price"),
        _Text("tidak ada harga: tidak ada entri yang berlaku dan pelanggan tidak memiliki harga dasar"),
    )
    NO_CORRECTION_FACTOR = (
        _Text("no correction factor: none is given, and pressure and temperature do not yield one"),
        _Text("tidak ada faktor koreksi: tidak diberikan, dan tekanan serta suhu tidak menghasilkannya"),
    )
    BINARY = (
        _Text("{column} is binary, where text is expected"),
        _Text("isian {column} biner, seharusnya teks"),
    )
    CONTAINS_NUL = (_Text("{column} contains NUL"), _Text("isian {column} mengandung NUL"))
    TOO_LONG = (
        _Text("{column} is longer than {limit} characters"),
        _Text("isian {column} lebih panjang dari {limit} karakter"),
    )
    LONE_SURROGATE = (
        _Text("{column} contains a lone surrogate (half a character)"),
        _Text("isian {column} mengandung surogat tunggal (setengah karakter)"),
    )

    @property
    def stored(self) -> str:
        """The code as in `ops.rejected_rows.reason_code`."""
        return self.name.lower()


@dataclass(frozen=True)
class RejectionReason:
    """Rejection reason: a code with the values that its text names."""

    code: ReasonCode
    params: Mapping[str, str]

    @classmethod
    def of(cls, code: ReasonCode, **params: object) -> "RejectionReason":
        """Return the reason with this code; parameters are stored as text."""
        return cls(code, {name: str(value) for name, value in params.items()})

    @classmethod
    def stored(cls, code: str, params: Mapping[str, str]) -> "RejectionReason":
        """Return the reason with a code and parameters from `ops.rejected_rows`."""
        return cls(ReasonCode[code.upper()], params)

    def __str__(self) -> str:
        """Return the English text."""
        return self.text("en")

    def text(self, language: str) -> str:
        """Return the text in a language: ``en`` or ``id``."""
        return self._in(language).text.format_map(self.params)

    def kind(self, language: str = "en") -> str:
        """Return the text of the reason's kind in a language: ``en`` or ``id``."""
        return self._in(language).kind.format_map(self.params)

    @property
    def columns(self) -> tuple[str, str, str, str]:
        """Values of the columns `REASON_COLUMNS`."""
        return self.code.stored, json.dumps(dict(self.params), ensure_ascii=False), str(self), self.kind()

    def _in(self, language: str) -> _Text:
        return self.code.value[language == "id"]


#: Columns of `ops.rejected_rows` that hold a reason: code, parameters as JSON, and the English text and kind.
REASON_COLUMNS = ("reason_code", "reason_params", "reason", "reason_kind")
