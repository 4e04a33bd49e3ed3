"""What the dashboard asks of Dagster's web server: what the checks say, how a run is getting on."""

from dataclasses import dataclass
from uuid import UUID

from ledger_pipelines.serving.web_ui import WebUi

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
class Checks:
    """What Dagster's asset checks say.

    Attributes:
        executed: How many have been executed.
        failing: Names of those that found an error.
        warning: Names of those that found something worth a look.
    """

    executed: int
    failing: tuple[str, ...]
    warning: tuple[str, ...]


@dataclass(frozen=True)
class RunState:
    """How a run is getting on.

    Attributes:
        id: The run.
        state: waiting, running, done, failed or cancelled; unknown if Dagster does not say.
        address: Where Dagster shows it.
    """

    id: str
    state: str
    address: str

    @property
    def unfinished(self) -> bool:
        """Whether it is worth asking again."""
        return self.state in ("waiting", "running", "unknown")


def checks_of(web_ui: WebUi) -> Checks:
    """What the checks say, now.

    Raises:
        OSError: Dagster does not answer.
    """
    nodes = web_ui.ask(_CHECKS)["assetNodes"]
    found: dict[str, str] = {}
    for node in nodes:
        for check in node["assetChecksOrError"].get("checks", []):
            execution = check["executionForLatestMaterialization"]
            if execution is not None:
                found[_in_words(check["name"])] = _verdict(execution)
    return Checks(
        executed=len(found),
        failing=tuple(name for name, verdict in found.items() if verdict == "error"),
        warning=tuple(name for name, verdict in found.items() if verdict == "warning"),
    )


def run_state(web_ui: WebUi, run_id: UUID) -> RunState:
    """How a run is getting on, now."""
    address = web_ui.address_of_run(str(run_id))
    try:
        status = web_ui.ask(_RUN, {"id": str(run_id)})["runOrError"].get("status")
    except OSError:
        status = None
    return RunState(str(run_id), _STATES.get(status, "unknown"), address)


def _verdict(execution: dict[str, object]) -> str:
    if execution["status"] not in _FAILED:
        return "holds"
    evaluation = execution["evaluation"]
    return "warning" if isinstance(evaluation, dict) and evaluation.get("severity") == "WARN" else "error"


def _in_words(name: str) -> str:
    return name.replace("_", " ")
