"""Users of the demo: staff and customers of a gas distributor, with names, addresses, contracts and prices.

Readings are in `billing`, deposits in `payments`.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from ledger_pipelines.demo.accounts import DemoAccount, DemoPrice, UserRef
from ledger_pipelines.demo.plan import DAY, Month, Timeline
from ledger_pipelines.domain import PriceRule

FIRST_CUSTOMER_ID = 11
DEMO_DOMAIN = "@contoh.example"
"""Domain of all demo users' mail addresses. Real addresses cannot have it: `.example` is reserved."""

_STAFF = (
    ("Administrator", "superadmin"),
    ("Petugas Administrasi", "admin"),
    ("Bagian Keuangan", "keuangan"),
    ("Akun Demo", "demo"),
)
_FORMS = ("PT", "CV", "PT")
_FIRST = (
    "Sinar", "Cahaya", "Mitra", "Sumber", "Karya", "Surya", "Bintang", "Mulia", "Tirta", "Graha", "Duta", "Anugerah",
    "Prima", "Sentosa", "Wira", "Bumi", "Indo", "Nusa", "Setia", "Gemilang", "Harapan", "Cipta", "Panca",
)  # fmt: skip
_SECOND = (
    "Abadi", "Makmur", "Jaya", "Sejahtera", "Lestari", "Perkasa", "Utama", "Mandiri", "Sakti", "Raya", "Persada",
    "Kencana", "Bahari", "Agung", "Nusantara", "Pratama", "Gemilang", "Buana", "Sukses",
)  # fmt: skip
_TRADES = (
    "Tekstil", "Keramik", "Pangan", "Baja", "Kimia", "Plastik", "Kaca", "Kertas", "Farmasi", "Garmen", "Furnitur",
    "Otomotif", "Karet", "Percetakan", "Logam", "Minuman", "Kemasan",
)  # fmt: skip
_STREETS = ("Jl. Raya Industri", "Jl. Rungkut Industri", "Jl. Gatot Subroto", "Jl. Veteran", "Jl. Mayjen Sungkono")
_TOWNS = ("Surabaya", "Gresik", "Sidoarjo", "Mojokerto", "Pasuruan", "Bekasi", "Karawang", "Cilegon", "Semarang")
_PRESSURES = ("0.850", "1.200", "1.500", "2.000", "2.500", "3.000", "4.000")


def is_fob(index: int) -> bool:
    """Return whether the customer at this index of the plan (from 0) is a fob customer: every fourth is."""
    return index % 4 == 3


@dataclass(frozen=True)
class PriceTerms:
    """Price (rupiah for one Sm³), pressure (bar gauge), temperature (°C), factor (`None`: computed from those two)."""

    price: int
    pressure: str
    temperature: str
    factor: str | None

    @property
    def rate(self) -> float:
        """Return rupiah for one m³ on the meter, in binary floating point as in the application."""
        return float(self.factor or computed_factor(self.pressure, self.temperature)) * self.price

    def entry(self, head: str, since: int, until: int) -> DemoPrice:
        """Return the terms as an entry of a pricing history."""
        return DemoPrice(
            since=since,
            until=until,
            head=head,
            price=str(self.price),
            pressure=_plain(self.pressure),
            temperature=_plain(self.temperature),
            factor=_plain(self.factor) if self.factor else "null",
            rate=self.rate,
        )


def computed_factor(pressure: str, temperature: str) -> str:
    """Return the correction factor as the application's forms compute it, to the column's 14 decimals.

    Args:
        pressure: outlet pressure in bar gauge.
        temperature: gas temperature in °C.
    """
    base, p = Decimal("1.01325"), Decimal(pressure)
    factor = (p + base) / base * (300 / (Decimal(temperature) + 273)) * (1 + Decimal("0.002") * p)
    return str(factor.quantize(Decimal("1e-14"), ROUND_HALF_UP))


def make_staff(timeline: Timeline) -> list[DemoAccount]:
    """Return the users who are not customers."""
    since = timeline.text(timeline.before.starts + DAY + 8 * 3600)
    return [
        DemoAccount(UserRef(str(number), name), f"{role}{DEMO_DOMAIN}", role, since, since)
        for number, (name, role) in enumerate(_STAFF, 1)
    ]


