"""What is in the database is in the answer, to the last digit."""

from collections.abc import Iterator
from decimal import Decimal

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ledger_pipelines.serving.api.answers import Exact
from ledger_pipelines.serving.api.exact import ExactJsonResponse
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.serving.api.apis import Api, bearer

FIGURES = ("opening_balance", "total_deposits", "total_purchases", "closing_balance")
_balances, _transactions = tables.monthly_customer_balances, tables.transaction_calculations

rupiah = st.decimals(min_value=Decimal(-(10**40)), max_value=Decimal(10**40), places=2)
digits = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal(-(10**30)), max_value=Decimal(10**30))


class Something(BaseModel):
    """An answer with a figure."""

    figure: Exact


@given(digits)
def test_a_figure_keeps_its_digits(value: Decimal) -> None:
    number = ExactJsonResponse(Something(figure=value)).body
    assert number == f'{{"figure":{value:f}}}'.encode()
    assert orjson.loads(ExactJsonResponse(Something(figure=value), "string").body) == {"figure": f"{value:f}"}
    assert b"E" not in bytes(number).upper().removeprefix(b'{"FIGURE"')


@pytest.fixture(scope="module")
def somebody(api: Api) -> Iterator[int]:
    """A customer with a balance and a transaction of 2025-03, whose figures a test sets."""
    with api.warehouse.begin() as connection:
        balance = dict(connection.execute(sa.select(_balances)).mappings().first() or {})
        connection.execute(sa.insert(_balances), balance | {"customer_id": 996, "year_month": "1999-03"})
    yield 996
    with api.warehouse.begin() as connection:
        connection.execute(sa.delete(_balances).where(_balances.c.customer_id == 996))


@given(st.lists(rupiah, min_size=4, max_size=4))
def test_what_is_in_the_database_is_in_the_answer(api: Api, somebody: int, values: list[Decimal]) -> None:
    with api.warehouse.begin() as connection:
        change = sa.update(_balances).where(_balances.c.customer_id == somebody)
        connection.execute(change.values(dict(zip(FIGURES, values, strict=True))))
        shown = connection.execute(
            sa.select(*(sa.cast(_balances.c[name], sa.Text) for name in FIGURES)).where(
                _balances.c.customer_id == somebody
            )
        ).one()
    path = f"/api/realtime-balance/customer/{somebody}/balance?year_month=1999-03"
    answer = api.client.get(path, headers=bearer(api.callers.viewer))
    assert ",".join(f'"{name}":{text}' for name, text in zip(FIGURES, shown, strict=True)) in answer.text


def test_the_price_entry_keeps_its_digits(api: Api) -> None:
    """It is JSON in the database, whose numbers have more digits than a binary float."""
    entry = '{"rule": "monthly", "harga": 12345678901234567890.12345678901234567890, "nomor": 18446744073709551616}'
    with api.warehouse.begin() as connection:
        row = connection.execute(sa.text(f"SELECT *, pricing_used::text AS before FROM {_transactions} LIMIT 1")).one()
    change = sa.text(f"UPDATE {_transactions} SET pricing_used = CAST(:entry AS jsonb) WHERE data_pencatatan_id = :id")
    with api.warehouse.begin() as connection:
        connection.execute(change, {"entry": entry, "id": row.data_pencatatan_id})
    try:
        path = f"/api/realtime-balance/customer/{row.customer_id}/transactions?year_month={row.year_month}"
        answer = api.client.get(path, headers=bearer(api.callers.viewer))
        assert '"harga":12345678901234567890.12345678901234567890' in answer.text
        assert '"nomor":18446744073709551616' in answer.text
    finally:
        with api.warehouse.begin() as connection:
            connection.execute(change, {"entry": row.before, "id": row.data_pencatatan_id})
