"""Texts of the overview."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "title": Text("Overview", "Ikhtisar"),
    "status": Text("Status", "Status"),
    "realtime": Text("Balances", "Saldo"),
    "realtime_blocked": Text("Blocked, open incidents: {count}", "Terhambat, insiden terbuka: {count}"),
    "realtime_current": Text("Up to date", "Mutakhir"),
    "realtime_never": Text("Nothing computed yet", "Belum ada yang dihitung"),
    "realtime_waiting": Text("Changes waiting: {count}", "Perubahan menunggu: {count}"),
    "realtime_failing": Text("Changes that cannot be applied: {count}", "Perubahan yang gagal diproses: {count}"),
    "last_batch": Text("Changes applied {ago}: {changes}.", "Perubahan yang diproses {ago}: {changes}."),
    "no_batch": Text("No change has been applied recently.", "Tidak ada perubahan yang diproses baru-baru ini."),
    "oldest_pending": Text("The oldest was detected {ago}.", "Yang tertua terdeteksi {ago}."),
    "held": Text(
        "Changes on hold: {count}. Automatic recalculation is switched off for their customers.",
        "Perubahan yang ditahan: {count}. Perhitungan ulang otomatis dinonaktifkan untuk pelanggannya.",
    ),
    "last_sync": Text("Last ERP sync", "Sinkronisasi ERP terakhir"),
    "never_synced": Text("There has been no sync yet.", "Belum pernah ada sinkronisasi."),
    "needs_attention": Text("Needs attention", "Perlu perhatian"),
    "low_customers": Text("Customers with a low balance: {count}", "Pelanggan bersaldo rendah: {count}"),
    "rejected_rows": Text("Rejected rows: {count}", "Baris ditolak: {count}"),
    "checking_dagster": Text("Checking …", "Memeriksa …"),
    "check_dagster": Text("Check Dagster", "Periksa Dagster"),
    "dagster_up": Text("Running", "Berjalan"),
    "dagster_not_responding": Text("Not responding", "Tidak merespons"),
    "dagster_not_responding_effect": Text(
        "Figures can be read, but until Dagster runs again nothing is recalculated, synced or started.",
        "Angka tetap dapat dibaca, tetapi sampai Dagster berjalan lagi tidak ada yang dihitung ulang, disinkronkan, "
        "atau dimulai.",
    ),
    "checks_hold": Text("Checks run: {count}, none failed.", "Pemeriksaan dijalankan: {count}, tidak ada yang gagal."),
    "checks_failing": Text("Failed checks: {names}.", "Pemeriksaan yang gagal: {names}."),
    "checks_warning": Text("Checks with warnings: {names}.", "Pemeriksaan dengan peringatan: {names}."),
    "open_dagster": Text("Open Dagster", "Buka Dagster"),
    "year": Text("The year {year}", "Tahun {year}"),
    "years": Text("Other years", "Tahun lain"),
    "customers": Text("Customers", "Pelanggan"),
    "deposits": Text("Deposits", "Setoran"),
    "purchases": Text("Purchases", "Pembelian"),
    "closing": Text("Closing balance", "Saldo akhir"),
    "balance": Text("Balance", "Saldo"),
    "volume": Text("Volume", "Volume"),
    "average_balance": Text("Average balance", "Saldo rata-rata"),
    "closing_rule": Text(
        "The closing balance is the sum of all customers' balances, each in the customer's last month with a balance "
        "in that year.",
        "Saldo akhir adalah jumlah saldo semua pelanggan, masing-masing pada bulan terakhir yang memiliki saldo di "
        "tahun itu.",
    ),
    "as_of": Text("As of {moment}.", "Per {moment}."),
    "by_month": Text("By month", "Per bulan"),
    "top": Text("Top ten customers by volume", "Sepuluh pelanggan terbesar menurut volume"),
    "no_balances": Text("There are no balances for {year}.", "Tidak ada saldo untuk tahun {year}."),
    "newest_alerts": Text("Latest low balances", "Saldo rendah terbaru"),
    "all_alerts": Text("All low balances ({count})", "Semua saldo rendah ({count})"),
}
