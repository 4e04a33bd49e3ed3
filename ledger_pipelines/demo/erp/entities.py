"""Entities of the demo's ERP: business partners, parts, suppliers, warehouses, and the days of its months.

All tables share them. Events are in `sales`, `warehousing`, `production` and `purchases`.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from ledger_pipelines.demo.accounts import DemoAccount
from ledger_pipelines.demo.billing import make_account
from ledger_pipelines.demo.erp.plan import ErpDemoPlan
from ledger_pipelines.demo.plan import DAY, BillingDemoPlan, Month, Timeline

PRICE_SCALE = 10**10
"""Prices and amounts are integers scaled by this factor: the 10 decimals of the ERP's columns."""

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
class BusinessPartner:
    """A customer or supplier with its currency; `rate` is the exchange rate in hundredths of a rupiah."""

    code: str
    name: str
    currency: str
    rate: int


@dataclass(frozen=True, slots=True)
class DemoPart:
    """A part; `price` is scaled by `PRICE_SCALE`, in rupiah: divided by a partner's rate, in its currency."""

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
    """A customer of the billing application, whose contract number is the partner's code.

    Attributes:
        partner: the customer in the ERP.
        price: price of one Sm³, in hundredths of a rupiah.
        purchases: cost of each month's readings, in hundredths of a rupiah, summed as in the application.
    """

    partner: BusinessPartner
    price: int
    purchases: dict[str, int]


class ErpEntities:
    """The plan's months and the entities of its events.

    Attributes:
        plan: size and period of the demo.
        timeline: the plan's months.
        last_day: the last day with events, as a number of days since the timeline's origin.
        midnights: each day's midnight as text, by the number of days since the timeline's origin.
    """

    def __init__(self, plan: ErpDemoPlan) -> None:
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

    def random(self, *names: object) -> Random:
        """Return the random generator of a part of the plan, independent of the other parts."""
        return Random("/".join(map(str, (self.plan.seed, *names))))  # noqa: S311 - not for security

    def days(self, month: Month) -> range:
        """Return the past days of a month, at least its first."""
        first, after = month.starts // DAY, month.ends // DAY
        return range(first, max(min(after, self.last_day + 1), first + 1))

    def event_count(self, month: Month, parts: int = 1) -> int:
        """Return a month's number of past events, at least 1; a full month has `rows_per_month / parts`."""
        days = (month.ends - month.starts) // DAY
        return max(self.plan.rows_per_month * len(self.days(month)) // days // parts, 1)

    def moment(self, second: int) -> str:
        """Format a second as a timestamp."""
        return self.timeline.text(second, "T")


def decimal_text(units: int) -> str:
    """Format a price or amount, scaled by `PRICE_SCALE`, without trailing zeros."""
    whole, rest = divmod(abs(units), PRICE_SCALE)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{rest:010d}".rstrip("0") if rest else f"{sign}{whole}"


def _part(number: int, rng: Random) -> DemoPart:
    thing = _THINGS[number % len(_THINGS)]
    unit = ("PCS", "PCS", "SET", "KG", "M")[number % 5]
    return DemoPart(
        number=f"{thing[:3].upper()}-{number + 1:05d}-{rng.randrange(100):02d}",
        old_number=None if number % 3 else f"{number + 1:05d}A",
        kind=("FG", "WIP", "RM")[number % 3],
        group=f"G{number % 12 + 1:02d}",
        name=f"{thing} {rng.randrange(4, 120)} mm",
        material=_MATERIALS[number % len(_MATERIALS)],
        model=_MODELS[rng.randrange(len(_MODELS))] or None,
        unit=unit,
        # Rupiah; every fourth price uses all 10 decimals.
        price=rng.randrange(1_500, 2_500_000) * PRICE_SCALE + (rng.randrange(PRICE_SCALE) if number % 4 == 0 else 0),
    )


def _partner(prefix: str, number: int, rng: Random) -> BusinessPartner:
    currency = ("IDR", "IDR", "IDR", "USD", "JPY")[rng.randrange(5)]
    name = f"PT {_MAKERS[number % len(_MAKERS)]} {_TOWNS[rng.randrange(len(_TOWNS))]} {number + 1}"
    return BusinessPartner(f"{prefix}{number + 1:05d}", name, currency, _RATES[currency])


def _gas_customer(index: int, plan: ErpDemoPlan) -> GasCustomer:
    """Return a customer of the default billing demo of these months, without faults, by its index in the plan."""
    billing = BillingDemoPlan(current_month=plan.current_month, until=plan.until, months=plan.months)
    account = make_account(index, billing, Timeline(billing))
    price = int((account.price or "0").replace(".", ""))
    partner = BusinessPartner(account.contract or account.owner.id, account.owner.name, "IDR", _RATES["IDR"])
    return GasCustomer(partner, price, _purchases(account))


def _purchases(account: DemoAccount) -> dict[str, int]:
    purchases: Counter[str] = Counter()
    for reading in account.readings:
        purchases[reading.moment[:7]] += round(reading.bill * 100)
    return dict(purchases)
