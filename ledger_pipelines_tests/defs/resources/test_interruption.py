"""Runs that are stopped with their code server: cancelled with the reason, and resumed once."""

import json

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status

from ledger_pipelines.defs.resources import interruption
from ledger_pipelines.defs.resources.run_process import CODE_SERVER_TAG
from ledger_pipelines_tests.support.dagster_internals import create_run_for_test

PORT = 4266
REASON = "ledger up was stopped. The next start of ledger up executes this run again."


def launched_run(instance: dg.DagsterInstance, status: Status, port: int = PORT) -> str:
    """Create a run that the code server at a port launched, and return its id."""
    tags = {CODE_SERVER_TAG: json.dumps({"host": "127.0.0.1", "port": port})}
    return str(create_run_for_test(instance, job_name="billing_ledger", status=status, tags=tags).run_id)


def status_of(instance: dg.DagsterInstance, run_id: str) -> Status:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def reasons_of(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return the messages that were recorded when the cancellation began."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_CANCELING).records
    return [
        record.event_log_entry.dagster_event.message or "" for record in records if record.event_log_entry.dagster_event
    ]


@pytest.mark.parametrize("status", [Status.STARTING, Status.STARTED])
def test_launched_run_is_cancelled_and_resumed_once(instance: dg.DagsterInstance, status: Status) -> None:
    run_id = launched_run(instance, status)
    assert interruption.mark_runs_canceling(instance, PORT) == [run_id]
    assert status_of(instance, run_id) is Status.CANCELING
    interruption.mark_runs_canceled(instance, [run_id])
    assert status_of(instance, run_id) is Status.CANCELED
    assert reasons_of(instance, run_id) == [REASON]

    assert interruption.runs_to_resume(instance) == [run_id]
    interruption.mark_resumed(instance, run_id, "another run")
    assert interruption.runs_to_resume(instance) == []


def test_runs_are_resumed_in_their_order(instance: dg.DagsterInstance) -> None:
    run_ids = [launched_run(instance, Status.STARTED) for _ in range(3)]
    interruption.mark_runs_canceled(instance, interruption.mark_runs_canceling(instance, PORT))
    assert interruption.runs_to_resume(instance) == run_ids


def test_run_that_fails_while_it_is_stopped_is_cancelled(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTING)
    stopped = interruption.mark_runs_canceling(instance, PORT)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)  # its process started after the request and did nothing
    interruption.mark_runs_canceled(instance, stopped)
    assert interruption.runs_to_resume(instance) == [run_id]


def test_run_that_succeeds_while_it_is_stopped_is_not_resumed(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTED)
    stopped = interruption.mark_runs_canceling(instance, PORT)
    success = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "billing_ledger")
    instance.report_dagster_event(success, run_id)
    interruption.mark_runs_canceled(instance, stopped)
    assert status_of(instance, run_id) is Status.SUCCESS
    assert interruption.runs_to_resume(instance) == []


def test_run_that_is_replaced_is_found(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTED)
    assert interruption.find_replacement(instance, run_id) is None
    replacing = launched_run(instance, Status.STARTED)
    instance.add_run_tags(replacing, {interruption.RESUME_TAG: interruption.replacement_tag(run_id)})
    assert interruption.find_replacement(instance, run_id) == replacing


def test_run_whose_stop_is_cut_short_is_cancelled_and_resumed(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTED)
    interruption.mark_runs_canceling(instance, PORT)  # then the machine loses power
    assert interruption.fail_dead_runs(instance, code_server_port=PORT) == []
    assert status_of(instance, run_id) is Status.CANCELED
    assert interruption.runs_to_resume(instance) == [run_id]


def test_run_that_sensors_ask_for_again_is_not_resumed(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTED)
    instance.add_run_tags(run_id, {interruption.RESUME_TAG: interruption.NOT_NEEDED})
    interruption.mark_runs_canceled(instance, interruption.mark_runs_canceling(instance, PORT))
    assert status_of(instance, run_id) is Status.CANCELED
    assert reasons_of(instance, run_id) == ["ledger up was stopped."]
    assert interruption.runs_to_resume(instance) == []


def test_run_that_a_user_cancels_is_not_resumed(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.CANCELING)
    interruption.mark_runs_canceled(instance, interruption.mark_runs_canceling(instance, PORT))
    assert status_of(instance, run_id) is Status.CANCELED
    assert interruption.runs_to_resume(instance) == []


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.SUCCESS, Status.FAILURE])
def test_run_that_is_not_executed_is_left_alone(instance: dg.DagsterInstance, status: Status) -> None:
    run_id = launched_run(instance, status)
    assert interruption.mark_runs_canceling(instance, PORT) == []
    assert status_of(instance, run_id) is status


def test_run_of_another_code_server_is_left_alone(instance: dg.DagsterInstance) -> None:
    run_id = launched_run(instance, Status.STARTED, port=PORT + 1)
    assert interruption.mark_runs_canceling(instance, PORT) == []
    assert status_of(instance, run_id) is Status.STARTED
