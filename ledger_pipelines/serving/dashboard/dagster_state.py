"""Results of asset checks and states of runs, fetched from Dagster's web server."""

from dataclasses import dataclass
from uuid import UUID

from ledger_pipelines.serving.dagster.graphql import DagsterGraphql

_CHECKS = """
{ assetNodes { assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization {
    status evaluation { severity } } } } } } }
"""
_RUN = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
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


def fetch_check_results(web_ui: DagsterGraphql) -> CheckResults:
    """Fetch the results of all asset checks.

    Raises:
        OSError: Dagster does not answer.
    """
    nodes = web_ui.query(_CHECKS)["assetNodes"]
    found: dict[str, str] = {}
    for node in nodes:
        for check in node["assetChecksOrError"].get("checks", []):
            execution = check["executionForLatestMaterialization"]
            if execution is not None:
                found[_readable_name(check["name"])] = _verdict(execution)
    return CheckResults(
        executed=len(found),
        failing=tuple(name for name, verdict in found.items() if verdict == "error"),
        warning=tuple(name for name, verdict in found.items() if verdict == "warning"),
    )


def fetch_run_state(web_ui: DagsterGraphql, run_id: UUID) -> RunState:
    """Fetch the state of a run."""
    address = web_ui.run_url(str(run_id))
    try:
        status = web_ui.query(_RUN, {"id": str(run_id)})["runOrError"].get("status")
    except OSError:
        status = None
    return RunState(str(run_id), _STATES.get(status, "unknown"), address)


def _verdict(execution: dict[str, object]) -> str:
    if execution["status"] not in _FAILED:
        return "passed"
    evaluation = execution["evaluation"]
    return "warning" if isinstance(evaluation, dict) and evaluation.get("severity") == "WARN" else "error"


def _readable_name(name: str) -> str:
    return name.replace("_", " ")
