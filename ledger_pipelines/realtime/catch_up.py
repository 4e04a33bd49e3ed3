"""Taking up what was noticed: read the source again for those customers, load, recalculate, all in one transaction."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.horizon import Scope, months_between
from ledger_pipelines.ledger import balances, transactions
from ledger_pipelines.ledger.alerts import USUAL, LowBalance
from ledger_pipelines.loading import billing, deletions
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError, SourceEmptiedError
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.loading.staging import Load
from ledger_pipelines.realtime.turn import turn
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import switched_off
from ledger_pipelines.sources.errors import first_line
from ledger_pipelines.warehouse import incidents, latency, pending, tables
from ledger_pipelines.warehouse.incidents import Cause, Kind, about_customer
from ledger_pipelines.warehouse.latency import Batch
from ledger_pipelines.warehouse.pending import Waiting
from ledger_pipelines.warehouse.report import Report
from ledger_pipelines.warehouse.session import lock, try_lock

#: Changes that are taken up together at most; more of them wait for the next transaction, a second or two later. Larger
#: lots would hardly be quicker in all, and the first of a burst would wait for the last.
CHANGES_AT_ONCE = 250
_STEPS = (billing.load_customers, billing.load_prices, billing.load_deposits, billing.load_readings)
_WRITTEN = (
    tables.customers,
    tables.prices,
    tables.deposits,
    tables.meter_readings,
    tables.transaction_calculations,
    tables.monthly_customer_balances,
)
#: What may be the fault of one customer's data, so that the others' can be taken up without it.
_OF_DATA = (DeletionRefusedError, RowsLostError, exc.DataError, exc.IntegrityError)
#: The incidents that the next success of their customer closes.
_OF_CUSTOMERS = (Kind.CHANGE_RETRIED, Kind.DELETION_REFUSED)
#: The longest wait before changes are tried again that a person or a server may mend at any moment.
_MENDED_SECONDS = 60


@dataclass(frozen=True)
class TakenUp:
    """What was taken up in one transaction.

    Attributes:
        customers: Who was recalculated.
        months: Which months were.
        reports: What that did to each table.
        batch: How many changes there were, and how long they had waited.
    """

    customers: tuple[int, ...]
    months: tuple[str, ...]
    reports: tuple[Report, ...]
    batch: Batch


@dataclass(frozen=True)
class Failed:
    """Changes that could not be taken up, were put off, and why."""

    customers: tuple[int, ...]
    error: str


@dataclass(frozen=True)
class CatchUp:
    """Taking up what was noticed, for one run.

    Attributes:
        app: The billing application, read for the months that count at the moment of the call.
        warehouse: The warehouse.
        guard: How much may be deleted.
        run_id: The run.
        low: When a balance is low.
    """

    app: Callable[[], BillingApp]
    warehouse: sa.Engine
    guard: DeletionGuard
    run_id: str
    low: LowBalance = USUAL

    def take_up(self) -> Iterator[TakenUp | Failed]:
        """Take up the oldest changes that wait; nothing comes out if none do, or while somebody else writes the tables.

        If they cannot be taken up together for the fault of some, those are found, put off, and the others taken up.

        Raises:
            SourceError: the billing application cannot be read; the changes are put off.
            MonthsMissingError: the months before have never been computed; the changes are put off.
        """
        yield from self._take_up(None, self.guard)

    def _take_up(self, of: Collection[int] | None, guard: DeletionGuard) -> Iterator[TakenUp | Failed]:
        waiting: list[Waiting] = []
        try:
            with self.warehouse.begin() as connection:
                lock(connection, tables.pending_changes)
                waiting = pending.take(connection, CHANGES_AT_ONCE, of)
                may = bool(waiting) and try_lock(connection, _WRITTEN)
                taken = self._take_up_in(connection, waiting, guard) if may else None
        except SourceEmptiedError as error:  # not the fault of any of these customers
            self._put_off(waiting, error)
            raise
        except _OF_DATA as error:
            customers = sorted({change.customer_id for change in waiting})
            if len(customers) == 1:
                yield self._put_off(waiting, error)
                return
            for some, its_guard in self._apart(customers, error, first=of is None):
                yield from self._take_up(some, its_guard)
        except Exception as error:
            if waiting:
                self._put_off(waiting, error)
            raise
        else:
            if taken is not None:
                yield taken

    def _apart(
        self, customers: Sequence[int], error: Exception, *, first: bool
    ) -> Iterator[tuple[Sequence[int], DeletionGuard]]:
        """Divide customers that cannot be taken up together: those who lost many rows by themselves, else in halves.

        When bisecting, the guard's allowance is dropped: many small deletions could add up to a mass deletion.
        """
        strict = replace(self.guard, rows=0)
        if first and isinstance(error, DeletionRefusedError):
            with self.warehouse.connect() as connection:
                many = deletions.customers_with_mass_deletions(self.app(), connection, customers, self.guard)
            if many and len(many) < len(customers):
                yield [one for one in customers if one not in many], self.guard
                yield from (([one], strict) for one in many)
                return
        middle = len(customers) // 2
        yield customers[:middle], strict
        yield customers[middle:], strict

    def _take_up_in(
        self, connection: sa.Connection, waiting: Collection[Waiting], guard: DeletionGuard
    ) -> TakenUp | None:
        app = self.app()  # once the tables are locked: the month cannot be turned meanwhile
        off = switched_off(app, {change.customer_id for change in waiting})
        held = [change for change in waiting if change.customer_id in off]
        taken = [change for change in waiting if change.customer_id not in off]
        if held:
            pending.hold(connection, held)
        if not taken:
            return None
        turned = turn(connection, app, self.guard, self.run_id, self.low)
        horizon = app.horizon
        first = max(horizon.first, min(change.first_month for change in taken))
        customers = tuple(sorted({change.customer_id for change in taken}))
        scope = Scope(months_between(min(first, horizon.current), horizon.current), customers)
        load = Load(app, scope, guard, self.run_id, recalculated=True)
        reports = [*(turned.reports if turned else ()), *(step(load, connection) for step in _STEPS)]
        reports.append(transactions.recalculate(connection, scope, horizon, self.run_id, balances_follow=True))
        reports.append(balances.recalculate(connection, scope, horizon, self.run_id, low=self.low))
        pending.done(connection, taken)
        incidents.close(connection, _OF_CUSTOMERS, [*map(about_customer, customers), *deletions.EMPTY_SOURCE_SUBJECTS])
        batch = latency.record(connection, self.run_id, taken, customers)
        return TakenUp(customers, scope.months, tuple(reports), batch)

    def _put_off(self, waiting: Collection[Waiting], error: Exception) -> Failed:
        """Put changes off, and keep as an incident what is the fault of one customer's data."""
        customers = tuple(sorted({change.customer_id for change in waiting}))
        mended_any_time = isinstance(error, DeletionRefusedError) or not isinstance(error, _OF_DATA)
        longest = _MENDED_SECONDS if mended_any_time else pending.LAST_RETRY_SECONDS
        with self.warehouse.begin() as connection:
            pending.failed(connection, waiting, str(error), longest)
            for cause in self._causes(connection, customers, error):
                incidents.record(connection, cause)
        return Failed(customers, str(error))

    def _causes(self, connection: sa.Connection, customers: Sequence[int], error: Exception) -> Iterator[Cause]:
        if isinstance(error, SourceEmptiedError):
            yield from error.causes
        elif isinstance(error, DeletionRefusedError):
            for customer_id in customers:
                cause = deletions.refusal_of_customer(self.app(), connection, customer_id, error.causes[0].reason)
                yield replace(cause, run_id=self.run_id)
        elif isinstance(error, _OF_DATA):
            for customer_id in customers:
                yield Cause(
                    Kind.CHANGE_RETRIED,
                    about_customer(customer_id),
                    f"A change of customer {customer_id} cannot be taken up: {_in_words(error)} "
                    "Its balances stay as they were.",
                    "It is tried again by itself. Correct the row in the billing application; all that waits is in "
                    "ops.pending_changes.",
                    customers=[customer_id],
                    run_id=self.run_id,
                )


def _in_words(error: Exception) -> str:
    """Return the driver's first line, without the statement and its values; of another error its message."""
    return first_line(error) if isinstance(error, exc.DBAPIError) else str(error)
