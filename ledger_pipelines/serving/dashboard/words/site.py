"""Words of the frame around every page."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "name": Text("Customer ledger", "Buku besar pelanggan"),
    "skip": Text("Skip to the content", "Langsung ke isi"),
    "pages": Text("Pages", "Halaman"),
    "languages": Text("Language", "Bahasa"),
    "nav_overview": Text("Overview", "Ikhtisar"),
    "nav_customers": Text("Customers", "Pelanggan"),
    "nav_syncs": Text("ERP syncs", "Sinkronisasi ERP"),
    "nav_incidents": Text("Incidents", "Insiden"),
    "nav_alerts": Text("Alerts", "Peringatan"),
    "nav_rejected": Text("Rejected rows", "Baris ditolak"),
    "nav_comparison": Text("Comparison", "Perbandingan"),
    "nav_invoices": Text("Invoices", "Faktur"),
    "nav_audit": Text("Audit log", "Catatan audit"),
    "role_viewer": Text("may read", "boleh membaca"),
    "role_admin": Text("administrator", "administrator"),
    "log_out": Text("Log out", "Keluar"),
    "times": Text("All times are in the time zone {zone}.", "Semua waktu dalam zona waktu {zone}."),
    "owes": Text("owes", "menunggak"),
    "yes": Text("Yes", "Ya"),
    "all": Text("All", "Semua"),
    "filter": Text("Filter", "Saring"),
    "paging": Text("Pages of the list", "Halaman daftar"),
    "previous": Text("← Previous", "← Sebelumnya"),
    "next": Text("Next →", "Berikutnya →"),
    "page_of": Text("{first}–{last} of {total}", "{first}–{last} dari {total}"),
    "run_in_dagster": Text("Run {id} in Dagster", "Proses {id} di Dagster"),
    "back": Text("Back to the overview", "Kembali ke ikhtisar"),
    "error_403": Text("Not allowed", "Tidak diizinkan"),
    "error_404": Text("Not found", "Tidak ditemukan"),
    "lost": Text("There is no page at this address.", "Tidak ada halaman di alamat ini."),
    "error_409": Text("Not now", "Belum bisa"),
    "error_422": Text("Something is not right", "Ada yang tidak benar"),
    "error_429": Text("Too many attempts", "Terlalu banyak percobaan"),
    "error_503": Text("Away for the moment", "Sedang tidak tersedia"),
    "error_other": Text("That did not work", "Tidak berhasil"),
    "need_admin": Text(
        "You may only read. This needs a token with the role admin.",
        "Anda hanya boleh membaca. Tindakan ini memerlukan token dengan peran admin.",
    ),
    "stale_form": Text(
        "This form does not belong to your session: it is too old, or comes from elsewhere. Nothing was done. "
        "Open the page again and repeat what you did.",
        "Formulir ini bukan milik sesi Anda: terlalu lama, atau berasal dari tempat lain. Tidak ada yang dilakukan. "
        "Buka kembali halamannya dan ulangi.",
    ),
}
