"""Syncs that wait for a locked table."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import erp_tables
from ledger_pipelines.warehouse.transaction_setup import lock_tables
from ledger_pipelines_tests.support.serving.installation import Installation

LINES = erp_tables["so_invoice_line"]


@contextmanager
def locked_invoice_lines(installation: Installation) -> Iterator[None]:
    """Lock `erp.so_invoice_line`, so that a sync has to wait for it."""
    with installation.warehouse("READ COMMITTED") as connection:
        lock_tables(connection, LINES)
        yield


def count_sync_sessions(installation: Installation) -> int:
    """Return the number of sessions of syncs in the warehouse."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ledger_sync_%'"
    with installation.warehouse() as connection:
        return connection.scalar(sa.text(query)) or 0
