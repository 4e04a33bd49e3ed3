"""Details of a customer's month: each reading with its price, and each deposit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from ledger_pipelines.warehouse.queries.customers.customer import Transaction
from ledger_pipelines.warehouse.tables import deposits, meter_readings, transaction_calculations

_transaction, _reading, _deposit = transaction_calculations.c, meter_readings.c, deposits.c


@dataclass(frozen=True)
class PricedReading(Transaction):
    """A transaction with its reading.

    The reading's columns are None while the reading has been deleted or moved and the transaction is not updated yet.
    """

    ended_at: datetime | None
    opening_volume: Decimal | None
    closing_volume: Decimal | None
    status_pembayaran: str | None


@dataclass(frozen=True)
class MonthDeposit:
    """A deposit entry by the columns of `billing.deposits`."""

    deposited_at: datetime
    amount: Decimal
    amount_given: Decimal
    keterangan: str
    description: str | None


def priced_readings_of(connection: sa.Connection, customer_id: int, month: str) -> Sequence[PricedReading]:
    """Return the transactions of a customer in a month, earliest first."""
    own = Transaction.__dataclass_fields__
    columns = [(_transaction if name in own else _reading)[name] for name in PricedReading.__dataclass_fields__]
    same = sa.and_(
        _reading.reading_id == _transaction.data_pencatatan_id, _reading.year_month == _transaction.year_month
    )
    statement = (
        sa.select(*columns)
        .outerjoin_from(transaction_calculations, meter_readings, same)
        .where(_transaction.customer_id == customer_id, _transaction.year_month == month)
        .order_by(_transaction.transaction_date, _transaction.data_pencatatan_id)
    )
    return [PricedReading(*row) for row in connection.execute(statement)]


def deposits_of(connection: sa.Connection, customer_id: int, month: str) -> Sequence[MonthDeposit]:
    """Return the deposit entries of a customer in a month, earliest first."""
    columns = [_deposit[name] for name in MonthDeposit.__dataclass_fields__]
    statement = (
        sa.select(*columns)
        .where(_deposit.customer_id == customer_id, _deposit.year_month == month)
        .order_by(_deposit.deposited_at, _deposit.ordinal)
    )
    return [MonthDeposit(*row) for row in connection.execute(statement)]
