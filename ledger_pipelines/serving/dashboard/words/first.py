"""Words for the time before the ledger has been computed for the first time."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "nothing_computed": Text("Nothing is computed yet", "Belum ada yang dihitung"),
    "demo": Text(
        "The ledger of the demo is computed when ledger up first starts; load this page again when that run has ended. "
        "If none was started, an administrator types: {compute}",
        "Buku besar demo dihitung saat ledger up pertama kali dijalankan; muat ulang halaman ini setelah prosesnya "
        "selesai. Jika tidak ada proses yang dimulai, administrator mengetik: {compute}",
    ),
    "own": Text(
        "Nothing is copied from the billing application or computed until an administrator asks for it. "
        "On the machine of the ledger, in this order:",
        "Tidak ada yang disalin dari aplikasi penagihan atau dihitung sebelum administrator memintanya. "
        "Di mesin buku besar, dengan urutan ini:",
    ),
    "check": Text(
        "whether the billing application can be read, and what to change if not",
        "apakah aplikasi penagihan dapat dibaca, dan apa yang perlu diubah jika tidak",
    ),
    "compute": Text("copy it and compute every balance", "menyalinnya dan menghitung setiap saldo"),
    "afterwards": Text(
        "From then on, changes in the billing application are in the balances within seconds.",
        "Setelah itu, perubahan di aplikasi penagihan masuk ke saldo dalam hitungan detik.",
    ),
}
