"""Who the demo's users are: names, addresses, contracts and prices of a gas distributor's customers, and its staff.

What they use and pay is in `billing`.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from ledger_pipelines.sources.sample.accounts import Account, Owner, Price
from ledger_pipelines.sources.sample.plan import DAY, Month, Timeline

FIRST_CUSTOMER_ID = 11
DEMO_DOMAIN = "@contoh.example"
"""Every demo user's mail address ends so; nobody else's can, `.example` being reserved."""

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
    """Say whether the customer at this place in the plan (from 0) is billed free on board: every fourth is."""
    return index % 4 == 3


@dataclass(frozen=True)
class Terms:
    """A price and the gas's state: rupiah for one Sm³, bar gauge, °C, factor (`None`: to be computed from the two)."""

    price: int
    pressure: str
    temperature: str
    factor: str | None

    @property
    def rate(self) -> float:
        """Rupiah for one m³ on the meter, in binary floating point as the application has it."""
        return float(self.factor or computed_factor(self.pressure, self.temperature)) * self.price

    def entry(self, head: str, since: int, until: int) -> Price:
        """Write the terms as an entry of a pricing history."""
        return Price(
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
    """Compute a correction factor as the application's forms do, to the 14 decimals that its column keeps.

    Args:
        pressure: outlet pressure in bar gauge.
        temperature: gas temperature in °C.
    """
    base, p = Decimal("1.01325"), Decimal(pressure)
    factor = (p + base) / base * (300 / (Decimal(temperature) + 273)) * (1 + Decimal("0.002") * p)
    return str(factor.quantize(Decimal("1e-14"), ROUND_HALF_UP))


def staff(timeline: Timeline) -> list[Account]:
    """Make the users who are no customers."""
    since = timeline.text(timeline.before.starts + DAY + 8 * 3600)
    return [
        Account(Owner(str(number), name), f"{role}{DEMO_DOMAIN}", role, since, since)
        for number, (name, role) in enumerate(_STAFF, 1)
    ]


def customer(index: int, rng: Random, timeline: Timeline, months: list[Month]) -> tuple[Account, Terms]:
    """Make a customer with prices but no readings yet.

    Customers take turns in the three rules of pricing (defaults only, monthly entries, custom periods), and
    within each in whether the correction factor is given or follows from pressure and temperature.

    Args:
        index: the place in the plan, from 0.
        rng: the customer's own random numbers.
        timeline: the plan's months.
        months: those of them in which the customer is one.

    Returns:
        The customer and the terms of the default columns.
    """
    terms = _terms(index, rng)
    since = timeline.text(months[0].starts - DAY + 9 * 3600 + rng.randrange(6 * 3600))
    account = Account(
        owner=Owner(str(FIRST_CUSTOMER_ID + index), _name(index)),
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


def _terms(index: int, rng: Random) -> Terms:
    price = 11_000 + 50 * rng.randrange(150)
    if is_fob(index):
        return Terms(price, "0.000", "27.00", "1.00000000000000")
    pressure = _PRESSURES[rng.randrange(len(_PRESSURES))]
    temperature = f"{rng.randint(24, 31)}.{rng.randrange(100):02d}"
    given = index // 3 % 2 == 0
    return Terms(price, pressure, temperature, computed_factor(pressure, temperature) if given else None)


def _monthly_prices(terms: Terms, rng: Random, timeline: Timeline, months: list[Month]) -> list[Price]:
    """Make one entry a month; the price changes every half year, by up to 6 % up or 2 % down."""
    entries = []
    for number, month in enumerate(months):
        if number and number % 6 == 0:
            price = terms.price * rng.randint(980, 1060) // 1000
            terms = Terms(price, terms.pressure, terms.temperature, terms.factor)
        head = f'"date":"{timeline.text(month.starts)}","year_month":"{month.year_month}"'
        entries.append(terms.entry(head, month.starts, month.ends - 1))
    return entries


def _custom_periods(terms: Terms, index: int, timeline: Timeline, months: list[Month]) -> list[Price]:
    """Make three months' periods with a month of defaults between them, for some with a special one on top.

    The special price overlaps the first period. It comes first in the list, and so wins, or last, and so never applies.
    """
    entries = []
    for first in range(0, len(months), 4):
        quarter = Terms(terms.price + 150 * (first // 4 + 1), terms.pressure, terms.temperature, terms.factor)
        entries.append(_period(quarter, timeline, months[first].starts, months[first : first + 3][-1].ends - 1))
    if index // 12 % 2 == 0:
        special = Terms(terms.price - 500, terms.pressure, terms.temperature, terms.factor)
        since = months[0].starts + 9 * DAY + 10 * 3600
        place = 0 if index % 2 == 0 else len(entries)
        entries.insert(place, _period(special, timeline, since, since + 10 * DAY - 1))
    return entries


def _period(terms: Terms, timeline: Timeline, since: int, until: int) -> Price:
    head = f'"type":"custom_period","start_date":"{timeline.text(since)}","end_date":"{timeline.text(until)}"'
    return terms.entry(head, since, until)


def _plain(number: str) -> str:
    """Drop the zeros that a column pads and JSON does not."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _name(index: int) -> str:
    """Combine words of coprime counts, so that names repeat only after thousands; then they get a number."""
    form, trade = _FORMS[index % len(_FORMS)], _TRADES[index % len(_TRADES)]
    round_trip = len(_FIRST) * len(_SECOND) * len(_TRADES)
    unit = f" {index // round_trip + 1}" if index >= round_trip else ""
    return f"{form} {_FIRST[index % len(_FIRST)]} {_SECOND[index % len(_SECOND)]} {trade}{unit}"


def _town(rng: Random) -> str:
    return _TOWNS[rng.randrange(len(_TOWNS))]
