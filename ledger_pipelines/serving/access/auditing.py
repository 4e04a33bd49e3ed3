"""The audit log as those see it who act: nothing is done before it is written down, and how it ended is noted too."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.serving.errors import EXPLAINED
from ledger_pipelines.warehouse import audit
from ledger_pipelines.warehouse.audit import Act, Outcome
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.schema import WarehouseError

_logger = logging.getLogger(__name__)


@dataclass
class Record:
    """An act under way; whoever does it may say here what became of it."""

    outcome: Outcome = "done"
    message: str | None = None


@contextmanager
def audited(warehouse: sa.Engine, act: Act) -> Iterator[Record]:
    """Write an act down, let it be done, and write down what became of it.

    An error that explains itself is a refusal, any other a failure, unless the record says otherwise.

    Raises:
        WarehouseError: it cannot be written down, and so must not be done.
    """
    with reachable(warehouse), warehouse.begin() as connection:
        entry_id = audit.begin(connection, act)
    record = Record()
    try:
        yield record
    except Exception as error:
        if record.outcome == "done":
            explained = isinstance(error, EXPLAINED)
            record.outcome, record.message = ("refused", str(error)) if explained else ("failed", type(error).__name__)
        _close(warehouse, entry_id, record)
        raise
    _close(warehouse, entry_id, record)


def _close(warehouse: sa.Engine, entry_id: int, record: Record) -> None:
    try:
        with reachable(warehouse), warehouse.begin() as connection:
            audit.end(connection, entry_id, record.outcome, record.message)
    except (WarehouseError, sa.exc.SQLAlchemyError):
        # What was done is done, and whoever asked for it is to be told; the entry says that nobody knows how it ended.
        _logger.exception("Entry %s of the audit log cannot be closed: %s", entry_id, record)
