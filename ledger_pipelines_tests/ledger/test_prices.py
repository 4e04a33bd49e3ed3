"""Correction factor and price segments in SQL, compared with exact fractions."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon, Scope
from ledger_pipelines.ledger.prices import computed_factor, segments
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.schema import upgrade
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline

POSTGRESQL = sa.make_url("postgresql+psycopg://").get_dialect()()
HORIZON = Horizon("2025-01", "2025-06", WIB)
ONE = Fraction("1.01325")
Pair = tuple[Decimal, Decimal]


def exact(pressure: Decimal, temperature: Decimal) -> Decimal | None:
    """Return the factor by the rule, evaluated exactly and rounded once to 14 decimals, half away from zero."""
    p, t = Fraction(pressure), Fraction(temperature)
    if p <= -ONE or t <= -273:
        return None
    factor = (p + ONE) / ONE * (300 / (t + 273)) * (1 + Fraction("0.002") * p)
    if factor >= 10**15:
        return None
    whole = (abs(factor) * 10**14 + Fraction(1, 2)).__floor__()
    return Decimal(f"{whole if factor >= 0 else -whole}E-14")


def in_sql(connection: sa.Connection, pairs: list[Pair]) -> list[Decimal | None]:
    """Return the factors that the ledger's expression computes, in the order of the pairs."""
    given = sa.values(
        sa.column("position", sa.Integer), sa.column("p", sa.Numeric), sa.column("t", sa.Numeric), name="given"
    ).data([(position, *pair) for position, pair in enumerate(pairs)])
    pressure, temperature = (sa.cast(given.c[name], sa.Numeric) for name in ("p", "t"))
    return list(connection.scalars(sa.select(computed_factor(pressure, temperature)).order_by(given.c.position)))


def decimals(low: str, high: str, min_places: int = 0) -> st.SearchStrategy[Decimal]:
    """Draw decimals in a range, with any number of places."""
    return st.integers(min_places, 25).flatmap(lambda places: st.decimals(low, high, places=places))


PRESSURES = decimals("-1.02", "250") | decimals("-1.01325", "-1.01324", 5) | decimals("0", "999999999999999")
TEMPERATURES = decimals("-274", "100") | decimals("-273", "-272.9999999", 7) | decimals("0", "999999999999999")


@settings(max_examples=40, phases=[phase for phase in Phase if phase is not Phase.shrink])
@given(pairs=st.lists(st.tuples(PRESSURES, TEMPERATURES), min_size=25, max_size=50))
def test_the_computed_factor_is_exact(shared_pipeline: Pipeline, pairs: list[Pair]) -> None:
    with shared_pipeline.warehouse.connect() as connection:
        found = in_sql(connection, pairs)
    assert found == [exact(*pair) for pair in pairs]


def test_the_documented_check(shared_pipeline: Pipeline) -> None:
    with shared_pipeline.warehouse.connect() as connection:
        (factor,) = in_sql(connection, [(Decimal("0.85"), Decimal("25.01"))])
    assert factor is not None
    assert round(factor, 6) == Decimal("1.854311")
    assert factor.as_tuple().exponent == -14
    assert round(factor * 15473, 2) == Decimal("28691.76")


@pytest.mark.parametrize(
    ("pressure", "temperature", "factor"),
    [
        ("0", "27", "1.00000000000000"),
        ("-1.01325", "27", None),
        ("-1.013249999999999999999999999999", "27", "0.00000000000000"),
        ("0", "-273", None),
        ("0", "-273.0000000000000001", None),
        ("0", "-272.9999999999999999999999", None),
        ("0", "-272.99999999999", "30000000000000.00000000000000"),
        ("-600", "27", None),
        (None, "27", None),
        ("1", None, None),
    ],
)
def test_the_limits_of_the_computed_factor(
    shared_pipeline: Pipeline, pressure: str | None, temperature: str | None, factor: str | None
) -> None:
    p, t = (
        sa.cast(sa.literal(value and Decimal(value), tables.ExactNumber), tables.ExactNumber)
        for value in (pressure, temperature)
    )
    with shared_pipeline.warehouse.connect() as connection:
        found = connection.scalar(sa.select(computed_factor(p, t)))
    assert found == (factor and Decimal(factor))


