"""Turn of the month: open new months by carrying every customer's balance forward, in one transaction.

The rule is in docs/rules.md, "The turn of the month". It needs only the warehouse. The source is read only for readings
and deposits that were rejected because their month had not begun: for their customers and months.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.alerts import DEFAULT_LIMITS, LowBalanceLimits
from ledger_pipelines.loading.billing.load import load_deposits, load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.rejection_reasons import ReasonCode
from ledger_pipelines.sources.billing.reader import IDS_PER_STATEMENT, BillingSource
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import change_queue
from ledger_pipelines.warehouse.ops.change_queue import QueuedChange
from ledger_pipelines.warehouse.ops.loaded_months import months_to_turn
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import lock_tables, try_lock_tables

_WRITTEN_TABLES = (
    tables.deposits,
    tables.meter_readings,
    tables.transaction_calculations,
    tables.monthly_customer_balances,
)
#: Errors that the rows of single customers may cause; the rows of other customers can then be loaded without them.
DATA_ERRORS = (DeletionRefusedError, RowsLostError, exc.DataError, exc.IntegrityError)


@dataclass(frozen=True)
class MonthTurnResult:
    """Result of a turn of the month.

    Attributes:
        months: Months that were opened for every customer.
        early_customers: Customers with rows that were dated in these months before the months began.
        error: Why the rows of ``early_customers`` were not loaded but queued in `ops.pending_changes`; empty if they
            were loaded.
        reports: Changes of each table.
    """

    months: tuple[str, ...]
    early_customers: tuple[int, ...]
    error: str
    reports: tuple[TableReport, ...]


@dataclass
class MonthTurn:
    """Turns the month in one process, whenever a month has begun.

    Attributes:
        app: Returns the billing application, with the horizon at the time of the call.
        warehouse: The warehouse.
        guard: Bounds of deletions.
        run_id: Run, sensor or schedule that turns the month.
        limits: Thresholds of a low balance.
    """

    app: Callable[[], BillingSource]
    warehouse: sa.Engine
    guard: DeletionGuard
    run_id: str
    limits: LowBalanceLimits = DEFAULT_LIMITS
    _current: str = ""

    def turn_if_due(self, *, wait: bool = False) -> MonthTurnResult | None:
        """Turn the month if a month has begun. The call is cheap while the current month stays the same.

        Args:
            wait: Wait for other writers. Otherwise nothing happens while the tables are locked; the next call retries.
        """
        current = self.app().horizon.current
        if current == self._current:
            return None
        turned = None
        if self._has_begun():
            with self.warehouse.begin() as connection:
                if wait:
                    lock_tables(connection, *_WRITTEN_TABLES)
                elif not try_lock_tables(connection, _WRITTEN_TABLES):
                    return None
                turned = turn_month(connection, self.app(), self.guard, self.run_id, self.limits)
        self._current = current
        return turned

    def _has_begun(self) -> bool:
        with self.warehouse.connect() as connection:
            return bool(months_to_turn(connection, self.app().horizon))


def turn_month(
    connection: sa.Connection, app: BillingSource, guard: DeletionGuard, run_id: str, limits: LowBalanceLimits
) -> MonthTurnResult | None:
    """Carry every customer's balance forward into the months that have begun; return None without such months.

    Args:
        connection: Connection within a transaction that holds the write locks of deposits, readings, transactions and
            balances.
        app: The billing application, with the present horizon.
        guard: Bounds of deletions.
        run_id: Run, sensor or schedule that turns the month.
        limits: Thresholds of a low balance.
    """
    months = months_to_turn(connection, app.horizon)
    if not months:
        return None
    early, error = _early_customers(connection, months), ""
    reports: list[TableReport] = []
    if early:
        scope = Scope(months, early if len(early) <= IDS_PER_STATEMENT else None)
        try:
            with connection.begin_nested():
                reports = _load_early_rows(connection, BillingLoad(app, scope, guard, run_id, recalculated=True))
        except (SourceError, *DATA_ERRORS) as reason:  # the month is turned without these rows
            error = str(reason)
            change_queue.enqueue(connection, (_queued_change(customer, months[0]) for customer in early))
    reports.append(
        balances.recalculate_balances(connection, Scope(months), app.horizon, run_id, limits=limits, month_turn=True),
    )
    return MonthTurnResult(months, early, error, tuple(reports))


def _early_customers(connection: sa.Connection, months: Sequence[str]) -> tuple[int, ...]:
    """Return the customers with rows that were rejected because one of these months had not begun."""
    rejected = tables.rejected_rows.c
    statement = sa.select(rejected.customer_id).distinct().order_by(rejected.customer_id)
    return tuple(
        connection.scalars(
            statement.where(
                rejected.asset.in_([tables.deposits.name, tables.meter_readings.name]),
                rejected.customer_id.is_not(None),
                rejected.reason_code == ReasonCode.AFTER_CURRENT_MONTH.stored,
                rejected.reason_params["month"].astext.in_(months),
            )
        )
    )


def _load_early_rows(connection: sa.Connection, load: BillingLoad) -> list[TableReport]:
    """Load deposits and readings of the months of a load, and calculate the transactions."""
    reports = [step(load, connection) for step in (load_deposits, load_readings)]
    priced = transactions.recalculate_transactions(
        connection, load.scope, load.horizon, load.run_id, balances_follow=True
    )
    return [*reports, priced]


def _queued_change(customer_id: int, first_month: str) -> QueuedChange:
    """Return a change that makes a customer be reread from a month on."""
    return QueuedChange("users", customer_id, customer_id, first_month, digest="", changed_at=None)
