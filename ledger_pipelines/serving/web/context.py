"""State of the web application, one per process: settings, warehouse connections, rate limiters and caches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.serving.access.limits import FailureRateLimiter, UnauthenticatedRateLimiter
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster.graphql import dagster_graphql_from_settings
from ledger_pipelines.serving.web.cache import TtlCache
from ledger_pipelines.serving.web.models import LedgerStatus
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import PoolOptions, translate_connection_errors, warehouse_engine
from ledger_pipelines.warehouse.ops.loaded_months import ledger_horizon
from ledger_pipelines.warehouse.queries.reconciliation.comparison import (
    ComparisonSummary,
    balances_compared_at,
    comparison_summary,
)
from ledger_pipelines.warehouse.queries.year import YearReport, year_report

_DAGSTER_TIMEOUT_SECONDS = 2.0
READER_POOL = PoolOptions(size=10, overflow=10, wait_seconds=5, statement_seconds=10)
"""Twenty connections answer thousands of queries per second at one or two milliseconds each; more requests wait."""

WRITER_POOL = PoolOptions(size=5, overflow=15, wait_seconds=5, statement_seconds=10)
"""For authentication and commands, which need one or two statements each."""


@dataclass(frozen=True)
class AppContext:
    """State that all requests share.

    Attributes:
        settings: The installation's settings.
        warehouse: Engine for authentication and commands.
        reader: Read-only engine for queries.
        token_limiter: Limit on refused tokens per address.
        unauthenticated_limiter: Limit on commands without a valid token.
        dagster_cache: Whether Dagster answers.
        status_cache: Status of the ledger, without its incidents.
        year_cache: Figures by year.
        comparison_cache: Summary of the balance comparison, by the time of the comparison.
    """

    settings: Settings
    warehouse: sa.Engine
    reader: sa.Engine
    token_limiter: FailureRateLimiter = field(default_factory=FailureRateLimiter)
    unauthenticated_limiter: UnauthenticatedRateLimiter = field(default_factory=UnauthenticatedRateLimiter)
    dagster_cache: TtlCache[bool] = field(default_factory=TtlCache)
    status_cache: TtlCache[LedgerStatus] = field(default_factory=TtlCache)
    year_cache: TtlCache[YearReport] = field(default_factory=TtlCache)
    comparison_cache: TtlCache[ComparisonSummary] = field(default_factory=TtlCache)

    @property
    def horizon(self) -> Horizon:
        """Months from the first month of the settings to the current one."""
        settings = self.settings
        return Horizon.at(datetime.now(settings.zone), first=settings.first_month, zone=settings.zone)

    def current_month(self, connection: sa.Connection) -> str:
        """Return the ledger's current month: the newest month in which every customer has a balance."""
        return ledger_horizon(connection, self.horizon).current

    @property
    def autocommit_engine(self) -> sa.Engine:
        """Engine in autocommit mode, for single statements."""
        return self.warehouse.execution_options(isolation_level="AUTOCOMMIT")

    def dagster_is_up(self) -> bool:
        """Return whether Dagster's web server answers and has loaded the definitions; cached."""
        return self.dagster_cache.get("dagster", lambda: _dagster_answers(self.settings))

    def year_figures(self, year: int | None) -> YearReport:
        """Return the figures of a year, by default the year of the ledger's current month; cached.

        Raises:
            WarehouseError: the warehouse is unavailable.
        """
        with self.read_connection() as connection:
            month = self.current_month(connection)
        chosen = year or int(month[:4])

        def compute() -> YearReport:
            with self.snapshot() as connection:
                return year_report(connection, chosen)

        # The month is part of the key: figures from before the turn of the month are outdated after it.
        return self.year_cache.get((chosen, month), compute)

    def cached_comparison_summary(self, connection: sa.Connection) -> ComparisonSummary:
        """Return the summary of the balance comparison that a snapshot sees; computed once per comparison."""
        return self.comparison_cache.get(balances_compared_at(connection), lambda: comparison_summary(connection))

    def close(self) -> None:
        """Close all warehouse connections."""
        self.warehouse.dispose()
        self.reader.dispose()

    @contextmanager
    def read_connection(self) -> Iterator[sa.Connection]:
        """Yield a read-only connection in autocommit mode; a later statement may see newer rows than an earlier one.

        Raises:
            WarehouseError: the warehouse is unavailable.
        """
        with translate_connection_errors(self.reader), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Yield a read-only connection in a REPEATABLE READ transaction: all statements see the same rows.

        Raises:
            WarehouseError: the warehouse is unavailable.
        """
        with translate_connection_errors(self.reader), self.reader.connect() as connection:
            # Set on the connection: the engine's own option AUTOCOMMIT would override one set on the engine.
            yield connection.execution_options(isolation_level="REPEATABLE READ")


def create_context(settings: Settings) -> AppContext:
    """Create the state of an application with these settings."""
    url = database_urls.warehouse_url(settings)
    writers = warehouse_engine(url, settings.zone, "ledger_api", WRITER_POOL)
    readers = warehouse_engine(url, settings.zone, "ledger_api_reader", READER_POOL, read_only=True)
    # Single queries need no transaction, which would add two statements to each request.
    return AppContext(settings, writers, readers.execution_options(isolation_level="AUTOCOMMIT"))


async def _context(request: Request) -> AppContext:  # async: FastAPI would run a plain function in a thread
    app_context: AppContext = request.app.state.app_context
    return app_context


AppContextDep = Annotated[AppContext, Depends(_context)]
"""Endpoint parameter: the state that all requests share."""


def _dagster_answers(settings: Settings) -> bool:
    try:
        return dagster_graphql_from_settings(settings, timeout_seconds=_DAGSTER_TIMEOUT_SECONDS).location_is_loaded()
    except ServingError:  # the web server answers, but its definitions cannot run
        return False
