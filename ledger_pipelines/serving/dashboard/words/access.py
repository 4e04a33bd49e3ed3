"""Words of logging in."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "title": Text("Log in", "Masuk"),
    "how": Text(
        "The dashboard is opened with an access token, the same that programs use.",
        "Dasbor dibuka dengan token akses, sama seperti yang dipakai program.",
    ),
    "token": Text("Access token", "Token akses"),
    "log_in": Text("Log in", "Masuk"),
    "get_one": Text("Whoever runs the server makes one by", "Pengelola server membuatnya dengan"),
    "refused": Text(
        "This token is not accepted. Check that it is complete, and neither expired nor revoked.",
        "Token ini tidak diterima. Periksa apakah lengkap, belum kedaluwarsa, dan belum dicabut.",
    ),
    "too_often": Text(
        "Too many tokens from your address were refused. Try again in {seconds} seconds.",
        "Terlalu banyak token dari alamat Anda ditolak. Coba lagi dalam {seconds} detik.",
    ),
}
