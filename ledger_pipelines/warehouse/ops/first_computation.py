"""The ledger's first computation: whether it has run, for which billing application, and the command that starts it.

The ledger of a user's own billing application is not computed until a person starts the first computation.
"""

from typing import Literal

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.tables import monthly_customer_balances

CHECK_COMMAND = "ledger billing test-connection"
COMPUTE_COMMAND = "ledger balance initialize --all"

#: The row of `ops.watermarks` that records whether the ledger is the demo's.
_SOURCE = "source of the ledger"
_Source = Literal["demo", "own"]


class NotComputedError(LedgerError):
    """The ledger has never been computed; the message names the command that computes it."""


def is_computed(connection: sa.Connection) -> bool:
    """Return whether balances of any month have been written for every customer.

    Balances of single customers (`ledger balance initialize --customer-id N`) do not count.
    """
    return bool(months_loaded(connection, monthly_customer_balances))


def never_computed_message(settings: Settings) -> str:
    """Return the message for a ledger that has never been computed: what to wait for, or which command to run."""
    if database_urls.uses_demo_billing(settings):
        return (
            "The ledger has never been computed. `ledger up` computes the demo's ledger when it first starts: wait "
            f"until that run has ended. Without `ledger up`, run `{COMPUTE_COMMAND}`."
        )
    return (
        "The ledger has never been computed, and it is not computed until an administrator starts it. "
        f"Check the billing application with `{CHECK_COMMAND}`, then compute everything with `{COMPUTE_COMMAND}`."
    )


def record_source(connection: sa.Connection, settings: Settings) -> None:
    """Record whether the warehouse is for the demo or a user's own billing application, unless it is computed."""
    if not is_computed(connection):
        watermarks.set_watermark(connection, _SOURCE, _source_of(settings))


def require_same_source(connection: sa.Connection, settings: Settings) -> None:
    """Raise if the settings would mix the demo's figures with those of a user's own billing application.

    Raises:
        WarehouseError: the ledger is the demo's and the settings name a billing application, or the reverse.
    """
    recorded = watermarks.get_watermark(connection, _SOURCE)
    if recorded in (None, _source_of(settings)) or not is_computed(connection):
        return
    elsewhere = "LEDGER_HOME to a new folder (or LEDGER_WAREHOUSE_URL to an empty database)"
    if recorded == "demo":
        raise WarehouseError(
            "This warehouse holds the demo's ledger, and LEDGER_BILLING_URL names a billing application of your own. "
            f"Set {elsewhere}: the two must not be mixed."
        )
    raise WarehouseError(
        "This warehouse holds the ledger of your own billing application, and LEDGER_BILLING_URL is not set. Set it. "
        f"For the demo, set {elsewhere}: the two must not be mixed."
    )


def _source_of(settings: Settings) -> _Source:
    return "demo" if database_urls.uses_demo_billing(settings) else "own"
