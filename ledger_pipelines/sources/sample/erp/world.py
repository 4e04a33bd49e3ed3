"""What the demo's ERP is about: business partners, parts, suppliers, warehouses, and the days of its months.

They are the same in every table. What happens with them is in `sales`, `warehousing`, `production` and `purchases`.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from ledger_pipelines.sources.sample.accounts import Account
from ledger_pipelines.sources.sample.billing import make_account
from ledger_pipelines.sources.sample.erp.plan import ErpPlan
from ledger_pipelines.sources.sample.plan import DAY, Month, SeedPlan, Timeline

UNITS_OF_PRICE = 10**10
"""Prices and amounts are counted in so many parts of a currency's unit: the digits that the ERP's columns keep."""

_GAS_CUSTOMERS = 12
_RATES = {"IDR": 100, "USD": 1_625_025, "JPY": 10_873}  # rupiah for one, in hundredths
_TOWNS = ("Surabaya", "Gresik", "Bekasi", "Karawang", "Cikarang", "Nagoya", "Hamburg")
_MAKERS = ("Astra", "Honda", "Suzuki", "Isuzu", "Mitsubishi", "Hino", "Daihatsu", "Yamaha", "Kawasaki", "Toyota")
_MATERIALS = ("Baja SPCC", "Tembaga C1220", "Aluminium A6063", "Nilon PA12", "Karet EPDM")
_THINGS = ("Pipa", "Selang", "Katup", "Regulator", "Braket", "Sambungan", "Meter", "Segel", "Tabung", "Filter")
_MODELS = ("K25", "T-120", "D80N", "XR/2", "Model 660", "")
WAREHOUSES = (
    ("WH-SBY1", "Gudang Pusat Surabaya"),
    ("WH-GRS2", "Gudang Gresik"),
    ("WH-BKS3", "Gudang Bekasi"),
    ("WH-WIP", "Barang dalam proses"),
    ("WH-QC", "Karantina mutu"),
)


@dataclass(frozen=True, slots=True)
class Partner:
    """A business partner: who buys or supplies, and in which currency; `rate` is in hundredths of a rupiah."""

    code: str
    name: str
    currency: str
    rate: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part; `price` is in units of `UNITS_OF_PRICE`, in the partner's currency once divided by its rate."""

    number: str
    old_number: str | None
    kind: str
    group: str
    name: str
    material: str
    model: str | None
    unit: str
    price: int


@dataclass(frozen=True)
class GasCustomer:
    """A customer of the billing application: the contract is the partner's code.

    Attributes:
        partner: the customer as the ERP knows it.
        price: rupiah for one Sm³, in hundredths.
        purchases: what each month's readings cost, in hundredths of a rupiah, by the application's own sums.
    """

    partner: Partner
    price: int
    purchases: dict[str, int]


class World:
    """The plan's months and everything that takes part in them.

    Attributes:
        plan: what to make.
        timeline: its months.
        last_day: the last day on which something may have happened, counted as `midnights` is.
        midnights: each day's first moment as text, by the number of days since the timeline's origin.
    """

    def __init__(self, plan: ErpPlan) -> None:
        self.plan = plan
        self.timeline = Timeline(plan)
        self.last_day = self.timeline.until // DAY
        self.midnights = [self.timeline.text(day * DAY, "T") for day in range(self.timeline.after.ends // DAY)]
        rng = self.random("world")
        self.parts = [_part(number, rng) for number in range(20 + min(plan.rows_per_month // 5, 4_000))]
        self.customers = [_partner("C", number, rng) for number in range(8 + min(plan.rows_per_month // 20, 2_000))]
        self.suppliers = [_partner("S", number, rng) for number in range(6 + min(plan.rows_per_month // 50, 500))]
        self.gas_customers = [
            _gas_customer(index, plan) for index in range(min(_GAS_CUSTOMERS, plan.rows_per_month // 4))
        ]

    def random(self, *what: object) -> Random:
        """Random numbers of their own for a thing, the same whatever else is made."""
        return Random("/".join(map(str, (self.plan.seed, *what))))  # noqa: S311 - a demo's random numbers guard nothing

    def days(self, month: Month) -> range:
        """The days of a month that are not in the future; the first of them at least."""
        first, after = month.starts // DAY, month.ends // DAY
        return range(first, max(min(after, self.last_day + 1), first + 1))

    def share(self, month: Month, parts: int = 1) -> int:
        """How many things happen in a month of which there are `rows_per_month / parts` in a whole one; at least 1."""
        days = (month.ends - month.starts) // DAY
        return max(self.plan.rows_per_month * len(self.days(month)) // days // parts, 1)

    def moment(self, second: int) -> str:
        """A moment as text, with its time of day."""
        return self.timeline.text(second, "T")


def plain(units: int) -> str:
    """Write a price or amount, given in units of `UNITS_OF_PRICE`, without needless zeros."""
    whole, rest = divmod(abs(units), UNITS_OF_PRICE)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{rest:010d}".rstrip("0") if rest else f"{sign}{whole}"


def _part(number: int, rng: Random) -> Part:
    thing = _THINGS[number % len(_THINGS)]
    unit = ("PCS", "PCS", "SET", "KG", "M")[number % 5]
    return Part(
        number=f"{thing[:3].upper()}-{number + 1:05d}-{rng.randrange(100):02d}",
        old_number=None if number % 3 else f"{number + 1:05d}A",
        kind=("FG", "WIP", "RM")[number % 3],
        group=f"G{number % 12 + 1:02d}",
        name=f"{thing} {rng.randrange(4, 120)} mm",
        material=_MATERIALS[number % len(_MATERIALS)],
        model=_MODELS[rng.randrange(len(_MODELS))] or None,
        unit=unit,
        # Rupiah, of which some prices have a fraction down to the last digit.
        price=rng.randrange(1_500, 2_500_000) * UNITS_OF_PRICE
        + (rng.randrange(UNITS_OF_PRICE) if number % 4 == 0 else 0),
    )


def _partner(prefix: str, number: int, rng: Random) -> Partner:
    currency = ("IDR", "IDR", "IDR", "USD", "JPY")[rng.randrange(5)]
    name = f"PT {_MAKERS[number % len(_MAKERS)]} {_TOWNS[rng.randrange(len(_TOWNS))]} {number + 1}"
    return Partner(f"{prefix}{number + 1:05d}", name, currency, _RATES[currency])


def _gas_customer(index: int, plan: ErpPlan) -> GasCustomer:
    """The billing demo's customer at a place in its plan, as the usual demo of these months has it, faults left out."""
    billing = SeedPlan(current_month=plan.current_month, until=plan.until, months=plan.months)
    account = make_account(index, billing, Timeline(billing))
    price = int((account.price or "0").replace(".", ""))
    partner = Partner(account.contract or account.owner.id, account.owner.name, "IDR", _RATES["IDR"])
    return GasCustomer(partner, price, _purchases(account))


def _purchases(account: Account) -> dict[str, int]:
    purchases: Counter[str] = Counter()
    for reading in account.readings:
        purchases[reading.moment[:7]] += round(reading.bill * 100)
    return dict(purchases)
