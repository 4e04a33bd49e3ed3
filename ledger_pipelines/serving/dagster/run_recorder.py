"""Recorder of the events of a run in this process, which reports progress and collects the run summary."""

from dataclasses import dataclass, field

import dagster as dg
from dagster import DagsterEventType, EventLogEntry

from ledger_pipelines.defs.resources.run_failures import step_failure_message
from ledger_pipelines.serving.dagster.run_summary import (
    CheckResult,
    LedgerRunRequest,
    ProgressCallback,
    RunError,
    RunSummary,
    StepResult,
)


@dataclass
class RunRecorder:
    """Listener for the events of a run that reports progress and collects results."""

    progress: ProgressCallback
    of: int
    done: int = 0
    steps: dict[str, StepResult] = field(default_factory=dict)
    checks: list[CheckResult] = field(default_factory=list)
    faults: list[RunError] = field(default_factory=list)

    def record(self, entry: EventLogEntry) -> None:
        """Record one event."""
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type
        if kind is DagsterEventType.STEP_START:
            self.progress(str(event.step_key), self.done, self.of)
        elif kind in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE):
            self.done += 1
            self.progress(str(event.step_key), self.done, self.of)
        elif kind is DagsterEventType.ASSET_MATERIALIZATION:
            self._materialised(event)
        elif kind is DagsterEventType.ASSET_CHECK_EVALUATION:
            self._checked(event)
        if kind is DagsterEventType.STEP_FAILURE:
            self.faults.append(RunError(event.step_key, step_failure_message(event.step_failure_data)))
        elif kind is DagsterEventType.RUN_FAILURE and not self.faults:
            self.faults.append(RunError(None, event.message or "the run failed"))
        elif kind is DagsterEventType.RUN_CANCELED:
            self.faults.append(RunError(None, "the run was cancelled"))

    def summary(self, request: LedgerRunRequest, run_id: str, seconds: float) -> RunSummary:
        """Return the summary of the run."""
        return RunSummary(request, run_id, seconds, tuple(self.steps.values()), tuple(self.checks), tuple(self.faults))

    def _materialised(self, event: dg.DagsterEvent) -> None:
        """Keep the event with the totals of the step; the events of its single months have no row counts."""
        metadata = {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        if "rows_read" in metadata:
            asset = str(event.step_key)
            self.steps[asset] = StepResult.from_metadata(asset, metadata)

    def _checked(self, event: dg.DagsterEvent) -> None:
        found = event.asset_check_evaluation_data
        if not found.passed:
            rows = found.metadata["rows"].value
            is_error = found.severity is dg.AssetCheckSeverity.ERROR
            self.checks.append(
                CheckResult(found.check_name, found.asset_key.to_user_string(), is_error, int(str(rows)))
            )
