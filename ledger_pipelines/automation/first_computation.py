"""What schedules and sensors do before the ledger has been computed for the first time: nothing, and they say so."""

import dagster as dg

from ledger_pipelines.resources import Databases
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.first_computation import COMPUTE_COMMAND, is_computed, never_computed

#: Ends the description of what is skipped until then.
BEFORE_THE_FIRST = f" Skipped until the ledger has been computed once ({COMPUTE_COMMAND})."


def skip_unless_computed(databases: Databases) -> dg.SkipReason | None:
    """Return why a tick asks for nothing while the ledger has never been computed; None once it has."""
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return None if is_computed(connection) else dg.SkipReason(never_computed(databases.settings))
