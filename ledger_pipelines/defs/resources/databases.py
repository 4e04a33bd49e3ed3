"""Resources of the databases and of the scope of a ledger run.

Addresses come from the settings, not from the run configuration, so no password appears in the UI.
"""

from functools import cached_property

import dagster as dg
from pydantic import Field

from ledger_pipelines.databases import InstallationDatabases
from ledger_pipelines.loading.erp.shrink import ShrinkRule
from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.warehouse import database_urls


class RunScope(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only for IO managers
    """Scope of one run beyond its months, from the run's configuration."""

    customer_ids: list[int] = Field(
        default=[], description="Customers of the run; empty: all. Rows of other customers are not changed."
    )
    accept_deletions: bool = Field(
        default=False, description="Continue even if an implausibly large share of the rows would be deleted."
    )
    force: bool = Field(default=False, description="Drop and rebuild the calculated rows, even if nothing differs.")
    every_month: bool = Field(
        default=False,
        description="Recalculate also the months whose inputs are unchanged, and write the rows that differ.",
    )

    @property
    def customers(self) -> tuple[int, ...] | None:
        """Customers of the run, sorted; None for all."""
        return tuple(sorted(set(self.customer_ids))) or None


class PipelineDatabases(InstallationDatabases):
    """Databases of one process, with the ERP."""

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
        super().dispose()
        if "erp" in vars(self):
            self.erp.engine.dispose()

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
