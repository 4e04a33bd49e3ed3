"""Texts of the customer search and of the pages of a customer."""

from ledger_pipelines.serving.dashboard.translations import explanation
from ledger_pipelines.serving.dashboard.translations.text import Text

TEXTS = {
    "search": Text("Find a customer", "Cari pelanggan"),
    "search_by": Text("Name, number or contract number", "Nama, nomor, atau nomor kontrak"),
    "find": Text("Find", "Cari"),
    "none_found": Text("No customer matches “{q}”.", "Tidak ada pelanggan yang cocok dengan “{q}”."),
    "many_found": Text(
        "More than {shown} customers match; only the first {shown} are shown. Type more of the name.",
        "Lebih dari {shown} pelanggan cocok; hanya {shown} yang pertama ditampilkan. Ketik nama yang lebih lengkap.",
    ),
    "found": Text("Customers found: {count}", "Pelanggan ditemukan: {count}"),
    "results": Text("Customers found", "Pelanggan yang ditemukan"),
    "customer": Text("Customer", "Pelanggan"),
    "nameless": Text("Customer {id}", "Pelanggan {id}"),
    "id": Text("Number", "Nomor"),
    "contract": Text("Contract number", "Nomor kontrak"),
    "role": Text("Type", "Jenis"),
    "role_customer": Text("metered", "bermeter"),
    "role_fob": Text("free on board", "FOB"),
    "role_gone": Text("no longer in the billing application", "sudah tidak ada di aplikasi penagihan"),
    "month": Text("Month", "Bulan"),
    "months": Text("Other months", "Bulan lain"),
    "address": Text("Address", "Alamat"),
    "telephone": Text("Telephone", "Telepon"),
    "default_price": Text("Default price per Sm³", "Harga dasar per Sm³"),
    "automatic": Text("Automatic recalculation", "Perhitungan ulang otomatis"),
    "automatic_off": Text("No, switched off in the billing application", "Tidak, dinonaktifkan di aplikasi penagihan"),
    "balance_of": Text("Balance, {month}", "Saldo, {month}"),
    "deposits_of": Text("Deposits, {month}", "Setoran, {month}"),
    "purchases_of": Text("Purchases, {month}", "Pembelian, {month}"),
    "by_month": Text("By month, newest first", "Per bulan, terbaru lebih dulu"),
    "opening": Text("Opening balance", "Saldo awal"),
    "closing": Text("Closing balance", "Saldo akhir"),
    "calculated": Text("Last changed", "Terakhir berubah"),
    "no_months": Text(
        "This customer has no balance yet: there is no usable reading and no deposit.",
        "Pelanggan ini belum memiliki saldo: belum ada pencatatan yang dapat dipakai dan belum ada setoran.",
    ),
    "no_balance_of": Text("There is no balance for {month}.", "Tidak ada saldo untuk {month}."),
    "alerts_of": Text("Low balances, newest first", "Saldo rendah, terbaru lebih dulu"),
    "recalculate": Text("Recalculate", "Hitung ulang"),
    "recalculate_effect": Text(
        "Reads this customer again from the billing application, then recalculates every month from the selected "
        "month to the current one.",
        "Membaca ulang pelanggan ini dari aplikasi penagihan, lalu menghitung ulang setiap bulan dari bulan yang "
        "dipilih sampai bulan berjalan.",
    ),
    "from_month": Text("From month", "Dari bulan"),
    "recalculate_now": Text("Recalculate now", "Hitung ulang sekarang"),
    "run_waiting": Text("The recalculation is waiting to start …", "Perhitungan ulang menunggu dijalankan …"),
    "run_running": Text("The recalculation is running …", "Perhitungan ulang sedang berjalan …"),
    "run_done": Text("The recalculation is done.", "Perhitungan ulang selesai."),
    "run_failed": Text(
        "The recalculation failed. The balances have not changed.",
        "Perhitungan ulang gagal. Saldo tidak berubah.",
    ),
    "run_cancelled": Text(
        "The recalculation was cancelled. The balances have not changed.",
        "Perhitungan ulang dibatalkan. Saldo tidak berubah.",
    ),
    "run_unknown": Text(
        "The state of this run cannot be fetched from Dagster at the moment.",
        "Status proses ini sedang tidak dapat diambil dari Dagster.",
    ),
    "readings": Text("Readings: {count}", "Pencatatan: {count}"),
    "readings_of": Text("Readings in {month}", "Pencatatan {month}"),
    "reading_at": Text("Reading", "Pencatatan"),
    # The columns of a transaction that the page of a month shows, in the order of the table.
    "column_volume_flow_meter": Text("Recorded volume", "Volume tercatat"),
    "column_koreksi_meter": explanation.TEXTS["factor"],
    "column_volume_sm3": Text("Sm³", "Sm³"),
    "column_harga_per_m3": Text("Price per Sm³", "Harga per Sm³"),
    "column_total_harga": explanation.TEXTS["amount"],
    "paid": Text("Payment", "Pembayaran"),
    "payment_lunas": Text("paid", "lunas"),
    "payment_belum_lunas": Text("unpaid", "belum lunas"),
    "sum": Text("Total", "Total"),
    "no_readings": Text(
        "There are no usable readings in this month.", "Tidak ada pencatatan yang dapat dipakai pada bulan ini."
    ),
    "deposits_in": Text("Deposits in {month}", "Setoran {month}"),
    "deposited_at": Text("Date", "Tanggal"),
    "deposit_kind": Text("Type", "Jenis"),
    "deposit_penambahan": Text("addition (penambahan)", "penambahan"),
    "deposit_pengurangan": Text("reduction (pengurangan)", "pengurangan"),
    "recorded_amount": Text("Recorded amount", "Jumlah tercatat"),
    "counted_as": Text("Counted as", "Dihitung sebagai"),
    "description": Text("Description", "Keterangan"),
    "no_deposits": Text("There are no deposits in this month.", "Tidak ada setoran pada bulan ini."),
}
