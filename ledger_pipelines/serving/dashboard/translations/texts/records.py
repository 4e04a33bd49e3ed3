"""Texts of the lists: low balances, rejected rows, the audit log."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "alerts": Text("Low balances", "Saldo rendah"),
    "alerts_intro": Text(
        "A balance is low when it is below its threshold, or when it will last fewer days than the limit at the "
        "average use of the last 30 days.",
        "Saldo dianggap rendah bila di bawah ambang batas, atau bila dengan pemakaian rata-rata 30 hari terakhir "
        "sisa harinya kurang dari batas.",
    ),
    "no_alerts": Text("No balance is low.", "Tidak ada saldo rendah."),
    "only_open": Text("Show only balances that are still low", "Tampilkan yang masih rendah saja"),
    "also_cleared": Text("Also show balances that have recovered", "Tampilkan juga yang sudah pulih"),
    "alert_kind": Text("Reason", "Alasan"),
    "kind_threshold": Text("below the threshold", "di bawah ambang batas"),
    "kind_days_left": Text("too few days left", "sisa hari terlalu sedikit"),
    "alert_balance": Text("Balance at that time", "Saldo saat itu"),
    "alert_limit": Text("Limit", "Batas"),
    "alert_days_left": Text("Days left", "Sisa hari"),
    "alert_raised": Text("Since", "Sejak"),
    "alert_cleared": Text("Until", "Sampai"),
    "still_low": Text("still low", "masih rendah"),
    "days": Text("{days} days", "{days} hari"),
    "rejected": Text("Rejected rows", "Baris ditolak"),
    "rejected_intro": Text(
        "Source rows that cannot be used, each with its reason, until they are corrected in the source. "
        "No row is left out silently.",
        "Baris sumber yang tidak dapat dipakai, masing-masing dengan alasannya, sampai diperbaiki di sumbernya. "
        "Tidak ada baris yang diabaikan tanpa catatan.",
    ),
    "none_rejected": Text("There are no rejected rows.", "Tidak ada baris yang ditolak."),
    "asset": Text("Rejected by", "Ditolak oleh"),
    "reason": Text("Reason", "Alasan"),
    "row": Text("Source row", "Baris sumber"),
    "first_seen": Text("First seen", "Pertama terlihat"),
    "raw": Text("Content", "Isi"),
    "show": Text("Show", "Tampilkan"),
    "audit": Text("Audit log", "Log audit"),
    "audit_intro": Text(
        "Actions of users, newest first, including those that were refused.",
        "Tindakan pengguna, terbaru lebih dulu, termasuk yang ditolak.",
    ),
    "no_audit": Text("No action has been recorded yet.", "Belum ada tindakan yang tercatat."),
    "time": Text("Time", "Waktu"),
    "user": Text("User", "Pengguna"),
    "action": Text("Action", "Tindakan"),
    "target": Text("Target", "Sasaran"),
    "address": Text("Address", "Alamat"),
    "outcome": Text("Result", "Hasil"),
    "outcome_done": Text("done", "berhasil"),
    "outcome_refused": Text("refused", "ditolak"),
    "outcome_failed": Text("failed", "gagal"),
    "outcome_open": Text("not finished", "belum selesai"),
}
