"""Words of the search for customers, and of the pages of one."""

from ledger_pipelines.serving.dashboard.words.text import Text

WORDS = {
    "search": Text("Find a customer", "Cari pelanggan"),
    "search_by": Text("Name, number or contract number", "Nama, nomor, atau nomor kontrak"),
    "find": Text("Find", "Cari"),
    "none_found": Text("No customer is found by “{q}”.", "Tidak ada pelanggan untuk “{q}”."),
    "many_found": Text(
        "More than {shown} customers are found; these are the first. Type more of the name.",
        "Ditemukan lebih dari {shown} pelanggan; ini yang pertama. Ketik nama lebih lengkap.",
    ),
    "found": Text("Customers found: {count}", "Pelanggan ditemukan: {count}"),
    "results": Text("Customers found", "Pelanggan yang ditemukan"),
    "customer": Text("Customer", "Pelanggan"),
    "nameless": Text("Customer {id}", "Pelanggan {id}"),
    "id": Text("Number", "Nomor"),
    "contract": Text("Contract number", "Nomor kontrak"),
    "role": Text("Kind", "Jenis"),
    "role_customer": Text("metered", "bermeter"),
    "role_fob": Text("free on board", "FOB"),
    "role_gone": Text("no longer in the billing application", "tidak ada lagi di aplikasi penagihan"),
    "month": Text("Month", "Bulan"),
    "months": Text("Other months", "Bulan lain"),
    "address": Text("Address", "Alamat"),
    "telephone": Text("Telephone", "Telepon"),
    "default_price": Text("Default price of one Sm³", "Harga dasar per Sm³"),
    "automatic": Text("Recalculated automatically", "Dihitung ulang otomatis"),
    "automatic_off": Text("No, switched off in the billing application", "Tidak, dimatikan di aplikasi penagihan"),
    "balance_of": Text("Balance, {month}", "Saldo, {month}"),
    "deposits_of": Text("Deposits, {month}", "Setoran, {month}"),
    "purchases_of": Text("Purchases, {month}", "Pembelian, {month}"),
    "by_month": Text("Month by month, the newest first", "Bulan demi bulan, terbaru lebih dulu"),
    "opening": Text("Opening balance", "Saldo awal"),
    "closing": Text("Closing balance", "Saldo akhir"),
    "calculated": Text("Last changed", "Terakhir berubah"),
    "no_months": Text(
        "This customer has no balance yet: there is neither a usable reading nor a deposit.",
        "Pelanggan ini belum punya saldo: belum ada pencatatan yang dapat dipakai atau setoran.",
    ),
    "not_computed": Text(
        "The ledger has not been computed yet: wait until its first run has ended, or let an administrator start it "
        "(ledger balance initialize --all).",
        "Buku besar belum dihitung: tunggu sampai proses pertamanya selesai, atau mintalah administrator memulainya "
        "(ledger balance initialize --all).",
    ),
    "no_balance_of": Text("There is no balance of {month}.", "Tidak ada saldo untuk {month}."),
    "alerts_of": Text("Low balances, the newest first", "Saldo rendah, terbaru lebih dulu"),
    "recalculate": Text("Recalculate", "Hitung ulang"),
    "recalculate_means": Text(
        "Reads this customer from the billing application again and recalculates every month from the chosen "
        "one to the "
        "current one.",
        "Membaca ulang pelanggan ini dari aplikasi penagihan dan menghitung ulang setiap bulan dari bulan yang dipilih "
        "sampai bulan berjalan.",
    ),
    "from_month": Text("From month", "Dari bulan"),
    "recalculate_now": Text("Recalculate now", "Hitung ulang sekarang"),
    "run_waiting": Text("The recalculation is waiting for its turn …", "Perhitungan ulang menunggu giliran …"),
    "run_running": Text("The recalculation is under way …", "Perhitungan ulang sedang berjalan …"),
    "run_done": Text("The recalculation is done.", "Perhitungan ulang selesai."),
    "run_failed": Text(
        "The recalculation failed; the balances are as they were.",
        "Perhitungan ulang gagal; saldo tetap seperti semula.",
    ),
    "run_cancelled": Text(
        "The recalculation was cancelled; the balances are as they were.",
        "Perhitungan ulang dibatalkan; saldo tetap seperti semula.",
    ),
    "run_unknown": Text("Dagster cannot be asked about this run at the moment.", "Dagster sedang tidak bisa ditanya."),
    "readings": Text("Readings: {count}", "Pencatatan: {count}"),
    "readings_of": Text("Readings of {month}", "Pencatatan {month}"),
    "reading_at": Text("Reading", "Pencatatan"),
    "metered": Text("Volume as given", "Volume tercatat"),
    "price": Text("Price of one Sm³", "Harga per Sm³"),
    "paid": Text("Payment", "Pembayaran"),
    "payment_lunas": Text("paid", "lunas"),
    "payment_belum_lunas": Text("unpaid", "belum lunas"),
    "sum": Text("Sum", "Jumlah"),
    "no_readings": Text(
        "There is no usable reading in this month.", "Tidak ada pencatatan yang dapat dipakai bulan ini."
    ),
    "deposits_in": Text("Deposits of {month}", "Setoran {month}"),
    "deposited_at": Text("Date", "Tanggal"),
    "deposit_kind": Text("Kind", "Jenis"),
    "deposit_penambahan": Text("deposit (penambahan)", "penambahan"),
    "deposit_pengurangan": Text("withdrawal (pengurangan)", "pengurangan"),
    "amount_given": Text("Amount as given", "Jumlah tercatat"),
    "counts_as": Text("Counts as", "Dihitung sebagai"),
    "description": Text("Description", "Keterangan"),
    "no_deposits": Text("There is no deposit in this month.", "Tidak ada setoran bulan ini."),
}
