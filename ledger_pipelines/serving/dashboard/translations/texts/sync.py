"""Texts of ERP syncs."""

from ledger_pipelines.serving.dashboard.translations.text import Text
from ledger_pipelines.warehouse.database_urls import NO_ERP_MESSAGE

TEXTS = {
    "title": Text("ERP syncs", "Sinkronisasi ERP"),
    "number": Text("Sync {id}", "Sinkronisasi {id}"),
    "sync": Text("Sync", "Sinkronisasi"),
    "none_match": Text("No sync matches the filter.", "Tidak ada sinkronisasi yang cocok dengan saringan."),
    "unknown": Text("Sync {id} does not exist.", "Sinkronisasi {id} tidak ada."),
    "no_erp": Text(NO_ERP_MESSAGE, "Tidak ada ERP: LEDGER_ERP_URL belum diatur."),
    "running_now": Text("Running now:", "Sedang berjalan:"),
    "status": Text("Status", "Status"),
    "status_running": Text("Running", "Berjalan"),
    "status_completed": Text("Completed", "Selesai"),
    "status_failed": Text("Failed", "Gagal"),
    "status_cancelled": Text("Cancelled", "Dibatalkan"),
    "type": Text("Started by", "Dimulai oleh"),
    "type_manual": Text("a user or program", "pengguna atau program"),
    "type_scheduled": Text("the schedule", "jadwal"),
    "started": Text("Started", "Mulai"),
    "ended": Text("Ended", "Berakhir"),
    "since": Text("Since {moment}.", "Sejak {moment}."),
    "duration": Text("Duration", "Durasi"),
    "rows_read": Text("Rows read", "Baris dibaca"),
    "rows_rejected": Text("Rejected", "Ditolak"),
    "success_rate": Text("Success rate", "Tingkat keberhasilan"),
    "inserted": Text("New", "Baru"),
    "updated": Text("Changed", "Berubah"),
    "deleted": Text("Deleted", "Dihapus"),
    "unchanged": Text("Unchanged", "Tidak berubah"),
    "table": Text("Table", "Tabel"),
    "tables": Text("Tables", "Tabel"),
    "months": Text("Months", "Bulan"),
    "by_table": Text("Result by table", "Hasil per tabel"),
    "tables_done": Text("Tables done: {done}.", "Tabel selesai: {done}."),
    "no_tables_yet": Text("No table has been started yet.", "Belum ada tabel yang dimulai."),
    "total": Text("Syncs in the last {days} days", "Sinkronisasi {days} hari terakhir"),
    "average_duration": Text("Average duration", "Durasi rata-rata"),
    "average_records": Text("Average rows read", "Rata-rata baris dibaca"),
    "history": Text("Syncs, newest first", "Sinkronisasi, terbaru lebih dulu"),
    "start": Text("Start a sync", "Mulai sinkronisasi"),
    "start_intro": Text(
        "Brings the copies of the ERP's tables up to date. By default it reads the last two months, months that were "
        "never loaded, and every other month that differs.",
        "Memperbarui salinan tabel ERP. Secara bawaan yang dibaca adalah dua bulan terakhir, bulan yang belum pernah "
        "dimuat, dan setiap bulan lain yang berbeda.",
    ),
    "from_month": Text("From month", "Dari bulan"),
    "to_month": Text("To month", "Sampai bulan"),
    "default_months": Text("default", "bawaan"),
    "none_means_all": Text(
        "If no table is selected, all tables are synced.",
        "Jika tidak ada tabel yang dipilih, semua tabel disinkronkan.",
    ),
    "options": Text("Options", "Opsi"),
    "full": Text("Read every month that was ever loaded", "Baca setiap bulan yang pernah dimuat"),
    "accept_deletions": Text(
        "Continue even if implausibly many rows were deleted",
        "Lanjutkan meskipun jumlah baris yang terhapus tidak wajar",
    ),
    "start_now": Text("Start now", "Mulai sekarang"),
    "cancel": Text("Cancel this sync", "Batalkan sinkronisasi ini"),
    "already_ended": Text(
        "Sync {id} had ended before it could be cancelled.", "Sinkronisasi {id} berakhir sebelum dapat dibatalkan."
    ),
}
