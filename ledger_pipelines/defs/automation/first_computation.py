"""Schedules and sensors before the first computation of the ledger: they skip with a reason."""

import dagster as dg

from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.warehouse.ops.first_computation import COMPUTE_COMMAND, never_computed_message

#: Suffix of the descriptions of schedules and sensors that skip until then.
SKIPPED_UNTIL_COMPUTED = f" Skipped until the ledger has been computed once ({COMPUTE_COMMAND})."


def skip_unless_computed(databases: PipelineDatabases) -> dg.SkipReason | None:
    """Return the reason to skip a tick if the ledger has never been computed; None if it has."""
    return None if databases.is_computed() else dg.SkipReason(never_computed_message(databases.settings))
