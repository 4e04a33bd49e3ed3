"""Texts of incidents."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "title": Text("Incidents", "Insiden"),
    "intro": Text(
        "Problems that need attention, newest first. An incident closes automatically when its cause is gone.",
        "Masalah yang perlu ditangani, terbaru lebih dulu. Insiden ditutup otomatis bila penyebabnya sudah tidak ada.",
    ),
    "open_now": Text("Open incidents: {count}", "Insiden terbuka: {count}"),
    "open_notice": Text(
        "Figures may be wrong until these incidents are resolved.",
        "Angka mungkin belum benar sampai semua insiden ini diselesaikan.",
    ),
    "oldest": Text("Only the oldest {count} are shown here.", "Di sini hanya ditampilkan {count} yang tertua."),
    "all": Text("All incidents, including closed ones", "Semua insiden, termasuk yang sudah ditutup"),
    "none": Text("There have been no incidents.", "Belum pernah ada insiden."),
    "kind": Text("Type", "Jenis"),
    "kind_deletion_refused": Text("A deletion was refused", "Penghapusan ditolak"),
    "kind_change_retried": Text("A change cannot be applied", "Perubahan gagal diproses"),
    "kind_changes_wait": Text("Changes have waited too long", "Perubahan terlalu lama menunggu"),
    "kind_month_missing": Text("The new month is missing", "Bulan baru belum tersedia"),
    "kind_month_shrank": Text("A past month lost rows in the ERP", "Baris bulan terdahulu berkurang di ERP"),
    "kind_poll_failed": Text("Changes cannot be detected", "Perubahan tidak dapat dideteksi"),
    "kind_run_failed": Text("A run failed", "Proses gagal"),
    "kind_sync_failed": Text("An ERP sync failed", "Sinkronisasi ERP gagal"),
    "kind_sync_missed": Text("An ERP sync did not run", "Sinkronisasi ERP tidak berjalan"),
    "subject": Text("Subject", "Perihal"),
    "since": Text("Since", "Sejak"),
    "occurrences": Text("Occurrences", "Kejadian"),
    "occurrence_count": Text("{count}×, last {ago}", "{count}×, terakhir {ago}"),
    "customers": Text("Customers", "Pelanggan"),
    "many_customers": Text("{count} customers", "{count} pelanggan"),
    "owner": Text("Owner", "Penanggung jawab"),
    "reason": Text("Problem", "Masalah"),
    "what_to_do": Text("What to do", "Tindakan yang diperlukan"),
    "opened": Text("Opened", "Dibuka"),
    "closed": Text("Closed", "Ditutup"),
    "still_open": Text("open", "terbuka"),
    "confirm": Text("Confirm this deletion", "Konfirmasi penghapusan ini"),
    "confirm_effect": Text(
        "Rows to be removed from the warehouse: {count}. The balances are then recalculated.",
        "Baris yang akan dihapus dari gudang data: {count}. Setelah itu saldo dihitung ulang.",
    ),
    "confirmed": Text(
        "Confirmed by {user}, valid until {moment}. The next run deletes the rows.",
        "Dikonfirmasi oleh {user}, berlaku sampai {moment}. Proses berikutnya akan menghapus baris tersebut.",
    ),
    "changed": Text(
        "The deletion has changed since the page was loaded. Nothing was confirmed. Check it again, then confirm it.",
        "Penghapusan ini berubah sejak halaman dimuat. Tidak ada yang dikonfirmasi. Periksa lagi, lalu konfirmasi.",
    ),
    "unknown": Text("Incident {id} does not exist.", "Insiden {id} tidak ada."),
}
