"""Resuming runs through the web server: once, even if an answer is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster import DagsterRunStatus as Status

from ledger_pipelines.defs.resources.interruption import AT_NEXT_START, RESUME_TAG, runs_to_resume
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster import client as dagster_client
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, DagsterUnreachableError
from ledger_pipelines_tests.support.dagster_internals import create_run_for_test


@dataclass(frozen=True)
class FakeGraphql(DagsterGraphql):
    """Web server that executes runs again, and raises an error before or after."""

    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    before: ServingError | None = None
    after: ServingError | None = None

    def reexecute_run(self, run_id: str, tags: Mapping[str, str]) -> str:
        """Launch a run with the tags."""
        del run_id
        if self.before is not None:
            raise self.before
        launched = create_run_for_test(self.instance, job_name="billing_ledger", tags=dict(tags))
        if self.after is not None:
            raise self.after
        return str(launched.run_id)


def cancelled_run(instance: dg.DagsterInstance) -> str:
    tags = {RESUME_TAG: AT_NEXT_START}
    return str(create_run_for_test(instance, job_name="billing_ledger", status=Status.CANCELED, tags=tags).run_id)


def number_of_runs(instance: dg.DagsterInstance) -> int:
    return len(instance.get_runs())


def test_cancelled_run_is_executed_again_once(instance: dg.DagsterInstance) -> None:
    run_id = cancelled_run(instance)
    ((resumed, outcome),) = dagster_client.resume_runs(instance, FakeGraphql("http://here", instance=instance))
    assert resumed == run_id
    assert isinstance(outcome, str)
    assert list(dagster_client.resume_runs(instance, FakeGraphql("http://here", instance=instance))) == []
    assert number_of_runs(instance) == 2


def test_run_without_an_answer_is_resumed_by_the_next_start(instance: dg.DagsterInstance) -> None:
    run_id, away = cancelled_run(instance), DagsterUnreachableError("timed out")
    assert list(dagster_client.resume_runs(instance, FakeGraphql("http://here", instance=instance, before=away))) == [
        (run_id, away)
    ]
    assert runs_to_resume(instance) == [run_id]


def test_run_whose_answer_was_lost_is_not_executed_twice(instance: dg.DagsterInstance) -> None:
    cancelled_run(instance)
    graphql = FakeGraphql("http://here", instance=instance, after=DagsterUnreachableError("timed out"))
    assert len(list(dagster_client.resume_runs(instance, graphql))) == 1
    ((_, outcome),) = dagster_client.resume_runs(instance, FakeGraphql("http://here", instance=instance))
    assert isinstance(outcome, str)
    assert number_of_runs(instance) == 2


def test_refused_run_is_not_retried(instance: dg.DagsterInstance) -> None:
    run_id, refusal = cancelled_run(instance), ServingError("no such job")
    graphql = FakeGraphql("http://here", instance=instance, before=refusal)
    assert list(dagster_client.resume_runs(instance, graphql)) == [(run_id, refusal)]
    assert runs_to_resume(instance) == []
