"""The environment of Dagster's processes: the addresses of the databases, and what `dagster.yaml` asks for besides."""

import os

from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers

DEFINITIONS = "ledger_pipelines.definitions"
"""The module that Dagster loads."""

# Backfill policies have been "in beta" for years; every process would say so once for each asset.
_BETA = "ignore:Parameter `backfill_policy` of"


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What every process of Dagster needs in its environment. The values hold passwords."""
    warnings = [given] if (given := os.environ.get("PYTHONWARNINGS", "")) else []
    if _BETA not in given:
        warnings.append(_BETA)
    return servers.environment(settings) | {
        "DAGSTER_COMPUTE_LOGS": str(settings.home / "compute-logs"),
        "PYTHONWARNINGS": ",".join(warnings),
    }
