"""Words of the comparison with the billing application, and of the reconciliation with the ERP's invoices."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "comparison": Text("Comparison with the billing application", "Perbandingan dengan aplikasi penagihan"),
    "comparison_means": Text(
        "The latest balance of each customer against the application's own total_deposit − total_purchases. "
        "They match if they "
        "differ by less than one cent.",
        "Saldo terakhir setiap pelanggan dibandingkan dengan total_deposit − total_purchases milik aplikasi. "
        "Keduanya cocok "
        "bila selisihnya kurang dari satu sen.",
    ),
    "never_compared": Text("Nothing has been compared yet.", "Belum ada yang dibandingkan."),
    "compared_at": Text("Last compared: {moment}.", "Terakhir dibandingkan: {moment}."),
    "when": Text(
        "It is compared after the ledger was first computed, and every night at 03:00.",
        "Dibandingkan setelah buku besar pertama kali dihitung, dan setiap malam pukul 03.00.",
    ),
    "compare_now": Text("Compare now", "Bandingkan sekarang"),
    "run_waiting": Text("The comparison is waiting for its turn …", "Perbandingan menunggu giliran …"),
    "run_running": Text("The comparison is under way …", "Perbandingan sedang berjalan …"),
    "run_done": Text(
        "The comparison is done; load the page again to see it.",
        "Perbandingan selesai; muat ulang halaman untuk melihatnya.",
    ),
    "run_failed": Text(
        "The comparison failed; what was found before is shown.",
        "Perbandingan gagal; yang ditampilkan adalah hasil sebelumnya.",
    ),
    "run_cancelled": Text(
        "The comparison was cancelled; what was found before is shown.",
        "Perbandingan dibatalkan; yang ditampilkan adalah hasil sebelumnya.",
    ),
    "run_unknown": Text("Dagster cannot be asked about this run at the moment.", "Dagster sedang tidak bisa ditanya."),
    "customers": Text("Customers", "Pelanggan"),
    "mismatches": Text("Do not match", "Tidak cocok"),
    "ledger_balance": Text("Our balance", "Saldo kita"),
    "application_balance": Text("Application's balance", "Saldo aplikasi"),
    "difference": Text("Difference", "Selisih"),
    "reasons": Text("Reasons", "Sebab"),
    "by_reason": Text("Why balances differ", "Sebab saldo berbeda"),
    "amount": Text("Amount", "Jumlah"),
    "rows": Text("rows: {count}", "baris: {count}"),
    "matches": Text("match", "cocok"),
    "only_mismatches": Text("Show only those that do not match", "Tampilkan yang tidak cocok saja"),
    "everything": Text("Show all", "Tampilkan semua"),
    "nothing_to_show": Text("There is nothing to show.", "Tidak ada yang ditampilkan."),
    "reason_rounding": Text("cents of rounding", "pembulatan sen"),
    "reason_readings_without_price": Text("readings without a price", "pencatatan tanpa harga"),
    "reason_rejected_readings": Text("rejected readings", "pencatatan yang ditolak"),
    "reason_duplicate_readings": Text("readings that start together", "pencatatan dengan awal yang sama"),
    "reason_billed_otherwise": Text("readings billed otherwise", "pencatatan yang ditagih lain"),
    "reason_rejected_deposits": Text("rejected deposits", "setoran yang ditolak"),
    "reason_deposits_outside_list": Text("deposits outside the list", "setoran di luar daftar"),
    "reason_application_total_stale": Text("the application's total is out of date", "total aplikasi tidak mutakhir"),
    "reason_unexplained": Text("unexplained", "tidak terjelaskan"),
    "invoices": Text("Invoice reconciliation", "Rekonsiliasi faktur"),
    "invoices_mean": Text(
        "Purchases of the ledger in a month against what the ERP invoiced to the customer's business partner.",
        "Pembelian di buku besar dalam sebulan dibandingkan dengan yang difakturkan ERP kepada mitra bisnis pelanggan.",
    ),
    "month": Text("Month", "Bulan"),
    "no_such_month": Text(
        "The invoices of “{asked}” have not been compared; what is shown is the latest month that has been.",
        "Faktur “{asked}” belum dibandingkan; yang ditampilkan adalah bulan terakhir yang sudah.",
    ),
    "show": Text("Show", "Tampilkan"),
    "account": Text("Account", "Akun"),
    "partners": Text("Business partners", "Mitra bisnis"),
    "purchases": Text("Purchases", "Pembelian"),
    "invoiced": Text("Invoiced", "Difakturkan"),
    "lines": Text("Invoice lines", "Baris faktur"),
    "status": Text("Outcome", "Hasil"),
    "accounts": Text("Accounts", "Akun"),
    "by_status": Text("The month by outcome", "Bulan ini menurut hasil"),
    "status_matched": Text("matched", "cocok"),
    "status_differs": Text("differs", "berbeda"),
    "status_not_invoiced": Text("not invoiced", "belum difakturkan"),
    "status_customer_without_partner": Text("customer without partner", "pelanggan tanpa mitra"),
    "status_partner_without_customer": Text("partner without customer", "mitra tanpa pelanggan"),
}
