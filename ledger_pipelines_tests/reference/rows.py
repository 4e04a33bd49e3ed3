"""Rows of the billing application's two tables, with every column that the pipeline may read."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

# The application's timestamps carry no zone; nothing in the ledger depends on them.
CREATED: Final = datetime.fromisoformat("2025-01-02T08:00:00")


def user_row(user_id: int, role: str | None = "customer", **columns: Any) -> dict[str, Any]:
    """Return a row of `users`; columns that are not given are NULL or the application's default."""
    row: dict[str, Any] = {
        "id": user_id,
        "name": f"PT Uji {user_id}",
        "email": f"uji{user_id}@example.co.id",
        "role": role,
        "no_kontrak": None,
        "alamat": None,
        "nomor_tlpn": None,
        "total_deposit": Decimal("0.00"),
        "total_purchases": Decimal("0.00"),
        "deposit_history": None,
        "pricing_history": None,
        "monthly_balances": None,
        "harga_per_meter_kubik": None,
        "tekanan_keluar": None,
        "suhu": None,
        "koreksi_meter": None,
        "balance_last_updated_at": None,
        "use_realtime_calculation": True,
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    return row | columns


def reading_row(reading_id: int, customer_id: int, data_input: str | None) -> dict[str, Any]:
    """Return a row of `data_pencatatan`; `data_input` is the JSON text of the column."""
    return {
        "id": reading_id,
        "customer_id": customer_id,
        "nama_customer": f"PT Uji {customer_id}",
        "data_input": data_input,
        "harga_final": None,
        "status_pembayaran": "belum_lunas",
        "created_at": CREATED,
        "updated_at": CREATED,
    }
