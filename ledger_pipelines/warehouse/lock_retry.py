"""Low-priority work with retries on lock timeouts: a request of a user must not keep runs waiting.

Such work waits for a lock for half a second only, then rolls back, which releases its own locks, and tries again.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from psycopg import errors

from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.schema import WarehouseError

#: Shorter than the server's deadlock_timeout: the server never cancels a run to resolve a deadlock with this work.
_LOCK_TIMEOUT = "500ms"
_STATEMENT_TIMEOUT = "60s"
_RETRYABLE = (errors.LockNotAvailable, errors.SerializationFailure, errors.DeadlockDetected)
_PAUSE_SECONDS = 0.5

T = TypeVar("T")


def with_lock_retry(
    engine: sa.Engine, work: Callable[[sa.Connection], T], on_wait: Callable[[], None], timeout_seconds: int = 120
) -> T:
    """Run ``work`` in a REPEATABLE READ transaction and commit it, retrying while other processes hold its locks.

    Args:
        engine: Of the warehouse.
        work: The function to run; each attempt calls it in a new transaction.
        on_wait: Called once, before the first retry.
        timeout_seconds: No new attempt starts after this time.

    Raises:
        WarehouseError: no attempt succeeded within that time, a statement took too long, or the warehouse cannot be
            used. Nothing was changed.
    """
    deadline, reported = time.monotonic() + timeout_seconds, False
    while True:
        try:
            with translate_connection_errors(engine), engine.connect() as plain:
                connection = plain.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                    connection.execute(sa.text(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"))
                    return work(connection)
        except sa.exc.DBAPIError as error:
            _raise_unless_retryable(error)
        if time.monotonic() > deadline:
            raise WarehouseError(
                f"Another process has been writing the tables for {timeout_seconds} seconds. Nothing was changed. "
                "Try again after its run has ended; Dagster's web UI shows it under Runs."
            )
        if not reported:
            on_wait()
            reported = True
        time.sleep(_PAUSE_SECONDS)


def _raise_unless_retryable(error: sa.exc.DBAPIError) -> None:
    """Raise the error again unless a retry can succeed; a statement timeout gets a message for users."""
    if isinstance(error.orig, errors.QueryCanceled):
        raise WarehouseError(
            f"A statement took longer than {_STATEMENT_TIMEOUT} and was cancelled. Nothing was changed. "
            "Check whether the server is under load, or whether many months wait for recalculation (the check "
            "nothing_stale)."
        ) from error
    if not isinstance(error.orig, _RETRYABLE):
        raise error
