"""What a demo customer is made of, in the words in which the application stores it.

Readings, deposits and price entries hold *fragments of JSON text*, not numbers: what makes such data hard to read is
how it is written, and the faults (`dirt`) are made by rewriting a fragment. Inventing the figures belongs to
`customers` and `billing`.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from ledger_pipelines.sources.sample.writing import Row

# No hash of any password looks like this, so nobody can log in.
_NO_PASSWORD = "!"  # noqa: S105 - the mark of an account that nobody can log in to

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
    """Add binary floats up one after the other, as the application does, its drift included.

    Python's own `sum` compensates the drift from version 3.12 on, and would not give the same demo everywhere.
    """
    return reduce(add, bills, 0.0)


def money(hundredths: int) -> str:
    """Write rupiah as a JSON number without needless zeros."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose reading it is, as the reading says it."""

    id: str
    name: str


@dataclass(slots=True)
class Reading:
    """A row of `data_pencatatan`.

    `moment`, `closed_at` and `entered_at` are texts of moments; `volume`, `opening` and `closing` fragments of JSON. A
    fob reading has neither `closed_at` nor meter states. `bill` is the application's own binary float, in rupiah.
    `starts` and `ends` are seconds of the time line; faults leave them as they are.
    """

    owner: Owner
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
        """Write the JSON text."""
        if self.is_fob:
            text = f'{{"waktu":"{self.moment}","volume_sm3":{self.volume},"keterangan":null,"alamat_pengambilan":null}}'
        else:
            text = (
                f'{{"pembacaan_awal":{{"waktu":"{self.moment}","volume":{self.opening}}},'
                f'"pembacaan_akhir":{{"waktu":"{self.closed_at}","volume":{self.closing}}},'
                f'"volume_flow_meter":{self.volume}{self.extra}}}'
            )
        return json.dumps(text) if self.encoded_twice else text

    def row(self, number: int) -> Row:
        """Give the values of `READING_COLUMNS`, with `number` for an id."""
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
class Deposit:
    """An entry of `deposit_history`; `signed` is what the application added to its total, in hundredths of a rupiah."""

    date: str | None
    amount: str
    signed: int
    keterangan: str | None = "penambahan"
    description: str | None = None

    def json(self) -> str:
        """Write the entry; without a `keterangan` the key is absent, as in old entries."""
        date = "null" if self.date is None else f'"{self.date}"'
        note = "null" if self.description is None else f'"{self.description}"'
        kind = "" if self.keterangan is None else f',"keterangan":"{self.keterangan}"'
        return f'{{"date":{date},"amount":{self.amount},"description":{note}{kind}}}'


@dataclass(slots=True)
class Price:
    """An entry of `pricing_history`, in force from second `since` to second `until`, both included.

    `head` is the entry's beginning, which tells a monthly entry from a custom period; `rate` is what the application
    makes of the entry: rupiah for one m³ on the meter.
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
        """Write the entry."""
        return (
            f'{{{self.head},"harga_per_meter_kubik":{self.price},"tekanan_keluar":{self.pressure},'
            f'"suhu":{self.temperature},"koreksi_meter":{self.factor}}}'
        )


@dataclass(slots=True)
class Account:
    """A user with everything that hangs on it; the four default columns are `None` where the row has NULL."""

    owner: Owner
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
    prices: list[Price] | None = None
    deposits: list[Deposit] | None = None
    readings: list[Reading] = field(default_factory=list)
    balances: dict[str, float] = field(default_factory=dict)
    histories_encoded_twice: bool = False

    @property
    def is_fob(self) -> bool:
        """Whether the customer is billed free on board."""
        return self.role == "fob"

    def row(self) -> Row:
        """Give the values of `USER_COLUMNS`, the application's own running totals among them."""
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

    def reading_rows(self, first: int) -> Iterator[Row]:
        """Give the readings' rows, numbered from `first`."""
        for number, reading in enumerate(self.readings, first):
            yield reading.row(number)

    def _history(self, entries: list[Deposit] | list[Price] | None) -> str | None:
        if entries is None:
            return None
        text = f"[{','.join(entry.json() for entry in entries)}]"
        return json.dumps(text) if self.histories_encoded_twice else text
