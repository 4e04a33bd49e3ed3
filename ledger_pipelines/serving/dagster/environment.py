"""Environment variables of Dagster's processes: addresses of the databases, and variables of `dagster.yaml`."""

import os

from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls

DEFINITIONS = "ledger_pipelines.definitions"
"""The module that Dagster loads."""

# Every process would warn once per asset that backfill policies are "in beta", which they have been for years.
_BETA = "ignore:Parameter `backfill_policy` of"


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that every process of Dagster needs; the values contain passwords."""
    warnings = [given] if (given := os.environ.get("PYTHONWARNINGS", "")) else []
    if _BETA not in given:
        warnings.append(_BETA)
    return database_urls.process_environment(settings) | {
        "DAGSTER_COMPUTE_LOGS": str(settings.home / "compute-logs"),
        "PYTHONWARNINGS": ",".join(warnings),
    }
