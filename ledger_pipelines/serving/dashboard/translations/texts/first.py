"""Texts of the pages before the first computation of the ledger."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "nothing_computed": Text("Nothing has been computed yet", "Belum ada yang dihitung"),
    "demo": Text(
        "The first start of ledger up computes the demo's ledger. Reload this page when that run has finished. "
        "If no run was started, an administrator can start one with: {compute}",
        "Buku besar demo dihitung saat ledger up pertama kali dijalankan. Muat ulang halaman ini setelah proses itu "
        "selesai. Jika tidak ada proses yang berjalan, administrator dapat memulainya dengan: {compute}",
    ),
    "own": Text(
        "Nothing is copied from the billing application and nothing is computed until an administrator starts it. "
        "Run these commands on the server, in this order:",
        "Tidak ada data yang disalin dari aplikasi penagihan atau dihitung sebelum administrator memulainya. "
        "Jalankan perintah berikut di server, sesuai urutan:",
    ),
    "check": Text(
        "checks whether the billing application can be read, and reports what to change if it cannot",
        "memeriksa apakah aplikasi penagihan dapat dibaca, dan melaporkan apa yang perlu diubah jika tidak",
    ),
    "compute": Text("copies the data and computes all balances", "menyalin datanya dan menghitung semua saldo"),
    "afterwards": Text(
        "From then on, changes in the billing application reach the balances within seconds.",
        "Setelah itu, perubahan di aplikasi penagihan masuk ke saldo dalam hitungan detik.",
    ),
}
