"""Texts of the layout that all pages share, and of error pages."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "name": Text("Customer ledger", "Buku besar pelanggan"),
    "skip": Text("Skip to the content", "Langsung ke isi"),
    "pages": Text("Pages", "Halaman"),
    "languages": Text("Language", "Bahasa"),
    "role_viewer": Text("read-only", "hanya baca"),
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
    "page_not_found": Text("There is no page at this address.", "Tidak ada halaman di alamat ini."),
    "error_409": Text("Not possible now", "Saat ini tidak dapat dilakukan"),
    "error_422": Text("Invalid input", "Masukan tidak valid"),
    "error_429": Text("Too many attempts", "Terlalu banyak percobaan"),
    "error_503": Text("Temporarily unavailable", "Sementara tidak tersedia"),
    "error_other": Text("The request failed", "Permintaan gagal"),
    "need_admin": Text(
        "You have read-only access. This action needs a token with the role admin.",
        "Anda hanya memiliki akses baca. Tindakan ini memerlukan token dengan peran admin.",
    ),
    "stale_form": Text(
        "This form does not belong to your session: it is too old or comes from another site. Nothing was changed. "
        "Open the page again and repeat your input.",
        "Formulir ini bukan milik sesi Anda: sudah terlalu lama atau berasal dari situs lain. Tidak ada yang diubah. "
        "Buka kembali halamannya dan ulangi masukan Anda.",
    ),
}
