"""Texts of the explanation of a transaction, step by step."""

from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "title": Text("How each amount is calculated", "Cara setiap jumlah dihitung"),
    "reading": Text("Reading {id}", "Pencatatan {id}"),
    "metered_reading": Text(
        "From {start} to {end} the meter went from {opening} to {closing}; the recorded volume is {volume} m³.",
        "Dari {start} sampai {end} angka meter berubah dari {opening} ke {closing}; volume yang tercatat {volume} m³.",
    ),
    "recorded_volume_used": Text(
        "The ledger calculates with the recorded volume, not with the difference between the two meter states.",
        "Buku besar menghitung dengan volume yang tercatat, bukan dengan selisih kedua angka meter.",
    ),
    "reading_without_meter_states": Text(
        "At {moment} a volume of {volume} m³ was recorded.", "Pada {moment} tercatat volume {volume} m³."
    ),
    "fob_reading": Text(
        "At {moment} a volume of {volume} Sm³ was collected free on board.",
        "Pada {moment} diambil volume {volume} Sm³ secara FOB.",
    ),
    "price": Text("Price", "Harga"),
    "rule_custom_period": Text(
        "{price} per Sm³, from the custom period {valid_from} to {valid_to}, which contains the time of the reading.",
        "{price} per Sm³, dari periode khusus {valid_from} sampai {valid_to} yang mencakup waktu pencatatan.",
    ),
    "rule_monthly": Text(
        "{price} per Sm³, from the price entry for the month of the reading, valid from {valid_from} to {valid_to}.",
        "{price} per Sm³, dari entri harga untuk bulan pencatatan, berlaku dari {valid_from} sampai {valid_to}.",
    ),
    "rule_default": Text(
        "{price} per Sm³, the customer's default price: no price entry applies at the time of the reading.",
        "{price} per Sm³, harga dasar pelanggan: tidak ada entri harga yang berlaku pada waktu pencatatan.",
    ),
    "rule_other": Text(
        "{price} per Sm³, from the price entry ({rule}).",
        "{price} per Sm³, dari entri harga ({rule}).",
    ),
    "price_is_the_default": Text(
        "The entry has no price, so the customer's default price is used.",
        "Entri itu tidak memuat harga, jadi harga dasar pelanggan yang dipakai.",
    ),
    "factor": Text("Correction factor", "Faktor koreksi"),
    "factor_given": Text("{factor}, from the price entry.", "{factor}, dari entri harga."),
    "factor_default": Text("{factor}, the customer's default factor.", "{factor}, faktor dasar pelanggan."),
    "factor_computed": Text(
        "Computed from the outlet pressure, {pressure} bar gauge, and the gas temperature, {temperature} °C, "
        "rounded to 14 decimals:",
        "Dihitung dari tekanan keluar {pressure} bar (gauge) dan suhu gas {temperature} °C, dibulatkan ke 14 desimal:",
    ),
    "factor_fob": Text("{factor}, because the volume is already in Sm³.", "{factor}, karena volume sudah dalam Sm³."),
    "volume": Text("Standard volume", "Volume standar"),
    "volume_rounded": Text(
        "Volume × correction factor, rounded to 4 decimals:", "Volume × faktor koreksi, dibulatkan ke 4 desimal:"
    ),
    "amount": Text("Amount", "Jumlah"),
    "amount_rounded": Text(
        "Volume × correction factor × price, rounded once, to 2 decimals:",
        "Volume × faktor koreksi × harga, dibulatkan satu kali, ke 2 desimal:",
    ),
    "calculated": Text("Calculated at {moment}.", "Dihitung pada {moment}."),
}
