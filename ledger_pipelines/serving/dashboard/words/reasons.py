"""Reasons of rejected rows in Indonesian: kept in English, with values in between, and put over phrase by phrase.

A phrase that is not here stays as it is: a reason is worth more in English than not at all.
"""

import re

from ledger_pipelines.serving.dashboard.formats import Language

#: Longer phrases come before those that they begin with.
PHRASES = {
    "no price: no entry applies and the customer has no default price": (
        "tidak ada harga: tidak ada entri yang berlaku dan pelanggan tidak punya harga dasar"
    ),
    "no price": "tidak ada harga",
    "no correction factor: none is given, and pressure and temperature do not yield one": (
        "tidak ada faktor koreksi: tidak diberikan, dan tekanan serta suhu tidak menghasilkannya"
    ),
    "no correction factor": "tidak ada faktor koreksi",
    "the customer has not been loaded": "pelanggan belum dimuat",
    "does not exist in users": "tidak ada di users",
    "is no customer": "bukan pelanggan",
    "is not a number": "bukan angka",
    "not a number": "bukan angka",
    "not a whole number": "bukan bilangan bulat",
    "is not a moment": "bukan waktu",
    "is out of range": "di luar batas",
    "has more than": "punya lebih dari",
    "is missing": "tidak ada",
    "are missing": "tidak ada",
    "is negative": "negatif",
    "no date": "tidak ada tanggal",
    "not a date that the calendar has": "bukan tanggal yang ada di kalender",
    "not a date": "bukan tanggal",
    "dated after the current month": "bertanggal setelah bulan berjalan",
    "it is taken up when its month comes": "akan diproses bila bulannya tiba",
    "it counts when its month comes": "akan dihitung bila bulannya tiba",
    "after the current month": "setelah bulan berjalan",
    "dated before the first month of the partitions": "bertanggal sebelum bulan pertama partisi",
    "the first month of the partitions": "bulan pertama partisi",
    "to go further back": "untuk mundur lebih jauh",
    "dated": "bertanggal",
    "before": "sebelum",
    "the period ends before it starts": "periode berakhir sebelum mulai",
    "the entry is no object": "entri bukan objek",
    "is no object": "bukan objek",
    "is neither penambahan nor pengurangan": "bukan penambahan atau pengurangan",
    "not JSON": "bukan JSON",
    "not a list": "bukan daftar",
    "neither yes nor no": "bukan ya atau tidak",
    "is no month": "bukan bulan",
    "for example": "misalnya",
    "expected": "seharusnya",
    "user": "pengguna",
    "customer": "pelanggan",
    "decimals": "desimal",
    "or more": "atau lebih",
}

_ANY = re.compile("|".join(rf"\b{re.escape(phrase)}\b" for phrase in sorted(PHRASES, key=len, reverse=True)))


def in_words(language: Language, reason: str) -> str:
    """The reason in a language."""
    if language == "en":
        return reason
    return _ANY.sub(lambda found: PHRASES[found.group()], reason)
