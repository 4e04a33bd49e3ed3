"""Words by which a transaction is explained, step by step."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "title": Text("How each amount comes about", "Asal setiap jumlah"),
    "reading": Text("Reading {id}", "Pencatatan {id}"),
    "metered_reading": Text(
        "From {start} to {end} the meter went from {opening} to {closing}; the volume given is {volume} m³.",
        "Dari {start} sampai {end} meter bergerak dari {opening} ke {closing}; volume yang tercatat {volume} m³.",
    ),
    "volume_is_as_given": Text(
        "The ledger computes with the volume as it is given, not with the difference of the two states.",
        "Buku besar menghitung dengan volume yang tercatat, bukan dengan selisih kedua angka meter.",
    ),
    "bare_reading": Text(
        "At {moment} a volume of {volume} m³ was given.", "Pada {moment} tercatat volume {volume} m³."
    ),
    "fob_reading": Text(
        "At {moment} {volume} Sm³ were taken free on board.", "Pada {moment} diambil {volume} Sm³ secara FOB."
    ),
    "price": Text("Price", "Harga"),
    "rule_custom_period": Text(
        "{price} for one Sm³, by the custom period from {valid_from} to {valid_to}, which contains the "
        "reading's moment.",
        "{price} per Sm³, menurut periode khusus dari {valid_from} sampai {valid_to} yang memuat waktu pencatatan.",
    ),
    "rule_monthly": Text(
        "{price} for one Sm³, by the entry of the reading's month, which holds from {valid_from} to {valid_to}.",
        "{price} per Sm³, menurut entri bulan pencatatan, yang berlaku dari {valid_from} sampai {valid_to}.",
    ),
    "rule_default": Text(
        "{price} for one Sm³, the customer's default: no entry applies to the reading's moment.",
        "{price} per Sm³, harga dasar pelanggan: tidak ada entri yang berlaku pada waktu pencatatan.",
    ),
    "price_is_the_default": Text(
        "The entry names no price, so it is the customer's default.",
        "Entri itu tidak menyebut harga, jadi dipakai harga dasar pelanggan.",
    ),
    "factor": Text("Correction factor", "Faktor koreksi"),
    "factor_given": Text("{factor}, as the price entry gives it.", "{factor}, seperti dalam entri harga."),
    "factor_default": Text("{factor}, the customer's default.", "{factor}, nilai dasar pelanggan."),
    "factor_computed": Text(
        "Computed from the outlet pressure, {pressure} bar gauge, and the gas temperature, {temperature} °C, "
        "and rounded "
        "to 14 decimals:",
        "Dihitung dari tekanan keluar {pressure} bar (gauge) dan suhu gas {temperature} °C, dibulatkan ke 14 desimal:",
    ),
    "factor_fob": Text("{factor}, because the volume is in Sm³ already.", "{factor}, karena volume sudah dalam Sm³."),
    "volume": Text("Standard volume", "Volume standar"),
    "volume_rounded": Text(
        "Volume × correction factor, rounded to 4 decimals:", "Volume × faktor koreksi, dibulatkan ke 4 desimal:"
    ),
    "amount": Text("Amount", "Jumlah"),
    "amount_rounded": Text(
        "Volume × correction factor × price, rounded once, to the cent:",
        "Volume × faktor koreksi × harga, dibulatkan sekali ke sen:",
    ),
    "calculated": Text("Calculated at {moment}.", "Dihitung pada {moment}."),
}
