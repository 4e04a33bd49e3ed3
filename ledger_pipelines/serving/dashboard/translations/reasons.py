"""Translation of rejection reasons into Indonesian.

The warehouse stores reasons in English, with values in them. A reason is translated as a whole or not at all: a
reason without a translation stays English, and the page marks it as English for screen readers.
"""

import re
from collections.abc import Iterator
from functools import cache
from string import Formatter
from typing import NamedTuple

from ledger_pipelines.serving.dashboard.translations.formats import Language

#: Patterns of the values in a reason, by placeholder. In kinds of reasons each number is "…".
_PLACEHOLDERS = {
    "column": r"[\w.]+",
    "other": r"[\w.]+",
    "columns": r"[\w.]+(?:, [\w.]+)*",
    "number": r"-?[\d….,^]+",
    "month": r"[\d…]+-[\d…]+",
    "bound": r"[\d…]+(?:-[\d…]+)?",
    "moment": r"[\d…:.TZ +-]+",
    "end": r"[\d…:.TZ +-]+",
    "value": r"""[\[{].*|"(?:[^"\\]|\\.)*(?:"|…)|'(?:[^'\\]|\\.)*'|[^\s;"'\[{]+""",
}

#: Indonesian by English. In a reason with a colon, the part before the colon is the kind of the reason.
REASONS = {
    "no price: no entry applies and the customer has no default price": (
        "tidak ada harga: tidak ada entri yang berlaku dan pelanggan tidak punya harga dasar"
    ),
    "no correction factor: none is given, and pressure and temperature do not yield one": (
        "tidak ada faktor koreksi: tidak diberikan, dan tekanan serta suhu tidak menghasilkannya"
    ),
    "the customer has not been loaded (asset customers)": "pelanggan belum dimuat (aset customers)",
    "customer {number} does not exist in users": "pelanggan {number} tidak ada di users",
    "user {number} is no customer (role {value})": "pengguna {number} bukan pelanggan (peran {value})",
    "{column} is not a whole number from {number} to {bound}: {value}": (
        "isian {column} bukan bilangan bulat dari {number} sampai {bound}: {value}"
    ),
    "{column} is missing": "isian {column} tidak ada",
    "{column} is no object: {value}": "isian {column} bukan objek: {value}",
    "{column} is not a number: {value}": "isian {column} bukan angka: {value}",
    "{column} has more than {number} decimals: {value}": "isian {column} punya lebih dari {number} desimal: {value}",
    "{column} is out of range ({number} or more): {value}": (
        "isian {column} di luar batas ({number} atau lebih): {value}"
    ),
    "{column} is not a moment: {value}; expected YYYY-MM-DD HH:MM:SS": (
        "isian {column} bukan waktu: {value}; seharusnya YYYY-MM-DD HH:MM:SS"
    ),
    "keterangan is neither penambahan nor pengurangan: {value}": (
        "isian keterangan bukan penambahan atau pengurangan: {value}"
    ),
    "year_month: {value} is no month: expected YYYY-MM, for example 2025-03": (
        "year_month: {value} bukan bulan: seharusnya YYYY-MM, misalnya 2025-03"
    ),
    "the entry is no object: {value}": "entri bukan objek: {value}",
    "the period ends before it starts: {moment} to {end}": "periode berakhir sebelum mulai: {moment} sampai {end}",
    "not a list: {value}": "bukan daftar: {value}",
    "not JSON": "bukan JSON",
    "dated {month}, after the current month {bound}: it counts when its month comes": (
        "bertanggal {month}, setelah bulan berjalan {bound}: akan dihitung bila bulannya tiba"
    ),
    "dated {month}, before {bound}, the first month of the partitions: set LEDGER_FIRST_MONTH to go further back": (
        "bertanggal {month}, sebelum {bound}, bulan pertama partisi: atur LEDGER_FIRST_MONTH untuk mundur lebih jauh"
    ),
    "dated after the current month: {moment}; it is taken up when its month comes": (
        "bertanggal setelah bulan berjalan: {moment}; akan diproses bila bulannya tiba"
    ),
    "dated before the first month of the partitions, {month}: {moment}; set LEDGER_FIRST_MONTH to go further back": (
        "bertanggal sebelum bulan pertama partisi, {month}: {moment}; atur LEDGER_FIRST_MONTH untuk mundur lebih jauh"
    ),
    "no date: {column} is missing": "tidak ada tanggal: isian {column} tidak ada",
    "no date: {column} and {other} are missing": "tidak ada tanggal: isian {column} dan {other} tidak ada",
    "no date: {column} and {other} and {columns} are missing": (
        "tidak ada tanggal: isian {column}, {other}, dan {columns} tidak ada"
    ),
    "the value is missing ({columns})": "nilai tidak ada ({columns})",
    "given more than once ({columns})": "diberikan lebih dari sekali ({columns})",
    "the id is not a whole number from {number} to {bound} ({columns})": (
        "id bukan bilangan bulat dari {number} sampai {bound} ({columns})"
    ),
    "not a month ({columns})": "bukan bulan ({columns})",
    "a moment without a time zone ({columns})": "waktu tanpa zona waktu ({columns})",
    "not a decimal number ({columns})": "bukan bilangan desimal ({columns})",
    "none of {columns} ({column})": "bukan salah satu dari {columns} ({column})",
    "the volume is negative ({columns})": "volume negatif ({columns})",
    "{column}: not a number: {value}": "{column}: bukan angka: {value}",
    "{column}: not a whole number: {value}": "{column}: bukan bilangan bulat: {value}",
    "{column}: not a date: {value}": "{column}: bukan tanggal: {value}",
    "{column}: neither yes nor no: {value}": "{column}: bukan ya atau tidak: {value}",
    "{column}: binary, where text is expected": "{column}: biner, seharusnya teks",
    "{column}: contains NUL": "{column}: mengandung NUL",
    "{column}: longer than {number} characters": "{column}: lebih panjang dari {number} karakter",
    "{column}: half a character (a lone surrogate)": "{column}: setengah karakter (surogat tunggal)",
    "{column}: not a finite number": "{column}: bukan angka terhingga",
    "{column}: out of range ({number} bits)": "{column}: di luar batas ({number} bit)",
}


class TranslatedReason(NamedTuple):
    """A reason in the user's language; `is_untranslated` if it had to stay English."""

    text: str
    is_untranslated: bool


def translate_reason(language: Language, reason: str) -> TranslatedReason:
    """Translate a reason, or a kind of reason."""
    if language == "en":
        return TranslatedReason(reason, is_untranslated=False)
    for pattern, translated in _patterns():
        if found := pattern.fullmatch(reason):
            return TranslatedReason(translated.format(**found.groupdict()), is_untranslated=False)
    return TranslatedReason(reason, is_untranslated=True)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), translated) for english, translated in _with_kinds())


def _with_kinds() -> Iterator[tuple[str, str]]:
    """Yield each reason, and its kind, in English and Indonesian."""
    for english, translated in REASONS.items():
        yield english, translated
        if ":" in english:
            yield english.partition(":")[0], translated.partition(":")[0]


def _pattern(english: str) -> re.Pattern[str]:
    pieces = (
        re.escape(literal) + (f"(?P<{placeholder}>{_PLACEHOLDERS[placeholder]})" if placeholder else "")
        for literal, placeholder, _, _ in Formatter().parse(english)
    )
    return re.compile("".join(pieces), re.DOTALL)
