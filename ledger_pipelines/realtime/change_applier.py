"""Apply queued changes: reread the changed customers, load and recalculate them, in one transaction."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from ledger_pipelines.horizon import Scope, months_between
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.alerts import DEFAULT_LIMITS, LowBalanceLimits
from ledger_pipelines.loading.billing import deletions
from ledger_pipelines.loading.billing.load import load_customers, load_deposits, load_prices, load_readings
from ledger_pipelines.loading.billing.staging import BillingLoad
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError, SourceEmptiedError
from ledger_pipelines.realtime.month_turn import DATA_ERRORS, turn_month
from ledger_pipelines.sources.billing.changes import customers_without_recalculation
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.errors import error_message
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.ops import change_queue, incidents, latency
from ledger_pipelines.warehouse.ops.change_queue import PendingChange
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind, customer_subject
from ledger_pipelines.warehouse.ops.latency import AppliedBatch
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.transaction_setup import lock_tables, try_lock_tables

#: Maximum number of changes in one transaction; the others wait a second or two for the next one. Larger batches would
#: hardly be faster in total, and the first change of a burst would wait for the last.
MAX_CHANGES_PER_TRANSACTION = 250
_STEPS = (load_customers, load_prices, load_deposits, load_readings)
_WRITTEN_TABLES = (
    tables.customers,
    tables.prices,
    tables.deposits,
    tables.meter_readings,
    tables.transaction_calculations,
    tables.monthly_customer_balances,
)
#: Incidents that are closed when the next change of their customer is applied.
_CUSTOMER_INCIDENTS = (IncidentKind.CHANGE_RETRIED, IncidentKind.DELETION_REFUSED)
#: Longest wait before a retry after errors that a person or a server may resolve at any moment.
_RESOLVABLE_RETRY_SECONDS = 60


@dataclass(frozen=True)
class AppliedChanges:
    """Changes applied in one transaction.

    Attributes:
        customers: Recalculated customers.
        months: Recalculated months.
        reports: Changes of each table.
        batch: Number of changes, and how long they had waited.
    """

    customers: tuple[int, ...]
    months: tuple[str, ...]
    reports: tuple[TableReport, ...]
    batch: AppliedBatch


@dataclass(frozen=True)
class FailedChanges:
    """Changes that could not be applied and were postponed, with the error."""

    customers: tuple[int, ...]
    error: str


@dataclass(frozen=True)
class ChangeApplier:
    """Applies queued changes in one run.

    Attributes:
        app: Returns the billing application, with the horizon at the time of the call.
        warehouse: The warehouse.
        guard: Bounds of deletions.
        run_id: The run.
        limits: Thresholds of a low balance.
    """

    app: Callable[[], BillingSource]
    warehouse: sa.Engine
    guard: DeletionGuard
    run_id: str
    limits: LowBalanceLimits = DEFAULT_LIMITS

    def apply(self) -> Iterator[AppliedChanges | FailedChanges]:
        """Apply the oldest queued changes; yield nothing if none wait or while another process writes the tables.

        If some changes fail because of their data, the batch is divided to find them. They are postponed, and the
        others are applied.

        Raises:
            SourceError: The billing application cannot be read; the changes are postponed.
            InputNotLoadedError: Earlier months were never computed; the changes are postponed.
        """
        yield from self._apply(None, self.guard)

    def _apply(self, of: Collection[int] | None, guard: DeletionGuard) -> Iterator[AppliedChanges | FailedChanges]:
        waiting: list[PendingChange] = []
        try:
            with self.warehouse.begin() as connection:
                lock_tables(connection, tables.pending_changes)
                waiting = change_queue.dequeue(connection, MAX_CHANGES_PER_TRANSACTION, of)
                can_apply = bool(waiting) and try_lock_tables(connection, _WRITTEN_TABLES)
                applied = self._apply_in(connection, waiting, guard) if can_apply else None
        except SourceEmptiedError as error:  # not caused by the data of these customers
            self._postpone(waiting, error)
            raise
        except DATA_ERRORS as error:
            customers = sorted({change.customer_id for change in waiting})
            if len(customers) == 1:
                yield self._postpone(waiting, error)
                return
            for part, part_guard in self._divide(customers, error, first=of is None):
                yield from self._apply(part, part_guard)
        except Exception as error:
            if waiting:
                self._postpone(waiting, error)
            raise
        else:
            if applied is not None:
                yield applied

    def _divide(
        self, customers: Sequence[int], error: Exception, *, first: bool
    ) -> Iterator[tuple[Sequence[int], DeletionGuard]]:
        """Divide customers whose changes failed together: first separate those who lost many rows, else bisect.

        When bisecting, the guard's allowance is dropped: many small deletions could add up to a mass deletion.
        """
        strict = replace(self.guard, rows=0)
        if first and isinstance(error, DeletionRefusedError):
            with self.warehouse.connect() as connection:
                many = deletions.customers_with_mass_deletions(self.app(), connection, customers, self.guard)
            if many and len(many) < len(customers):
                yield [customer for customer in customers if customer not in many], self.guard
                yield from (([customer], strict) for customer in many)
                return
        middle = len(customers) // 2
        yield customers[:middle], strict
        yield customers[middle:], strict

    def _apply_in(
        self, connection: sa.Connection, waiting: Collection[PendingChange], guard: DeletionGuard
    ) -> AppliedChanges | None:
        app = self.app()  # called with the tables locked: no other process can turn the month meanwhile
        switched_off_ids = customers_without_recalculation(app, {change.customer_id for change in waiting})
        held = [change for change in waiting if change.customer_id in switched_off_ids]
        due = [change for change in waiting if change.customer_id not in switched_off_ids]
        if held:
            change_queue.hold(connection, held)
        if not due:
            return None
        turned = turn_month(connection, app, self.guard, self.run_id, self.limits)
        horizon = app.horizon
        first = max(horizon.first, min(change.first_month for change in due))
        customers = tuple(sorted({change.customer_id for change in due}))
        scope = Scope(months_between(min(first, horizon.current), horizon.current), customers)
        load = BillingLoad(app, scope, guard, self.run_id, recalculated=True)
        reports = [*(turned.reports if turned else ()), *(step(load, connection) for step in _STEPS)]
        reports.append(
            transactions.recalculate_transactions(connection, scope, horizon, self.run_id, balances_follow=True)
        )
        reports.append(balances.recalculate_balances(connection, scope, horizon, self.run_id, limits=self.limits))
        change_queue.mark_applied(connection, due)
        incidents.close(
            connection, _CUSTOMER_INCIDENTS, [*map(customer_subject, customers), *deletions.EMPTY_SOURCE_SUBJECTS]
        )
        batch = latency.record_batch(connection, self.run_id, due, customers)
        return AppliedChanges(customers, scope.months, tuple(reports), batch)

    def _postpone(self, waiting: Collection[PendingChange], error: Exception) -> FailedChanges:
        """Postpone changes, and record an incident if one customer's data caused the error."""
        customers = tuple(sorted({change.customer_id for change in waiting}))
        resolvable = isinstance(error, DeletionRefusedError) or not isinstance(error, DATA_ERRORS)
        longest = _RESOLVABLE_RETRY_SECONDS if resolvable else change_queue.LAST_RETRY_SECONDS
        with self.warehouse.begin() as connection:
            change_queue.mark_failed(connection, waiting, str(error), longest)
            for cause in self._causes(connection, customers, error):
                incidents.record(connection, cause)
        return FailedChanges(customers, str(error))

    def _causes(self, connection: sa.Connection, customers: Sequence[int], error: Exception) -> Iterator[IncidentCause]:
        if isinstance(error, SourceEmptiedError):
            yield from error.causes
        elif isinstance(error, DeletionRefusedError):
            for customer_id in customers:
                cause = deletions.customer_deletion_cause(self.app(), connection, customer_id, error.causes[0].reason)
                yield replace(cause, run_id=self.run_id)
        elif isinstance(error, DATA_ERRORS):
            for customer_id in customers:
                yield IncidentCause(
                    IncidentKind.CHANGE_RETRIED,
                    customer_subject(customer_id),
                    f"A change of customer {customer_id} cannot be applied: {error_message(error)} "
                    "The balances of this customer are unchanged.",
                    "Correct the row in the billing application: the change is retried automatically. "
                    "All waiting changes are in ops.pending_changes.",
                    customers=[customer_id],
                    run_id=self.run_id,
                )
