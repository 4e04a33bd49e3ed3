"""Users, readings, deposits and prices of the demo, in the format in which the application stores them.

Readings, deposits and price entries hold *fragments of JSON text*, not numbers. Such data is hard to read because of
its formatting, and the faults (`demo/faults`) rewrite a fragment. `customers` and `billing` generate the figures.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.domain import DepositKind

# No password hash has this value, so login is impossible.
_NO_PASSWORD = "!"  # noqa: S105 - marks an account without login

USER_COLUMNS = (
    "id", "name", "email", "role", "password", "no_kontrak", "alamat", "nomor_tlpn", "total_deposit",
    "total_purchases", "deposit_history", "pricing_history", "monthly_balances", "harga_per_meter_kubik",
    "tekanan_keluar", "suhu", "koreksi_meter", "balance_last_updated_at", "use_realtime_calculation", "created_at",
    "updated_at",
)  # fmt: skip
READING_COLUMNS = (
    "id", "customer_id", "nama_customer", "data_input", "harga_final", "status_pembayaran", "created_at", "updated_at",
)  # fmt: skip


def running_total(bills: Iterable[float]) -> float:
    """Add binary floats one after the other, as the application does, rounding drift included.

    Python's `sum` compensates the drift from version 3.12 on, so the demo would depend on the Python version.
    """
    return reduce(add, bills, 0.0)


def money(hundredths: int) -> str:
    """Return rupiah as a JSON number without trailing zeros."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)


@dataclass(frozen=True, slots=True)
class UserRef:
    """Id and name of a user, as a reading stores them."""

    id: str
    name: str


@dataclass(slots=True)
class DemoReading:
    """A row of `data_pencatatan`.

    `moment`, `closed_at` and `entered_at` are timestamps as text. `volume`, `opening` and `closing` are fragments of
    JSON. A fob reading has no `closed_at` and no meter states. `bill` is the application's binary float, in rupiah.
    `starts` and `ends` are seconds of the time line; faults do not change them.
    """

    owner: UserRef
    starts: int
    ends: int
    moment: str
    closed_at: str
    opening: str
    closing: str
    volume: str
    bill: float
    entered_at: str
    paid: bool
    is_fob: bool = False
    extra: str = ""
    encoded_twice: bool = False

    def data_input(self) -> str:
        """Return the value of the column `data_input`."""
        if self.is_fob:
            text = f'{{"waktu":"{self.moment}","volume_sm3":{self.volume},"keterangan":null,"alamat_pengambilan":null}}'
        else:
            text = (
                f'{{"pembacaan_awal":{{"waktu":"{self.moment}","volume":{self.opening}}},'
                f'"pembacaan_akhir":{{"waktu":"{self.closed_at}","volume":{self.closing}}},'
                f'"volume_flow_meter":{self.volume}{self.extra}}}'
            )
        return json.dumps(text) if self.encoded_twice else text

    def row(self, number: int) -> TextRow:
        """Return the values of `READING_COLUMNS`; `number` becomes the id."""
        return (
            str(number),
            self.owner.id,
            self.owner.name,
            self.data_input(),
            f"{self.bill:.2f}",
            "lunas" if self.paid else "belum_lunas",
            self.entered_at,
            self.entered_at,
        )


@dataclass(slots=True)
class DemoDeposit:
    """An entry of `deposit_history`; `signed` is the amount added to `total_deposit`, in hundredths of a rupiah."""

    date: str | None
    amount: str
    signed: int
    keterangan: DepositKind | None = DepositKind.ADDITION
    description: str | None = None

    @classmethod
    def reduction(cls, date: str | None, amount: str, cents: int) -> "DemoDeposit":
        """Return an entry that takes an amount from the deposits; ``amount`` is its text, of either sign."""
        return cls(date, amount, DepositKind.REDUCTION.signed(cents), DepositKind.REDUCTION, "Koreksi tagihan")

    def json(self) -> str:
        """Return the entry as JSON; without `keterangan`, the key is absent, as in old entries."""
        date = "null" if self.date is None else f'"{self.date}"'
        note = "null" if self.description is None else f'"{self.description}"'
        kind = "" if self.keterangan is None else f',"keterangan":"{self.keterangan}"'
        return f'{{"date":{date},"amount":{self.amount},"description":{note}{kind}}}'


@dataclass(slots=True)
class DemoPrice:
    """An entry of `pricing_history`, in force from second `since` to second `until`, both included.

    `head` is the first part of the entry, which identifies it as a monthly entry or a custom period. `rate` is the
    price that the application derives from the entry: rupiah for one m³ on the meter.
    """

    since: int
    until: int
    head: str
    price: str
    pressure: str
    temperature: str
    factor: str
    rate: float

    def json(self) -> str:
        """Return the entry as JSON."""
        return (
            f'{{{self.head},"harga_per_meter_kubik":{self.price},"tekanan_keluar":{self.pressure},'
            f'"suhu":{self.temperature},"koreksi_meter":{self.factor}}}'
        )


@dataclass(slots=True)
class DemoAccount:
    """A user with its readings, deposits and prices; a default column that is NULL in the row is `None`."""

    owner: UserRef
    email: str
    role: str
    created_at: str
    updated_at: str
    contract: str | None = None
    address: str | None = None
    phone: str | None = None
    price: str | None = None
    pressure: str | None = None
    temperature: str | None = None
    factor: str | None = None
    prices: list[DemoPrice] | None = None
    deposits: list[DemoDeposit] | None = None
    readings: list[DemoReading] = field(default_factory=list)
    balances: dict[str, float] = field(default_factory=dict)
    histories_encoded_twice: bool = False

    @property
    def is_fob(self) -> bool:
        """Return whether the customer is billed free on board."""
        return self.role == "fob"

    def row(self) -> TextRow:
        """Return the values of `USER_COLUMNS`, including the application's running totals."""
        total_deposit = sum(deposit.signed for deposit in self.deposits or ())
        sign = "-" if total_deposit < 0 else ""
        whole, hundredths = divmod(abs(total_deposit), 100)
        total_purchases = running_total(reading.bill for reading in self.readings)
        balances = ",".join(f'"{month}":{balance:.2f}' for month, balance in self.balances.items())
        return (
            self.owner.id,
            self.owner.name,
            self.email,
            self.role,
            _NO_PASSWORD,
            self.contract,
            self.address,
            self.phone,
            f"{sign}{whole}.{hundredths:02d}",
            f"{total_purchases:.2f}",
            self._history(self.deposits),
            self._history(self.prices),
            f"{{{balances}}}",
            self.price,
            self.pressure,
            self.temperature,
            self.factor,
            self.updated_at,
            "1",
            self.created_at,
            self.updated_at,
        )

    def reading_rows(self, first: int) -> Iterator[TextRow]:
        """Yield one row per reading, with ids from `first` on."""
        for number, reading in enumerate(self.readings, first):
            yield reading.row(number)

    def _history(self, entries: list[DemoDeposit] | list[DemoPrice] | None) -> str | None:
        if entries is None:
            return None
        text = f"[{','.join(entry.json() for entry in entries)}]"
        return json.dumps(text) if self.histories_encoded_twice else text
