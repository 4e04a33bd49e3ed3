"""Words of incidents."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "title": Text("Incidents", "Insiden"),
    "mean": Text(
        "What is wrong and waits for a person, the newest first. An incident closes by itself when its cause is gone.",
        "Masalah yang menunggu seseorang, terbaru lebih dulu. Insiden tertutup sendiri bila sebabnya hilang.",
    ),
    "open_now": Text("Open incidents: {count}", "Insiden terbuka: {count}"),
    "open_means": Text(
        "Figures may be wrong until these are solved.",
        "Angka mungkin tidak benar sampai hal-hal ini diselesaikan.",
    ),
    "oldest": Text("The oldest {count} are shown here.", "Di sini ditampilkan {count} yang tertua."),
    "all": Text("All incidents, also those that are closed", "Semua insiden, termasuk yang sudah tertutup"),
    "none": Text("There has been no incident.", "Belum pernah ada insiden."),
    "kind": Text("Kind", "Jenis"),
    "kind_deletion_refused": Text("A deletion is refused", "Penghapusan ditolak"),
    "kind_change_retried": Text("A change cannot be applied", "Perubahan gagal diproses"),
    "kind_changes_wait": Text("Changes wait too long", "Perubahan terlalu lama menunggu"),
    "kind_month_missing": Text("The new month is missing", "Bulan baru belum tersedia"),
    "kind_poll_failed": Text("Changes cannot be noticed", "Perubahan tidak dapat dipantau"),
    "kind_run_failed": Text("A run failed", "Proses gagal"),
    "kind_sync_failed": Text("An ERP sync failed", "Sinkronisasi ERP gagal"),
    "kind_sync_missed": Text("An ERP sync did not happen", "Sinkronisasi ERP tidak berjalan"),
    "subject": Text("About", "Tentang"),
    "since": Text("Since", "Sejak"),
    "seen": Text("Seen", "Terlihat"),
    "times": Text("{count}×, last {ago}", "{count}×, terakhir {ago}"),
    "customers": Text("Customers", "Pelanggan"),
    "many_customers": Text("{count} customers", "{count} pelanggan"),
    "owner": Text("Owner", "Penanggung jawab"),
    "reason": Text("What is wrong", "Masalahnya"),
    "what_to_do": Text("What to do", "Yang harus dilakukan"),
    "opened": Text("Opened", "Terbuka"),
    "closed": Text("Closed", "Tertutup"),
    "still_open": Text("open", "terbuka"),
    "confirm": Text("Confirm this deletion", "Konfirmasi penghapusan ini"),
    "confirm_means": Text(
        "Rows that are then removed from the warehouse: {count}. The balances follow.",
        "Baris yang kemudian dihapus dari gudang data: {count}. Saldo akan mengikuti.",
    ),
    "confirmed": Text(
        "Confirmed by {who}, valid until {moment}. The next run deletes the rows.",
        "Dikonfirmasi oleh {who}, berlaku sampai {moment}. Proses berikutnya menghapus barisnya.",
    ),
    "changed": Text(
        "The deletion has changed since the page was loaded. Nothing was confirmed. Look at it again, then confirm it.",
        "Penghapusan ini berubah sejak halaman dimuat. Tidak ada yang dikonfirmasi. Periksa lagi, lalu konfirmasi.",
    ),
    "unknown": Text("There is no incident {id}.", "Tidak ada insiden {id}."),
}
