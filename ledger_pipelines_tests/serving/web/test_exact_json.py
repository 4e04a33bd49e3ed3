"""Decimals in responses keep all digits of the database."""

from collections.abc import Iterator
from decimal import Decimal

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ledger_pipelines.serving.web.exact_json import ExactJsonResponse
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.tables.json_types import ExactDecimal
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer

FIGURES = ("opening_balance", "total_deposits", "total_purchases", "closing_balance")
_balances, _transactions = tables.monthly_customer_balances, tables.transaction_calculations

rupiah = st.decimals(min_value=Decimal(-(10**40)), max_value=Decimal(10**40), places=2)
digits = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal(-(10**30)), max_value=Decimal(10**30))


class Figure(BaseModel):
    """Response with a figure."""

    figure: ExactDecimal


@given(digits)
def test_a_figure_keeps_its_digits(value: Decimal) -> None:
    number = ExactJsonResponse(Figure(figure=value)).body
    assert number == f'{{"figure":{value:f}}}'.encode()
    assert orjson.loads(ExactJsonResponse(Figure(figure=value), "string").body) == {"figure": f"{value:f}"}
    assert b"E" not in bytes(number).upper().removeprefix(b'{"FIGURE"')


@pytest.fixture(scope="module")
def customer_id(api: ApiUnderTest) -> Iterator[int]:
    """Id of a customer with a balance for 1999-03, whose figures a test sets."""
    with api.warehouse.begin() as connection:
        balance = dict(connection.execute(sa.select(_balances)).mappings().first() or {})
        connection.execute(sa.insert(_balances), balance | {"customer_id": 996, "year_month": "1999-03"})
    yield 996
    with api.warehouse.begin() as connection:
        connection.execute(sa.delete(_balances).where(_balances.c.customer_id == 996))


@given(st.lists(rupiah, min_size=4, max_size=4))
def test_balances_keep_their_digits(api: ApiUnderTest, customer_id: int, values: list[Decimal]) -> None:
    with api.warehouse.begin() as connection:
        change = sa.update(_balances).where(_balances.c.customer_id == customer_id)
        connection.execute(change.values(dict(zip(FIGURES, values, strict=True))))
        shown = connection.execute(
            sa.select(*(sa.cast(_balances.c[name], sa.Text) for name in FIGURES)).where(
                _balances.c.customer_id == customer_id
            )
        ).one()
    path = f"/api/realtime-balance/customer/{customer_id}/balance?year_month=1999-03"
    response = api.client.get(path, headers=bearer(api.callers.viewer))
    assert ",".join(f'"{name}":{text}' for name, text in zip(FIGURES, shown, strict=True)) in response.text


def test_the_price_entry_keeps_its_digits(api: ApiUnderTest) -> None:
    """The entry is JSON in the database, with numbers of more digits than a binary float has."""
    entry = '{"rule": "monthly", "harga": 12345678901234567890.12345678901234567890, "nomor": 18446744073709551616}'
    with api.warehouse.begin() as connection:
        row = connection.execute(sa.text(f"SELECT *, pricing_used::text AS before FROM {_transactions} LIMIT 1")).one()
    change = sa.text(f"UPDATE {_transactions} SET pricing_used = CAST(:entry AS jsonb) WHERE data_pencatatan_id = :id")
    with api.warehouse.begin() as connection:
        connection.execute(change, {"entry": entry, "id": row.data_pencatatan_id})
    try:
        path = f"/api/realtime-balance/customer/{row.customer_id}/transactions?year_month={row.year_month}"
        response = api.client.get(path, headers=bearer(api.callers.viewer))
        assert '"harga":12345678901234567890.12345678901234567890' in response.text
        assert '"nomor":18446744073709551616' in response.text
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(change, {"entry": row.before, "id": row.data_pencatatan_id})
