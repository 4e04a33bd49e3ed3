"""Causes of a difference from the application's totals, summed up by customer: bills and deposit entries.

An amount is the contribution of a row to the difference (ledger - application). A bill that the ledger does not have
adds its amount; a deposit entry that the ledger does not have subtracts its amount.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.domain import KIND_WITHOUT_KETERANGAN, MAX_DECIMALS, NUMBER_LIMIT, DepositKind
from ledger_pipelines.warehouse.tables import (
    ExactNumber,
    deposits,
    meter_readings,
    rejected_rows,
    transaction_calculations,
)

CENT = sa.literal(Decimal("0.01"), ExactNumber)
#: Reasons that apply to single readings of the ledger.
READING_REASONS = ("rounding", "readings_without_price", "duplicate_readings", "billed_otherwise")
_START = ("customer_id", "year_month", "reading_at")
_reading, _transaction, _deposit, _rejected = (
    meter_readings.c,
    transaction_calculations.c,
    deposits.c,
    rejected_rows.c,
)
#: A number as defined by docs/rules.md, limited to a length that the database accepts.
_NUMBER = r"^[+-]?([0-9]{1,60}\.?[0-9]{0,60}|\.[0-9]{1,60})([eE][+-]?[0-9]{1,2})?$"
_BLANKS = " \t\r\n\f\v"


def billed_totals() -> sa.Select[Any]:
    """One row: a customer with readings, their bills and costs, and the amount and number of rows of each reason.

    ``repeated`` is the sum of the bills of readings with the same start as a reading with a smaller id.
    """
    reading = _billed_readings().subquery("reading").c
    amounts = [
        sa.func.coalesce(sa.func.sum(reading.amount).filter(reading.reason == name), 0).label(name)
        for name in READING_REASONS
    ]
    rows = [
        sa.func.count().filter(reading.reason == name, reading.amount != 0).label(f"{name}_rows")
        for name in READING_REASONS
    ]
    return sa.select(
        reading.customer_id,
        sa.func.sum(reading.billed).label("billed"),
        sa.func.coalesce(sa.func.sum(reading.cost), 0).label("purchases"),
        sa.func.coalesce(sa.func.sum(reading.billed).filter(reading.is_repetition), 0).label("repeated"),
        sa.func.count().label("readings"),
        *amounts,
        *rows,
    ).group_by(reading.customer_id)


def _billed_readings() -> sa.Select[Any]:
    """One row: a usable reading with its bill, its cost, their difference, and the reason of the difference."""
    duplicates = _duplicate_starts().cte("duplicates")
    billed = sa.func.coalesce(_reading.harga_final, 0)
    difference = billed - _transaction.total_harga
    reason = sa.case(
        (difference.is_(None), "readings_without_price"),
        (sa.func.abs(difference) <= CENT, "rounding"),
        (sa.and_(billed == 0, duplicates.c.first_id.is_not(None)), "duplicate_readings"),
        else_="billed_otherwise",
    )
    same_reading = sa.and_(
        _transaction.data_pencatatan_id == _reading.reading_id, _transaction.year_month == _reading.year_month
    )
    same_start = sa.and_(*(duplicates.c[name] == _reading[name] for name in _START))
    return (
        sa.select(
            _reading.customer_id,
            billed.label("billed"),
            _transaction.total_harga.label("cost"),
            sa.func.coalesce(difference, billed).label("amount"),
            reason.label("reason"),
            sa.func.coalesce(_reading.reading_id > duplicates.c.first_id, sa.false()).label("is_repetition"),
        )
        .outerjoin_from(meter_readings, transaction_calculations, same_reading)
        .outerjoin(duplicates, same_start)
    )


def _duplicate_starts() -> sa.Select[Any]:
    """One row: a customer and moment at which more than one reading starts, with the smallest id."""
    start = [_reading[name] for name in _START]
    return (
        sa.select(*start, sa.func.min(_reading.reading_id).label("first_id"))
        .group_by(*start)
        .having(sa.func.count() > 1)
    )


def rejected_bills() -> sa.Select[Any]:
    """One row: a customer with rejected readings, the sum of their bills, and the number of billed readings.

    A bill that is not a number by docs/rules.md counts as 0.
    """
    bill = _number(_text(sa.cast(_rejected.raw_row, JSONB), "harga_final"))
    return (
        sa.select(
            _rejected.customer_id,
            sa.func.coalesce(sa.func.sum(bill), 0).label("amount"),
            sa.func.count().label("readings"),
            sa.func.count().filter(bill != 0).label("rows"),
        )
        .where(_rejected.asset == meter_readings.name)
        .group_by(_rejected.customer_id)
    )


def listed_deposits() -> sa.Select[Any]:
    """One row: a customer with usable deposit entries, their sum, and the number of rounded entries."""
    was_rounded = sa.func.abs(_deposit.amount) != sa.func.abs(_deposit.amount_given)
    return sa.select(
        _deposit.customer_id,
        sa.func.sum(_deposit.amount).label("amount"),
        sa.func.count().filter(was_rounded).label("rounded"),
    ).group_by(_deposit.customer_id)


def rejected_deposits() -> sa.Select[Any]:
    """One row: a customer with rejected deposit entries, their sum, and the number of entries with an amount."""
    # An unreadable history is not JSON and has no list position; CASE guards the cast, being evaluated in order.
    is_entry = _rejected.source_id.like("%/deposit_history/%")
    entry = sa.case((is_entry, sa.cast(_rejected.raw_row, JSONB)))
    amount = _signed(entry)
    return (
        sa.select(
            _rejected.customer_id,
            sa.func.coalesce(sa.func.sum(amount), 0).label("amount"),
            sa.func.count().filter(amount != 0).label("rows"),
        )
        .where(_rejected.asset == deposits.name)
        .group_by(_rejected.customer_id)
    )


def _signed(entry: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the signed amount of a deposit entry, rounded to 2 decimals; NULL if the entry does not determine it."""
    number = _number(sa.func.btrim(_text(entry, "amount"), _BLANKS))
    keterangan = sa.func.lower(sa.func.btrim(_text(entry, "keterangan"), _BLANKS))
    kind = sa.func.coalesce(sa.func.nullif(keterangan, ""), KIND_WITHOUT_KETERANGAN.value)
    return sa.func.round(sa.case(*((kind == each, each.signed(number, sa.func.abs)) for each in DepositKind)), 2)


def _number(text: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """Return a text as a number; NULL if it is not a number by docs/rules.md."""
    number = sa.case((text.regexp_match(_NUMBER), sa.cast(text, ExactNumber)))
    return sa.case((sa.and_(sa.func.abs(number) < NUMBER_LIMIT, sa.func.scale(number) <= MAX_DECIMALS), number))


def _text(entry: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[str]:
    """Return a field of a JSON object as text; NULL if the value is not an object."""
    return entry.op("->>", return_type=sa.Text())(sa.literal(name))
