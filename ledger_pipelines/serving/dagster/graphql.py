"""Client of Dagster's web server: GraphQL over HTTP. All GraphQL of the product is here.

Dagster's own `DagsterGraphQLClient` cannot execute a run again or query locations and checks, reports every failure of
the connection with the text of the query instead of the cause, and raises KeyError for an unknown asset (1.13.27).
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.settings import Settings

_TIMEOUT_SECONDS = 15.0
_LOCATIONS = """
{ workspaceOrError { __typename
    ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
      __typename ... on PythonError { message } } } }
    ... on PythonError { message } } }
"""
_RUN_STATUS = "query RunStatus($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_CHECKS = """
{ assetNodes { assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization {
    status evaluation { severity } } } } } } }
"""
_LOOPBACK = "127.0.0.1"
_RESULT = """{ __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } } }
"""
_LAUNCH = f"mutation Launch($parameters: ExecutionParams!) {{ launchRun(executionParams: $parameters) {_RESULT}"
_EXECUTE_AGAIN = (
    "mutation ExecuteAgain($parameters: ReexecutionParams!) "
    f"{{ launchRunReexecution(reexecutionParams: $parameters) {_RESULT}"
)


class DagsterUnreachableError(ServingError):
    """Web server that does not answer; it may nevertheless have launched the run."""


@dataclass(frozen=True)
class DagsterGraphql:
    """Client of the web server at an address such as http://127.0.0.1:3000."""

    address: str
    timeout_seconds: float = _TIMEOUT_SECONDS

    def run_url(self, run_id: str) -> str:
        """Return the URL of a run's page."""
        return f"{self.address}/runs/{run_id}"

    def location_is_loaded(self) -> bool:
        """Return whether the web server answers and has loaded the definitions.

        Raises:
            ServingError: the definitions cannot be loaded; the message says why.
        """
        try:
            workspace = self.query(_LOCATIONS)["workspaceOrError"]
        except OSError:  # not started yet
            return False
        entries = workspace.get("locationEntries", [])
        faults = [entry["locationOrLoadError"] for entry in entries] if entries else [workspace]
        for fault in faults:
            if fault is not None and fault["__typename"] == "PythonError":
                raise ServingError(f"The definitions cannot be loaded: {fault['message'].strip()}")
        return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)

    def asset_checks(self) -> list[dict[str, Any]]:
        """Return the asset checks: each name, and the execution (or None) for the latest materialization.

        Raises:
            OSError: the server does not answer.
        """
        nodes = self.query(_CHECKS)["assetNodes"]
        return [check for node in nodes for check in node["assetChecksOrError"].get("checks", [])]

    def run_status(self, run_id: str) -> str | None:
        """Return the status of a run, or None if there is no such run.

        Raises:
            OSError: the server does not answer.
        """
        status: str | None = self.query(_RUN_STATUS, {"id": run_id})["runOrError"].get("status")
        return status

    def launch_run(
        self, job: str, tags: Mapping[str, str], run_config: Mapping[str, Any], assets: Sequence[str] | None = None
    ) -> str:
        """Queue a run of a job, or of some of its assets with their checks, and return the run's id.

        Raises:
            ServingError: the run is refused.
        """
        selector: dict[str, Any] = {
            "repositoryLocationName": "ledger",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        if assets is not None:
            selector["assetSelection"] = [{"path": [asset]} for asset in assets]
        parameters = {
            "selector": selector,
            "runConfigData": run_config,
            "executionMetadata": {"tags": _tags(tags)},
        }
        return self._launched(_LAUNCH, parameters)

    def reexecute_run(self, run_id: str, tags: Mapping[str, str]) -> str:
        """Queue all steps of a finished run again and return the new run's id.

        Args:
            run_id: The finished run.
            tags: Tags of the new run, in addition to those of the finished one.

        Raises:
            ServingError: the run is refused.
        """
        return self._launched(
            _EXECUTE_AGAIN, {"parentRunId": run_id, "strategy": "ALL_STEPS", "extraTags": _tags(tags)}
        )

    def _launched(self, mutation: str, parameters: Mapping[str, Any]) -> str:
        try:
            (answer,) = self.query(mutation, {"parameters": parameters}).values()
        except OSError as error:
            raise DagsterUnreachableError(
                f"Dagster's web UI at {self.address} did not confirm the run: {error}. Check there whether the run has "
                "started; if not, try again."
            ) from error
        if answer["__typename"] != "LaunchRunSuccess":
            reasons = answer.get("errors") or [{"message": answer.get("message", answer["__typename"])}]
            raise ServingError(f"The run is refused: {' '.join(reason['message'] for reason in reasons)}")
        return str(answer["run"]["runId"])

    def query(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Execute a query and return its data.

        Raises:
            OSError: the server cannot be reached, or its answer is not a GraphQL result.
        """
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own http address
            f"{self.address}/graphql", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as answer:  # noqa: S310 - as above
                result = json.load(answer)
        except urllib.error.HTTPError as failure:  # Dagster sends its own errors as a result with status 400 or 500
            try:
                result = json.load(failure)
            except (ValueError, http.client.HTTPException):
                raise failure from None
        except (ValueError, http.client.HTTPException) as error:
            raise OSError(f"{self.address} is not Dagster's web UI") from error
        match result:
            case {"errors": [_, *_] as errors}:
                reasons = "; ".join(str(error["message"]) for error in errors)
                raise OSError(f"{self.address} does not answer the query: {reasons}")
            case {"data": dict(data)}:
                return data
        raise OSError(f"{self.address} is not Dagster's web UI")


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the format of the GraphQL API."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def connectable_host(host: str) -> str:
    """Return the host name under which a server that listens on a host is reached from this machine."""
    return {"0.0.0.0": _LOOPBACK, "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared


def dagster_graphql_from_settings(settings: Settings, timeout_seconds: float = _TIMEOUT_SECONDS) -> DagsterGraphql:
    """Return a client of the settings' web UI, as reached from this machine, whether it runs or not."""
    return DagsterGraphql(f"http://{connectable_host(settings.ui_host)}:{settings.ui_port}", timeout_seconds)
