"""Work that gives way: a person's question must not keep the runs waiting.

It waits for a lock for a moment only, lets go of everything it holds, and comes again.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.schema import WarehouseError

#: Shorter than a server's deadlock_timeout, so that no run is ever chosen to die for us.
_LOCK_TIMEOUT = "500ms"
_STATEMENT_TIMEOUT = "60s"
#: SQLSTATEs of a lock that was not to be had, of a snapshot that was overtaken, and of a deadlock.
_LATER = ("55P03", "40001", "40P01")
_TOO_LONG = "57014"
_PAUSE_SECONDS = 0.5

T = TypeVar("T")


class WarehouseBusyError(WarehouseError):
    """Others were writing all the time; nothing was changed."""


def politely(
    engine: sa.Engine, work: Callable[[sa.Connection], T], waiting: Callable[[], None], patience_seconds: int = 120
) -> T:
    """Do some work in a transaction of one snapshot that is committed, giving way to whoever writes.

    Args:
        engine: Of the warehouse.
        work: The work; it is begun again when it stood in somebody's way.
        waiting: Called once if it cannot be done at once.
        patience_seconds: After this it is given up.

    Raises:
        WarehouseBusyError: it could not be done in that time.
        WarehouseError: a statement took too long, or the warehouse cannot be used.
    """
    deadline, told = time.monotonic() + patience_seconds, False
    while True:
        try:
            with reachable(engine), engine.connect() as plain:
                connection = plain.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                    connection.execute(sa.text(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'"))
                    return work(connection)
        except sa.exc.DBAPIError as error:
            _check_may_pass(error)
        if time.monotonic() > deadline:
            raise WarehouseBusyError(
                f"The tables are being written, and were so for {patience_seconds} seconds. Nothing was changed. "
                "Try again when the run has ended; the web interface shows it under Runs."
            )
        if not told:
            waiting()
            told = True
        time.sleep(_PAUSE_SECONDS)


def _check_may_pass(error: sa.exc.DBAPIError) -> None:
    """Raise the error again, in words where there are any, unless it passes of itself."""
    state = getattr(error.orig, "sqlstate", None)
    if state == _TOO_LONG:
        raise WarehouseError(
            f"A statement took longer than {_STATEMENT_TIMEOUT}, and was given up. Nothing was changed. "
            "Is the server under load, or much waiting to be recalculated (the check nothing_stale)?"
        ) from error
    if state not in _LATER:
        raise error
