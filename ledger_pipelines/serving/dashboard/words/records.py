"""Words of lists: alerts, rejected rows, the audit log."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "alerts": Text("Low balances", "Saldo rendah"),
    "alerts_mean": Text(
        "A balance is low below its threshold, or when it lasts too few days at the average use of the last 30.",
        "Saldo rendah bila di bawah ambangnya, atau bila hanya cukup untuk terlalu sedikit hari menurut "
        "pemakaian rata-rata "
        "30 hari terakhir.",
    ),
    "no_alerts": Text("No balance is low.", "Tidak ada saldo rendah."),
    "only_open": Text("Show only those that are still low", "Tampilkan yang masih rendah saja"),
    "also_cleared": Text("Show also those that have recovered", "Tampilkan juga yang sudah pulih"),
    "alert_kind": Text("Why", "Sebab"),
    "kind_threshold": Text("below the threshold", "di bawah ambang"),
    "kind_days_left": Text("too few days left", "sisa hari terlalu sedikit"),
    "alert_balance": Text("Balance then", "Saldo saat itu"),
    "alert_limit": Text("Limit", "Batas"),
    "alert_days_left": Text("Days left", "Sisa hari"),
    "alert_raised": Text("Since", "Sejak"),
    "alert_cleared": Text("Until", "Sampai"),
    "still_low": Text("still low", "masih rendah"),
    "days": Text("{days} days", "{days} hari"),
    "rejected": Text("Rejected rows", "Baris ditolak"),
    "rejected_mean": Text(
        "Rows of the sources that cannot be used, each with its reason, until the source is corrected. "
        "Nothing disappears "
        "silently.",
        "Baris sumber yang tidak dapat dipakai, masing-masing dengan alasannya, sampai sumbernya diperbaiki. "
        "Tidak ada yang "
        "hilang diam-diam.",
    ),
    "none_rejected": Text("There is no such row.", "Tidak ada baris seperti itu."),
    "asset": Text("Rejected by", "Ditolak oleh"),
    "reason": Text("Reason", "Alasan"),
    "row": Text("Row of the source", "Baris sumber"),
    "first_seen": Text("First seen", "Pertama terlihat"),
    "raw": Text("Content", "Isi"),
    "show": Text("Show", "Tampilkan"),
    "audit": Text("Audit log", "Catatan audit"),
    "audit_means": Text(
        "Who asked for what, the newest first, also what was refused.",
        "Siapa meminta apa, terbaru lebih dulu, termasuk yang ditolak.",
    ),
    "no_audit": Text("Nobody has asked for anything yet.", "Belum ada permintaan."),
    "when": Text("When", "Kapan"),
    "who": Text("Who", "Siapa"),
    "what": Text("What", "Apa"),
    "target": Text("Of what", "Sasaran"),
    "from_where": Text("From", "Dari"),
    "outcome": Text("Outcome", "Hasil"),
    "outcome_done": Text("done", "dilakukan"),
    "outcome_refused": Text("refused", "ditolak"),
    "outcome_failed": Text("failed", "gagal"),
    "outcome_open": Text("not ended", "belum berakhir"),
}
