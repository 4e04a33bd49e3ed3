"""Texts of the login page."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "title": Text("Log in", "Masuk"),
    "intro": Text(
        "Log in with an access token, the same kind of token that programs use.",
        "Masuk dengan token akses, jenis token yang sama dengan yang dipakai program.",
    ),
    "token": Text("Access token", "Token akses"),
    "log_in": Text("Log in", "Masuk"),
    "create_token": Text("The server's administrator creates tokens with", "Administrator server membuat token dengan"),
    "refused": Text(
        "This token is not accepted. Check that it is complete and has not expired or been revoked.",
        "Token ini tidak diterima. Pastikan token lengkap, belum kedaluwarsa, dan belum dicabut.",
    ),
    "too_often": Text(
        "Too many tokens from your address were refused. Try again in {seconds} seconds.",
        "Terlalu banyak token dari alamat Anda yang ditolak. Coba lagi dalam {seconds} detik.",
    ),
}
