"""Texts of the charts."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "rupiah_one": Text("rupiah", "rupiah"),
    "rupiah_thousand": Text("thousand rupiah", "ribu rupiah"),
    "rupiah_million": Text("million rupiah", "juta rupiah"),
    "rupiah_billion": Text("billion rupiah", "miliar rupiah"),
    "rupiah_trillion": Text("trillion rupiah", "triliun rupiah"),
    "sm3_one": Text("Sm³", "Sm³"),
    "sm3_thousand": Text("thousand Sm³", "ribu Sm³"),
    "sm3_million": Text("million Sm³", "juta Sm³"),
    "sm3_billion": Text("billion Sm³", "miliar Sm³"),
    "sm3_trillion": Text("trillion Sm³", "triliun Sm³"),
    "seconds": Text("seconds", "detik"),
    "durations": Text("Duration of the latest syncs", "Durasi sinkronisasi terakhir"),
    "flows": Text("Deposits and purchases", "Setoran dan pembelian"),
    "balance": Text("Balance at the end of the month", "Saldo akhir bulan"),
    "volume": Text("Volume", "Volume"),
    "months_summary": Text(
        "{title}: chart from {first} to {last}. Last month: {values}. The table below shows all figures.",
        "{title}: grafik dari {first} sampai {last}. Bulan terakhir: {values}. Tabel di bawah memuat semua angka.",
    ),
    "syncs_summary": Text(
        "{title}: chart of the latest syncs ({count}). The table below shows the figures.",
        "{title}: grafik sinkronisasi terakhir ({count}). Tabel di bawah memuat angkanya.",
    ),
}
