"""Words of the ERP's syncs."""

from ledger_pipelines.serving.dashboard.words.text import Text
from ledger_pipelines.warehouse.servers import NO_ERP

WORDS = {
    "title": Text("ERP syncs", "Sinkronisasi ERP"),
    "number": Text("Sync {id}", "Sinkronisasi {id}"),
    "sync": Text("Sync", "Sinkronisasi"),
    "none_yet": Text("There is no such sync yet.", "Belum ada sinkronisasi seperti itu."),
    "no_erp": Text(NO_ERP, "Tidak ada ERP: LEDGER_ERP_URL belum diatur."),
    "running_now": Text("Running now:", "Sedang berjalan:"),
    "status": Text("Status", "Status"),
    "status_running": Text("running", "berjalan"),
    "status_completed": Text("completed", "selesai"),
    "status_failed": Text("failed", "gagal"),
    "status_cancelled": Text("cancelled", "dibatalkan"),
    "type": Text("Started by", "Dimulai oleh"),
    "type_manual": Text("a person or program", "orang atau program"),
    "type_scheduled": Text("the schedule", "jadwal"),
    "started": Text("Started", "Mulai"),
    "ended": Text("Ended", "Berakhir"),
    "since": Text("Since {moment}.", "Sejak {moment}."),
    "duration": Text("Duration", "Lama"),
    "rows_read": Text("Rows read", "Baris dibaca"),
    "rows_rejected": Text("Rejected", "Ditolak"),
    "success_rate": Text("Success rate", "Tingkat keberhasilan"),
    "inserted": Text("New", "Baru"),
    "updated": Text("Changed", "Berubah"),
    "deleted": Text("Gone", "Hilang"),
    "unchanged": Text("As before", "Tetap"),
    "table": Text("Table", "Tabel"),
    "tables": Text("Tables", "Tabel"),
    "months": Text("Months", "Bulan"),
    "by_table": Text("What it did to each table", "Hasil untuk setiap tabel"),
    "tables_done": Text("{done} of {of} tables done.", "{done} dari {of} tabel selesai."),
    "no_tables_yet": Text("It has not reached a table yet.", "Belum sampai ke tabel mana pun."),
    "total": Text("Syncs of the last {days} days", "Sinkronisasi {days} hari terakhir"),
    "average_duration": Text("Average duration", "Rata-rata lama"),
    "average_records": Text("Average rows read", "Rata-rata baris dibaca"),
    "history": Text("Syncs, the newest first", "Sinkronisasi, terbaru lebih dulu"),
    "start": Text("Start a sync", "Mulai sinkronisasi"),
    "start_means": Text(
        "Brings the copies of the ERP's tables up to date. As usual means: the last two months, those never "
        "loaded, and "
        "whatever else differs.",
        "Memutakhirkan salinan tabel ERP. Seperti biasa berarti: dua bulan terakhir, bulan yang belum pernah "
        "dimuat, dan "
        "apa pun yang berbeda.",
    ),
    "from_month": Text("From month", "Dari bulan"),
    "to_month": Text("To month", "Sampai bulan"),
    "usual": Text("as usual", "seperti biasa"),
    "none_means_all": Text("None chosen means all.", "Jika tidak ada yang dipilih berarti semua."),
    "options": Text("Options", "Pilihan"),
    "full": Text("Read every month that was ever loaded", "Baca setiap bulan yang pernah dimuat"),
    "accept_deletions": Text(
        "Go on even if implausibly many rows are gone", "Lanjutkan walaupun banyak sekali baris yang hilang"
    ),
    "start_now": Text("Start now", "Mulai sekarang"),
    "cancel": Text("Cancel this sync", "Batalkan sinkronisasi ini"),
    "was_quicker": Text("Sync {id} had ended before it could be cancelled.", "Sinkronisasi {id} sudah berakhir."),
}
