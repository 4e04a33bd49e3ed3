"""Commands that run through Dagster: start and cancel a sync, recalculate a customer, run a reconciliation."""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger_pipelines.errors import first_line
from ledger_pipelines.horizon import Horizon
from ledger_pipelines.serving.base.databases import Databases, connection_error
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster import client as dagster_client
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql, dagster_graphql_from_settings
from ledger_pipelines.serving.dagster.run_summary import LedgerRunRequest
from ledger_pipelines.serving.dagster.sync_job import SyncJob
from ledger_pipelines.serving.reconciliation import check_possible
from ledger_pipelines.serving.sync import CANCEL_SECONDS, SyncRequest, SyncService
from ledger_pipelines.serving.web.errors import not_found, unavailable
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog

_STORAGE = "Dagster's storage does not answer: "


def start_sync(settings: Settings, request: SyncRequest) -> SyncJob:
    """Start a sync in Dagster.

    Raises:
        ApiError: Dagster's storage is unavailable.
        ServingError: Dagster is unavailable.
        SettingsError: no ERP is configured.
        SyncRunningError: another sync is running.
        WarehouseError: the warehouse is unavailable.
    """
    with _sync_service(settings) as service:
        graphql = _loaded_graphql(settings)
        service.close_dead_sync()
        job = service.register(request)
        service.launch(job, graphql)
    return job


def cancel_sync(settings: Settings, log_id: int | None, by: str) -> SyncLog:
    """Cancel the running sync and return its closed log.

    Args:
        settings: The installation's settings.
        log_id: Cancel only this sync; None: the running sync, whichever it is.
        by: Who cancels the sync, for its log.

    Raises:
        ApiError: no sync is running, or Dagster's storage is unavailable.
        SyncRunningError: another sync is running.
        WarehouseError: the warehouse is unavailable.
    """
    with _sync_service(settings) as service:
        log = service.cancel(log_id, force_after_seconds=CANCEL_SECONDS, on_progress=lambda _log, _tables: None, by=by)
    if log is None:
        raise not_found("No sync is running.")
    if log.status != "cancelled":
        raise not_found(
            f"No sync is running: sync {log.id} ended before it could be cancelled, with the status {log.status}."
        )
    return log


def start_recalculation(settings: Settings, customer_id: int, first: str) -> str:
    """Start a run that recalculates a customer from a month to the current one; return the run's id.

    Raises:
        ApiError: Dagster's storage is unavailable.
        ServingError: Dagster is unavailable.
        UnknownCustomerError: the customer is unknown.
        SourceError: the billing application's database is unavailable.
        WarehouseError: the warehouse is unavailable.
    """
    with Databases(settings) as databases, _dagster():
        databases.check_customers_exist((customer_id,))
        request = LedgerRunRequest(first, databases.horizon().current, (customer_id,), command="api update")
        return dagster_client.launch_ledger(_loaded_graphql(settings), request)


def start_reconciliation(settings: Settings, name: str, horizon: Horizon) -> str:
    """Start a run of a reconciliation over all months; return the run's id.

    Raises:
        ApiError: Dagster's storage is unavailable.
        ServingError: Dagster is unavailable, or no ERP is configured.
    """
    with _dagster():
        check_possible(settings, name)
        request = LedgerRunRequest(horizon.first, horizon.current, None, command="dashboard compare")
        return dagster_client.launch_reconciliation(_loaded_graphql(settings), request, [name])


@contextmanager
def _sync_service(settings: Settings) -> Iterator[SyncService]:
    if reason := connection_error(
        database_urls.dagster_storage_url(settings)
    ):  # Dagster itself would retry for ten seconds
        raise unavailable(f"{_STORAGE}{reason}")
    with _dagster(), Databases(settings) as databases, dagster_client.open_instance(settings) as instance:
        yield SyncService(databases, instance)


@contextmanager
def _dagster() -> Iterator[None]:
    """Raise 503 if Dagster's storage is unavailable."""
    try:
        yield
    except dagster_client.STORAGE_ERRORS as error:
        raise unavailable(f"{_STORAGE}{first_line(error)}") from error


def _loaded_graphql(settings: Settings) -> DagsterGraphql:
    graphql = dagster_graphql_from_settings(settings)
    if not graphql.location_is_loaded():
        raise ServingError(f"Dagster does not answer at {graphql.address}. Start it with `ledger up` and try again.")
    return graphql