def test_factor_at_and_below_the_limit(shared_pipeline: Pipeline) -> None:
    """A factor of 10^15 or more is unknown; for P = 0 the factor is 300 / (T + 273)."""
    at_limit = Decimal("3e-13") - 273
    with shared_pipeline.warehouse.connect() as connection:
        found = in_sql(connection, [(Decimal(0), at_limit), (Decimal(0), at_limit + Decimal("1e-20"))])
    assert found[0] is None
    assert found[1] == exact(Decimal(0), at_limit + Decimal("1e-20"))
    assert found[1] is not None


@pytest.mark.parametrize("customers", [None, (1, 2)])
def test_the_segments_can_be_printed_as_sql(customers: tuple[int, ...] | None) -> None:
    statement = segments(Scope(("2025-02", "2025-03"), customers), HORIZON)
    text = str(statement.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True}))
    assert text.startswith("WITH entries AS")
    assert "2025-02-01 00:00:00+07:00" in text
    assert "2025-04-01 00:00:00+07:00" in text
    assert ("ANY (ARRAY[1, 2])" in text) is (customers is not None)
    assert "%(" not in text


def test_segments_are_contiguous(shared_pipeline: Pipeline) -> None:
    pipeline = shared_pipeline
    pipeline.reset("2025-01", "2025-06")
    upgrade(pipeline.warehouse)
    entry: dict[str, object] = {"entry": {}, "tekanan_keluar": None, "suhu": None, "koreksi_meter": None}
    spans = [
        ("custom_period", "2025-01-20 00:00", "2025-02-10 00:00", 1),
        ("custom_period", "2025-02-05 00:00", "2025-02-20 10:00:01", 2),
        ("monthly", "2025-02-01 00:00", "2025-03-01 00:00", 3),
        ("monthly", "2025-02-01 00:00", "2025-03-01 00:00", 4),
        ("custom_period", "2025-03-31 23:59:59", "2025-05-01 00:00", 5),
    ]
    with pipeline.warehouse.begin() as connection:
        customer = {"role": "customer", "use_realtime_calculation": True, "harga_per_meter_kubik": 9}
        connection.execute(sa.insert(tables.customers), [{"customer_id": number, **customer} for number in (1, 2)])
        connection.execute(
            sa.insert(tables.prices),
            [
                {
                    "customer_id": 1,
                    "position": position,
                    "rule": rule,
                    "valid_from": f"{start}+07",
                    "valid_to": f"{end}+07",
                    "harga_per_meter_kubik": price,
                    **entry,
                }
                for position, (rule, start, end, price) in enumerate(spans)
            ],
        )
        rows = connection.execute(segments(Scope(("2025-02", "2025-03")), HORIZON)).all()
    found = sorted((row[0], f"{row[1].astimezone(WIB):%m-%d %H:%M:%S}", int(row[3])) for row in rows)
    assert found == [
        (1, "02-01 00:00:00", 1),
        (1, "02-05 00:00:00", 1),
        (1, "02-10 00:00:00", 2),
        (1, "02-20 10:00:01", 3),
        (1, "03-01 00:00:00", 9),
        (1, "03-31 23:59:59", 5),
        (2, "02-01 00:00:00", 9),
    ]
    for own in (1, 2):
        ordered = sorted((row[1], row[2]) for row in rows if row[0] == own)
        assert all(before[1] == after[0] for before, after in pairwise(ordered))
        assert ordered[-1][1].astimezone(WIB).isoformat() == "2025-04-01T00:00:00+07:00"
