"""Texts of the comparison with the billing application and of the invoice reconciliation."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "nav_comparison": Text("Comparison", "Perbandingan"),
    "nav_invoices": Text("Invoices", "Faktur"),
    "comparison": Text("Comparison with the billing application", "Perbandingan dengan aplikasi penagihan"),
    "comparison_intro": Text(
        "The latest balance of each customer, compared with the application's own total_deposit − total_purchases. "
        "They match if they differ by less than one cent.",
        "Saldo terakhir setiap pelanggan, dibandingkan dengan total_deposit − total_purchases milik aplikasi. "
        "Keduanya cocok bila selisihnya kurang dari satu sen.",
    ),
    "never_compared": Text("Nothing has been compared yet.", "Belum ada yang dibandingkan."),
    "compared_at": Text("Last compared: {moment}.", "Terakhir dibandingkan: {moment}."),
    "schedule": Text(
        "The comparison runs after the first computation of the ledger, and daily at 03:00.",
        "Perbandingan dijalankan setelah buku besar pertama kali dihitung, dan setiap hari pukul 03.00.",
    ),
    "compare_now": Text("Compare now", "Bandingkan sekarang"),
    "run_waiting": Text("The comparison is waiting to start …", "Perbandingan menunggu dijalankan …"),
    "run_running": Text("The comparison is running …", "Perbandingan sedang berjalan …"),
    "run_done": Text("The comparison is done.", "Perbandingan selesai."),
    "run_failed": Text(
        "The comparison failed. The previous result is shown.",
        "Perbandingan gagal. Yang ditampilkan adalah hasil sebelumnya.",
    ),
    "run_cancelled": Text(
        "The comparison was cancelled. The previous result is shown.",
        "Perbandingan dibatalkan. Yang ditampilkan adalah hasil sebelumnya.",
    ),
    "run_unknown": Text(
        "The state of this run cannot be fetched from Dagster at the moment.",
        "Status proses ini sedang tidak dapat diambil dari Dagster.",
    ),
    "customers": Text("Customers", "Pelanggan"),
    "mismatches": Text("Mismatches", "Tidak cocok"),
    "ledger_balance": Text("Ledger balance", "Saldo buku besar"),
    "application_balance": Text("Application balance", "Saldo aplikasi"),
    "difference": Text("Difference", "Selisih"),
    "reasons": Text("Reasons", "Penyebab"),
    "by_reason": Text("Differences by reason", "Selisih menurut penyebab"),
    "amount": Text("Amount", "Jumlah"),
    "rows": Text("rows: {count}", "baris: {count}"),
    "matches": Text("matches", "cocok"),
    "only_mismatches": Text("Show only mismatches", "Tampilkan yang tidak cocok saja"),
    "show_all": Text("Show all", "Tampilkan semua"),
    "nothing_to_show": Text("There are no rows to show.", "Tidak ada baris untuk ditampilkan."),
    "reason_rounding": Text("rounding to cents", "pembulatan ke sen"),
    "reason_readings_without_price": Text("readings without a price", "pencatatan tanpa harga"),
    "reason_rejected_readings": Text("rejected readings", "pencatatan yang ditolak"),
    "reason_duplicate_readings": Text("readings with the same start", "pencatatan dengan waktu awal yang sama"),
    "reason_billed_otherwise": Text(
        "readings billed with another amount", "pencatatan yang ditagih dengan jumlah lain"
    ),
    "reason_rejected_deposits": Text("rejected deposits", "setoran yang ditolak"),
    "reason_deposits_outside_list": Text("deposits outside the deposit list", "setoran di luar daftar setoran"),
    "reason_application_total_stale": Text(
        "the application's total is out of date", "total di aplikasi belum diperbarui"
    ),
    "reason_unexplained": Text("unexplained", "belum terjelaskan"),
    "invoices": Text("Invoice reconciliation", "Rekonsiliasi faktur"),
    "invoices_intro": Text(
        "Purchases in the ledger, compared with the amounts that the ERP invoiced to the customer's business partners "
        "in the same month.",
        "Pembelian di buku besar, dibandingkan dengan jumlah yang difakturkan ERP kepada mitra bisnis pelanggan pada "
        "bulan yang sama.",
    ),
    "month": Text("Month", "Bulan"),
    "no_such_month": Text(
        "The invoices of “{asked}” have not been compared. The latest month that has been compared is shown.",
        "Faktur “{asked}” belum dibandingkan. Yang ditampilkan adalah bulan terakhir yang sudah dibandingkan.",
    ),
    "show": Text("Show", "Tampilkan"),
    "account": Text("Account", "Akun"),
    "partners": Text("Business partners", "Mitra bisnis"),
    "purchases": Text("Purchases", "Pembelian"),
    "invoiced": Text("Invoiced", "Difakturkan"),
    "lines": Text("Invoice lines", "Baris faktur"),
    "status": Text("Result", "Hasil"),
    "accounts": Text("Accounts", "Akun"),
    "by_status": Text("Results of the month", "Hasil bulan ini"),
    "status_matched": Text("matched", "cocok"),
    "status_differs": Text("differs", "berbeda"),
    "status_not_invoiced": Text("not invoiced", "belum difakturkan"),
    "status_customer_without_partner": Text("customer without business partner", "pelanggan tanpa mitra bisnis"),
    "status_partner_without_customer": Text("business partner without customer", "mitra bisnis tanpa pelanggan"),
}
