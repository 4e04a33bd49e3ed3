"""Resources of the databases and of the scope of a ledger run.

Addresses come from the settings, not from the run configuration, so no password appears in the UI.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property

import dagster as dg
import sqlalchemy as sa
from pydantic import Field

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.ledger.alerts import LowBalanceLimits
from ledger_pipelines.loading.erp.shrink import ShrinkRule
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.settings import Settings
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.engine import source_engine, warehouse_engine


class RunScope(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only for IO managers
    """Scope of one run beyond its months, from the run's configuration."""

    customer_ids: list[int] = Field(
        default=[], description="Customers of the run; empty: all. Rows of other customers are not changed."
    )
    accept_deletions: bool = Field(
        default=False, description="Continue even if an implausibly large share of the rows would be deleted."
    )
    force: bool = Field(default=False, description="Drop and rebuild the calculated rows, even if nothing differs.")

    @property
    def customers(self) -> tuple[int, ...] | None:
        """Customers of the run, sorted; None for all."""
        return tuple(sorted(set(self.customer_ids))) or None


class PipelineDatabases:
    """Databases of one process, connected on first use.

    Args:
        settings: Addresses of the databases.
        clock: Returns the current time; tests replace it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] | None = None) -> None:
        self.settings = settings
        self._clock = clock or (lambda: datetime.now(settings.zone))

    @cached_property
    def warehouse(self) -> sa.Engine:
        """Engine of the warehouse."""
        return warehouse_engine(database_urls.warehouse_url(self.settings), self.settings.zone)

    @cached_property
    def billing(self) -> sa.Engine:
        """Engine of the billing application's database."""
        return source_engine(database_urls.billing_url(self.settings))

    @cached_property
    def erp(self) -> ErpSource:
        """Reader of the ERP."""
        return ErpSource(
            erp_engine(database_urls.erp_url(self.settings)),
            self.settings.erp_statement_timeout_seconds,
            schemas=self.settings.erp_schemas,
        )

    def dispose(self) -> None:
        """Close the connections that were opened."""
        for name in ("warehouse", "billing", "erp"):
            connected = vars(self).get(name)
            if connected is not None:
                (connected.engine if isinstance(connected, ErpSource) else connected).dispose()

    def now(self) -> datetime:
        """Return the current time in the company's zone."""
        return self._clock()

    def horizon(self) -> Horizon:
        """Return the horizon up to the current month."""
        return Horizon.at(self.now(), first=self.settings.first_month, zone=self.settings.zone)

    def billing_app(self) -> BillingSource:
        """Return the billing application, with the horizon up to the current month."""
        return BillingSource(self.billing, self.horizon())

    def deletion_guard(self, *, accept_deletions: bool) -> DeletionGuard:
        """Return the deletion guard of a run; it allows every deletion if a user accepted them."""
        return DeletionGuard(
            share=self.settings.deletion_guard_share,
            rows=self.settings.deletion_guard_rows,
            accept=accept_deletions,
        )

    def shrink_rule(self) -> ShrinkRule:
        """Return the bounds from which a past month's loss of rows at the ERP is looked at again."""
        return ShrinkRule(share=self.settings.erp_shrink_share, rows=self.settings.erp_shrink_rows)

    def default_low_balance(self) -> LowBalanceLimits:
        """Return the default limits of low balances, for customers without limits of their own."""
        return LowBalanceLimits(days=self.settings.alert_days)
