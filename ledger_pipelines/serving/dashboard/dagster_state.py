"""Results of asset checks and states of runs, fetched from Dagster's web server."""

from dataclasses import dataclass
from uuid import UUID

from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.settings import Settings

_FAILED = ("FAILED", "EXECUTION_FAILED")
_STATES = {
    "QUEUED": "waiting",
    "NOT_STARTED": "waiting",
    "STARTING": "waiting",
    "STARTED": "running",
    "CANCELING": "running",
    "SUCCESS": "done",
    "FAILURE": "failed",
    "CANCELED": "cancelled",
}


@dataclass(frozen=True)
class CheckResults:
    """Results of Dagster's asset checks for the latest materializations.

    Attributes:
        executed: Number of checks that have been executed.
        failing: Names of the checks that failed with severity ERROR.
        warning: Names of the checks that failed with severity WARN.
    """

    executed: int
    failing: tuple[str, ...]
    warning: tuple[str, ...]


@dataclass(frozen=True)
class RunState:
    """State of a run.

    Attributes:
        id: Run id.
        state: waiting, running, done, failed or cancelled; unknown if Dagster does not answer or has no such run.
        address: URL of the run in Dagster's web UI.
    """

    id: str
    state: str
    address: str

    @property
    def unfinished(self) -> bool:
        """Whether the state can still change."""
        return self.state in ("waiting", "running", "unknown")


def fetch_check_results(graphql: DagsterGraphql) -> CheckResults:
    """Fetch the results of all asset checks.

    Raises:
        OSError: Dagster does not answer.
    """
    found = {
        check["name"].replace("_", " "): _verdict(execution)
        for check in graphql.asset_checks()
        if (execution := check["executionForLatestMaterialization"]) is not None
    }
    return CheckResults(
        executed=len(found),
        failing=tuple(name for name, verdict in found.items() if verdict == "error"),
        warning=tuple(name for name, verdict in found.items() if verdict == "warning"),
    )


def fetch_run_state(settings: Settings, run_id: UUID, timeout_seconds: float) -> RunState:
    """Fetch the state of a run."""
    graphql = dagster_graphql_from_settings(settings, timeout_seconds)
    try:
        status = graphql.run_status(str(run_id)) or ""
    except OSError:
        status = ""
    return RunState(str(run_id), _STATES.get(status, "unknown"), graphql.run_url(str(run_id)))


def _verdict(execution: dict[str, object]) -> str:
    if execution["status"] not in _FAILED:
        return "passed"
    evaluation = execution["evaluation"]
    return "warning" if isinstance(evaluation, dict) and evaluation.get("severity") == "WARN" else "error"