def make_customer(index: int, rng: Random, timeline: Timeline, months: list[Month]) -> tuple[DemoAccount, PriceTerms]:
    """Return a customer with prices but without readings, and the terms of its default columns.

    The three pricing rules (defaults only, monthly entries, custom periods) alternate from customer to customer.
    Within each rule, the correction factor is alternately given and computed from pressure and temperature.

    Args:
        index: the customer's index in the plan, from 0.
        rng: the customer's own random generator.
        timeline: the plan's months.
        months: the months from the customer's first one on.
    """
    terms = _terms(index, rng)
    since = timeline.text(months[0].starts - DAY + 9 * 3600 + rng.randrange(6 * 3600))
    account = DemoAccount(
        owner=UserRef(str(FIRST_CUSTOMER_ID + index), _name(index)),
        email=f"pelanggan{index + 1:06d}{DEMO_DOMAIN}",
        role="fob" if is_fob(index) else "customer",
        created_at=since,
        updated_at=since,
        contract=f"{index + 1:05d}/PJBG/{months[0].year_month[:4]}",
        address=f"{_STREETS[rng.randrange(len(_STREETS))]} No. {rng.randint(1, 240)}, {_town(rng)}",
        phone=f"+62 31 555 {rng.randrange(10_000):04d}",
        price=f"{terms.price}.00",
        pressure=terms.pressure,
        temperature=terms.temperature,
        factor=terms.factor,
    )
    rule = index % 3
    if rule == 0:
        account.prices = []
    elif rule == 1:
        account.prices = _monthly_prices(terms, rng, timeline, months)
    else:
        account.prices = _custom_periods(terms, index, timeline, months)
    return account, terms


def _terms(index: int, rng: Random) -> PriceTerms:
    price = 11_000 + 50 * rng.randrange(150)
    if is_fob(index):
        return PriceTerms(price, "0.000", "27.00", "1.00000000000000")
    pressure = _PRESSURES[rng.randrange(len(_PRESSURES))]
    temperature = f"{rng.randint(24, 31)}.{rng.randrange(100):02d}"
    given = index // 3 % 2 == 0
    return PriceTerms(price, pressure, temperature, computed_factor(pressure, temperature) if given else None)


def _monthly_prices(terms: PriceTerms, rng: Random, timeline: Timeline, months: list[Month]) -> list[DemoPrice]:
    """Return one entry per month; every half year the price changes by -2 to +6 %."""
    entries = []
    for number, month in enumerate(months):
        if number and number % 6 == 0:
            price = terms.price * rng.randint(980, 1060) // 1000
            terms = PriceTerms(price, terms.pressure, terms.temperature, terms.factor)
        head = f'"date":"{timeline.text(month.starts)}","year_month":"{month.year_month}"'
        entries.append(terms.entry(head, month.starts, month.ends - 1))
    return entries


def _custom_periods(terms: PriceTerms, index: int, timeline: Timeline, months: list[Month]) -> list[DemoPrice]:
    """Return periods of three months with a month of default prices between them; some customers get a special period.

    The special period overlaps the first one. If it is first in the list, it applies; if it is last, it never does.
    """
    entries = []
    for first in range(0, len(months), 4):
        quarter = PriceTerms(terms.price + 150 * (first // 4 + 1), terms.pressure, terms.temperature, terms.factor)
        entries.append(_period(quarter, timeline, months[first].starts, months[first : first + 3][-1].ends - 1))
    if index // 12 % 2 == 0:
        special = PriceTerms(terms.price - 500, terms.pressure, terms.temperature, terms.factor)
        since = months[0].starts + 9 * DAY + 10 * 3600
        place = 0 if index % 2 == 0 else len(entries)
        entries.insert(place, _period(special, timeline, since, since + 10 * DAY - 1))
    return entries


def _period(terms: PriceTerms, timeline: Timeline, since: int, until: int) -> DemoPrice:
    period = f'"start_date":"{timeline.text(since)}","end_date":"{timeline.text(until)}"'
    return terms.entry(f'"type":"{PriceRule.CUSTOM_PERIOD}",{period}', since, until)


def _plain(number: str) -> str:
    """Drop trailing zeros, which a decimal column has and JSON has not."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _name(index: int) -> str:
    """Return a company name. The word lists have coprime lengths: names repeat after thousands, then get a number."""
    form, trade = _FORMS[index % len(_FORMS)], _TRADES[index % len(_TRADES)]
    round_trip = len(_FIRST) * len(_SECOND) * len(_TRADES)
    unit = f" {index // round_trip + 1}" if index >= round_trip else ""
    return f"{form} {_FIRST[index % len(_FIRST)]} {_SECOND[index % len(_SECOND)]} {trade}{unit}"


def _town(rng: Random) -> str:
    return _TOWNS[rng.randrange(len(_TOWNS))]
