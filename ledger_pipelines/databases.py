"""Databases of an installation, connected at first use, and the horizon of its settings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Self

import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import LowBalanceLimits
from ledger_pipelines.settings import Settings
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import source_engine, translate_connection_errors, warehouse_engine
from ledger_pipelines.warehouse.ops.first_computation import is_computed


class InstallationDatabases:
    """Warehouse and billing application of the settings; disposed of at the end of a `with` block.

    Args:
        settings: Addresses of the databases.
        clock: Returns the current time; tests replace it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] | None = None) -> None:
        self.settings = settings
        self._clock = clock or (lambda: datetime.now(settings.zone))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dispose()

    def dispose(self) -> None:
        """Close the connections that were opened."""
        for name in ("warehouse", "billing"):
            if name in vars(self):
                getattr(self, name).dispose()

    @cached_property
    def warehouse(self) -> sa.Engine:
        """Engine of the warehouse."""
        return warehouse_engine(database_urls.warehouse_url(self.settings), self.settings.zone)

    @cached_property
    def billing(self) -> sa.Engine:
        """Engine of the billing application's database."""
        seconds = self.settings.billing_statement_timeout_seconds
        return source_engine(database_urls.billing_url(self.settings), read_only=True, statement_seconds=seconds)

    @contextmanager
    def warehouse_connection(self) -> Iterator[sa.Connection]:
        """Yield a connection to the warehouse.

        Raises:
            WarehouseError: the warehouse cannot be used.
        """
        with translate_connection_errors(self.warehouse), self.warehouse.connect() as connection:
            yield connection

    @contextmanager
    def warehouse_transaction(self) -> Iterator[sa.Connection]:
        """Yield a connection to the warehouse, in a transaction.

        Raises:
            WarehouseError: the warehouse cannot be used.
        """
        with translate_connection_errors(self.warehouse), self.warehouse.begin() as connection:
            yield connection

    def is_computed(self) -> bool:
        """Return whether the ledger has been computed for all customers at least once."""
        with self.warehouse_connection() as connection:
            return is_computed(connection)

    def now(self) -> datetime:
        """Return the current time in the company's zone."""
        return self._clock()

    def horizon(self) -> Horizon:
        """Return the horizon up to the current month; a process may live longer than a month."""
        return Horizon.at(self.now(), first=self.settings.first_month, zone=self.settings.zone)

    def billing_app(self) -> BillingSource:
        """Return the billing application, with the horizon up to the current month."""
        return BillingSource(self.billing, self.horizon(), self.settings.billing_statement_timeout_seconds)

    def default_low_balance(self) -> LowBalanceLimits:
        """Return the default limits of low balances, for customers without limits of their own."""
        return LowBalanceLimits(days=self.settings.alert_days)
