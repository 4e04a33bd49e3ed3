"""What the API is made of, once a process: the settings, the warehouse, and what it remembers. Tests put in others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.serving.access.limits import FailureLimit, StrangerLimit
from ledger_pipelines.serving.api.balance_answers import LedgerStatus
from ledger_pipelines.serving.api.memo import Memo
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.web_ui import web_ui_of
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import Pool, reachable, warehouse_engine
from ledger_pipelines.warehouse.loaded import as_turned
from ledger_pipelines.warehouse.questions.comparison import ComparisonSummary, balances_compared_at, comparison_summary
from ledger_pipelines.warehouse.questions.year import Year, year_of

_LOOK_SECONDS = 2.0
READERS = Pool(size=10, overflow=10, wait_seconds=5, statement_seconds=10)
"""Twenty connections answer thousands of queries of a millisecond or two a second; beyond that it is better to wait."""

WRITERS = Pool(size=5, overflow=15, wait_seconds=5, statement_seconds=10)
"""Who asks, and what is done: each a statement or two."""


@dataclass(frozen=True)
class Parts:
    """What the API is made of.

    Attributes:
        settings: Where everything is.
        warehouse: Its engine, for who asks and what is done.
        reader: Its engine for whatever is only read; it can change nothing.
        failures: Which addresses have shown tokens that are none.
        strangers: From where people whom nobody knows have tried to act.
        dagster: Whether Dagster was up when it was last asked.
        statuses: How the ledger was when it was last looked at.
        years: Years in figures, likewise.
        comparisons: All customers compared, by the moment at which that was done.
    """

    settings: Settings
    warehouse: sa.Engine
    reader: sa.Engine
    failures: FailureLimit = field(default_factory=FailureLimit)
    strangers: StrangerLimit = field(default_factory=StrangerLimit)
    dagster: Memo[bool] = field(default_factory=Memo)
    statuses: Memo[LedgerStatus] = field(default_factory=Memo)
    years: Memo[Year] = field(default_factory=Memo)
    comparisons: Memo[ComparisonSummary] = field(default_factory=Memo)

    @property
    def horizon(self) -> Horizon:
        """The months that count now."""
        settings = self.settings
        return Horizon.until(datetime.now(settings.zone), first=settings.first_month, zone=settings.zone)

    def current_month(self, connection: sa.Connection) -> str:
        """Return the ledger's current month: the newest one of which every customer has a balance."""
        return as_turned(connection, self.horizon).current

    @property
    def at_once(self) -> sa.Engine:
        """The warehouse without transactions, for statements that stand alone."""
        return self.warehouse.execution_options(isolation_level="AUTOCOMMIT")

    def dagster_answers(self) -> bool:
        """Whether Dagster's web server answers and has loaded the definitions, as far as that is known at once."""
        return self.dagster.get("dagster", lambda: _answers(self.settings))

    def year(self, year: int | None) -> Year:
        """A year in figures, as the warehouse has it now or had it a moment ago; without a year the current one.

        Raises:
            WarehouseError: the warehouse is away.
        """
        with self.reading() as connection:
            month = self.current_month(connection)
        wanted = year or int(month[:4])

        def find() -> Year:
            with self.snapshot() as connection:
                return year_of(connection, wanted)

        # Figures from before the turn of the month are not those of the month that has begun.
        return self.years.get((wanted, month), find)

    def compared(self, connection: sa.Connection) -> ComparisonSummary:
        """All customers compared, as a snapshot sees them: what was found at a moment is added up once."""
        return self.comparisons.get(balances_compared_at(connection), lambda: comparison_summary(connection))

    def close(self) -> None:
        """Let go of the warehouse."""
        self.warehouse.dispose()
        self.reader.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that can change nothing; each statement sees what is there then: the next may see newer rows.

        Raises:
            WarehouseError: the warehouse is away.
        """
        with reachable(self.reader), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """The same in a transaction of its own, in which all statements see the same rows.

        Raises:
            WarehouseError: the warehouse is away.
        """
        with reachable(self.reader), self.reader.connect() as connection:
            # Of the engine it would be in vain: the option that it was made with, AUTOCOMMIT, is applied after that.
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def parts_of(settings: Settings) -> Parts:
    """The parts of an API of some settings."""
    url = servers.warehouse(settings)
    writers = warehouse_engine(url, settings.zone, "ledger_api", WRITERS)
    readers = warehouse_engine(url, settings.zone, "ledger_api_reader", READERS, read_only=True)
    # What is read needs no transaction: that would be two statements more for each that asks for something.
    return Parts(settings, writers, readers.execution_options(isolation_level="AUTOCOMMIT"))


async def _parts(request: Request) -> Parts:  # else it would be called in a thread of its own
    parts: Parts = request.app.state.parts
    return parts


Has = Annotated[Parts, Depends(_parts)]
"""The parameter by which an endpoint gets the parts."""


def _answers(settings: Settings) -> bool:
    try:
        return web_ui_of(settings, timeout_seconds=_LOOK_SECONDS).location_is_loaded()
    except ServingError:  # it is there, but has nothing that it could run
        return False
