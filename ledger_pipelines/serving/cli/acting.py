"""What a command changes, written down in the name of this machine's user."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.warehouse.audit import Act


@contextmanager
def written_down(databases: Databases, action: str, target: str) -> Iterator[str]:
    """Leave a row in the audit log: who, what, when, and what became of it; yield who it is.

    Args:
        databases: Of the installation.
        action: The command, without `ledger`.
        target: What it is about; no secret.

    Raises:
        WarehouseError: it cannot be written down, and so must not be done.
    """
    actor = f"command line ({getpass.getuser()})"
    with audited(databases.warehouse, Act(f"ledger {action}", target, actor=actor)):
        yield actor
