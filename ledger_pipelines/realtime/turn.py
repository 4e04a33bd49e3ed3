"""The turn of the month: every customer's balance carried forward into months that have begun, in one transaction.

The rule: docs/rules.md, "The turn of the month". It needs the warehouse alone. The source is read only for readings and
deposits that were rejected until their month came: of those customers and months.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.alerts import USUAL, LowBalance
from ledger_pipelines.loading import billing
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.loading.staging import Load
from ledger_pipelines.sources.billing_app import IDS_AT_ONCE, BillingApp
from ledger_pipelines.sources.billing_rows import dated_early
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import pending, tables
from ledger_pipelines.warehouse.loaded import months_to_turn
from ledger_pipelines.warehouse.pending import Noticed
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, try_lock

_WRITTEN = (
    tables.deposits,
    tables.meter_readings,
    tables.transaction_calculations,
    tables.monthly_customer_balances,
)
#: Errors of the source or of its rows, for which the turn does not wait.
_OF_SOURCE = (SourceError, DeletionRefusedError, RowsLostError, exc.DataError, exc.IntegrityError)


@dataclass(frozen=True)
class Turned:
    """A turn.

    Attributes:
        months: The months that every customer has now.
        early: Customers with rows that were dated in these months before they began.
        error: Why the rows of ``early`` could not be loaded and are queued in `ops.pending_changes`; empty if they are.
        reports: What it did to each table.
    """

    months: tuple[str, ...]
    early: tuple[int, ...]
    error: str
    reports: tuple[Report, ...]


@dataclass
class MonthTurn:
    """The turns that one process makes.

    Attributes:
        app: The billing application, read for the months that count at the moment of the call.
        warehouse: The warehouse.
        guard: How much may be deleted.
        run_id: Who turns the month.
        low: When a balance is low.
    """

    app: Callable[[], BillingApp]
    warehouse: sa.Engine
    guard: DeletionGuard
    run_id: str
    low: LowBalance = USUAL
    _seen: str = ""

    def step(self, *, wait: bool = False) -> Turned | None:
        """Carry everybody forward if a month has begun; cheap as long as the clock's month stays the same.

        Args:
            wait: Wait for other writers; otherwise nothing happens while one is at work, and the next call tries again.
        """
        current = self.app().horizon.current
        if current == self._seen:
            return None
        turned = None
        if self._is_due():
            with self.warehouse.begin() as connection:
                if wait:
                    lock(connection, *_WRITTEN)
                elif not try_lock(connection, _WRITTEN):
                    return None
                turned = turn(connection, self.app(), self.guard, self.run_id, self.low)
        self._seen = current
        return turned

    def _is_due(self) -> bool:
        with self.warehouse.connect() as connection:
            return bool(months_to_turn(connection, self.app().horizon))


def turn(
    connection: sa.Connection, app: BillingApp, guard: DeletionGuard, run_id: str, low: LowBalance
) -> Turned | None:
    """Carry every customer forward into the months that have begun; None if there are none.

    Args:
        connection: Within a transaction that holds the right to write deposits, readings, transactions and balances.
        app: The billing application, for the months that count.
        guard: How much may be deleted.
        run_id: Who turns the month.
        low: When a balance is low.
    """
    months = months_to_turn(connection, app.horizon)
    if not months:
        return None
    early, error = _early_customers(connection, months), ""
    reports: list[Report] = []
    if early:
        scope = Scope(months, early if len(early) <= IDS_AT_ONCE else None)
        try:
            with connection.begin_nested():
                reports = _load(connection, Load(app, scope, guard, run_id, recalculated=True))
        except _OF_SOURCE as reason:
            error = str(reason)
            pending.note(connection, (_queued(customer, months[0]) for customer in early))
    reports.append(
        balances.recalculate(connection, Scope(months), app.horizon, run_id, low=low, turning=True),
    )
    return Turned(months, early, error, tuple(reports))


def _early_customers(connection: sa.Connection, months: Sequence[str]) -> tuple[int, ...]:
    """Return the customers with rows that were rejected because one of these months had yet to come."""
    rejected = tables.rejected_rows.c
    begun = sa.or_(*(rejected.reason.startswith(dated_early(month)) for month in months))
    statement = sa.select(rejected.customer_id).distinct().order_by(rejected.customer_id)
    assets = [tables.deposits.name, tables.meter_readings.name]
    return tuple(
        connection.scalars(statement.where(rejected.asset.in_(assets), rejected.customer_id.is_not(None), begun))
    )


def _load(connection: sa.Connection, load: Load) -> list[Report]:
    """Load what is dated in the months of a load, and price it."""
    reports = [step(load, connection) for step in (billing.load_deposits, billing.load_readings)]
    priced = transactions.recalculate(connection, load.scope, load.horizon, load.run_id, balances_follow=True)
    return [*reports, priced]


def _queued(customer_id: int, first_month: str) -> Noticed:
    """Return a change that lets a customer be read again from a month on."""
    return Noticed("users", customer_id, customer_id, first_month, digest="", changed_at=None)
