"""The databases, and what a run of the ledger is about.

Addresses come from the settings and are no run configuration, so no password appears in the UI.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property

import dagster as dg
import sqlalchemy as sa
from pydantic import Field

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import LowBalance
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.settings import Settings
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.erp import Erp
from ledger_pipelines.sources.erp_engine import erp_engine
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine


class RunScope(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic in what IO managers need only
    """What one run is about, beside its months; set it in the run's configuration."""

    customer_ids: list[int] = Field(
        default=[], description="Only these customers; empty: all. No other customer's row is touched."
    )
    accept_deletions: bool = Field(
        default=False, description="Go on even if an implausibly large share of the rows would be deleted."
    )
    force: bool = Field(default=False, description="Drop and rebuild the calculated rows, even where nothing differs.")

    @property
    def customers(self) -> tuple[int, ...] | None:
        """The customers, sorted; None for all."""
        return tuple(sorted(set(self.customer_ids))) or None


class Databases:
    """The databases of one process, connected to when first used.

    Args:
        settings: Where they are.
        clock: What time it is; tests set another.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] | None = None) -> None:
        self.settings = settings
        self._clock = clock or (lambda: datetime.now(settings.zone))

    @cached_property
    def warehouse(self) -> sa.Engine:
        """The warehouse."""
        return warehouse_engine(servers.warehouse(self.settings), self.settings.zone)

    @cached_property
    def billing(self) -> sa.Engine:
        """The billing application's database."""
        return source_engine(servers.billing(self.settings))

    @cached_property
    def erp(self) -> Erp:
        """The ERP."""
        return Erp(erp_engine(servers.erp(self.settings)), self.settings.erp_statement_timeout_seconds)

    def dispose(self) -> None:
        """Let go of those that were connected to."""
        for name in ("warehouse", "billing", "erp"):
            connected = vars(self).get(name)
            if connected is not None:
                (connected.engine if isinstance(connected, Erp) else connected).dispose()

    def now(self) -> datetime:
        """What time it is."""
        return self._clock()

    def horizon(self) -> Horizon:
        """The months that count now."""
        return Horizon.until(self.now(), first=self.settings.first_month, zone=self.settings.zone)

    def billing_app(self) -> BillingApp:
        """The billing application, read for the months that count now."""
        return BillingApp(self.billing, self.horizon())

    def guard(self, *, accept_deletions: bool) -> DeletionGuard:
        """How much a run may delete; anything if a person has accepted it."""
        return DeletionGuard(
            share=self.settings.deletion_guard_share,
            rows=self.settings.deletion_guard_rows,
            accept=accept_deletions,
        )

    def low_balance(self) -> LowBalance:
        """When a balance is low, for customers of whom nothing else is said."""
        return LowBalance(days=self.settings.alert_days)
