"""Audit of the commands that change data, under the name of the operating-system user."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.warehouse.ops.audit import Command


@contextmanager
def audited_command(databases: Databases, action: str, target: str) -> Iterator[str]:
    """Record a command and its outcome in the audit log; yield the actor.

    Args:
        databases: The installation's databases.
        action: The command, without `ledger`.
        target: The object of the command, without secrets.

    Raises:
        WarehouseError: the audit log cannot be written; the command must not be executed.
    """
    actor = f"command line ({getpass.getuser()})"
    with audited(databases.warehouse, Command(f"ledger {action}", target, actor=actor)):
        yield actor
