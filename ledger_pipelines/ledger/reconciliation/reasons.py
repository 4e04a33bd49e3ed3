"""What stands behind a difference from the application's totals, added up by customer: bills and deposit entries.

Amounts are what a row adds to the difference (ledger - application): a bill that the ledger does not have adds its
amount, a deposit entry that it does not have takes its amount away.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.tables import (
    Digits,
    deposits,
    meter_readings,
    rejected_rows,
    transaction_calculations,
)

CENT = sa.literal(Decimal("0.01"), Digits)
#: The reasons that single readings of the ledger can be.
OF_READINGS = ("rounding", "readings_without_price", "duplicate_readings", "billed_otherwise")
_START = ("customer_id", "year_month", "reading_at")
_reading, _transaction, _deposit, _rejected = (
    meter_readings.c,
    transaction_calculations.c,
    deposits.c,
    rejected_rows.c,
)
#: A number as docs/rules.md has it, and not so long that the database could not take it.
_NUMBER = r"^[+-]?([0-9]{1,60}\.?[0-9]{0,60}|\.[0-9]{1,60})([eE][+-]?[0-9]{1,2})?$"
_LIMIT, _DECIMALS = 10**15, 40
_BLANKS = " \t\r\n\f\v"


def bills() -> sa.Select[Any]:
    """One row: a customer with readings, what they were billed and cost, and the amount and number of rows by reason.

    ``repeated`` is the sum of the bills of readings that start when one with a smaller id does.
    """
    of = _billed_readings().subquery("reading").c
    amounts = [
        sa.func.coalesce(sa.func.sum(of.amount).filter(of.reason == name), 0).label(name) for name in OF_READINGS
    ]
    rows = [sa.func.count().filter(of.reason == name, of.amount != 0).label(f"{name}_rows") for name in OF_READINGS]
    return sa.select(
        of.customer_id,
        sa.func.sum(of.billed).label("billed"),
        sa.func.coalesce(sa.func.sum(of.cost), 0).label("purchases"),
        sa.func.coalesce(sa.func.sum(of.billed).filter(of.is_repetition), 0).label("repeated"),
        sa.func.count().label("readings"),
        *amounts,
        *rows,
    ).group_by(of.customer_id)


def _billed_readings() -> sa.Select[Any]:
    """One row: a usable reading, what the application billed for it, what it cost, what is apart, and why."""
    twins = _twins().cte("twins")
    billed = sa.func.coalesce(_reading.harga_final, 0)
    apart = billed - _transaction.total_harga
    reason = sa.case(
        (apart.is_(None), "readings_without_price"),
        (sa.func.abs(apart) <= CENT, "rounding"),
        (sa.and_(billed == 0, twins.c.first_id.is_not(None)), "duplicate_readings"),
        else_="billed_otherwise",
    )
    same = sa.and_(
        _transaction.data_pencatatan_id == _reading.reading_id, _transaction.year_month == _reading.year_month
    )
    start = sa.and_(*(twins.c[name] == _reading[name] for name in _START))
    return (
        sa.select(
            _reading.customer_id,
            billed.label("billed"),
            _transaction.total_harga.label("cost"),
            sa.func.coalesce(apart, billed).label("amount"),
            reason.label("reason"),
            sa.func.coalesce(_reading.reading_id > twins.c.first_id, sa.false()).label("is_repetition"),
        )
        .outerjoin_from(meter_readings, transaction_calculations, same)
        .outerjoin(twins, start)
    )


def _twins() -> sa.Select[Any]:
    """One row: a customer and moment at which more than one reading starts, with the smallest id."""
    start = [_reading[name] for name in _START]
    return (
        sa.select(*start, sa.func.min(_reading.reading_id).label("first_id"))
        .group_by(*start)
        .having(sa.func.count() > 1)
    )


def rejected_bills() -> sa.Select[Any]:
    """One row: a customer with readings that cannot be used, the sum of their bills, and how many were billed.

    A bill that is itself no number the ledger computes with counts for nothing.
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
    """One row: a customer with deposit entries, their sum, and how many of them were rounded."""
    was_rounded = sa.func.abs(_deposit.amount) != sa.func.abs(_deposit.amount_given)
    return sa.select(
        _deposit.customer_id,
        sa.func.sum(_deposit.amount).label("amount"),
        sa.func.count().filter(was_rounded).label("rounded"),
    ).group_by(_deposit.customer_id)


def rejected_deposits() -> sa.Select[Any]:
    """One row: a customer with deposit entries that cannot be used, what they come to, and how many have an amount."""
    # A history that is unreadable as a whole is no JSON, and has no place in a list; a CASE is evaluated in order.
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
    """What an entry of a deposit history adds, rounded to 2 decimals, as far as it says; NULL where it does not."""
    number = _number(sa.func.btrim(_text(entry, "amount"), _BLANKS))
    word = sa.func.lower(sa.func.btrim(sa.func.coalesce(_text(entry, "keterangan"), ""), _BLANKS))
    return sa.case(
        (word.in_(["", "penambahan"]), sa.func.round(number, 2)),
        (word == "pengurangan", sa.func.round(-sa.func.abs(number), 2)),
    )


def _number(text: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """The number that a text is, NULL where it is none that the ledger computes with."""
    number = sa.case((text.regexp_match(_NUMBER), sa.cast(text, Digits)))
    return sa.case((sa.and_(sa.func.abs(number) < _LIMIT, sa.func.scale(number) <= _DECIMALS), number))


def _text(entry: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[str]:
    """A field of a JSON object as text; NULL of anything else."""
    return entry.op("->>", return_type=sa.Text())(sa.literal(name))
