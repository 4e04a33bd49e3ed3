"""Read the scenario folders into the reference's data types."""

import csv
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from unittest.mock import ANY
from zoneinfo import ZoneInfo

from ledger_pipelines_tests.reference.model import Ledger, MonthlyBalance, SourceState, Transaction
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.reference.values import Json, Numeral, write_json

FOLDER: Final = Path(__file__).parent
WIB: Final = ZoneInfo("Asia/Jakarta")
DEFAULT_COLUMNS: Final = ("harga_per_meter_kubik", "tekanan_keluar", "suhu", "koreksi_meter")
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "customer_id": int,
    "data_pencatatan_id": int,
    "year_month": str,
    "transaction_date": lambda text: datetime.fromisoformat(text).replace(tzinfo=WIB),
    "rule": str,
}
"""Parsers of the columns of a transaction that are not decimals."""

Row = dict[str, str]


@dataclass(frozen=True)
class Step:
    """Source, the current month ('YYYY-MM') in which it is read, and the expected ledger."""

    current_month: str
    given: SourceState
    then: Ledger


@dataclass(frozen=True)
class Scenario:
    """One rule: the first step and, for rules about changes, the step `after`."""

    name: str
    title: str
    rule: str
    first_month: str
    current_month: str
    given: SourceState
    then: Ledger
    after: Step | None


def load_scenarios() -> list[Scenario]:
    """Return all scenarios, by name."""
    return [_scenario(path.parent) for path in sorted(FOLDER.glob("*/scenario.toml"))]


def _scenario(folder: Path) -> Scenario:
    about = tomllib.loads((folder / "scenario.toml").read_text(encoding="utf-8"))
    month = about["current_month"]
    after = None
    if "change" in about:
        later = [folder / "after", folder]
        after = Step(about["change"].get("current_month", month), _given(later), _then(later))
    return Scenario(
        name=folder.name,
        title=about["title"],
        rule=about["rule"],
        first_month=about["first_month"],
        current_month=month,
        given=_given([folder]),
        then=_then([folder]),
        after=after,
    )


def _rows(folders: list[Path], table: str) -> list[Row]:
    """Return the rows of a table from the first folder that has its file."""
    for folder in folders:
        path = folder / f"{table}.csv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file, strict=True))
    return []


def _given(folders: list[Path]) -> SourceState:
    prices, deposits = _rows(folders, "given_prices"), _rows(folders, "given_deposits")
    return SourceState(
        users=tuple(_user(row, prices, deposits) for row in _rows(folders, "given_customers")),
        readings=tuple(
            reading_row(int(row["id"]), int(row["customer_id"]), row.get("data_input") or _data_input(row))
            | {"harga_final": Decimal(row["harga_final"]) if row.get("harga_final") else None}
            for row in _rows(folders, "given_readings")
        ),
    )


def _user(row: Row, prices: list[Row], deposits: list[Row]) -> dict[str, Any]:
    """Return a row of `users`; a history is the rows of its table in order, or the raw text of the optional column."""
    return user_row(
        int(row["id"]),
        row["role"],
        name=row["name"],
        **{column: Decimal(row[column]) if row[column] else None for column in DEFAULT_COLUMNS},
        deposit_history=row.get("deposit_history") or _history(deposits, row["id"]),
        pricing_history=row.get("pricing_history") or _history(prices, row["id"]),
    )


def _history(rows: list[Row], customer_id: str) -> str | None:
    """Return the JSON list of one customer's rows; None without rows."""
    entries = [row.get("raw") or _entry(row) for row in rows if row["customer_id"] == customer_id]
    return f"[{', '.join(entries)}]" if entries else None


def _entry(row: Row) -> str:
    return write_json({key: _cell(text) for key, text in row.items() if text and key not in ("customer_id", "raw")})


def _data_input(row: Row) -> str:
    """Return the JSON of a reading; an empty cell has no key, except `volume_sm3`, which makes a reading fob."""
    waktu: dict[str, Json] = {"waktu": _cell(row["moment"])} if row["moment"] else {}
    volume = _cell(row["volume"]) if row["volume"] else None
    if row["kind"] == "fob":
        return write_json({**waktu, "volume_sm3": volume, "keterangan": None, "alamat_pengambilan": None})
    metered: dict[str, Json] = {"pembacaan_awal": waktu}
    return write_json(metered if volume is None else {**metered, "volume_flow_meter": volume})


def _cell(text: str) -> Json:
    """Return a cell as a JSON number if it is one, else as text."""
    return Numeral(text) if _JSON_NUMBER.fullmatch(text) else text


def _then(folders: list[Path]) -> Ledger:
    return Ledger(
        transactions={int(row["data_pencatatan_id"]): _transaction(row) for row in _rows(folders, "then_transactions")},
        balances={
            (int(row["customer_id"]), row["year_month"]): MonthlyBalance(
                **{name: Decimal(row[name]) for name in MonthlyBalance.__dataclass_fields__}
            )
            for row in _rows(folders, "then_balances")
        },
        rejected={(row["source_table"], row["source_id"]): row["why"] for row in _rows(folders, "then_rejected")},
    )


def _transaction(row: Row) -> Transaction:
    """Return the transaction of a row; a column that the file leaves out equals any value."""
    columns = Transaction.__dataclass_fields__.keys()
    assert row.keys() <= columns, row.keys() - columns
    return Transaction(**{name: _value(name, row[name]) if name in row else ANY for name in columns})


def _value(name: str, text: str) -> Any:
    return _PARSERS.get(name, Decimal)(text) if text else None
