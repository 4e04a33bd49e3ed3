"""Why a run or a step failed, as a message for users."""

from typing import Any

import dagster as dg
from dagster import DagsterExecutionInterruptedError


def run_failure_message(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return why a run failed: the messages of its failed steps, or else Dagster's own message."""
    events = [
        record.event_log_entry.dagster_event
        for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE)
        for record in instance.get_records_for_run(run_id, of_type=kind).records
    ]
    steps = [
        f"{event.step_key}: {step_failure_message(event.step_failure_data)}"
        for event in events
        if event and event.is_step_failure
    ]
    own = [event.message for event in events if event and not event.is_step_failure and event.message]
    return " ".join(steps or own[-1:]).strip() or "Dagster recorded no reason."


def step_failure_message(failure: Any) -> str:
    """Return the message of a failed step: its description for users, or else the innermost error."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "it failed"
    if error.cls_name == DagsterExecutionInterruptedError.__name__:
        return "it was interrupted; finished steps keep their result, this step changed nothing"
    return str(error.message).strip()
