"""Words of the charts."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
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
    "durations": Text("Duration of the latest syncs", "Lama sinkronisasi terakhir"),
    "flows": Text("Deposits and purchases", "Setoran dan pembelian"),
    "balance": Text("Balance at the end of the month", "Saldo akhir bulan"),
    "volume": Text("Volume", "Volume"),
    "of_months": Text(
        "{title}, a chart from {first} to {last}; the last month: {values}. The table below has all figures.",
        "{title}, grafik dari {first} sampai {last}; bulan terakhir: {values}. Tabel di bawah memuat semua angka.",
    ),
    "of_syncs": Text(
        "{title}, a chart of {count} syncs. The table below has the figures.",
        "{title}, grafik {count} sinkronisasi. Tabel di bawah memuat angkanya.",
    ),
}
